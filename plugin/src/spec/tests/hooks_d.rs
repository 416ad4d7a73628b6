//! Files of hooks.d: the valid ones, the refused ones, and their conditions.

use std::sync::Arc;

use proptest::prelude::*;

use super::brief::{found_in, hook};
use crate::model::{Stage, Timeout};
use crate::spec::{Parsed, Pattern, When, is_hooks_d, parse_hooks_d};

fn read(bytes: &[u8]) -> Parsed {
    parse_hooks_d(&Arc::from("/hooks.d/x.json"), bytes)
}

fn found(text: &str) -> Vec<String> {
    found_in(&read(text.as_bytes()))
}

/// A file in one line, with its conditions at column 12 and its hook after them.
fn with_when(when: &str) -> String {
    format!(r#"{{   "when":{when},"version":"1.0.0","hook":{{"path":"/a"}},"stages":["prestart"]}}"#)
}

/// A file in one line, with its hook at column 12.
fn with_hook(members: &str) -> String {
    format!(r#"{{   "hook":{{{members}}},"version":"1.0.0","when":{{"always":true}},"stages":["prestart"]}}"#)
}

#[test]
fn a_file_of_podman_and_crio_is_read_whole() {
    let text = r#"{
        "version": "1.0.0",
        "hook": {"path": "/usr/libexec/gpu-hook", "args": ["gpu-hook", "setup"], "env": ["MODE=all"], "timeout": 3},
        "when": {
            "always": true,
            "annotations": {"^com\\.example\\.team$": ".*fluid$"},
            "commands": [".*/init$", "^/sbin/"],
            "hasBindMounts": true
        },
        "stages": ["prestart", "poststop"]
    }"#;
    let parsed = read(text.as_bytes());
    assert_eq!(parsed.errors, []);
    let pattern = |text: &str| Pattern::new(text).unwrap();
    let when = When {
        always: Some(true),
        annotations: vec![(pattern(r"^com\.example\.team$"), pattern(".*fluid$"))],
        commands: vec![pattern(".*/init$"), pattern("^/sbin/")],
        has_bind_mounts: Some(true),
    };
    assert_eq!(parsed.when, when);
    let stages: Vec<Stage> = parsed.spec.stages.keys().copied().collect();
    assert_eq!(stages, [Stage::Prestart, Stage::Poststop]);
    let hook = &parsed.spec.stages[&Stage::Poststop][0];
    assert_eq!((hook.path.as_str(), hook.line), ("/usr/libexec/gpu-hook", 3));
    assert_eq!(hook.timeout, Timeout::from_seconds(3));
    assert_eq!(parsed.programs.len(), 1);
}

#[test]
fn a_hook_without_stages_and_one_inside_the_container_name_no_program_of_the_host() {
    let with_stages = |stages: &str| {
        read(
            format!(
                r#"{{"version":"1.0.0","hook":{{"path":"/a"}},"when":{{"always":true}},"stages":{stages}}}"#
            )
            .as_bytes(),
        )
    };
    let none = with_stages("[]");
    assert!(none.errors.is_empty() && none.spec.stages.is_empty());
    assert!(with_stages(r#"["startContainer"]"#).programs.is_empty());
    assert_eq!(with_stages(r#"["startContainer","poststop"]"#).programs.len(), 1);
    let twice = with_stages(r#"["poststop","poststop"]"#);
    assert_eq!(twice.spec.stages[&Stage::Poststop].len(), 2, "as it is written");
}

#[test]
fn a_file_that_breaks_a_rule_is_refused() {
    for (attack, text, expected) in [
        ("nothing", "", "empty-file 1:1"),
        ("no JSON", "version: 1.0.0", "invalid-json 1:1"),
        ("a list", "[]", "wrong-type 1:1"),
        (
            "a hook-spec",
            r#"{"prestart":[{"path":"/a"}],"version":"1.0.0","hook":{"path":"/a"},"when":{"always":true},"stages":[]}"#,
            "unknown-key 1:2",
        ),
        (
            "the format of before",
            r#"{"version":"0.1.0","hook":{"path":"/a"},"when":{"always":true},"stages":["prestart"]}"#,
            "invalid-value 1:12",
        ),
        (
            "a version that is a number",
            r#"{"version":1.0,"hook":{"path":"/a"},"when":{"always":true},"stages":["prestart"]}"#,
            "wrong-type 1:12 version",
        ),
        (
            "no version",
            r#"{"hook":{"path":"/a"},"when":{"always":true},"stages":["prestart"]}"#,
            "missing-key 1:1",
        ),
        (
            "no hook",
            r#"{"version":"1.0.0","when":{"always":true},"stages":["prestart"]}"#,
            "missing-key 1:1",
        ),
        (
            "no conditions",
            r#"{"version":"1.0.0","hook":{"path":"/a"},"stages":["prestart"]}"#,
            "missing-key 1:1",
        ),
        (
            "no stages",
            r#"{"version":"1.0.0","hook":{"path":"/a"},"when":{"always":true}}"#,
            "missing-key 1:1",
        ),
        (
            "an extension stage",
            r#"{"version":"1.0.0","hook":{"path":"/a"},"when":{"always":true},"stages":["precreate"]}"#,
            "unknown-stage 1:74",
        ),
        (
            "a stage that is a number",
            r#"{"version":"1.0.0","hook":{"path":"/a"},"when":{"always":true},"stages":[1]}"#,
            "wrong-type 1:74 stages[0]",
        ),
        (
            "stages that are a string",
            r#"{"version":"1.0.0","hook":{"path":"/a"},"when":{"always":true},"stages":"prestart"}"#,
            "wrong-type 1:73 stages",
        ),
        ("conditions of none", &with_when("{}"), "missing-key 1:12 when"),
        (
            "no patterns",
            &with_when(r#"{"commands":[],"annotations":{}}"#),
            "missing-key 1:12 when",
        ),
        (
            "a condition in other letters",
            &with_when(r#"{"always":true,"hasbindmounts":true}"#),
            "unknown-key 1:27",
        ),
        (
            "a condition twice",
            &with_when(r#"{"always":false,"always":true}"#),
            "duplicate-key 1:28",
        ),
        (
            "a word for true",
            &with_when(r#"{"always":"true"}"#),
            "wrong-type 1:22 when.always",
        ),
        (
            "null alone, which is as absent",
            &with_when(r#"{"hasBindMounts":null}"#),
            "missing-key 1:12 when",
        ),
        (
            "a command that is no list",
            &with_when(r#"{"commands":".*"}"#),
            "wrong-type 1:24 when.commands",
        ),
        (
            "a pattern that is none",
            &with_when(r#"{"commands":["("]}"#),
            "invalid-value 1:25 when.commands[0]",
        ),
        (
            "a pattern that looks back",
            &with_when(r#"{"commands":["(?=a)"]}"#),
            "invalid-value 1:25 when.commands[0]",
        ),
        (
            "a pattern that repeats a repeat",
            &with_when(r#"{"commands":["((a{1000}){1000}){1000}"]}"#),
            "invalid-value 1:25 when.commands[0]",
        ),
        (
            "annotations that are a list",
            &with_when(r#"{"annotations":["a"]}"#),
            "wrong-type 1:27 when.annotations",
        ),
        (
            "a key that is no pattern",
            &with_when(r#"{"annotations":{"*":"a"}}"#),
            "invalid-value 1:28 when.annotations",
        ),
        (
            "a value that is no pattern",
            &with_when(r#"{"annotations":{"a":"["}}"#),
            "invalid-value 1:32 when.annotations",
        ),
        (
            "an annotation twice",
            &with_when(r#"{"annotations":{"a":"b","a":"c"}}"#),
            "duplicate-key 1:36",
        ),
        (
            "a hook that is a string",
            &with_hook("").replace("{}", "\"/a\""),
            "wrong-type 1:12 hook",
        ),
        ("a hook without path", &with_hook(""), "path-missing 1:12 hook"),
        (
            "a relative path",
            &with_hook(r#""path":"a""#),
            "path-not-absolute 1:20 hook.path",
        ),
        (
            "a timeout of 0",
            &with_hook(r#""path":"/a","timeout":0"#),
            "timeout-zero 1:35 hook.timeout",
        ),
        (
            "an entry without =",
            &with_hook(r#""path":"/a","env":["A"]"#),
            "env-not-key-value 1:32 hook.env[0]",
        ),
        (
            "an entry that has the loader run other code",
            &with_hook(r#""path":"/a","env":["LD_PRELOAD=/x.so"]"#),
            "env-for-loader 1:32 hook.env[0]",
        ),
        (
            "a key of another format",
            &with_hook(r#""path":"/a","cwd":1"#),
            "unknown-key 1:25 hook",
        ),
    ] {
        assert_eq!(found(text), [expected], "{attack}: {text}");
    }
}

#[test]
fn null_counts_as_absent() {
    let text = r#"{"version":"1.0.0","hook":{"path":"/a","args":null,"env":null,"timeout":null},
        "when":{"always":true,"annotations":null,"commands":null,"hasBindMounts":null},"stages":["prestart"]}"#;
    let parsed = read(text.as_bytes());
    assert_eq!(parsed.errors, []);
    assert_eq!(parsed.when.has_bind_mounts, None);
    assert_eq!(parsed.spec.stages[&Stage::Prestart][0].args, None);
}

/// Each error as people read it, without the file.
fn messages(text: &str) -> Vec<String> {
    let errors = read(text.as_bytes()).errors;
    errors
        .iter()
        .map(|error| format!("{}; {}", error.message, error.help))
        .collect()
}

#[test]
fn a_file_of_version_0_1_0_is_one_error_that_shows_it_in_1_0_0() {
    for (text, current) in [
        (
            r#"{"cmds": ["/sbin/start$"], "hook": "/usr/bin/true", "stages": ["prestart", "poststop"]}"#,
            r#"{"version": "1.0.0", "hook": {"path": "/usr/bin/true"}, "when": {"commands": ["/sbin/start$"]}, "stages": ["prestart", "poststop"]}"#,
        ),
        (
            r#"{"hook": "/usr/bin/true", "hasbindmounts": true, "stage": ["prestart"], "cmd": "start"}"#,
            r#"{"version": "1.0.0", "hook": {"path": "/usr/bin/true"}, "when": {"commands": ["start"]}, "stages": ["prestart"]}"#,
        ),
        (
            r#"{"version": "0.1.0", "hook": "/usr/bin/true", "stages": ["prestart"], "annotations": [".*"]}"#,
            r#"{"version": "1.0.0", "hook": {"path": "/usr/bin/true"}, "when": {"always": true}, "stages": ["prestart"]}"#,
        ),
    ] {
        let expected = format!(
            "has version 0.1.0 of hooks.d, which is not supported; write it in version 1.0.0: {current}"
        );
        assert_eq!(messages(text), [expected], "{text}");
    }
}

const BY_STAGE: &str = "lists hooks by stage, as a hook-spec does, but a hooks.d file holds one hook; \
    write {\"version\": \"1.0.0\", \"hook\": {\"path\": \"/PATH\"}, \"when\": {\"always\": true}, \
    \"stages\": [\"prestart\"]}, or move it to where hook-specs are";

#[test]
fn a_usual_error_is_one_error_that_names_the_cause() {
    let with_values = |members: &str| {
        format!(r#"{{"version":"1.0.0","hook":{{"path":"/a"}},"stages":["prestart"],{members}}}"#)
    };
    for (text, expected) in [
        (
            with_values(r#""when":{"annotations":{"dev.example/kind":"*"}}"#),
            r#""*" is not a valid regular expression: there is nothing to repeat before *; did you mean ".*"?"#,
        ),
        (
            with_values(r#""when":{"always":true},"annotations":{"net.example/fence":".*"}"#),
            r#"the key annotations belongs in when; write {"when": {"annotations": ...}}"#,
        ),
        (
            with_values(r#""when":{"always":true},"timeout":3"#),
            r#"the key timeout belongs in hook; write {"hook": {"timeout": ...}}"#,
        ),
        (
            r#"{"version":"1.0.0","hook":{"path":"/a"},"stages":["prestart"],"always":true}"#.to_owned(),
            r#"the key always belongs in when; write {"when": {"always": ...}}"#,
        ),
        (
            r#"{"version":"1.0.0","hook":{"path":"/a","when":{"annotations":{"a":"("}}},"stages":["prestart"]}"#.to_owned(),
            r#"the key when belongs at the top level of the file; move it out of this object: {"when": ...}"#,
        ),
        (
            r#"{"version":"1.0.0","hook":{"path":"/a"},"when":{"always":true,"stages":["poststop"]}}"#.to_owned(),
            r#"the key stages belongs at the top level of the file; move it out of this object: {"stages": ...}"#,
        ),
        (
            with_values(r#""when":{},"annotations":{"a":"b"}"#),
            r#"the key annotations belongs in when; write {"when": {"annotations": ...}}"#,
        ),
        (
            r#"{"version":"1.0.0","hook":{},"path":"/a","when":{"always":true},"stages":["prestart"]}"#.to_owned(),
            r#"the key path belongs in hook; write {"hook": {"path": ...}}"#,
        ),
        (
            with_values(r#""whn":{"always":true}"#),
            "unknown key whn; did you mean when?",
        ),
        (
            with_values(r#""when":{"annotation":{"a":"b"}}"#),
            "unknown key annotation; did you mean annotations?",
        ),
        (
            "{}".to_owned(),
            "has no version, no hook, no when, no stages; a hooks.d file of version 1.0.0 has version, hook, when and stages",
        ),
        (hook(r#""path":"/a""#), BY_STAGE),
        (format!("{{\"hooks\":{}}}", hook(r#""path":"/a""#)), BY_STAGE),
        (
            "{'version': '1.0.0'}".to_owned(),
            r#"is not valid JSON: JSON has strings in double quotes; write " in place of '"#,
        ),
        (
            "version: 1.0.0\nhook:\n".to_owned(),
            "is not valid JSON: it does not begin with {; write it as a JSON object",
        ),
    ] {
        let found = messages(&text);
        assert_eq!(found, [expected], "{text}");
    }
    let text = r#"{"Version":"1.0.0","Hook":{"path":"/a"},"When":{"Always":true},"Stages":["prestart"]}"#;
    let keys = [
        ("Version", "version"),
        ("Hook", "hook"),
        ("When", "when"),
        ("Always", "always"),
        ("Stages", "stages"),
    ];
    let expected = keys.map(|(key, meant)| format!("unknown key {key}; did you mean {meant}?"));
    assert_eq!(messages(text), expected);
    assert!(is_hooks_d(text.as_bytes()));
    assert!(is_hooks_d(b"\xef\xbb\xbf{\"version\": \"1.0.0\"}"));
}

#[test]
fn more_patterns_than_are_read_are_one_error() {
    let patterns = vec!["\"a\""; 5000].join(",");
    assert_eq!(
        found(&with_when(&format!("{{\"commands\":[{patterns}]}}"))),
        ["too-large 1:425 when.commands[100]"]
    );
    let pairs: Vec<String> = (0..5000)
        .map(|number| format!("\"a{number:04}\":\"b\""))
        .collect();
    assert_eq!(
        found(&with_when(&format!(
            "{{\"annotations\":{{{}}}}}",
            pairs.join(",")
        ))),
        ["too-large 1:1228 when.annotations"]
    );
}

#[test]
fn a_hook_spec_is_not_taken_for_a_file_of_hooks_d() {
    assert!(!read(hook(r#""path":"/a""#).as_bytes()).errors.is_empty());
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes);
    }

    #[test]
    fn no_conditions_make_the_reader_panic(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"always\"", "\"annotations\"", "\"commands\"", "true", "null",
                "\"hasBindMounts\"", "\"a*\"", "\"(\"", "\"[^\"", "1", "\"\\\\p{L}\"", "\"{2}\"",
            ]),
            0..30,
        ),
    ) {
        read(with_when(&words.concat()).as_bytes());
    }
}
