"""What is off by default, what each value of the chart does, and what the chart refuses."""

import unittest

from rendered import ADMISSION, CHART, Refused, helm, kustomization, policies, shipped

OPTIONAL = {"PodMonitor", "NetworkPolicy", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
ON = {"enabled": True}
UNPRIVILEGED = {
    "runAsUser": 0,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "allowPrivilegeEscalation": False,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def by_both(component, value):
    """What is opt-in, switched on: by a component of kustomize and by a value of the chart."""
    on_top = kustomization(resources=["full"], components=[f"components/{component}"])
    return [("kustomize", on_top), ("helm", helm({value: ON}))]


class OptIn(unittest.TestCase):
    def test_what_is_opt_in_is_off(self):
        for tool in ("kustomize", "helm"):
            for shape in ("full", "least-privilege"):
                with self.subTest(tool=tool, shape=shape):
                    self.assertFalse(OPTIONAL & set(shipped(tool, shape).kinds()))

    def test_a_pod_monitor_collects_the_metrics_of_each_node_from_the_port_of_the_pod(self):
        for tool, rendered in by_both("pod-monitor", "podMonitor"):
            with self.subTest(tool=tool):
                monitor = rendered.one("PodMonitor")
                self.assertEqual(monitor["apiVersion"], "monitoring.coreos.com/v1")
                self.assertEqual(monitor["metadata"]["namespace"], "nri-oci-hooks")
                spec = monitor["spec"]
                self.assertEqual(set(spec), {"selector", "podMetricsEndpoints"})
                labels = rendered.pod()["metadata"]["labels"]
                self.assertLessEqual(spec["selector"]["matchLabels"].items(), labels.items())
                node = {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}
                wanted = {"port": "http", "path": "/metrics", "interval": "30s", "relabelings": [node]}
                self.assertEqual(spec["podMetricsEndpoints"], [wanted])
                self.assertEqual(rendered.daemon()["ports"][0]["name"], "http")

    def test_a_host_unit_changes_the_command_and_nothing_else(self):
        for tool, rendered in by_both("host-unit", "hostUnit"):
            with self.subTest(tool=tool):
                without = shipped(tool, "full")
                self.assertEqual(rendered.daemon()["args"], ["host-unit", *without.daemon()["args"][1:]])
                rendered.daemon()["args"][0] = "run"
                self.assertEqual(rendered.objects, without.objects)

    def test_required_plugins_add_an_option_and_nothing_else(self):
        for tool, rendered in by_both("required-plugins", "requiredPlugins"):
            with self.subTest(tool=tool):
                without = shipped(tool, "full")
                self.assertNotIn("--require", without.daemon()["args"])
                rendered.daemon()["args"].remove("--require")
                self.assertEqual(rendered.objects, without.objects)

    def test_what_writes_on_the_node_is_refused_by_the_least_privilege(self):
        for component in ("host-unit", "required-plugins", "hook-images"):
            with self.subTest(component=component), self.assertRaises(Refused):
                kustomization(resources=["least-privilege"], components=[f"components/{component}"])

    def test_hook_images_add_init_containers_that_hand_over_and_change_the_daemon_in_nothing_else(self):
        image = {"name": "example", "image": "localhost/nri-oci-hooks-example:1"}
        kustomized = kustomization(resources=["full"], components=["components/hook-images"])
        for tool, rendered in (("kustomize", kustomized), ("helm", helm({"hookImages": [image]}))):
            with self.subTest(tool=tool):
                without = shipped(tool, "full")
                spec = rendered.pod()["spec"]
                program, example = spec.pop("initContainers")
                self.assertEqual(program["image"], without.daemon()["image"])
                self.assertEqual(program["args"], ["hand-over", "--to=/handover"])
                self.assertEqual(example["name"], "hook-image-example")
                self.assertEqual(example["image"], image["image"])
                words = ["hand-over", "--to=/handover", "--name=example", "--image", image["image"]]
                self.assertEqual(example["command"] + example["args"], ["/handover/nri-oci-hooks", *words])
                for container in (program, example):
                    self.assertEqual(container["securityContext"], UNPRIVILEGED)
                    self.assertEqual(container["volumeMounts"], [{"name": "handover", "mountPath": "/handover"}])
                spec["volumes"].remove({"name": "handover", "emptyDir": {}})
                daemon = rendered.daemon()
                daemon["args"].remove("--hook-images-from=/handover")
                daemon["volumeMounts"].remove({"name": "handover", "mountPath": "/handover", "readOnly": True})
                self.assertEqual(rendered.objects, without.objects)

    def test_hook_images_of_the_least_privilege_are_put_where_the_pod_may_write(self):
        image = {"name": "gpu", "image": "registry.example.com/gpu:1"}
        values = {"shape": "least-privilege", "hookImages": [image], "hookImagesDirectory": "/opt/images"}
        rendered = helm(values)
        self.assertEqual(rendered.host_directories()["/opt/images"], "/opt/images")
        (mount,) = [each for each in rendered.daemon()["volumeMounts"] if each["mountPath"] == "/opt/images"]
        self.assertNotIn("readOnly", mount)
        self.assertIn("--hook-images-dir=/opt/images", rendered.daemon()["args"])

    def test_where_images_were_put_is_said_to_a_daemon_without_images_too(self):
        arguments = helm({"hookImagesDirectory": "/opt/images"}).daemon()["args"]
        self.assertIn("--hook-images-dir=/opt/images", arguments)
        self.assertFalse([word for word in arguments if word.startswith("--hook-images-from")])

    def test_a_network_policy_lets_in_who_collects_metrics_and_nothing_out(self):
        for tool, rendered in by_both("network-policy", "networkPolicy"):
            with self.subTest(tool=tool):
                spec = rendered.one("NetworkPolicy")["spec"]
                labels = rendered.pod()["metadata"]["labels"]
                self.assertLessEqual(spec["podSelector"]["matchLabels"].items(), labels.items())
                self.assertEqual(sorted(spec["policyTypes"]), ["Egress", "Ingress"])
                self.assertEqual(spec["egress"], [])
                (rule,) = spec["ingress"]
                self.assertEqual(rule["ports"], [{"protocol": "TCP", "port": "http"}])
                peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
                self.assertEqual(rule["from"], [peer])

    def test_a_network_policy_that_names_nobody_lets_nobody_in(self):
        rendered = helm({"networkPolicy": {"enabled": True, "from": []}})
        self.assertEqual(rendered.one("NetworkPolicy")["spec"]["ingress"], [])

    def test_the_chart_has_the_admission_policies_as_they_are_shipped(self):
        rendered = helm({"admission": ON})
        ours = [found for found in rendered.objects if found["kind"] in OPTIONAL]
        self.assertCountEqual(ours, policies().objects)
        for name in ("annotation.yaml", "tolerate-missing-plugins.yaml"):
            copy = (CHART / "files" / name).read_text(encoding="utf-8")
            self.assertEqual(copy, (ADMISSION / name).read_text(encoding="utf-8"), f"cp deploy/admission/{name} there")

    def test_the_daemon_is_exempt_in_the_namespace_of_the_release(self):
        config = 'exclude_namespaces = [\n  "kube-system", # theirs\n  "elsewhere",\n]\n'
        rendered = helm({"admission": ON, "config": config}, "elsewhere")
        binding = rendered.one("ValidatingAdmissionPolicyBinding", "nri-oci-hooks-tolerate-missing-plugins")
        (expression,) = binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]
        self.assertEqual(expression["values"], ["kube-system", "elsewhere"])


class Values(unittest.TestCase):
    def arguments(self, values):
        return helm(values).daemon()["args"]

    def test_an_index_is_rendered_as_two_digits(self):
        for index, text in ((0, "00"), (5, "05"), (10, "10"), (99, "99")):
            with self.subTest(index=index):
                self.assertIn(f"--index={text}", self.arguments({"launch": {"index": index}}))

    def test_the_port_of_the_pod_is_that_of_the_address(self):
        rendered = helm({"listen": "[::]:9791"})
        self.assertIn("--listen=[::]:9791", rendered.daemon()["args"])
        self.assertEqual(rendered.daemon()["ports"], [{"name": "http", "containerPort": 9791}])

    def test_the_name_of_launch_is_the_one_that_it_registers_with(self):
        self.assertIn("--name=hooks.example", self.arguments({"launch": {"name": "hooks.example"}}))

    def test_a_digest_counts_before_a_tag(self):
        digest = "sha256:" + "0123456789abcdef" * 4
        image = {"repository": "registry.example.com:5000/hooks", "tag": "1.2.3"}
        self.assertEqual(helm({"image": image}).daemon()["image"], "registry.example.com:5000/hooks:1.2.3")
        image["digest"] = digest
        self.assertEqual(helm({"image": image}).daemon()["image"], f"registry.example.com:5000/hooks@{digest}")

    def test_the_directory_of_the_socket_is_mounted_and_told_to_the_daemon(self):
        rendered = helm({"nriSocketDirectory": "/run/k3s/nri"})
        self.assertEqual(rendered.host_directories(), {"/run/k3s/nri": "/run/k3s/nri"})
        self.assertIn("--nri-socket=/run/k3s/nri/nri.sock", rendered.daemon()["args"])

    def test_the_program_is_put_where_the_values_say_by_the_full_shape_alone(self):
        values = {"hostProgram": "/opt/bin/nri-oci-hooks"}
        self.assertIn("--host-program=/opt/bin/nri-oci-hooks", self.arguments(values))
        self.assertNotIn("/opt/bin", " ".join(self.arguments({**values, "shape": "least-privilege"})))

    def test_each_directory_of_hooks_is_mounted_to_be_read_at_its_path_by_the_least_privilege_alone(self):
        values = {"hookDirectories": ["/opt/hooks", "/usr/libexec/hooks"]}
        self.assertEqual(set(helm(values).host_directories()), {"/var/run/nri"})
        rendered = helm({**values, "shape": "least-privilege"})
        for directory in values["hookDirectories"]:
            self.assertEqual(rendered.host_directories()[directory], directory)
            (mount,) = [each for each in rendered.daemon()["volumeMounts"] if each["mountPath"] == directory]
            self.assertIs(mount["readOnly"], True)
        self.assertNotIn("/usr/local/lib/nri-oci-hooks", rendered.host_directories())

    def test_what_is_said_of_pods_goes_to_the_pods(self):
        values = {
            "imagePullSecrets": [{"name": "registry"}],
            "tolerations": [{"key": "special", "operator": "Exists"}],
            "nodeSelector": {"hooks": "yes"},
            "affinity": {"nodeAffinity": {}},
            "priorityClassName": "mine",
        }
        spec = helm(values).pod()["spec"]
        for key in values.keys() - {"nodeSelector"}:
            with self.subTest(key=key):
                self.assertEqual(spec[key], values[key])
        # Maps of values are merged: what the chart has stays.
        self.assertEqual(spec["nodeSelector"], {"kubernetes.io/os": "linux", "hooks": "yes"})
        metadata = helm({"podAnnotations": {"a": "b"}, "podLabels": {"c": "d"}}).pod()["metadata"]
        self.assertEqual(metadata["annotations"]["a"], "b")
        self.assertEqual(metadata["labels"]["c"], "d")
        self.assertIn("tolerate-missing-plugins.noderesource.dev", metadata["annotations"])

    def test_another_update_strategy_and_other_resources_replace_the_charts(self):
        rendered = helm({
            "updateStrategy": {"type": "OnDelete", "rollingUpdate": None},
            "resources": {"limits": {"memory": "1Gi"}},
        })
        self.assertEqual(rendered.one("DaemonSet")["spec"]["updateStrategy"], {"type": "OnDelete"})
        self.assertEqual(rendered.daemon()["resources"]["limits"], {"memory": "1Gi"})

    def test_values_that_are_an_error_are_refused_with_their_name(self):
        hook = {"path": "/bin/true"}
        # The values, and the words that the refusal must contain.
        table = [
            ({"shap": "full"}, "shap"),
            ({"shape": "privileged"}, "shape"),
            ({"shape": None}, "shape"),
            ({"image": {"repo": "x"}}, "repo"),
            ({"image": {"tag": 0.1}}, "tag"),
            ({"image": {"digest": "sha256:123"}}, "digest"),
            ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
            ({"imagePullSecrets": ["registry"]}, "imagePullSecrets"),
            ({"launch": {"index": 100}}, "index"),
            ({"launch": {"index": -1}}, "index"),
            ({"launch": {"index": "05"}}, "index"),
            ({"launch": {"index": 1.5}}, "index"),
            ({"launch": {"name": "with space"}}, "name"),
            ({"launch": {"idx": 5}}, "idx"),
            ({"config": {"listen": "0.0.0.0:9790"}}, "config"),
            ({"hookSpec": {"preStart": []}}, "preStart"),
            ({"hookSpec": {"prestart": hook}}, "prestart"),
            ({"hookSpec": {"prestart": [{"args": []}]}}, "path"),
            ({"hookSpec": {"prestart": [{"path": "bin/true"}]}}, "path"),
            ({"hookSpec": {"prestart": [{**hook, "timeout": 0}]}}, "timeout"),
            ({"hookSpec": {"prestart": [{**hook, "timeout": "5"}]}}, "timeout"),
            ({"hookSpec": {"prestart": [{**hook, "args": "one"}]}}, "args"),
            ({"hookSpec": {"prestart": [{**hook, "env": {"A": "b"}}]}}, "env"),
            ({"hookSpec": {"prestart": [{**hook, "env": ["A"]}]}}, "env"),
            ({"hookSpec": {"prestart": [{**hook, "timeOut": 5}]}}, "timeOut"),
            ({"specs": {"gpu": "file"}}, "gpu"),
            ({"specs": {"a/b": {}}}, "a/b"),
            ({"specs": {".hidden": {}}}, ".hidden"),
            ({"hookDirectories": "/opt/hooks"}, "hookDirectories"),
            ({"hookDirectories": ["opt/hooks"]}, "hookDirectories"),
            ({"hookDirectories": ["/"]}, "hookDirectories"),
            ({"hookDirectories": ["/opt/hooks/"]}, "hookDirectories"),
            ({"hookDirectories": ["/opt/hooks", "/opt/hooks"]}, "hookDirectories"),
            ({"hostProgram": "nri-oci-hooks"}, "hostProgram"),
            ({"nriSocketDirectory": "/var/run/nri/nri.sock"}, "nriSocketDirectory"),
            ({"resources": {"limit": {}}}, "limit"),
            ({"tolerations": {"operator": "Exists"}}, "tolerations"),
            ({"nodeSelector": {"a": True}}, "nodeSelector"),
            ({"affinity": {"podAffinities": {}}}, "podAffinities"),
            ({"podAnnotations": {"a": 1}}, "podAnnotations"),
            ({"updateStrategy": {"type": "Recreate"}}, "updateStrategy"),
            ({"updateStrategy": {"maxSurge": 1}}, "maxSurge"),
            ({"podMonitor": {"enabled": "yes"}}, "podMonitor"),
            ({"podMonitor": {"interval": "half a minute"}}, "interval"),
            ({"networkPolicy": {"form": []}}, "form"),
            ({"admission": True}, "admission"),
            ({"hookImages": ["registry.example.com/gpu:1"]}, "hookImages"),
            ({"hookImages": [{"name": "gpu"}]}, "image"),
            ({"hookImages": [{"name": "GPU", "image": "gpu:1"}]}, "name"),
            ({"hookImages": [{"name": "gpu", "image": "gpu 1"}]}, "image"),
            ({"hookImages": [{"name": "g" * 53, "image": "gpu:1"}]}, "name"),
            ({"hookImagesDirectory": "images"}, "hookImagesDirectory"),
            ({"listen": "9790"}, "listen"),
            ({"listen": "none"}, "listen"),
            ({"hostUnit": True}, "hostUnit"),
            ({"requiredPlugins": {"enable": True}}, "enable"),
            ({"shape": "least-privilege", "hostUnit": ON}, "shape: full"),
            ({"shape": "least-privilege", "requiredPlugins": ON}, "shape: full"),
            (
                {"config": 'exclude_namespaces = ["kube-system"]\n'},
                'config: add "nri-oci-hooks" to exclude_namespaces',
            ),
        ]
        for values, named in table:
            with self.subTest(values=values):
                with self.assertRaises(Refused) as refused:
                    helm(values)
                self.assertIn(named, str(refused.exception))

    def test_what_a_parent_chart_hands_down_is_taken(self):
        helm({"global": {"imageRegistry": "registry.example.com"}})
