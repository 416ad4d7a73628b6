//! The first configuration of a daemon: the content of its file, or else its last good version.

use std::sync::Arc;
use std::time::Duration;

use crate::bounded::within;
use crate::config::{Changed, Checked, Config, ConfigSource, ReadFrom, Reload, state_dir_of};
use crate::diagnostic::Diagnostic;
use crate::model::Timestamp;
use crate::select::{Copies, Format, LoadedSpec, is_gone, is_not_answered};
use crate::trust::{FileIdentity, PathCache};

/// The maximum time for the check of the default hook-spec: containers wait for the configuration meanwhile.
const CHECK_TIMEOUT: Duration = Duration::from_millis(500);

/// The first configuration of a daemon.
pub(super) enum First {
    /// The content of the file.
    File(Box<Config>, ReadFrom),
    /// The content that an earlier daemon took over: the content is invalid now.
    LastGood(Box<LastGood>),
}

/// The last good version of the configuration.
pub(super) struct LastGood {
    pub(super) config: Config,
    /// The copy that it was read from.
    pub(super) copy: FileIdentity,
    pub(super) taken: Timestamp,
    /// The errors of the file.
    pub(super) refused: Vec<Diagnostic>,
}

/// Reads the file of `reload` for the first time.
///
/// Fails with the errors of the file, if there is no last good version, or the file was removed.
pub(super) fn first(reload: &Reload) -> Result<First, Checked> {
    let source = reload.source();
    match reload.check() {
        Checked::Changed(read) => Ok(of_valid(source, *read)),
        Checked::Invalid(errors) if !is_gone(&errors) => {
            let (text, _) = source.read_with_text();
            match last_good(source, &text, &errors) {
                Some(last_good) => Ok(First::LastGood(last_good)),
                None => Err(Checked::Invalid(errors)),
            }
        }
        checked => Err(checked),
    }
}

/// The first configuration by a file that is valid itself.
fn of_valid(source: &ConfigSource, read: Changed) -> First {
    let Changed {
        config,
        read_from,
        text,
    } = read;
    let copies = Copies::of(&config);
    if read_from == ReadFrom::NoFile {
        copies.forget(source.path());
        return First::File(Box::new(config), read_from);
    }
    match check_default(&config, &copies) {
        Ok(()) => copies.store(source.path(), &text),
        // A running daemon would not take it over.
        Err(errors) => {
            if let Some(last_good) = last_good(source, &text, &errors) {
                return First::LastGood(last_good);
            }
        }
    }
    First::File(Box::new(config), read_from)
}

/// The last good version of the configuration whose file has the content `text` now, if its default
/// hook-spec can be used.
fn last_good(source: &ConfigSource, text: &[u8], refused: &[Diagnostic]) -> Option<Box<LastGood>> {
    let state_dir = state_dir_of(text, source.overrides());
    let copies = Copies::in_state_dir(&state_dir, false);
    let found = copies.find(source.path())?;
    let text = str::from_utf8(&found.text).ok()?;
    let config = Config::from_text(source.path(), text, source.overrides()).ok()?;
    let is_usable = config.state_dir == state_dir && check_default(&config, &copies).is_ok();
    is_usable.then(|| {
        Box::new(LastGood {
            config,
            copy: found.identity,
            taken: found.taken,
            refused: refused.to_vec(),
        })
    })
}

/// Fails with the errors of a default hook-spec if no version of it can be used.
fn check_default(config: &Config, copies: &Copies) -> Result<(), Vec<Diagnostic>> {
    let files: Vec<Arc<str>> = config.defaults().map(|(file, _)| file.clone()).collect();
    if files.is_empty() {
        return Ok(());
    }
    let copies = copies.clone();
    // The content behind a file system that hangs is unknown, and containers that do not need it are decided
    // meanwhile.
    let checked = within(CHECK_TIMEOUT, move || {
        files.iter().try_for_each(|file| check(file, &copies))
    });
    checked.unwrap_or(Ok(()))
}

fn check(file: &Arc<str>, copies: &Copies) -> Result<(), Vec<Diagnostic>> {
    match LoadedSpec::load(file) {
        Ok(_) => Ok(()),
        // The content is unknown.
        Err(errors) if is_not_answered(&errors) => Ok(()),
        Err(errors) if is_gone(&errors) => Err(errors),
        Err(errors) => LoadedSpec::last_good(Format::HookSpec, file, &mut PathCache::new(), copies)
            .map(drop)
            .ok_or(errors),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::super::active::ActiveConfiguration;
    use super::super::lifecycle::RunnerProgram;
    use super::*;
    use crate::config::Delivery;
    use crate::config::Overrides;
    use crate::select::{Deadline, Subject};

    /// A node with a configuration and some hook-specs, which outlives its daemons.
    struct Node(tempfile::TempDir);

    impl Node {
        fn new() -> Node {
            let node = Node(tempfile::tempdir().unwrap());
            for directory in ["specs", "hooks.d"] {
                fs::create_dir(node.0.path().join(directory)).unwrap();
            }
            node.write("program", "");
            node.allow("program", 0o755);
            for name in ["a", "b", "specs/gpu"] {
                node.write(&format!("{name}.json"), &node.spec());
            }
            let hook = format!(
                r#"{{"version":"1.0.0","hook":{{"path":{:?}}},"when":{{"always":true}},"stages":["prestart"]}}"#,
                node.path("program")
            );
            node.write("hooks.d/d.json", &hook);
            node.configure("a.json", "");
            node
        }

        fn path(&self, name: &str) -> String {
            self.0.path().join(name).to_str().unwrap().to_owned()
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).unwrap();
        }

        fn allow(&self, name: &str, mode: u32) {
            fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }

        fn spec(&self) -> String {
            format!("{{\"prestart\":[{{\"path\":{:?}}}]}}", self.path("program"))
        }

        fn configure(&self, default: &str, more: &str) {
            let text = format!(
                "hook_spec = {:?}\nhooks_dirs = [{:?}]\nstate_dir = {:?}\n{more}\nannotation.spec_dirs = [{:?}]\n",
                self.path(default),
                self.path("hooks.d"),
                self.path("state"),
                self.path("specs")
            );
            self.write("config.toml", &text);
        }

        /// A daemon that starts now.
        fn daemon(&self) -> ActiveConfiguration {
            let source = ConfigSource::file(&self.path("config.toml"), Overrides::default());
            ActiveConfiguration::new(source, RunnerProgram::this().unwrap())
        }
    }

    /// The files whose hooks a container gets that selects `gpu`; the errors if it is refused. Copies of the
    /// active files are stored when this returns.
    fn chosen(daemon: &ActiveConfiguration) -> Result<Vec<String>, String> {
        let annotations = HashMap::from([("hook-spec.noderesource.dev".to_owned(), "gpu".to_owned())]);
        let subject = Subject {
            namespace: "apps",
            annotations: &annotations,
            container_annotations: &HashMap::new(),
            container: "main",
            command: None,
            has_bind_mounts: false,
            delivery: Delivery::default(),
        };
        let applied = daemon
            .up_to_date()
            .map_err(|errors| errors[0].rule.name().to_owned())?;
        let selected = applied.selector.select(&subject, Deadline::none());
        applied.selector.copies().await_written();
        let name = |file: &str| file.rsplit('/').next().unwrap().replace(".json", "");
        let specs = selected.map_err(|error| error.to_string())?.specs;
        Ok(specs.iter().map(|spec| name(&spec.file)).collect())
    }

    fn older(daemon: &ActiveConfiguration) -> Vec<String> {
        let name = |file: &str| file.rsplit('/').next().unwrap().to_owned();
        let older = daemon.now().older();
        older.iter().map(|older| name(&older.file)).collect()
    }

    const ALL: [&str; 3] = ["a", "d", "gpu"];

    #[test]
    fn the_last_good_configuration_outlives_the_daemon() {
        let node = Node::new();
        assert_eq!(chosen(&node.daemon()).unwrap(), ALL);
        for bad in ["hook_specs = 1\n", "hook_spec = \n", "default_timeout = 0\n"] {
            let state_dir = format!("{bad}state_dir = {:?}", node.path("state"));
            node.write("config.toml", &state_dir);
            let daemon = node.daemon();
            assert_eq!(chosen(&daemon).unwrap(), ALL, "{bad}");
            assert_eq!(older(&daemon), ["config.toml"], "{bad}");
        }
        let daemon = node.daemon();
        assert_eq!(chosen(&daemon).unwrap(), ALL);
        node.configure("b.json", "");
        assert_eq!(chosen(&daemon).unwrap(), ["b", "d", "gpu"]);
        assert_eq!(older(&daemon), [""; 0]);
        node.write(
            "config.toml",
            &format!("x = 1\nstate_dir = {:?}", node.path("state")),
        );
        assert_eq!(
            chosen(&node.daemon()).unwrap(),
            ["b", "d", "gpu"],
            "a reload is kept too"
        );
    }

    #[test]
    fn the_last_good_version_of_each_hook_spec_outlives_the_daemon() {
        let node = Node::new();
        assert_eq!(chosen(&node.daemon()).unwrap(), ALL);
        for file in ["a.json", "hooks.d/d.json", "specs/gpu.json"] {
            node.write(file, "{");
        }
        let daemon = node.daemon();
        assert_eq!(chosen(&daemon).unwrap(), ALL);
        assert_eq!(older(&daemon), ["a.json", "d.json"]);
        node.write("a.json", &node.spec());
        assert_eq!(chosen(&daemon).unwrap(), ALL);
        assert_eq!(older(&daemon), ["d.json"]);

        // Their programs are checked again.
        node.allow("program", 0o777);
        assert!(chosen(&node.daemon()).is_err());
    }

    #[test]
    fn a_daemon_does_not_start_with_a_configuration_whose_new_default_hook_spec_is_invalid() {
        let node = Node::new();
        assert_eq!(chosen(&node.daemon()).unwrap(), ALL);
        node.write("new.json", "{");
        node.configure("new.json", "");
        for default in ["new.json", "absent.json"] {
            node.configure(default, "");
            let daemon = node.daemon();
            assert_eq!(chosen(&daemon).unwrap(), ALL, "{default}");
            assert_eq!(older(&daemon), ["config.toml"], "{default}");
        }
        node.write("new.json", &node.spec());
        node.configure("new.json", "");
        assert_eq!(chosen(&node.daemon()).unwrap(), ["new", "d", "gpu"]);
    }

    #[test]
    fn a_removed_file_is_not_restored() {
        let node = Node::new();
        assert_eq!(chosen(&node.daemon()).unwrap(), ALL);
        fs::remove_file(node.path("specs/gpu.json")).unwrap();
        assert!(chosen(&node.daemon()).unwrap_err().contains("gpu.json"));
        node.write("specs/gpu.json", &node.spec());
        fs::remove_file(node.path("hooks.d/d.json")).unwrap();
        assert_eq!(chosen(&node.daemon()).unwrap(), ["a", "gpu"]);
        fs::remove_file(node.path("a.json")).unwrap();
        assert!(chosen(&node.daemon()).unwrap_err().contains("a.json"));
        node.write("a.json", "{");
        assert!(chosen(&node.daemon()).is_err(), "it was forgotten");
        node.write("a.json", &node.spec());
        assert!(chosen(&node.daemon()).is_ok());
        fs::remove_file(node.path("config.toml")).unwrap();
        assert_eq!(chosen(&node.daemon()).unwrap_err(), "not-found");
    }

    #[test]
    fn a_copy_that_was_changed_is_not_used() {
        let node = Node::new();
        assert_eq!(chosen(&node.daemon()).unwrap(), ALL);
        for file in fs::read_dir(node.path("state/last-good")).unwrap() {
            let path = file.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text.replace("program", "Program")).unwrap();
        }
        node.write("a.json", "{");
        assert!(chosen(&node.daemon()).is_err());
    }

    #[test]
    fn without_a_last_good_version_an_invalid_file_refuses() {
        let node = Node::new();
        node.configure("a.json", "x = 1");
        let daemon = node.daemon();
        assert_eq!(chosen(&daemon).unwrap_err(), "unknown-key");
        let state_dir = daemon.now().config().state_dir;
        assert_eq!(*state_dir, node.path("state"), "where it can be asked");
        node.configure("a.json", "");
        node.write("a.json", "{");
        assert!(chosen(&node.daemon()).is_err());
    }
}
