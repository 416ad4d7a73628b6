//! What is in force: the configuration, kept up with its file, and the selection by it.

use std::sync::Arc;

use super::ConfiguredBy;
use super::in_force::InForce;
use super::life::RunnerProgram;
use crate::config::{Config, ConfigSource, ReadConfig, Reload};
use crate::diagnostic::Diagnostic;

/// What is in force, and what it depends on.
#[derive(Debug)]
pub(super) struct Live {
    source: ConfigSource,
    /// What the file said at the start; holds unless the runtime hands over a configuration.
    at_start: Config,
    reload: Reload,
    runner: RunnerProgram,
    /// `None` until the runtime has sent Configure. Kept over reconnects, so that the last good
    /// default spec is.
    in_force: Option<Arc<InForce>>,
    /// Whether the configuration in force is what the runtime handed over: then the file does not
    /// count.
    handed_over: bool,
}

impl Live {
    pub(super) fn new(source: ConfigSource, (config, identity): ReadConfig, runner: RunnerProgram) -> Self {
        Live {
            reload: Reload::new(source.clone(), identity),
            source,
            runner,
            at_start: config,
            in_force: None,
            handed_over: false,
        }
    }

    /// Puts in force what the runtime hands over at Configure; what the file says, if that is
    /// nothing.
    ///
    /// Fails with every mistake of what is handed over.
    pub(super) fn configure(&mut self, handed_over: &str) -> Result<Arc<InForce>, Vec<Diagnostic>> {
        let from_runtime = !handed_over.trim().is_empty();
        if !from_runtime && !self.handed_over {
            self.keep_up();
        }
        let config = match &self.in_force {
            _ if from_runtime => {
                let source = "the configuration from the runtime";
                Config::from_text(source, handed_over, self.source.overrides())?
            }
            Some(in_force) if !self.handed_over => in_force.selector.config().clone(),
            _ => self.at_start.clone(),
        };
        self.handed_over = from_runtime;
        Ok(match &self.in_force {
            Some(in_force) if *in_force.selector.config() == config => in_force.clone(),
            _ => {
                let made = Arc::new(InForce::new(config, &self.runner));
                self.in_force.insert(made).clone()
            }
        })
    }

    /// What is in force; `None` before the first Configure.
    pub(super) fn in_force(&self) -> Option<&Arc<InForce>> {
        self.in_force.as_ref()
    }

    /// The configuration in force, or before the first Configure what would be without another
    /// from the runtime.
    pub(super) fn config(&self) -> &Config {
        let in_force = self.in_force.as_ref();
        in_force.map_or(&self.at_start, |in_force| in_force.selector.config())
    }

    /// Where that comes from.
    pub(super) fn configured_by(&self) -> ConfiguredBy {
        match self.reload.file() {
            _ if self.handed_over => ConfiguredBy::Runtime,
            Some(file) => ConfiguredBy::File(file.clone()),
            None => ConfiguredBy::Defaults,
        }
    }

    /// Puts in force what the file says now, all of it or nothing.
    pub(super) fn keep_up(&mut self) {
        let Some(in_force) = self.in_force.as_ref().filter(|_| !self.handed_over) else {
            return;
        };
        let Some((config, identity)) = self.reload.look() else {
            return;
        };
        match in_force.succeed(self.source.path(), config) {
            Ok(successor) => {
                self.in_force = Some(Arc::new(successor));
                self.reload.take(identity);
            }
            Err(mistakes) => self.reload.refuse(mistakes),
        }
    }

    /// Why what the file says is not in force; empty if it is.
    pub(super) fn refused(&self) -> &[Diagnostic] {
        self.reload.refused()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::{Delivery, Overrides};
    use crate::select::{Budget, Subject};

    /// A node with a configuration file and some hook-specs.
    struct Node(tempfile::TempDir);

    impl Node {
        fn new() -> Self {
            let node = Node(tempfile::tempdir().unwrap());
            node.write("program", "");
            node.mode("program", 0o755);
            for name in ["a.json", "b.json"] {
                let program = node.path("program");
                node.write(name, &format!("{{\"prestart\":[{{\"path\":\"{program}\"}}]}}"));
            }
            node
        }

        fn path(&self, name: &str) -> String {
            self.0.path().join(name).to_str().unwrap().to_owned()
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.path().join(name), text).unwrap();
        }

        fn mode(&self, name: &str, mode: u32) {
            fs::set_permissions(self.0.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        }

        /// A configuration whose default hook-spec is `name`.
        fn configure(&self, name: &str) {
            self.write("config.toml", &self.with_default(name));
        }

        fn with_default(&self, name: &str) -> String {
            format!("hook_spec = {:?}", self.path(name))
        }

        fn live(&self) -> Live {
            let overrides = Overrides {
                delivery: Some(Delivery::Direct),
                state_dir: Some(self.path("state")),
                ..Overrides::default()
            };
            let source = ConfigSource::optional_file(&self.path("config.toml"), overrides);
            let read = source.read().unwrap();
            let mut live = Live::new(source, read, RunnerProgram::this().unwrap());
            live.configure("").unwrap();
            live
        }
    }

    /// The hook-specs that a container gets now: `a`, `b` or nothing.
    fn chosen(live: &mut Live) -> String {
        live.keep_up();
        let subject = Subject {
            namespace: "apps",
            annotations: &HashMap::new(),
            container: "main",
            command: None,
            has_bind_mounts: false,
        };
        let selector = &live.in_force().unwrap().selector;
        let selected = selector.select(&subject, Budget::unhurried());
        let specs = selected.unwrap().specs;
        let name = |file: &str| file.rsplit('/').next().unwrap().replace(".json", "");
        specs.iter().map(|spec| name(&spec.file)).collect()
    }

    #[test]
    fn a_change_of_the_file_is_in_force_for_the_next_container() {
        let node = Node::new();
        let mut live = node.live();
        assert_eq!(chosen(&mut live), "", "no file leaves the defaults");
        node.configure("a.json");
        assert_eq!(chosen(&mut live), "a");
        node.configure("b.json");
        assert_eq!(chosen(&mut live), "b");
        assert_eq!(live.refused(), []);
    }

    #[test]
    fn a_file_that_is_no_good_is_refused_whole_and_the_last_good_one_kept() {
        let node = Node::new();
        node.configure("a.json");
        let mut live = node.live();
        let good = node.with_default("b.json");
        for (bad, rule) in [
            (format!("{good}\nx = 1"), "unknown-key"),
            (format!("{good}\ndefault_timeout = 0"), "timeout-zero"),
            ("hook_spec = ".into(), "invalid-toml"),
            (node.with_default("none.json"), "not-found"),
            (node.with_default("program"), "empty-file"),
        ] {
            node.write("config.toml", &bad);
            assert_eq!(chosen(&mut live), "a", "{bad}");
            assert_eq!(live.refused()[0].rule.name(), rule, "{bad}");
        }
        node.write("config.toml", &good);
        assert_eq!(chosen(&mut live), "b");
        assert_eq!(live.refused(), []);
    }

    #[test]
    fn what_is_refused_for_another_file_is_taken_when_that_is_mended() {
        let node = Node::new();
        node.configure("a.json");
        let mut live = node.live();
        node.configure("late.json");
        assert_eq!(chosen(&mut live), "a");
        node.write("late.json", "{}");
        assert_eq!(chosen(&mut live), "late");
    }

    #[test]
    fn a_file_that_others_may_write_or_that_is_gone_changes_nothing() {
        let node = Node::new();
        node.configure("a.json");
        let mut live = node.live();
        node.configure("b.json");
        node.mode("config.toml", 0o666);
        assert_eq!(chosen(&mut live), "a");
        assert_eq!(live.refused()[0].rule.name(), "writable-by-others");
        fs::remove_file(node.path("config.toml")).unwrap();
        assert_eq!(chosen(&mut live), "a");
        assert_eq!(live.refused()[0].rule.name(), "not-found");
        std::os::unix::fs::symlink("nowhere", node.path("config.toml")).unwrap();
        assert_eq!(chosen(&mut live), "a");
        assert_eq!(live.refused()[0].rule.name(), "not-found");
    }

    #[test]
    fn an_untrusted_file_that_appears_where_none_was_is_refused_and_told() {
        let node = Node::new();
        let mut live = node.live();
        node.configure("a.json");
        node.mode("config.toml", 0o666);
        assert_eq!(chosen(&mut live), "");
        assert_eq!(live.refused()[0].rule.name(), "writable-by-others");
    }

    #[test]
    fn the_last_good_default_hook_spec_outlives_a_reload() {
        let node = Node::new();
        node.configure("a.json");
        let mut live = node.live();
        node.write("a.json", "broken");
        node.write(
            "config.toml",
            &format!("default_timeout = 7\n{}", node.with_default("a.json")),
        );
        assert_eq!(chosen(&mut live), "a");
        let in_force = live.in_force().unwrap();
        assert_eq!(in_force.selector.config().default_timeout.seconds(), 7);
    }

    #[test]
    fn what_a_running_daemon_cannot_change_is_refused_and_told() {
        let node = Node::new();
        let text = |delivery: &str, state_dir: &str| {
            let (spec, state_dir) = (node.with_default("a.json"), node.path(state_dir));
            node.write(
                "config.toml",
                &format!("{spec}\ndelivery = {delivery:?}\nstate_dir = {state_dir:?}"),
            );
        };
        text("direct", "state");
        let source = ConfigSource::file(&node.path("config.toml"), Overrides::default());
        let read = source.read().unwrap();
        let mut live = Live::new(source.clone(), read, RunnerProgram::this().unwrap());
        live.configure("").unwrap();
        for (delivery, state_dir, field) in [
            ("direct", "elsewhere", "state_dir"),
            ("runner", "state", "delivery"),
            ("events", "state", "delivery"),
        ] {
            text(delivery, state_dir);
            assert_eq!(chosen(&mut live), "a");
            assert_eq!(live.refused()[0].field.as_deref(), Some(field));
            assert!(!std::path::Path::new(&node.path(state_dir)).exists());
        }
        text("direct", "state");
        live.keep_up();
        assert_eq!(live.refused(), []);

        // With `events` it asks for more of them at the start.
        text("runner", "state");
        live = Live::new(
            source.clone(),
            source.read().unwrap(),
            RunnerProgram::this().unwrap(),
        );
        live.configure("").unwrap();
        text("events", "state");
        assert_eq!(chosen(&mut live), "a");
        assert_eq!(live.refused()[0].field.as_deref(), Some("delivery"));
        text("direct", "state");
        live.keep_up();
        assert_eq!(live.refused(), [], "an event too many does no harm");
    }

    #[test]
    fn what_the_runtime_hands_over_counts_in_place_of_the_file() {
        let node = Node::new();
        node.configure("a.json");
        let mut live = node.live();
        live.configure(&node.with_default("b.json")).unwrap();
        assert_eq!(chosen(&mut live), "b");
        node.write("config.toml", "default_timeout = 7");
        assert_eq!(chosen(&mut live), "b");
        assert!(live.configure("x = 1").is_err());
        assert_eq!(chosen(&mut live), "b", "what is no good changes nothing");
    }
}
