"""What hack/check-workflows checks of the workflows and kind's configuration beside its tools.

usage: check-workflows.py VERSIONS    those of hack/kind-e2e --list
"""

import pathlib
import re
import subprocess
import sys
import tomllib

from ruamel.yaml import YAML

# The one job that may write: what it needs, and no more.
PERMISSIONS = {("release.yml", "publish"): {"contents": "write", "id-token": "write", "attestations": "write"}}
NRI = "io.containerd.nri.v1.nri"


def read(text):
    return YAML(typ="safe").load(text)


def workflow(file):
    """What is wrong with a workflow that the tools accept."""
    for name, job in read(file.read_text())["jobs"].items():
        if "timeout-minutes" not in job:
            yield f"job {name} has no time limit"
        if job.get("permissions") != PERMISSIONS.get((file.name, name)):
            yield f"job {name} has other permissions than it should"
        for step in job["steps"]:
            # zizmor accepts a token that is left on purpose.
            if step.get("uses", "").startswith("actions/checkout@") and step["with"]["persist-credentials"] is not False:
                yield f"job {name} leaves the token in the checkout"


def matrix(versions):
    """Whether the workflow tests all that hack/kind-e2e knows."""
    document = read(pathlib.Path(".github/workflows/kind.yml").read_text())
    tested = document["jobs"]["test"]["strategy"]["matrix"]["containerd"]
    if tested != versions:
        yield f"it tests containerd {tested}, and hack/kind-e2e knows {versions}"


def kind(version):
    """What is wrong with the configuration of a cluster."""
    document = read(subprocess.check_output(["hack/kind-e2e", "--config", version], text=True))
    for node in document["nodes"]:
        if not re.fullmatch(r"docker\.io/kindest/node:v[\d.]+@sha256:[0-9a-f]{64}", node["image"]):
            yield f"a node image without its digest: {node['image']}"
    expected = tomllib.loads(pathlib.Path("deploy/containerd/containerd-1.7.toml").read_text())
    patches = [tomllib.loads(patch) for patch in document["containerdConfigPatches"]]
    if [patch.get("plugins", {}).get(NRI) for patch in patches] != [expected["plugins"][NRI]]:
        yield "its NRI is not that of deploy/containerd/containerd-1.7.toml"
    if any("version" in patch for patch in patches):
        yield "a patch for one version of containerd's configuration: kind leaves it out of the others"


def main():
    versions = sys.argv[1].split()
    wrong = []
    for file in sorted(pathlib.Path(".github/workflows").glob("*.yml")):
        wrong += [f"{file}: {what}" for what in workflow(file)]
    wrong += [f".github/workflows/kind.yml: {what}" for what in matrix(versions)]
    for version in versions:
        wrong += [f"kind for containerd {version}: {what}" for what in kind(version)]
    print(*wrong, sep="\n", file=sys.stderr, end="\n" if wrong else "")
    sys.exit(bool(wrong))


main()
