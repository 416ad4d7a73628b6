"""What docs/kubernetes.md shows is what the tools take."""

import pathlib
import re
import shutil
import tempfile
import unittest

import yaml

from rendered import ROOT, helm, kustomize

EXAMPLES = ROOT / "examples"
TEXT = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")


class Documents(unittest.TestCase):
    def setUp(self):
        self.kustomization, self.values, self.images = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)

    def test_the_kustomization_that_is_shown_is_rendered_with_what_it_names(self):
        with tempfile.TemporaryDirectory() as directory:
            own = pathlib.Path(directory).resolve() / "own"
            own.mkdir()
            (own.parent / "deploy").symlink_to(ROOT / "deploy")
            (own / "kustomization.yaml").write_text(self.kustomization, encoding="utf-8")
            for name in ("config.toml", "default.json", "specs/scratch.json"):
                shutil.copy(EXAMPLES / name, own)
            rendered = kustomize(own)
        self.assertEqual(rendered.daemon()["image"], "registry.example.com/nri-oci-hooks:0.1.0")
        self.assertLessEqual({"PodMonitor", "NetworkPolicy"}, set(rendered.kinds()))
        self.assertEqual(sorted(rendered.files()), ["config.toml", "default.json", "specs/scratch.json"])
        for name, text in rendered.files().items():
            self.assertEqual(text, (EXAMPLES / name).read_text(encoding="utf-8"))
        self.assertEqual(rendered.volumes()["/config"]["configMap"]["name"], "nri-oci-hooks")

    def test_the_values_that_are_shown_are_taken(self):
        helm(yaml.safe_load(self.images))
        values = yaml.safe_load(self.values)
        rendered = helm(values)
        self.assertEqual(rendered.files()["config.toml"], values["config"])
        self.assertIn("specs/scratch.json", rendered.files())
