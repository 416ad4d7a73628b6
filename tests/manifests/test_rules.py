"""What is shipped is what it is said to be: each test is a rule, held to by both shapes from both tools."""

import functools
import json
import tomllib
import unittest

import yaml

from rendered import CHART, ROOT, SHAPES, VARIANTS, helm, shipped

SELECTED = {"app.kubernetes.io/name": "nri-oci-hooks", "app.kubernetes.io/component": "daemon"}
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
REQUIRED = tomllib.loads((ROOT / "deploy/containerd/containerd-2.2-required.toml").read_text(encoding="utf-8"))


def shapes(*wanted):
    """A test of every rendering of these shapes, each a row of its own."""

    def table(test):
        @functools.wraps(test)
        def each(self):
            for tool, shape in VARIANTS:
                if shape in wanted:
                    with self.subTest(tool=tool, shape=shape):
                        test(self, shipped(tool, shape))

        return each

    return table


class Rules(unittest.TestCase):
    maxDiff = None

    @shapes(*SHAPES)
    def test_there_is_a_daemon_set_with_its_account_and_files_and_nothing_else(self, rendered):
        kinds = [kind for kind in rendered.kinds() if kind != "Namespace"]
        self.assertEqual(kinds, ["ConfigMap", "ConfigMap", "DaemonSet", "ServiceAccount"])

    @shapes(*SHAPES)
    def test_names_and_labels_are_those_that_everything_else_goes_by(self, rendered):
        daemon_set = rendered.one("DaemonSet")
        self.assertEqual(daemon_set["metadata"]["name"], "nri-oci-hooks")
        self.assertEqual(daemon_set["metadata"]["namespace"], "nri-oci-hooks")
        self.assertEqual(rendered.daemon()["name"], "daemon")
        labels = rendered.pod()["metadata"]["labels"]
        self.assertLessEqual(SELECTED.items(), labels.items())
        self.assertLessEqual(daemon_set["spec"]["selector"]["matchLabels"].items(), labels.items())
        account = rendered.one("ServiceAccount")["metadata"]["name"]
        self.assertEqual(rendered.pod()["spec"]["serviceAccountName"], account)

    def test_the_namespace_lets_pods_mount_directories_of_the_node(self):
        for shape in SHAPES:
            namespace = shipped("kustomize", shape).one("Namespace")
            self.assertEqual(namespace["metadata"]["name"], "nri-oci-hooks")
            self.assertEqual(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "privileged")

    @shapes(*SHAPES)
    def test_the_directory_of_the_runtimes_socket_is_mounted_and_not_the_socket(self, rendered):
        nri = rendered.volumes()["/var/run/nri"]["hostPath"]
        self.assertEqual(nri, {"path": "/var/run/nri", "type": "DirectoryOrCreate"})
        self.assertFalse([path for path in rendered.volumes() if path.endswith(".sock")])

    @shapes(*SHAPES)
    def test_nothing_of_the_host_is_mounted_as_a_file(self, rendered):
        types = [volume["hostPath"]["type"] for volume in rendered.volumes().values() if "hostPath" in volume]
        self.assertEqual(set(types), {"DirectoryOrCreate"})

    @shapes(*SHAPES)
    def test_the_probes_ask_where_the_daemon_listens_whatever_its_configuration_says(self, rendered):
        (listen,) = [word for word in rendered.daemon()["args"] if word.startswith("--listen=")]
        address, port = listen.removeprefix("--listen=").rsplit(":", 1)
        self.assertEqual(address, "0.0.0.0")
        self.assertEqual(rendered.daemon()["ports"], [{"name": "http", "containerPort": int(port)}])
        for probe in ("livenessProbe", "readinessProbe"):
            self.assertEqual(rendered.daemon()[probe]["httpGet"]["port"], "http")

    @shapes(*SHAPES)
    def test_liveness_does_not_depend_on_a_connection_and_readiness_does(self, rendered):
        self.assertEqual(rendered.daemon()["livenessProbe"]["httpGet"]["path"], "/healthz")
        self.assertEqual(rendered.daemon()["readinessProbe"]["httpGet"]["path"], "/readyz")

    @shapes(*SHAPES)
    def test_nothing_may_ask_the_cluster(self, rendered):
        self.assertIs(rendered.pod()["spec"]["automountServiceAccountToken"], False)
        self.assertIs(rendered.one("ServiceAccount")["automountServiceAccountToken"], False)
        self.assertFalse([volume for volume in rendered.volumes().values() if "projected" in volume])

    @shapes("least-privilege")
    def test_the_least_privilege_is_no_privilege(self, rendered):
        wanted = {
            "runAsUser": 0,
            "capabilities": {"drop": ["ALL"]},
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            "seLinuxOptions": {"type": "spc_t"},
        }
        self.assertEqual(rendered.daemon()["securityContext"], wanted)

    @shapes("full")
    def test_the_full_shape_is_privileged_and_never_writes_in_its_image(self, rendered):
        wanted = {"privileged": True, "runAsUser": 0, "readOnlyRootFilesystem": True}
        self.assertEqual(rendered.daemon()["securityContext"], wanted)

    @shapes("full")
    def test_of_the_hosts_namespaces_the_full_shape_has_that_of_processes_alone(self, rendered):
        spec = rendered.pod()["spec"]
        self.assertEqual({key: spec[key] for key in spec if key.startswith("host")}, {"hostPID": True})

    @shapes("least-privilege")
    def test_of_the_hosts_namespaces_the_least_privilege_has_none(self, rendered):
        self.assertFalse([key for key in rendered.pod()["spec"] if key.startswith("host")])

    @shapes(*SHAPES)
    def test_root_is_the_hosts_root(self, rendered):
        self.assertIs(rendered.pod()["spec"].get("hostUsers", True), True)

    @shapes(*SHAPES)
    def test_an_update_has_the_new_daemon_ready_before_the_old_one_ends(self, rendered):
        wanted = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        self.assertEqual(rendered.one("DaemonSet")["spec"]["updateStrategy"], wanted)
        # Two pods on one node cannot have the same port of the node.
        self.assertNotIn("hostPort", rendered.daemon()["ports"][0])

    @shapes(*SHAPES)
    def test_it_is_on_every_linux_node_and_the_last_to_go(self, rendered):
        spec = rendered.pod()["spec"]
        self.assertEqual(spec["priorityClassName"], "system-node-critical")
        self.assertEqual(spec["tolerations"], [{"operator": "Exists"}])
        self.assertEqual(spec["nodeSelector"], {"kubernetes.io/os": "linux"})
        self.assertNotIn("affinity", spec)
        self.assertEqual(spec["terminationGracePeriodSeconds"], 10)

    @shapes(*SHAPES)
    def test_it_may_start_where_the_runtime_requires_it(self, rendered):
        validator = REQUIRED["plugins"]["io.containerd.nri.v1.nri"]["default_validator"]
        annotations = rendered.pod()["metadata"]["annotations"]
        self.assertEqual(annotations, {validator["tolerate_missing_plugins_annotation"]: "true"})

    def test_it_registers_with_the_name_that_the_runtime_requires(self):
        validator = REQUIRED["plugins"]["io.containerd.nri.v1.nri"]["default_validator"]
        self.assertIn(f"--name={validator['required_plugins'][0]}", shipped("helm", "full").daemon()["args"])

    @shapes(*SHAPES)
    def test_its_memory_is_bounded_and_its_processor_is_not(self, rendered):
        resources = rendered.daemon()["resources"]
        self.assertEqual(resources["requests"], {"cpu": "10m", "memory": "32Mi"})
        self.assertEqual(resources["limits"], {"memory": "128Mi"})

    @shapes(*SHAPES)
    def test_its_files_come_from_two_config_maps_under_fixed_names(self, rendered):
        volumes = rendered.volumes()
        self.assertEqual(volumes["/config"]["configMap"], {"name": "nri-oci-hooks"})
        self.assertEqual(volumes["/config/specs"]["configMap"], {"name": "nri-oci-hooks-specs", "optional": True})
        self.assertEqual(sorted(rendered.files()), ["config.toml", "default.json"])
        self.assertIn("--files-from=/config", rendered.daemon()["args"])

    @shapes("full")
    def test_the_full_shape_enters_the_host_and_leaves_delivery_to_the_configuration(self, rendered):
        arguments = ["run", "--enter-host", "--files-from=/config", "--log-format=json"]
        self.assertEqual(rendered.daemon()["args"][:4], arguments)
        self.assertEqual(rendered.host_directories(), {"/var/run/nri": "/var/run/nri"})
        self.assertNotIn("delivery", tomllib.loads(rendered.files()["config.toml"]))

    @shapes("least-privilege")
    def test_the_least_privilege_delivers_directly_and_sees_the_host_by_the_hosts_paths(self, rendered):
        arguments = ["run", "--delivery=direct", "--files-from=/config", "--log-format=json"]
        self.assertEqual(rendered.daemon()["args"][:4], arguments)
        directories = rendered.host_directories()
        # Its socket for `status` is no hook's business.
        self.assertEqual(directories.pop("/var/lib/nri-oci-hooks"), "/run/nri-oci-hooks")
        self.assertEqual(set(directories), {"/var/run/nri", "/etc/nri-oci-hooks", "/usr/local/lib/nri-oci-hooks"})
        for path, source in directories.items():
            self.assertEqual(path, source)

    @shapes("least-privilege")
    def test_the_least_privilege_writes_its_files_and_its_socket_and_no_more(self, rendered):
        mounts = rendered.daemon()["volumeMounts"]
        writable = {mount["mountPath"] for mount in mounts if not mount.get("readOnly")}
        self.assertEqual(writable, {"/var/run/nri", "/etc/nri-oci-hooks", "/var/lib/nri-oci-hooks"})

    @shapes(*SHAPES)
    def test_no_directory_that_all_may_write_is_where_the_daemon_trusts_files(self, rendered):
        self.assertFalse([volume for volume in rendered.volumes().values() if "emptyDir" in volume])

    @shapes(*SHAPES)
    def test_as_it_is_shipped_no_container_gets_a_hook_and_system_namespaces_are_exempt(self, rendered):
        files = rendered.files()
        self.assertEqual(json.loads(files["default.json"]), {"prestart": [], "poststart": [], "poststop": []})
        config = tomllib.loads(files["config.toml"])
        self.assertEqual(config["exclude_namespaces"], ["kube-system", "nri-oci-hooks"])
        self.assertEqual(config["hook_spec"], "/etc/nri-oci-hooks/default.json")
        self.assertEqual(set(config), {"exclude_namespaces", "hook_spec"})

    @shapes(*SHAPES)
    def test_the_image_is_of_the_version_of_the_workspace(self, rendered):
        self.assertEqual(rendered.daemon()["image"], f"localhost/nri-oci-hooks:{VERSION}")
        self.assertEqual(rendered.daemon()["imagePullPolicy"], "IfNotPresent")

    def test_the_chart_is_of_the_version_of_the_workspace(self):
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
        self.assertEqual((chart["version"], chart["appVersion"]), (VERSION, VERSION))

    def test_both_tools_make_the_same_pods(self):
        for shape in SHAPES:
            with self.subTest(shape=shape):
                by_kustomize, by_helm = (comparable(shipped(tool, shape)) for tool in ("kustomize", "helm"))
                self.assertEqual(by_kustomize, by_helm)

    def test_both_tools_make_the_same_configuration(self):
        for shape in SHAPES:
            by_kustomize, by_helm = (shipped(tool, shape).files()["config.toml"] for tool in ("kustomize", "helm"))
            self.assertEqual(tomllib.loads(by_kustomize), tomllib.loads(by_helm))

    def test_a_change_of_files_leaves_the_pods_as_they_are(self):
        hook = {"path": "/usr/local/lib/nri-oci-hooks/log-line"}
        changed = helm({"hookSpec": {"prestart": [hook]}, "specs": {"gpu": {"poststop": [hook]}}})
        self.assertNotEqual(changed.files(), shipped("helm", "full").files())
        self.assertEqual(changed.one("DaemonSet"), shipped("helm", "full").one("DaemonSet"))


def comparable(rendered):
    """The DaemonSet without what the two tools are free to differ in."""
    spec = rendered.one("DaemonSet")["spec"]
    for labels in (spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"]):
        labels = dict(labels)
        labels.pop("app.kubernetes.io/instance", None)
        assert labels == SELECTED, labels
    container = rendered.daemon()
    # The chart says what the daemon has by default.
    arguments = [word for word in container["args"] if word not in ("--name=oci-hooks", "--index=10")]
    # Volumes are numbered there.
    volumes = {path: {**volume, "name": None} for path, volume in rendered.volumes().items()}
    mounts = {mount["mountPath"]: {**mount, "name": None} for mount in container["volumeMounts"]}
    pod = {key: value for key, value in spec["template"]["spec"].items() if key not in ("containers", "volumes")}
    return {
        "spec": {key: value for key, value in spec.items() if key not in ("selector", "template")},
        "annotations": spec["template"]["metadata"]["annotations"],
        "pod": pod,
        "container": {**container, "args": arguments, "volumeMounts": mounts},
        "volumes": volumes,
    }
