"""The daemon takes what the manifests give it: its own `check` the files, its own parser the arguments."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from rendered import ROOT, VARIANTS, helm, kustomization, shipped

EXAMPLES = ROOT / "examples"
PROGRAM = os.environ["NRI_OCI_HOOKS_PROGRAM"]

# A node of its own: a mount namespace in which /etc has nothing but the files, and the examples' scripts are in place.
NODE = """
mount -t tmpfs -o mode=0755 tmpfs /usr/local/lib
install -d /usr/local/lib/nri-oci-hooks
install -m 0755 -t /usr/local/lib/nri-oci-hooks "$1"/*
shift
mount -t tmpfs -o mode=0755 tmpfs /etc
install -d /etc/nri-oci-hooks/specs
cp -r "$1"/. /etc/nri-oci-hooks
shift
exec "$@" check --config /etc/nri-oci-hooks/config.toml
"""


def check(files):
    """What `nri-oci-hooks check` says of these files, and whether all are good."""
    with tempfile.TemporaryDirectory() as directory:
        for name, text in files.items():
            path = pathlib.Path(directory, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", NODE, "node"]
        command += [EXAMPLES / "hooks", directory, PROGRAM]
        # Directories and files are as the daemon makes them.
        done = subprocess.run(command, capture_output=True, text=True, umask=0o022, check=False)
        return done.returncode == 0, done.stdout + done.stderr


def example(name):
    return json.loads((EXAMPLES / name).read_text(encoding="utf-8"))


class Check(unittest.TestCase):
    def good(self, rendered):
        files = rendered.files()
        good, said = check(files)
        self.assertTrue(good, said)
        for name in files:
            self.assertIn(f"/etc/nri-oci-hooks/{name}: good", said)

    def test_the_files_that_are_shipped_are_good(self):
        for tool, shape in VARIANTS:
            with self.subTest(tool=tool, shape=shape):
                self.good(shipped(tool, shape))

    def test_hook_specs_in_values_become_hook_specs_on_the_node(self):
        specs = {name: example(f"specs/{name}.json") for name in ("arp", "scratch")}
        specs["long"] = {"poststop": [{"path": "/usr/local/lib/nri-oci-hooks/scratch", "timeout": 2000000}]}
        odd = ["log-line", "<a> & 'b'", 'c "d" \\', "#{{ e }}", "ü", " ", "two\nlines"]
        specs["odd"] = {"prestart": [{"path": "/usr/local/lib/nri-oci-hooks/log-line", "args": odd}]}
        rendered = helm({"hookSpec": example("default.json"), "specs": specs})
        self.good(rendered)
        read = {name: json.loads(text) for name, text in rendered.files().items() if name.endswith(".json")}
        for name, spec in specs.items():
            self.assertEqual(read[f"specs/{name}.json"], spec)
        for stage, hooks in example("default.json").items():
            self.assertEqual(read["default.json"][stage], hooks)

    def test_hook_specs_beside_a_kustomization_become_hook_specs_on_the_node(self):
        text = (EXAMPLES / "specs/scratch.json").read_text(encoding="utf-8")
        generator = {
            "name": "nri-oci-hooks-specs",
            "namespace": "nri-oci-hooks",
            "behavior": "merge",
            "literals": [f"scratch.json={text}"],
        }
        rendered = kustomization(resources=["full"], configMapGenerator=[generator])
        self.assertIn("specs/scratch.json", rendered.files())
        self.good(rendered)
        self.assertEqual(rendered.one("DaemonSet"), shipped("kustomize", "full").one("DaemonSet"))

    def test_an_error_in_the_files_is_found(self):
        files = shipped("kustomize", "full").files()
        for name, text in (
            ("config.toml", files["config.toml"].replace("hook_spec", "hook_specs")),
            ("default.json", '{"preStart": []}'),
            ("specs/gpu.json", '{"prestart": [{"path": "/usr/local/lib/nri-oci-hooks/none"}]}'),
        ):
            with self.subTest(file=name):
                good, said = check({**files, name: text})
                self.assertFalse(good, said)
                self.assertIn(f"/etc/nri-oci-hooks/{name}", said)

    def test_the_program_takes_the_arguments(self):
        renderings = [shipped(tool, shape) for tool, shape in VARIANTS]
        renderings.append(helm({"hostUnit": {"enabled": True}, "requiredPlugins": {"enabled": True}}))
        image = {"name": "gpu", "image": "registry.example.com/gpu:1"}
        renderings.append(helm({"hookImages": [image], "hookImagesDirectory": "/opt/images"}))
        renderings.append(helm({"hostProgram": "/opt/bin/hooks", "nriSocketDirectory": "/run/nri"}))
        words = [rendered.daemon()["args"] for rendered in renderings]
        for container in renderings[-2].pod()["spec"]["initContainers"]:
            words.append(container.get("command", [""])[1:] + container["args"])
        for arguments in words:
            with self.subTest(arguments=arguments):
                # It reads the arguments before it is asked for help, and refuses what it does not know.
                done = subprocess.run([PROGRAM, *arguments, "--help"], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_program_refuses_an_argument_that_it_does_not_have(self):
        done = subprocess.run([PROGRAM, "run", "--enter-hosts", "--help"], capture_output=True, check=False)
        self.assertEqual(done.returncode, 2)
