"""The admission policies let through and refuse what they should; their expressions are evaluated.

What is not the API server's own is told here in a few lines: which rule matches which kind, and which namespace a
selector selects. deploy/admission/README.md tells how to ask a real one.
"""

import copy
import functools
import itertools
import unittest

import celpy

from rendered import VARIANTS, policies, shipped

HOOKS = "hook-spec.noderesource.dev"
LABEL = "hook-spec.noderesource.dev/allowed"
TOLERATE = "tolerate-missing-plugins.noderesource.dev"

# The kinds that make pods: group, resource, and where the pod's template is.
KINDS = {
    "Pod": ("", "pods", []),
    "PodTemplate": ("", "podtemplates", ["template"]),
    "ReplicationController": ("", "replicationcontrollers", ["spec", "template"]),
    "DaemonSet": ("apps", "daemonsets", ["spec", "template"]),
    "Deployment": ("apps", "deployments", ["spec", "template"]),
    "ReplicaSet": ("apps", "replicasets", ["spec", "template"]),
    "StatefulSet": ("apps", "statefulsets", ["spec", "template"]),
    "Job": ("batch", "jobs", ["spec", "template"]),
    "CronJob": ("batch", "cronjobs", ["spec", "jobTemplate", "spec", "template"]),
}
WORKLOADS = [kind for kind in KINDS if kind != "Pod"]


def an_object(kind, annotations, own=None):
    """An object whose pod, or whose template's pods, have these annotations; a workload has `own` itself."""
    group, _, path = KINDS[kind]
    inner = {"metadata": {} if annotations is None else {"annotations": annotations}, "spec": {"containers": []}}
    for key in reversed(path):
        inner = {key: inner}
    inner.setdefault("metadata", {"annotations": own} if own else {"labels": {"a": "b"}})
    return {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind, **inner}


@functools.cache
def compiled(expression):
    environment = celpy.Environment()
    return environment.program(environment.compile(expression))


def evaluate(expression, bindings):
    return compiled(expression).evaluate({name: celpy.json_to_cel(value) for name, value in bindings.items()})


def selects(selector, labels):
    """Whether a label selector of the kinds that ours use selects these labels."""
    assert set(selector) == {"matchExpressions"}, selector
    for expression in selector["matchExpressions"]:
        assert expression["operator"] == "NotIn", expression
        if labels.get(expression["key"]) in expression["values"]:
            return False
    return True


def matches(constraints, kind, operation):
    """Whether the policy is asked about objects of this kind."""
    group, resource, _ = KINDS[kind]
    return any(
        group in rule["apiGroups"] and resource in rule["resources"] and operation in rule["operations"]
        for rule in constraints["resourceRules"]
    )


def refusal(name, namespace, labels, new, old=None):
    """Why the policy refuses that `new` is created, or that `old` becomes it; None if it does not."""
    policy = policies().one("ValidatingAdmissionPolicy", name)["spec"]
    binding = policies().one("ValidatingAdmissionPolicyBinding", name)["spec"]
    assert binding["policyName"] == name and binding["validationActions"] == ["Deny"]
    labels = {"kubernetes.io/metadata.name": namespace, **labels}
    operation = "CREATE" if old is None else "UPDATE"
    if not selects(binding["matchResources"]["namespaceSelector"], labels):
        return None
    if not matches(policy["matchConstraints"], new["kind"], operation):
        return None
    bindings = {"object": new, "oldObject": old, "request": {"namespace": namespace, "operation": operation}}
    bindings["variables"] = {}
    for variable in policy["variables"]:
        bindings["variables"][variable["name"]] = evaluate(variable["expression"], bindings)
    for validation in policy["validations"]:
        if not evaluate(validation["expression"], bindings):
            return str(evaluate(validation["messageExpression"], bindings))
    return None


class Annotation(unittest.TestCase):
    POLICY = "nri-oci-hooks-annotation"

    def refusal(self, labels, new, old=None):
        return refusal(self.POLICY, "team-a", labels, new, old)

    def test_in_a_namespace_without_the_label_no_kind_may_use_it(self):
        for kind in KINDS:
            for key in (HOOKS, f"{HOOKS}/pod", f"{HOOKS}/container.web", f"{HOOKS}/containers.web"):
                for labels in ({}, {LABEL: "false"}, {LABEL: "True"}, {LABEL: ""}, {f"{LABEL}.example": "true"}):
                    with self.subTest(kind=kind, key=key, labels=labels):
                        said = self.refusal(labels, an_object(kind, {key: "gpu", "other": "x"}))
                        self.assertIn(f"annotation {key} may not be used in namespace team-a", said or "taken")

    def test_an_empty_value_is_a_use_too(self):
        self.assertIsNotNone(self.refusal({}, an_object("Pod", {HOOKS: ""})))

    def test_in_a_namespace_with_the_label_every_kind_may_use_it(self):
        for kind in KINDS:
            for key in (HOOKS, f"{HOOKS}/pod", f"{HOOKS}/container.web"):
                with self.subTest(kind=kind, key=key):
                    self.assertIsNone(self.refusal({LABEL: "true"}, an_object(kind, {key: "gpu"})))

    def test_what_does_not_use_it_is_taken_everywhere(self):
        for kind in KINDS:
            for annotations in (None, {}, {"other": "x"}):
                with self.subTest(kind=kind, annotations=annotations):
                    self.assertIsNone(self.refusal({}, an_object(kind, annotations)))

    def test_a_key_that_looks_alike_is_none_of_ours(self):
        for key in (
            f"{HOOKS}.example.com",
            f"{HOOKS}.example.com/pod",
            f"{HOOKS}-x",
            f"x{HOOKS}",
            f"x.{HOOKS}/pod",
            "hook-spec.noderesource.de",
            "hook-spec.noderesource.dev.",
            "hook-specs.noderesource.dev",
            "Hook-Spec.noderesource.dev",
            "hook-specxnoderesource.dev",
            f"example.com/{HOOKS}",
            TOLERATE,
        ):
            for kind in ("Pod", "Deployment", "CronJob"):
                with self.subTest(key=key, kind=kind):
                    self.assertIsNone(self.refusal({}, an_object(kind, {key: "gpu"})))

    def test_a_workload_may_have_it_itself_for_its_pods_do_not_get_it_from_there(self):
        for kind in WORKLOADS:
            with self.subTest(kind=kind):
                self.assertIsNone(self.refusal({}, an_object(kind, None, own={HOOKS: "gpu"})))

    def test_what_has_it_already_may_be_changed_otherwise(self):
        # As a namespace that has lost its label.
        annotations = {HOOKS: "gpu", f"{HOOKS}/pod": "net"}
        for kind in KINDS:
            old = an_object(kind, annotations)
            finalized = {**old, "metadata": {**old["metadata"], "finalizers": []}}
            for change, new in (
                ("none", old),
                ("a finalizer", finalized),
                ("another annotation", an_object(kind, {**annotations, "other": "x"})),
            ):
                with self.subTest(kind=kind, change=change):
                    self.assertIsNone(self.refusal({}, new, old))

    def test_it_may_be_taken_away(self):
        for kind in KINDS:
            old = an_object(kind, {HOOKS: "gpu", f"{HOOKS}/pod": "net"})
            for annotations in ({HOOKS: "gpu"}, {"other": "x"}, {}, None):
                with self.subTest(kind=kind, annotations=annotations):
                    self.assertIsNone(self.refusal({}, an_object(kind, annotations), old))

    def test_it_may_not_be_added_or_changed_later(self):
        for kind in KINDS:
            for before, after in (
                (None, {HOOKS: "gpu"}),
                ({}, {f"{HOOKS}/pod": "gpu"}),
                ({HOOKS: "gpu"}, {HOOKS: "net"}),
                ({HOOKS: "gpu"}, {HOOKS: "gpu", f"{HOOKS}/container.web": "net"}),
                # The same value under another key is for other containers.
                ({f"{HOOKS}/container.web": "gpu"}, {HOOKS: "gpu"}),
            ):
                with self.subTest(kind=kind, before=before, after=after):
                    self.assertIsNotNone(self.refusal({}, an_object(kind, after), an_object(kind, before)))
                    self.assertIsNone(self.refusal({LABEL: "true"}, an_object(kind, after), an_object(kind, before)))

    def test_objects_with_parts_left_out_are_judged(self):
        bare = {"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "x"}, "spec": {}}
        self.assertIsNone(self.refusal({}, bare))
        self.assertIsNotNone(self.refusal({}, an_object("ReplicationController", {HOOKS: "gpu"}), bare))
        no_metadata = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": {}}}}
        self.assertIsNone(self.refusal({}, no_metadata))
        self.assertIsNotNone(self.refusal({}, an_object("Deployment", {HOOKS: "gpu"}), no_metadata))

    def test_the_refusal_tells_why_and_what_to_do(self):
        said = self.refusal({}, an_object("Deployment", {f"{HOOKS}/pod": "gpu"}))
        wanted = (
            "annotation hook-spec.noderesource.dev/pod may not be used in namespace team-a: it selects OCI hooks, which"
            " run as root on the node. If pods of this namespace may select hooks, have an administrator of the cluster"
            " label it: kubectl label namespace team-a hook-spec.noderesource.dev/allowed=true"
        )
        self.assertEqual(said, wanted)


class TolerateMissingPlugins(unittest.TestCase):
    POLICY = "nri-oci-hooks-tolerate-missing-plugins"

    def test_only_the_daemon_and_what_a_node_needs_before_it_may_use_it(self):
        for kind in KINDS:
            for key in (TOLERATE, f"{TOLERATE}/pod", f"{TOLERATE}/container.web"):
                with self.subTest(kind=kind, key=key):
                    new = an_object(kind, {key: "true"})
                    for namespace in ("nri-oci-hooks", "kube-system"):
                        self.assertIsNone(refusal(self.POLICY, namespace, {}, new))
                    for namespace in ("team-a", "kube-public", "nri-oci-hooks-2"):
                        said = refusal(self.POLICY, namespace, {LABEL: "true"}, new)
                        self.assertIn(f"annotation {key} may not be used in namespace {namespace}", said or "taken")

    def test_other_keys_are_none_of_its_business(self):
        alike = f"{TOLERATE}.example.com"
        for key in (HOOKS, alike, f"{alike}/pod", "required-plugins.noderesource.dev"):
            with self.subTest(key=key):
                self.assertIsNone(refusal(self.POLICY, "team-a", {}, an_object("Pod", {key: "true"})))

    def test_what_has_it_already_may_be_changed_otherwise_and_not_get_more_of_it(self):
        for kind in KINDS:
            old = an_object(kind, {TOLERATE: "false"})
            with self.subTest(kind=kind):
                self.assertIsNone(refusal(self.POLICY, "team-a", {}, old, old))
                self.assertIsNone(refusal(self.POLICY, "team-a", {}, an_object(kind, {}), old))
                self.assertIsNotNone(refusal(self.POLICY, "team-a", {}, an_object(kind, {TOLERATE: "true"}), old))

    def test_the_manifests_that_are_shipped_may_be_applied(self):
        for tool, shape in VARIANTS:
            with self.subTest(tool=tool, shape=shape):
                daemon_set = shipped(tool, shape).one("DaemonSet")
                self.assertIsNone(refusal(self.POLICY, "nri-oci-hooks", {}, daemon_set))
                self.assertIsNone(refusal(Annotation.POLICY, "nri-oci-hooks", {}, daemon_set))


class Policies(unittest.TestCase):
    def test_a_request_that_cannot_be_judged_is_refused(self):
        for name in (Annotation.POLICY, TolerateMissingPlugins.POLICY):
            policy = policies().one("ValidatingAdmissionPolicy", name)["spec"]
            self.assertEqual(policy["failurePolicy"], "Fail")

    def test_both_policies_are_asked_about_every_kind_that_makes_pods_and_no_more(self):
        for name in (Annotation.POLICY, TolerateMissingPlugins.POLICY):
            rules = policies().one("ValidatingAdmissionPolicy", name)["spec"]["matchConstraints"]["resourceRules"]
            asked = set()
            for rule in rules:
                asked |= set(itertools.product(rule["apiGroups"], rule["resources"]))
                self.assertEqual(sorted(rule["operations"]), ["CREATE", "UPDATE"])
                self.assertEqual(rule["apiVersions"], ["v1"])
            self.assertEqual(asked, {(group, resource) for group, resource, _ in KINDS.values()})

    def test_both_policies_differ_in_their_key_and_their_message_alone(self):
        names = (Annotation.POLICY, TolerateMissingPlugins.POLICY)
        specs = [policies().one("ValidatingAdmissionPolicy", name)["spec"] for name in names]
        specs = copy.deepcopy(specs)
        for spec in specs:
            self.assertEqual(spec["variables"].pop(0)["name"], "key")
            spec["validations"][0].pop("messageExpression")
        self.assertEqual(specs[0], specs[1])

    def test_messages_are_short_enough_and_on_one_line(self):
        for found in policies().objects:
            for validation in found["spec"].get("validations", []):
                self.assertLess(len(validation["messageExpression"]), 5 * 1024)
                self.assertNotIn("\n", validation["messageExpression"])
