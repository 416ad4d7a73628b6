//! Every fault that is planted in an image is named, with a remedy.

use std::fs;
use std::os::unix::fs::symlink;

use super::image::Image;
use crate::doctor::{Examination, examine};
use crate::node::{Level, Node};

#[test]
fn a_valid_node_has_no_fault() {
    assert_eq!(Image::new().faults(), [""; 0]);
}

/// Plants one fault in a valid node.
type Plant = fn(&Image);

#[test]
fn every_planted_fault_is_named() {
    let faults: [(&str, Plant); 34] = [
        ("problem runtime", |node| {
            fs::remove_dir_all(node.path("etc/containerd")).unwrap()
        }),
        ("problem runtime-config", |node| {
            node.write("etc/containerd/config.toml", "version = [\n")
        }),
        ("problem nri-off", |node| node.nri("disable = true")),
        ("problem nri-off", |node| {
            // In containerd 1.7, NRI is off by default.
            node.write("etc/containerd/config.toml", "version = 2\n");
            fs::remove_file(node.path("etc/containerd/conf.d/nri.toml")).unwrap();
        }),
        ("problem nri-off", |node| {
            // In containerd 1.7, a later file replaces the whole table.
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
        ("warning twice", |node| {
            // Its name does not show that it is this program; the link is the image's own.
            node.our_link();
            let wants = "etc/systemd/system/multi-user.target.wants";
            fs::create_dir_all(node.path(wants)).unwrap();
            symlink(
                "/etc/systemd/system/nri-oci-hooks.service",
                node.path(wants).join("nri-oci-hooks.service"),
            )
            .unwrap();
        }),
        ("problem plugin-name", |node| {
            symlink("/bin/other", node.path("opt/nri/plugins/other")).unwrap();
            node.write("bin/other", "");
            node.mode("bin/other", 0o755);
        }),
        ("problem nri-off", |node| {
            // CRI-O reads every file of the directory, whatever its name.
            node.write(
                "etc/crio/crio.conf.d/a.conf.bak",
                "[crio.nri]\nenable_nri = false\n",
            )
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
        ("warning unit", |node| {
            node.write("usr/lib/systemd/system/nri-oci-hooks.service", "")
        }),
        ("warning unit", |node| {
            fs::create_dir_all(node.path("dev")).unwrap();
            node.write("dev/null", "");
            fs::create_dir_all(node.path("etc/systemd/system")).unwrap();
            symlink("/dev/null", node.path("etc/systemd/system/nri-oci-hooks.service")).unwrap();
        }),
        ("warning unit-shadowed", |node| {
            for directory in ["etc", "usr/lib", "etc/systemd/system/multi-user.target.wants"] {
                let below = if directory.contains("wants") {
                    ""
                } else {
                    "/systemd/system"
                };
                node.write(&format!("{directory}{below}/nri-oci-hooks.service"), "");
            }
        }),
        ("warning second-installation", |node| {
            for directory in ["usr/bin", "usr/local/bin"] {
                node.write(&format!("{directory}/nri-oci-hooks"), "");
            }
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
        // A file that the runtime cannot read counts as none.
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
fn without_the_ledger_no_state_directory_is_required() {
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

#[test]
fn a_file_reached_only_by_a_link_of_the_image_exists() {
    let node = Image::new();
    node.nri("disable_connections = true");
    node.our_link();
    assert_eq!(node.faults(), [""; 0]);
    // The image also decides the path of the drop-ins.
    fs::create_dir(node.path("srv")).unwrap();
    fs::rename(node.path("etc/containerd/conf.d"), node.path("srv/conf.d")).unwrap();
    symlink("/srv/conf.d", node.path("etc/containerd/conf.d")).unwrap();
    assert_eq!(node.faults(), [""; 0]);
}

#[test]
fn a_root_may_be_named_from_the_current_directory() {
    let node = Image::new();
    let here = std::env::current_dir().unwrap();
    let up = "../".repeat(here.components().count() - 1);
    let relative = format!("{up}{}", node.text("").trim_start_matches('/'));
    let findings = examine(&Examination {
        node: Node::new(relative),
        config: Some(node.text("config.toml")),
        checks_files: true,
    });
    let faults: Vec<_> = findings
        .iter()
        .filter(|finding| finding.level > Level::Note)
        .collect();
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn no_terminal_escape_of_a_file_or_its_name_is_printed() {
    let escape = "\u{1b}[31m";
    let written = "\\u001b[31m";
    let node = Image::new();
    node.write(&format!("etc/containerd/conf.d/{escape}.toml"), escape);
    node.write(&format!("etc/containerd/{escape}/unread.toml"), "");
    node.plugin(escape);
    node.plugin(&format!("10-{escape}"));
    node.mode(&format!("opt/nri/plugins/10-{escape}"), 0o777);
    node.nri(&format!(
        "disable_connections = true\nsocket_path = \"/{written}\""
    ));
    node.configure(&format!("hooks_dirs = [\"/{written}\"]\n\"{written}\" = 1"));
    node.write(
        "etc/containerd/config.toml",
        &format!("version = 3\nimports = [\"/etc/containerd/{written}.toml\"]\n"),
    );
    let findings = node.examined();
    assert!(findings.iter().filter(|finding| finding.is_problem()).count() > 4);
    for finding in findings {
        let texts = [Some(finding.what), finding.remedy];
        assert!(
            !texts.iter().flatten().any(|text| text.contains(char::is_control)),
            "{texts:?}"
        );
    }
}
