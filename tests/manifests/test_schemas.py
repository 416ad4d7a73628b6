"""Kubernetes takes what is rendered."""

import functools
import os
import unittest

import kubernetes_validate
import kubernetes_validate.utils

from rendered import CHART, VARIANTS, helm, kustomization, policies, run, shipped

# The oldest that the chart is for, the first with admission policies, and newer ones up to the latest that there is a
# schema of.
VERSIONS = ["1.25", "1.28", "1.30", "1.33", "1.35", "1.37"]
# From when on Kubernetes has kinds that it has not always had.
SINCE = {"ValidatingAdmissionPolicy": "1.30", "ValidatingAdmissionPolicyBinding": "1.30"}
COMPONENTS = ["pod-monitor", "network-policy", "host-unit", "required-plugins", "hook-images"]
# Of which there is no schema: they are not Kubernetes' own.
FOREIGN = {"PodMonitor"}

# The definitions are read from a file of megabytes again for every object.
kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)


def as_number(version):
    return tuple(int(part) for part in version.split("."))


class Schemas(unittest.TestCase):
    def taken(self, rendered):
        """That every version takes every object, without a field that it does not know. What is not asked is said."""
        self.assertGreater(len(rendered.objects), 0)
        for found in rendered.objects:
            kind = found["kind"]
            if kind in FOREIGN:
                print(f"not validated: there is no schema of {kind} here; its fields are looked at in test_options.py")
                continue
            asked = [version for version in VERSIONS if as_number(version) >= as_number(SINCE.get(kind, "1.0"))]
            for version in asked:
                with self.subTest(kind=kind, version=version):
                    self.assertEqual(kubernetes_validate.validate(found, version, strict=True), version)

    def test_every_version_takes_what_is_shipped(self):
        for tool, shape in VARIANTS:
            with self.subTest(tool=tool, shape=shape):
                self.taken(shipped(tool, shape))

    def test_every_version_takes_what_is_off_by_default(self):
        components = [f"components/{name}" for name in COMPONENTS]
        self.taken(kustomization(resources=["full"], components=components))
        on = {"enabled": True}
        off = ("podMonitor", "networkPolicy", "admission", "hostUnit", "requiredPlugins")
        self.taken(helm({name: on for name in off}))

    def test_every_version_that_has_admission_policies_takes_ours(self):
        self.taken(policies())

    def test_every_version_takes_the_chart_with_all_values_set(self):
        term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        values = {
            "image": {"repository": "registry.example.com/hooks", "digest": "sha256:" + "0" * 64},
            "imagePullSecrets": [{"name": "registry"}],
            "launch": {"name": "hooks", "index": 5},
            "affinity": {"nodeAffinity": required},
            "podAnnotations": {"example.com/a": "b"},
            "podLabels": {"example.com/c": "d"},
            "updateStrategy": {"type": "OnDelete", "rollingUpdate": None},
            "hookDirectories": ["/opt/hooks", "/usr/local/bin"],
            "hookImages": [{"name": "gpu", "image": "registry.example.com/gpu:1", "pullPolicy": "Always"}],
            "hookImagesDirectory": "/opt/images",
            "nriSocketDirectory": "/run/nri",
        }
        for shape in ["full", "least-privilege"]:
            with self.subTest(shape=shape):
                self.taken(helm({**values, "shape": shape}))

    def test_a_field_that_kubernetes_does_not_have_is_found(self):
        found = dict(shipped("kustomize", "full").one("ServiceAccount"), automountToken=False)
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(found, "1.37", strict=True)

    def test_helm_finds_nothing_to_blame_in_the_chart(self):
        for shape in ["full", "least-privilege"]:
            with self.subTest(shape=shape):
                run(os.environ["HELM"], "lint", "--strict", "--set", f"shape={shape}", CHART)

    def test_the_chart_is_for_the_oldest_version_of_these_and_no_older(self):
        oldest = VERSIONS[0]
        helm(None, "nri-oci-hooks", "--kube-version", f"{oldest}.0")
        with self.assertRaisesRegex(Exception, "kubeVersion"):
            helm(None, "nri-oci-hooks", "--kube-version", "1.24.17")
