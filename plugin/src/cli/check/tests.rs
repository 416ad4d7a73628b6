//! The output of `check`, and its result.

use std::{env, fs};

use clap::Parser;
use tempfile::TempDir;

use super::CheckArgs;
use super::command::run;
use crate::diagnostic::{SourceText, render};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    check: CheckArgs,
}

/// A directory that only root can write to, so that no warning is about its place.
struct Directory(TempDir);

impl Directory {
    fn new() -> Directory {
        Directory(tempfile::tempdir_in("/run").unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// Whether all files are valid, and the output, with the directory called DIRECTORY.
    fn checked(&self, args: &[&str]) -> (bool, String, String) {
        let (good, out, err) = checked(args);
        let directory = self.0.path().to_str().unwrap();
        (
            good,
            out.replace(directory, "DIRECTORY"),
            err.replace(directory, "DIRECTORY"),
        )
    }
}

/// Whether all files are valid, and the texts on stdout and stderr.
fn checked(args: &[&str]) -> (bool, String, String) {
    let cli = Cli::try_parse_from([&["check"], args].concat()).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let good = run(&cli.check, &mut out, &mut err).unwrap();
    (
        good,
        String::from_utf8(out).unwrap(),
        String::from_utf8(err).unwrap(),
    )
}

#[test]
fn a_file_of_hooks_d_is_checked_as_one_by_its_path_alone() {
    let directory = Directory::new();
    let good =
        r#"{"version":"1.0.0","hook":{"path":"/bin/true"},"when":{"always":true},"stages":["prestart"]}"#;
    let good = directory.file("good.json", good);
    assert_eq!(
        directory.checked(&[&good]),
        (true, "DIRECTORY/good.json: good\n".into(), String::new())
    );
    let bad = directory.file(
        "bad.json",
        r#"{"version":"1.0.0","hook":{"path":"/bin/true"},"when":{},"stages":[]}"#,
    );
    let (is_good, _, err) = directory.checked(&[&bad]);
    assert!(!is_good && err.contains("when: has no condition"), "{err}");
}

#[test]
fn parts_that_isulad_reads_in_another_way_are_warned_of_on_demand_only() {
    let directory = Directory::new();
    let text = r#"{
  "prestart": [{"path": "/bin/true", "onFailure": "ignore"}, {"path": "/bin/true", "onFailure": "fail"}],
  "createRuntime": [{"path": "/bin/true"}]
}"#;
    let file = directory.file("spec.json", text);
    let hooks_d = r#"{"version":"1.0.0","hook":{"path":"/bin/true"},"when":{"always":true},"stages":["createRuntime"]}"#;
    let hooks_d = directory.file("hooks-d.json", hooks_d);
    let (is_good, _, err) = directory.checked(&[&file, &hooks_d]);
    assert!(is_good && err.is_empty(), "{err}");
    let (is_good, out, err) = directory.checked(&["--strict-isulad", &file, &hooks_d]);
    assert!(is_good && out.contains("DIRECTORY/spec.json: good"), "{out}");
    let found: Vec<&str> = err.lines().filter(|line| line.starts_with("warning")).collect();
    let subjects = [
        "prestart[0].onFailure: is not known",
        "createRuntime[0]: is in a stage",
    ];
    assert_eq!(found.len(), 2, "{err}");
    for (line, subject) in found.iter().zip(subjects) {
        assert!(
            line.starts_with(&format!("warning[unknown-to-isulad]: {subject}")),
            "{line}"
        );
    }
    assert!(err.contains("0 errors, 2 warnings in 2 files"), "{err}");
    let (is_good, ..) = directory.checked(&["--strict-isulad", "--deny-warnings", &file]);
    assert!(!is_good);
}

#[test]
fn a_relative_path_is_taken_from_the_working_directory() {
    let (is_good, _, err) = checked(&["no-such.json"]);
    let expected = format!(
        "{}/no-such.json: not-found",
        env::current_dir().unwrap().display()
    );
    let (path, _) = expected.split_once(": ").unwrap();
    assert!(
        !is_good && err.contains(path) && err.contains("not-found"),
        "{err}"
    );
}

#[test]
fn findings_are_shown_with_their_line_a_caret_and_the_remedy() {
    let directory = Directory::new();
    let good = directory.file("good.json", "{}");
    let odd = directory.file(
        "odd.json",
        "{\n  \"poststop\": [\n\t{\"path\": \"/bin/ls\", \"args\": [\"/tmp\"], \"timeout\": 11}\n  ]\n}\n",
    );
    let bad = directory.file(
        "bad.json",
        r#"{
  "prestart": [
    { "path": "/bin/echo", "args": "echo", "env": ["PASSWORD=hidden", "hidden"], "timeout": 0 },
    { "path": "/none/hook", "comand": ["a"] }
  ],
  "postart": []
}"#,
    );
    // The delivery to which containerd's limit applies.
    let config = directory.file("config.toml", "delivery = \"direct\"\n");
    let (all_good, out, err) = directory.checked(&["--config", &config, &good, &odd, &bad]);
    assert!(!all_good);
    let good = ["config.toml", "good.json", "odd.json"].map(|file| format!("DIRECTORY/{file}: good\n"));
    assert_eq!(out, good.concat());
    assert!(!err.contains("hidden"), "the values of env may be secrets: {err}");
    insta::assert_snapshot!("findings", err);
}

#[test]
fn no_value_of_an_environment_is_printed_however_it_is_mistyped() {
    let directory = Directory::new();
    for (number, hook) in [
        r#""environment": {"TOKEN": "s3cret"}"#,
        r#""envs": ["s3cret"]"#,
        r#""env": "s3cret""#,
        r#""env": {"TOKEN": "s3cret"}"#,
        r#""env": ["s3cret", 1]"#,
        r#""env": [["s3cret"]]"#,
        r#""env": ["A=s3cret", "A=s3cret\u0000"]"#,
        r#""env": ["A=s3cret" "B=s3cret"]"#,
        r#""env": ["A=s3cret]"#,
        r#""env": [s3cret]"#,
        r#"env: [s3cret]"#,
        r#""ENV": {"path": "s3cret"}"#,
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{number}.json");
        let spec = directory.file(
            &name,
            &format!("{{\"prestart\": [{{\"path\": \"/bin/true\", {hook}}}]}}"),
        );
        for format in ["text", "json"] {
            let (good, out, err) = directory.checked(&["--format", format, &spec]);
            assert!(!good, "{hook}");
            assert!(!format!("{out}{err}").contains("s3cret"), "{hook}: {out}{err}");
        }
    }
    let spec = directory.file(
        "x.json",
        r#"{"prestart": [{"env\u0000": {"A": "s3cret"}, "paht": "/bin/true"}]}"#,
    );
    let (_, _, err) = directory.checked(&[&spec]);
    let shown = r#"1 | {"prestart": [{"env\u0000": {"A": "******"}, "paht": "*********"}]}"#;
    let caret = format!("  | {}^^^^^^", " ".repeat(45));
    assert!(err.contains(&format!("{shown}\n{caret}\n")), "{err}");
}

#[test]
fn json_holds_every_file_with_its_errors_and_warnings() {
    let directory = Directory::new();
    let good = directory.file(
        "good.json",
        r#"{"prestart":[{"path":"/bin/ls","args":["/tmp"]}]}"#,
    );
    let (all_good, out, err) = directory.checked(&["--format", "json", &good, "/none/x.json"]);
    assert!(!all_good);
    assert_eq!(err, "");
    insta::assert_snapshot!("json", out);
}

#[test]
fn warnings_alone_leave_a_file_valid_unless_they_are_denied() {
    let directory = Directory::new();
    let odd = directory.file("odd.json", r#"{"prestart":[{"path":"/bin/ls","args":["/tmp"]}]}"#);
    assert!(directory.checked(&[&odd]).0);
    assert!(!directory.checked(&["--deny-warnings", &odd]).0);
    let clean = directory.file("clean.json", r#"{"prestart":[{"path":"/bin/ls"}]}"#);
    assert!(directory.checked(&["--deny-warnings", &clean]).0);
}

#[test]
fn a_configuration_is_checked_with_all_that_it_names() {
    let directory = Directory::new();
    fs::create_dir(directory.path("specs")).unwrap();
    fs::create_dir(directory.path("hooks.d")).unwrap();
    directory.file("hooks.d/x.json", "{}");
    directory.file("default.json", "{}");
    directory.file("specs/b.json", "[]");
    directory.file("specs/a.json", "{}");
    directory.file("specs/notes.txt", "");
    let text = format!(
        "hook_spec = \"{}\"\nhooks_dirs = [\"{}\"]\nannotation.spec_dirs = [\"{}\", \"/none/specs\"]\n",
        directory.path("default.json"),
        directory.path("hooks.d"),
        directory.path("specs")
    );
    let config = directory.file("config.toml", &text);
    let (all_good, out, err) = directory.checked(&["--config", &config]);
    assert!(!all_good);
    assert_eq!(
        out,
        "DIRECTORY/config.toml: good\nDIRECTORY/default.json: good\nDIRECTORY/specs/a.json: good\n"
    );
    insta::assert_snapshot!("named_by_configuration", err);
}

#[test]
fn an_invalid_configuration_is_shown_and_none_of_its_files_is_read() {
    let directory = Directory::new();
    let config = directory.file(
        "config.toml",
        "hook_spec = \"/none.json\"\nfailure_polcy = \"fail\"\n",
    );
    let (all_good, out, err) = directory.checked(&["--config", &config]);
    assert!(!all_good);
    assert_eq!(out, "");
    insta::assert_snapshot!("bad_configuration", err);
}

#[test]
fn one_error_in_toml_is_reported_once() {
    let directory = Directory::new();
    let config = directory.file("config.toml", &format!("hook_spec = {}", "[".repeat(50_000)));
    let (_, _, err) = directory.checked(&["--config", &config]);
    assert!(err.ends_with("2 errors, 0 warnings in 1 file\n"), "{err}");
}

#[test]
fn the_configuration_decides_by_which_rules_hooks_are_warned_of() {
    let directory = Directory::new();
    let spec = directory.file("x.json", r#"{"prestart":[{"path":"/bin/ls"}]}"#);
    let config = directory.file("config.toml", "default_timeout = 121\n");
    let (_, _, err) = directory.checked(&["--config", &config, &spec]);
    assert!(err.starts_with("warning[timeouts-too-long]"), "{err}");
    assert_eq!(directory.checked(&[&spec]).2, "");
}

#[test]
fn wrong_usage_differs_from_an_invalid_file() {
    for args in [&["check"][..], &["check", "--format", "xml", "/x"]] {
        assert_eq!(Cli::try_parse_from(args).err().unwrap().exit_code(), 2);
    }
}

#[test]
fn no_line_however_long_or_hostile_spoils_the_terminal() {
    let long = format!(
        "{{\"x\":\"{}\",\"y\u{1b}[2J\u{202e}\u{e4}\":1}}",
        "x".repeat(1_000_000)
    );
    let errors = crate::spec::parse(&"/x.json".into(), long.as_bytes()).errors;
    assert!(!errors.is_empty());
    for text in [long.as_bytes(), b"", b"\n\n", b"\xff\xfe\t\x00"] {
        let source = SourceText::new(text, &errors);
        for error in &errors {
            let shown = render(crate::diagnostic::Severity::Error, error, Some(&source));
            assert!(shown.len() < 2000, "{} bytes", shown.len());
            assert!(
                shown.chars().all(|c| c == '\n' || (' '..='~').contains(&c)),
                "{shown}"
            );
        }
    }
}
