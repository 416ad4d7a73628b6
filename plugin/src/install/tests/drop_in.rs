//! The drop-in, where the administrator's files say something about NRI.

use super::image::Image;
use crate::install::{Way, install, uninstall};

/// The NRI table of the drop-in.
fn table(image: &Image) -> toml::Table {
    let text = image.read("etc/containerd/conf.d/nri-oci-hooks.toml");
    let file: toml::Table = text.parse().unwrap();
    file["plugins"]["io.containerd.nri.v1.nri"]
        .as_table()
        .unwrap()
        .clone()
}

#[test]
fn what_the_administrator_says_of_nri_stays_in_force() {
    let own = "disable = true\ndisable_connections = true\nsocket_path = \"/run/my.sock\"\nplugin_path = '/srv/plugins'\nplugin_request_timeout = \"9s\"\n";
    for (format, way) in [(2, Way::Systemd), (2, Way::Launched), (3, Way::Systemd)] {
        let main = format!("version = {format}\n[plugins.\"io.containerd.nri.v1.nri\"]\n{own}");
        let image = Image::new(&main);
        let plan = install(&image.target(way), &image.path("program")).unwrap();
        plan.execute().unwrap();
        let table = table(&image);
        assert_eq!(table["disable"].as_bool(), Some(false));
        // The runtime launches it without.
        assert_eq!(table["disable_connections"].as_bool(), Some(way == Way::Launched));
        assert_eq!(table["plugin_request_timeout"].as_str(), Some("9s"));
        assert_eq!(table["plugin_registration_timeout"].as_str(), Some("10s"));
        // containerd 2 has them from the main file.
        let whole = (format == 2).then_some("/run/my.sock");
        assert_eq!(table.get("socket_path").and_then(toml::Value::as_str), whole);
        let told = "plugin_request_timeout of /etc/containerd/config.toml: it stays in force";
        assert!(
            plan.left.iter().any(|left| left.starts_with(told)),
            "{:?}",
            plan.left
        );
        match way {
            Way::Systemd => {
                let unit = image.read("etc/systemd/system/nri-oci-hooks.service");
                assert!(unit.contains(" run --nri-socket /run/my.sock\n"), "{unit}");
            }
            Way::Launched => assert!(image.path("srv/plugins/10-oci-hooks").is_symlink()),
        }
        assert_eq!(image.problems(), [""; 0]);
        assert_eq!(image.install(way).unwrap(), 0);
        uninstall(&image.target(way)).execute().unwrap();
        assert!(!image.path("srv/plugins/10-oci-hooks").is_symlink());
    }
}

#[test]
fn in_containerd_1_7_the_last_table_before_ours_counts_and_no_other() {
    let image = Image::new(
        "version = 2\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n[plugins.\"io.containerd.nri.v1.nri\"]\nsocket_path = \"/main\"\n",
    );
    let nri = |text: &str| format!("[plugins.\"io.containerd.nri.v1.nri\"]\n{text}\n");
    image.write(
        "etc/containerd/conf.d/a.toml",
        &nri("plugin_path = \"/a\"\n\"odd key\" = [1, 2]"),
    );
    image.write("etc/containerd/conf.d/z.toml", "version = 2\n");
    image.install(Way::Systemd).unwrap();
    let table = table(&image);
    assert_eq!(table["socket_path"].as_str(), Some("/var/run/nri/nri.sock"));
    assert_eq!(table["plugin_path"].as_str(), Some("/a"));
    assert_eq!(table["odd key"].as_array().unwrap().len(), 2);
}
