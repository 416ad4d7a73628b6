//! The active configuration, refreshed from its file, and the selection by it.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use super::ConfiguredBy;
use super::applied::AppliedConfig;
use super::first::{First, LastGood, first};
use super::lifecycle::RunnerProgram;
use crate::config::{Changed, Checked, Config, ConfigSource, ReadFrom, Reload, state_dir_of};
use crate::diagnostic::{Diagnostic, Rule};
use crate::model::Timestamp;
use crate::select::OlderVersion;
use crate::shared::Shared;
use crate::trust::access;

/// The active configuration, shared by all event handlers. No lock is held while a file is read.
#[derive(Debug)]
pub(super) struct ActiveConfiguration {
    now: Shared<Arc<Now>>,
    runner: RunnerProgram,
    /// Held by the thread that makes the first configuration: that may take long, and has effects.
    first: Mutex<()>,
}

/// The active configuration at one moment, and its sources.
#[derive(Debug, Clone)]
pub(super) struct Now {
    reload: Reload,
    /// `None` until a configuration could be read. Survives reconnects, so that the last good default spec
    /// does too.
    applied: Option<Arc<AppliedConfig>>,
    /// The configuration that the runtime handed over: then the file does not count.
    handed_over: Option<Config>,
    /// The state directory that the invalid file names, as long as no configuration is active.
    state_dir: Option<Arc<str>>,
}

impl ActiveConfiguration {
    /// No configuration is active, and no file is read yet.
    pub(super) fn new(source: ConfigSource, runner: RunnerProgram) -> Self {
        ActiveConfiguration {
            now: Shared::new(Arc::new(Now {
                reload: Reload::new(source),
                applied: None,
                handed_over: None,
                state_dir: None,
            })),
            runner,
            first: Mutex::new(()),
        }
    }

    /// The active configuration now, without a check of any file.
    pub(super) fn now(&self) -> Arc<Now> {
        self.now.get()
    }

    /// Uses the configuration that the runtime hands over at Configure from now on; the file, if that is
    /// empty. Reads no file yet.
    ///
    /// Fails with every error of the configuration handed over; then nothing changes.
    pub(super) fn configure(&self, text: &str) -> Result<(), Vec<Diagnostic>> {
        let before = self.now();
        let handed_over = match text.trim().is_empty() {
            true => None,
            false => {
                let source = "the configuration from the runtime";
                let overrides = before.reload.source().overrides();
                Some(Config::from_text(source, text, overrides)?)
            }
        };
        if handed_over != before.handed_over {
            self.now.work_on(|now| {
                let now = Arc::make_mut(now);
                if handed_over.is_none()
                    || now.applied.as_ref().map(|it| it.selector.config()) != handed_over.as_ref()
                {
                    now.applied = None;
                    now.reload = Reload::new(now.reload.source().clone());
                }
                now.handed_over = handed_over;
            });
        }
        Ok(())
    }

    /// The active configuration, refreshed from the file: all of the file's settings or none.
    ///
    /// Fails with the errors if the file system does not answer, or if no configuration is active.
    pub(super) fn up_to_date(&self) -> Result<Arc<AppliedConfig>, Vec<Diagnostic>> {
        let now = self.now();
        match &now.applied {
            Some(applied) if now.handed_over.is_some() => Ok(applied.clone()),
            Some(applied) => self.refresh(&now, applied),
            None => self.make_first(),
        }
    }

    fn refresh(
        &self,
        now: &Now,
        applied: &Arc<AppliedConfig>,
    ) -> Result<Arc<AppliedConfig>, Vec<Diagnostic>> {
        let checked = match now.reload.check() {
            Checked::Changed(read) => {
                let Changed {
                    config,
                    read_from,
                    text,
                } = *read;
                match applied.succeed(now.reload.source().path(), config) {
                    Ok(successor) => {
                        let successor = Arc::new(successor);
                        let file = now.reload.source().path();
                        successor.selector.copies().store(file, &text);
                        self.now.work_on(|now| {
                            let now = Arc::make_mut(now);
                            now.applied = Some(successor.clone());
                            now.reload.apply(read_from);
                        });
                        return Ok(successor);
                    }
                    Err(errors) => Checked::failed(errors),
                }
            }
            checked => checked,
        };
        match checked {
            Checked::NotAnswered(errors) => return Err(errors),
            Checked::Invalid(errors) => self.now.work_on(|now| Arc::make_mut(now).reload.refuse(errors)),
            Checked::Same if now.reload.refused().is_empty() => {}
            _ => self.now.work_on(|now| Arc::make_mut(now).reload.confirm()),
        }
        Ok(applied.clone())
    }

    /// Reads the configuration for the first time, and makes the active configuration from it.
    fn make_first(&self) -> Result<Arc<AppliedConfig>, Vec<Diagnostic>> {
        let _making = match self.first.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(self.being_made()),
            Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
            Ok(making) => making,
        };
        let now = self.now();
        if let Some(applied) = &now.applied {
            return Ok(applied.clone());
        }
        let first = match &now.handed_over {
            Some(config) => Ok((config.clone(), None)),
            None => first(&now.reload).map(|first| match first {
                First::File(config, read_from) => (*config, Some(Source::File(read_from))),
                First::LastGood(last) => (last.config.clone(), Some(Source::LastGood(last))),
            }),
        };
        let (config, source) = match first {
            Ok(first) => first,
            Err(Checked::NotAnswered(errors)) => return Err(errors),
            Err(Checked::Invalid(errors)) => {
                let source = now.reload.source();
                let (text, _) = source.read_with_text();
                let state_dir = state_dir_of(&text, source.overrides());
                self.now.work_on(|now| {
                    let now = Arc::make_mut(now);
                    now.reload.refuse(errors.clone());
                    now.state_dir = Some(state_dir);
                });
                return Err(errors);
            }
            // Only an active configuration can be the same.
            Err(Checked::Same | Checked::Changed(_)) => return Err(self.being_made()),
        };
        let made = Arc::new(AppliedConfig::new(config, &self.runner));
        self.now.work_on(|now| {
            let now = Arc::make_mut(now);
            now.applied = Some(made.clone());
            match source {
                Some(Source::File(file)) => now.reload.apply(file),
                Some(Source::LastGood(last)) => {
                    now.reload.apply_last_good(last.copy, last.taken);
                    now.reload.refuse(last.refused);
                }
                None => {}
            }
        });
        Ok(made)
    }

    /// The error that another thread makes the first configuration, with the path that it waits for.
    fn being_made(&self) -> Vec<Diagnostic> {
        let now = self.now();
        let file = now.reload.source().path();
        let error = match access::unanswered().first() {
            Some(unanswered) => {
                let help = "check its disk or its server; nothing here needs a restart";
                Diagnostic::of_file(file, Rule::NotAnswering, unanswered.to_string(), help)
            }
            None => Diagnostic::of_file(
                file,
                Rule::NotAnswering,
                "is still being read",
                "try again in a moment",
            ),
        };
        vec![error]
    }
}

/// The source of a first configuration.
enum Source {
    File(ReadFrom),
    LastGood(Box<LastGood>),
}

impl Now {
    /// The files whose content differs from their active version, which is an older one.
    pub(super) fn older(&self) -> Vec<OlderVersion> {
        let of_config = self.reload.outdated().map(|(taken, since)| OlderVersion {
            file: self.reload.source().path().clone(),
            taken,
            since,
            errors: self.reload.refused().to_vec(),
        });
        let of_specs = self.applied.iter().flat_map(|applied| applied.selector.older());
        of_config.into_iter().chain(of_specs).collect()
    }

    /// The active configuration; `None` until a configuration could be read.
    pub(super) fn applied(&self) -> Option<&Arc<AppliedConfig>> {
        self.applied.as_ref()
    }

    /// The active configuration; as long as there is none, the defaults with the settings of the command
    /// line.
    pub(super) fn config(&self) -> Config {
        match &self.applied {
            Some(applied) => applied.selector.config().clone(),
            None => {
                let config = self.reload.source().overridden_defaults();
                Config {
                    state_dir: self.state_dir.clone().unwrap_or(config.state_dir),
                    ..config
                }
            }
        }
    }

    /// The configuration file, whether it exists or not.
    pub(super) fn file(&self) -> &Arc<str> {
        self.reload.source().path()
    }

    /// The source of the configuration.
    pub(super) fn configured_by(&self) -> ConfiguredBy {
        match self.reload.file() {
            _ if self.handed_over.is_some() => ConfiguredBy::Runtime,
            Some(file) => ConfiguredBy::File(file.clone()),
            None => ConfiguredBy::Defaults,
        }
    }

    /// The time when it became active.
    pub(super) fn configured_at(&self) -> Timestamp {
        self.reload.taken()
    }

    /// The errors that keep the file's content from being active; empty if it is active.
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
    use crate::select::{Deadline, Subject};

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

        fn active(&self) -> ActiveConfiguration {
            let overrides = Overrides {
                delivery: Some(Delivery::Direct),
                state_dir: Some(self.path("state")),
                ..Overrides::default()
            };
            let source = ConfigSource::optional_file(&self.path("config.toml"), overrides);
            let active = ActiveConfiguration::new(source, RunnerProgram::this().unwrap());
            active.up_to_date().unwrap().selector.refresh();
            active
        }
    }

    /// The hook-specs that a container gets now: `a`, `b` or nothing.
    fn chosen(active: &ActiveConfiguration) -> String {
        let subject = Subject {
            namespace: "apps",
            annotations: &HashMap::new(),
            container_annotations: &HashMap::new(),
            container: "main",
            command: None,
            has_bind_mounts: false,
            delivery: Delivery::default(),
        };
        let applied = active.up_to_date().unwrap();
        let selected = applied.selector.select(&subject, Deadline::none());
        let specs = selected.unwrap().specs;
        let name = |file: &str| file.rsplit('/').next().unwrap().replace(".json", "");
        specs.iter().map(|spec| name(&spec.file)).collect()
    }

    fn refused(active: &ActiveConfiguration) -> Vec<Diagnostic> {
        active.now().refused().to_vec()
    }

    #[test]
    fn a_change_of_the_file_is_active_for_the_next_container() {
        let node = Node::new();
        let active = node.active();
        assert_eq!(chosen(&active), "", "no file leaves the defaults");
        node.configure("a.json");
        assert_eq!(chosen(&active), "a");
        node.configure("b.json");
        assert_eq!(chosen(&active), "b");
        assert_eq!(refused(&active), []);
    }

    #[test]
    fn an_invalid_file_is_refused_whole_and_the_last_good_one_stays_active() {
        let node = Node::new();
        node.configure("a.json");
        let active = node.active();
        let good = node.with_default("b.json");
        for (bad, rule) in [
            (format!("{good}\nx = 1"), "unknown-key"),
            (format!("{good}\ndefault_timeout = 0"), "timeout-zero"),
            ("hook_spec = ".into(), "invalid-toml"),
            (node.with_default("none.json"), "not-found"),
            (node.with_default("program"), "empty-file"),
        ] {
            node.write("config.toml", &bad);
            assert_eq!(chosen(&active), "a", "{bad}");
            assert_eq!(refused(&active)[0].rule.name(), rule, "{bad}");
        }
        node.write("config.toml", &good);
        assert_eq!(chosen(&active), "b");
        assert_eq!(refused(&active), []);
    }

    #[test]
    fn a_change_refused_because_of_another_file_is_taken_when_that_file_is_fixed() {
        let node = Node::new();
        node.configure("a.json");
        let active = node.active();
        node.configure("late.json");
        assert_eq!(chosen(&active), "a");
        node.write("late.json", "{}");
        assert_eq!(chosen(&active), "late");
    }

    #[test]
    fn a_file_that_others_may_write_or_that_is_gone_changes_nothing() {
        let node = Node::new();
        node.configure("a.json");
        let active = node.active();
        node.configure("b.json");
        node.mode("config.toml", 0o666);
        assert_eq!(chosen(&active), "a");
        assert_eq!(refused(&active)[0].rule.name(), "writable-by-others");
        fs::remove_file(node.path("config.toml")).unwrap();
        assert_eq!(chosen(&active), "a");
        assert_eq!(refused(&active)[0].rule.name(), "not-found");
        std::os::unix::fs::symlink("nowhere", node.path("config.toml")).unwrap();
        assert_eq!(chosen(&active), "a");
        assert_eq!(refused(&active)[0].rule.name(), "not-found");
    }

    #[test]
    fn an_untrusted_file_that_appears_where_none_was_is_refused_and_reported() {
        let node = Node::new();
        let active = node.active();
        node.configure("a.json");
        node.mode("config.toml", 0o666);
        assert_eq!(chosen(&active), "");
        assert_eq!(refused(&active)[0].rule.name(), "writable-by-others");
    }

    #[test]
    fn the_last_good_default_hook_spec_outlives_a_reload() {
        let node = Node::new();
        node.configure("a.json");
        let active = node.active();
        node.write("a.json", "broken");
        node.write(
            "config.toml",
            &format!("default_timeout = 7\n{}", node.with_default("a.json")),
        );
        assert_eq!(chosen(&active), "a");
        let applied = active.up_to_date().unwrap();
        assert_eq!(applied.selector.config().default_timeout.seconds(), 7);
    }

    #[test]
    fn a_setting_that_a_running_daemon_cannot_change_is_refused_and_reported() {
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
        let mut active = ActiveConfiguration::new(source.clone(), RunnerProgram::this().unwrap());
        assert_eq!(chosen(&active), "a");
        for (delivery, state_dir, field) in [
            ("direct", "elsewhere", "state_dir"),
            ("runner", "state", "delivery"),
            ("events", "state", "delivery"),
        ] {
            text(delivery, state_dir);
            assert_eq!(chosen(&active), "a");
            assert_eq!(refused(&active)[0].field.as_deref(), Some(field));
            assert!(!std::path::Path::new(&node.path(state_dir)).exists());
        }
        text("direct", "state");
        active.up_to_date().unwrap();
        assert_eq!(refused(&active), []);

        // With `events` the daemon subscribes to more events at the start.
        text("runner", "state");
        active = ActiveConfiguration::new(source.clone(), RunnerProgram::this().unwrap());
        assert_eq!(chosen(&active), "a");
        text("events", "state");
        assert_eq!(chosen(&active), "a");
        assert_eq!(refused(&active)[0].field.as_deref(), Some("delivery"));
        text("direct", "state");
        active.up_to_date().unwrap();
        assert_eq!(refused(&active), [], "an event too many does no harm");
    }

    #[test]
    fn a_configuration_from_the_runtime_counts_in_place_of_the_file() {
        let node = Node::new();
        node.configure("a.json");
        let active = node.active();
        active.configure(&node.with_default("b.json")).unwrap();
        assert_eq!(chosen(&active), "b");
        node.write("config.toml", "default_timeout = 7");
        assert_eq!(chosen(&active), "b");
        assert!(active.configure("x = 1").is_err());
        assert_eq!(chosen(&active), "b", "what is no good changes nothing");
    }
    #[test]
    fn a_configuration_that_was_never_valid_refuses_containers_until_it_is() {
        let node = Node::new();
        node.write("config.toml", "hook_spec = ");
        let source = ConfigSource::file(&node.path("config.toml"), Overrides::default());
        let active = ActiveConfiguration::new(source, RunnerProgram::this().unwrap());
        for _ in 0..2 {
            assert_eq!(active.up_to_date().unwrap_err()[0].rule.name(), "invalid-toml");
        }
        assert_eq!(refused(&active)[0].rule.name(), "invalid-toml");
        let good = node.with_default("a.json");
        node.write("config.toml", &format!("{good}\ndelivery = \"direct\""));
        assert_eq!(chosen(&active), "a");
        assert_eq!(refused(&active), []);
    }

    #[test]
    fn no_event_waits_for_the_thread_that_makes_the_first_configuration() {
        let node = Node::new();
        let source = ConfigSource::file(&node.path("config.toml"), Overrides::default());
        let active = ActiveConfiguration::new(source, RunnerProgram::this().unwrap());
        let _made = active.first.lock();
        assert_eq!(active.up_to_date().unwrap_err()[0].rule.name(), "not-answering");
    }
}
