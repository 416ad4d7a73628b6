"""What the tools make of the manifests and the chart."""

import functools
import json
import os
import pathlib
import subprocess
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
KUSTOMIZE = ROOT / "deploy/kustomize"
CHART = ROOT / "deploy/helm/nri-oci-hooks"
ADMISSION = ROOT / "deploy/admission"

SHAPES = ["full", "least-privilege"]
TOOLS = ["kustomize", "helm"]
VARIANTS = [(tool, shape) for tool in TOOLS for shape in SHAPES]


class Refused(Exception):
    """A tool did not render what it was given."""


class Rendered:
    """The objects of one rendering."""

    def __init__(self, text):
        self.text = text
        self.objects = [found for found in yaml.safe_load_all(text) if found]

    def kinds(self):
        return sorted(found["kind"] for found in self.objects)

    def one(self, kind, name=None):
        """The one object of this kind, or of this kind and name."""
        found = [each for each in self.objects if each["kind"] == kind]
        if name is not None:
            found = [each for each in found if each["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} of {kind} {name or ''}"
        return found[0]

    def pod(self):
        """The pod's template in the DaemonSet."""
        return self.one("DaemonSet")["spec"]["template"]

    def daemon(self):
        """The one container of the daemon's pods."""
        (container,) = self.pod()["spec"]["containers"]
        return container

    def volumes(self):
        """The volumes of the pod by the paths that they are mounted at."""
        named = {volume["name"]: volume for volume in self.pod()["spec"]["volumes"]}
        return {mount["mountPath"]: named[mount["name"]] for mount in self.daemon()["volumeMounts"]}

    def host_directories(self):
        """The directories of the host that are mounted, by the paths that they are mounted at."""
        found = self.volumes().items()
        return {path: volume["hostPath"]["path"] for path, volume in found if "hostPath" in volume}

    def files(self):
        """What the daemon finds in its directory of files: the content by the name."""
        files = dict(self.one("ConfigMap", "nri-oci-hooks")["data"])
        for name, text in (self.one("ConfigMap", "nri-oci-hooks-specs").get("data") or {}).items():
            files[f"specs/{name}"] = text
        return files


def run(*command):
    """What a tool prints; Refused, with what it complains of, if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(done.stderr + done.stdout)
    return done.stdout


def kustomize(directory):
    return Rendered(run(os.environ["KUBECTL"], "kustomize", directory))


def kustomization(**fields):
    """What comes of a kustomization of somebody's own, in a directory of its own."""
    with tempfile.TemporaryDirectory() as directory:
        relative = {
            key: [os.path.relpath(KUSTOMIZE / path, os.path.realpath(directory)) for path in fields.pop(key, [])]
            for key in ("resources", "components")
        }
        header = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
        text = yaml.safe_dump({**header, **relative, **fields})
        pathlib.Path(directory, "kustomization.yaml").write_text(text, encoding="utf-8")
        return kustomize(directory)


def helm(values=None, namespace="nri-oci-hooks", *options):
    """What comes of the chart with these values beside its own."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values or {}, file)
        file.flush()
        arguments = ["template", "nri-oci-hooks", CHART, "--namespace", namespace, "--values", file.name, *options]
        return Rendered(run(os.environ["HELM"], *arguments))


@functools.cache
def shipped(tool, shape):
    """What comes of what is shipped, as it is."""
    return kustomize(KUSTOMIZE / shape) if tool == "kustomize" else helm({"shape": shape})


@functools.cache
def policies():
    """The admission policies as they are shipped."""
    return kustomize(ADMISSION)
