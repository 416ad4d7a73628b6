//! Cases that the lints warn about, and cases that they accept.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use tempfile::TempDir;

use super::lint;
use crate::config::{Config, Delivery};
use crate::diagnostic::{Diagnostic, Rule};
use crate::model::Timeout;
use crate::select::LoadedSpec;

/// A directory of root alone, with a hook-spec and programs.
struct Node(TempDir);

impl Node {
    fn new() -> Node {
        // Below /tmp, the lints would warn about everything.
        Node(tempfile::tempdir_in("/run").unwrap())
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn warnings(&self, text: &str, config: &Config) -> Vec<Diagnostic> {
        let file: Arc<str> = self.file("spec.json", text).into();
        let (text, spec) = LoadedSpec::load_with_text(&file);
        lint(&spec.unwrap(), &text, config)
    }

    /// `rule line:column subject` of each warning.
    fn found(&self, text: &str) -> Vec<String> {
        self.warnings(text, &brisk()).iter().map(brief).collect()
    }

    /// The message about a hook that runs a program with this content.
    fn about(&self, program: &str, more: &str) -> Option<String> {
        let path = self.file("program", program);
        let text = format!("{{\"prestart\":[{{\"path\":\"{path}\"{more}}}]}}");
        let mut warnings = self.warnings(&text, &Config::default());
        warnings.retain(|warning| warning.rule != Rule::EnvWithoutPath);
        assert!(warnings.len() < 2, "{warnings:?}");
        let message = warnings
            .first()
            .map(|warning| format!("{}: {}", warning.rule, warning.message))?;
        Some(message.replace(&path, "PROGRAM"))
    }
}

/// Hooks have short timeouts by default, so that the lints warn only about explicit timeouts.
fn brisk() -> Config {
    Config {
        default_timeout: Timeout::from_seconds(1).unwrap(),
        ..Config::default()
    }
}

fn brief(warning: &Diagnostic) -> String {
    let place = warning
        .place
        .map_or_else(String::new, |place| format!("{}:{} ", place.line, place.column));
    format!("{} {place}{}", warning.rule, warning.subject())
}

#[test]
fn args_whose_first_item_is_not_the_programs_name_cause_a_warning() {
    let node = Node::new();
    let found = node.found(
        r#"{"prestart": [
            {"path": "/bin/echo", "args": ["arg1", "arg2"]},
            {"path": "/bin/echo", "args": ["echo", "1"]},
            {"path": "/bin/echo", "args": ["/usr/bin/echo"]},
            {"path": "/bin/sh", "args": ["-sh"]},
            {"path": "/bin/sh", "args": ["-c"]},
            {"path": "/bin/echo", "args": []},
            {"path": "/bin/echo"}
        ]}"#,
    );
    assert_eq!(
        found,
        [
            "arg0-not-program 2:44 prestart[0].args[0]",
            "arg0-not-program 6:42 prestart[4].args[0]"
        ]
    );
}

#[test]
fn a_program_of_many_names_may_be_called_by_any() {
    let node = Node::new();
    let busybox = node.file("busybox", "\x7fELF");
    assert_eq!(
        node.found(&format!(
            r#"{{"prestart":[{{"path":"{busybox}","args":["ls","/"]}}]}}"#
        )),
        [""; 0]
    );
}

#[test]
fn a_script_without_an_interpreter_line_causes_a_warning() {
    let node = Node::new();
    for (program, warned) in [
        ("echo hello\n", true),
        ("", true),
        ("#!\n", true),
        ("#!/bin/sh\n", false),
        ("\x7fELF", false),
    ] {
        let about = node.about(program, "");
        assert_eq!(about.is_some(), warned, "{program:?}: {about:?}");
        assert!(
            about.is_none_or(|about| about.starts_with("no-shebang: ")),
            "{program:?}"
        );
    }
}

#[test]
fn an_environment_without_path_causes_a_warning() {
    let node = Node::new();
    let found = node.found(
        r#"{"prestart": [
            {"path": "/bin/true", "env": ["KEY=value"]},
            {"path": "/bin/true", "env": ["KEY=value", "PATH=/bin"]},
            {"path": "/bin/true", "env": ["PATH="]},
            {"path": "/bin/true", "env": []},
            {"path": "/bin/true"}
        ]}"#,
    );
    assert_eq!(found, ["env-without-path 2:42 prestart[0].env"]);
}

#[test]
fn a_script_whose_interpreter_does_not_exist_causes_a_warning() {
    let node = Node::new();
    for (program, more, about) in [
        (
            "#!/none/sh\n",
            "",
            Some("/none/sh, which is not a program on this node"),
        ),
        (
            "#!/etc/passwd\n",
            "",
            Some("/etc/passwd, which is not a program on this node"),
        ),
        ("#!sh\n", "", Some("sh, which is not an absolute path")),
        ("#!/bin/sh\r\n", "", Some("\"/bin/sh\\r\", which does not exist")),
        ("#!/usr/bin/env sh\n", "", None),
        ("#!/usr/bin/env -S sh -e\n", "", None),
        ("#!/usr/bin/env -i sh\n", "", None),
        ("#!/usr/bin/env sh\n", r#","env":["A=b"]"#, None),
        (
            "#!/usr/bin/env sh\n",
            r#","env":["PATH=/none"]"#,
            Some("sh, which env cannot find in /none"),
        ),
        (
            "#!/usr/bin/env sh -e\n",
            r#","env":["PATH=/bin"]"#,
            Some("\"sh -e\", which env cannot find in /bin"),
        ),
        (
            "#!/usr/bin/env no-such-program\n",
            r#","env":["A=b"]"#,
            Some("no-such-program, which env cannot find in /bin:/usr/bin"),
        ),
    ] {
        let expected = about.map(|about| format!("interpreter-missing: PROGRAM needs {about}"));
        assert_eq!(node.about(program, more), expected, "{program:?}");
    }
}

#[test]
fn a_program_causes_one_warning_however_many_hooks_run_it() {
    let node = Node::new();
    let path = node.file("program", "echo\n");
    let hook = format!("{{\"path\":\"{path}\"}}");
    let text = format!("{{\"prestart\":[{hook},{hook}],\"poststop\":[{hook}]}}");
    assert_eq!(node.found(&text), ["no-shebang 1:22 prestart[0].path"]);
}

#[test]
fn a_stage_that_some_configured_delivery_cannot_run_causes_a_warning() {
    let node = Node::new();
    let text = r#"{"createContainer":[{"path":"/bin/true"},{"path":"/bin/true"}],"createRuntime":[{"path":"/bin/true"}]}"#;
    let warnings = |delivery, handlers: &[(&str, Delivery)]| {
        let config = Config {
            delivery,
            runtimes: handlers
                .iter()
                .map(|(name, delivery)| ((*name).to_owned(), *delivery))
                .collect(),
            ..brisk()
        };
        node.warnings(text, &config).iter().map(brief).collect::<Vec<_>>()
    };
    for delivery in [Delivery::Runner, Delivery::Direct] {
        assert_eq!(warnings(delivery, &[]), [""; 0]);
        assert_eq!(
            warnings(delivery, &[("kata", Delivery::Events)]),
            ["stage-not-deliverable createContainer"]
        );
        assert_eq!(
            warnings(Delivery::Events, &[("kata", delivery)]),
            ["stage-not-deliverable createContainer"]
        );
    }
}

#[test]
fn a_stage_whose_timeouts_exceed_the_wait_of_the_runtime_causes_a_warning_at_the_first_hook_beyond_it() {
    let node = Node::new();
    let hook = |seconds| format!(r#"{{"path":"/bin/true","timeout":{seconds}}}"#);
    let stage = |stage: &str, hooks: &[String]| format!("{{\"{stage}\":[{}]}}", hooks.join(","));
    for (text, found) in [
        (stage("prestart", &[hook(60), hook(60)]), &[][..]),
        (
            stage("prestart", &[hook(60), hook(60), hook(1)]),
            &["timeouts-too-long 1:112 prestart[2].timeout"],
        ),
        (
            stage("poststart", &[hook(121), hook(1)]),
            &["timeouts-too-long 1:45 poststart[0].timeout"],
        ),
        (stage("poststop", &[hook(10)]), &[]),
        (
            stage("poststop", &[hook(11)]),
            &["timeouts-too-long 1:44 poststop[0].timeout"],
        ),
        (
            stage("poststop", &[r#"{"path":"/bin/true"}"#.to_owned()]),
            &["timeouts-too-long 1:14 poststop[0].timeout"],
        ),
    ] {
        let config = Config {
            delivery: Delivery::Direct,
            ..Config::default()
        };
        let warnings: Vec<String> = node.warnings(&text, &config).iter().map(brief).collect();
        assert_eq!(warnings, found, "{text}");
    }
}

#[test]
fn a_file_where_others_may_create_files_causes_a_warning() {
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let program = directory.path().join("hook");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let node = Node::new();
    let text = format!("{{\"prestart\":[{{\"path\":\"{}\"}}]}}", program.display());
    assert_eq!(node.found(&text), ["shared-directory 1:22 prestart[0].path"]);

    let file: Arc<str> = directory.path().join("spec.json").to_str().unwrap().into();
    fs::write(&*file, "{}").unwrap();
    let (text, spec) = LoadedSpec::load_with_text(&file);
    let warnings = lint(&spec.unwrap(), &text, &Config::default());
    assert_eq!(
        warnings.iter().map(brief).collect::<Vec<_>>(),
        ["shared-directory "]
    );
}
