//! Every fault that is planted is named, with a remedy.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Examination, Finding, Level, Node, examine};

/// An image of a node, sound until a fault is planted: containerd 2, a default hook-spec, a ledger.
struct Image(TempDir);

impl Image {
    fn new() -> Image {
        // Below /tmp the hook-spec would be warned of.
        let image = Image(tempfile::tempdir_in("/run").unwrap());
        image.write(
            "etc/containerd/config.toml",
            "version = 3\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n",
        );
        image.write(
            "etc/containerd/conf.d/nri.toml",
            "[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = false\n",
        );
        image.write(
            "hooks/default.json",
            "{\"prestart\":[{\"path\":\"/bin/true\",\"timeout\":1}]}",
        );
        for folder in ["state/live", "state/past", "opt/nri/plugins", "specs"] {
            fs::create_dir_all(image.path(folder)).unwrap();
        }
        image.configure("");
        image
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A file of the plugin folder that the runtime launches.
    fn plugin(&self, name: &str) {
        let name = format!("opt/nri/plugins/{name}");
        self.write(&name, "");
        self.mode(&name, 0o755);
    }

    /// The configuration, with `more` in it.
    fn configure(&self, more: &str) {
        // The ledger is looked for below the root, as everything that is the node's.
        let text = format!(
            "hook_spec = {:?}\nannotation.spec_dirs = [{:?}]\nstate_dir = \"/state\"\n{more}",
            self.text("hooks/default.json"),
            self.text("specs")
        );
        self.write("config.toml", &text);
    }

    fn nri(&self, settings: &str) {
        let table = format!("[plugins.\"io.containerd.nri.v1.nri\"]\n{settings}\n");
        self.write("etc/containerd/conf.d/nri.toml", &table);
    }

    fn examined(&self) -> Vec<Finding> {
        examine(&Examination {
            node: Node::new(self.0.path()),
            config: Some(self.text("config.toml")),
            looks_at_files: true,
        })
    }

    /// `level check` of what is not as it should be.
    fn faults(&self) -> Vec<String> {
        let findings = self
            .examined()
            .into_iter()
            .filter(|finding| finding.level > Level::Note);
        findings
            .map(|finding| {
                assert!(
                    finding.remedy.is_some_and(|remedy| remedy.len() > 5),
                    "{}",
                    finding.what
                );
                format!("{} {}", finding.level, finding.check)
            })
            .collect()
    }
}

#[test]
fn a_sound_node_has_no_fault() {
    assert_eq!(Image::new().faults(), [""; 0]);
}

/// Plants one fault in a sound node.
type Plant = fn(&Image);

#[test]
fn every_planted_fault_is_named() {
    let faults: [(&str, Plant); 27] = [
        ("problem runtime", |node| {
            fs::remove_dir_all(node.path("etc/containerd")).unwrap()
        }),
        ("problem runtime-config", |node| {
            node.write("etc/containerd/config.toml", "version = [\n")
        }),
        ("problem nri-off", |node| node.nri("disable = true")),
        ("problem nri-off", |node| {
            // containerd 1.7: off unless switched on.
            node.write("etc/containerd/config.toml", "version = 2\n");
            fs::remove_file(node.path("etc/containerd/conf.d/nri.toml")).unwrap();
        }),
        ("problem nri-off", |node| {
            // There a later file replaces the whole table.
            node.write(
                "etc/containerd/config.toml",
                "version = 2\nimports = [\"conf.d/*.toml\"]\n[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = false\n",
            );
            node.nri("plugin_request_timeout = \"3s\"");
        }),
        ("problem nri-no-connections", |node| {
            node.nri("disable_connections = true")
        }),
        ("problem drop-in-unread", |node| {
            node.write("etc/containerd/config.toml", "version = 3\n")
        }),
        ("problem drop-in-unread", |node| {
            node.write(
                "etc/containerd/config.toml",
                "version = 3\nimports = [\"/etc/other/*.toml\"]\n",
            );
        }),
        ("warning registration-timeout", |node| {
            node.nri("plugin_request_timeout = \"5s\"")
        }),
        ("warning request-timeout", |node| {
            node.write(
                "hooks/default.json",
                "{\"poststart\":[{\"path\":\"/bin/true\",\"timeout\":3}]}",
            );
        }),
        ("problem validator", |node| {
            node.nri("default_validator = {enable = true, reject_oci_hook_adjustment = true}")
        }),
        ("warning timing", |node| node.configure("delivery = \"direct\"")),
        ("problem plugin-name", |node| node.plugin("hooks.tmp")),
        ("problem plugin-trust", |node| {
            node.plugin("10-other");
            node.mode("opt/nri/plugins/10-other", 0o777);
        }),
        ("warning other-injector", |node| node.plugin("10-hook-injector")),
        ("warning twice", |node| {
            node.plugin("10-oci-hooks");
            node.write(
                "etc/systemd/system/multi-user.target.wants/nri-oci-hooks.service",
                "",
            );
        }),
        ("problem doubled-hooks", |node| {
            node.write(
                "etc/crio/crio.conf.d/a.conf",
                "[crio.runtime]\nhooks_dir = [\"/etc/hooks.d/\"]\n",
            );
            node.configure("hooks_dirs = [\"/etc/hooks.d\"]");
        }),
        ("problem nri-off", |node| {
            node.write("etc/crio/crio.conf.d/a.conf", "[crio.nri]\nenable_nri = false\n")
        }),
        ("problem config", |node| {
            node.configure("failure_polcy = \"fail\"")
        }),
        ("problem config", |node| {
            fs::remove_file(node.path("config.toml")).unwrap()
        }),
        ("warning hooks", |node| {
            node.write(
                "config.toml",
                &format!(
                    "annotation.spec_dirs = [{:?}]\nstate_dir = \"/state\"",
                    node.text("specs")
                ),
            )
        }),
        ("problem hook-spec", |node| {
            node.write("hooks/default.json", "{\"prestart\":[{\"path\":\"/none\"}]}")
        }),
        ("problem hook-spec", |node| node.mode("hooks/default.json", 0o666)),
        ("problem hook-spec", |node| node.write("specs/bad.json", "{")),
        ("warning hook-spec", |node| {
            node.write(
                "hooks/default.json",
                "{\"prestart\":[{\"path\":\"/bin/ls\",\"args\":[\"/tmp\"],\"timeout\":1}]}",
            )
        }),
        ("problem state-dir", |node| node.mode("state", 0o777)),
        ("problem state-dir", |node| {
            fs::remove_dir_all(node.path("state/live")).unwrap()
        }),
    ];
    for (number, (fault, plant)) in faults.into_iter().enumerate() {
        let node = Image::new();
        plant(&node);
        let found = node.faults();
        assert!(
            found.iter().any(|found| found == fault),
            "fault {number}, {fault}: {found:?}"
        );
        let others: Vec<&String> = found.iter().filter(|found| *found != fault).collect();
        // A file that the runtime cannot read is as good as none.
        assert!(
            others.is_empty() || fault == "problem runtime-config",
            "fault {number}, {fault}: {others:?}"
        );
    }
}

#[test]
fn crio_is_read_in_the_order_of_its_files_and_later_ones_win() {
    let node = Image::new();
    fs::remove_dir_all(node.path("etc/containerd")).unwrap();
    node.write("etc/crio/crio.conf", "[crio.nri]\nenable_nri = false\n");
    node.write(
        "etc/crio/crio.conf.d/50-nri.conf",
        "[crio.nri]\nenable_nri = true\nnri_plugin_request_timeout = \"4s\"\n",
    );
    assert_eq!(node.faults(), [""; 0]);
    node.write(
        "etc/crio/crio.conf.d/60-other.conf",
        "[crio.nri]\nenable_nri = false\n",
    );
    assert_eq!(node.faults(), ["problem nri-off"]);
}

#[test]
fn without_the_ledger_no_state_folder_is_missed() {
    let node = Image::new();
    fs::remove_dir_all(node.path("state")).unwrap();
    node.configure("delivery = \"events\"");
    let findings = node.examined();
    assert!(
        findings
            .iter()
            .any(|finding| finding.check == "state-dir" && finding.level == Level::Note)
    );
}
