//! Which texts are read, and how errors are reported.

use proptest::prelude::*;

use super::brief::{errors, found, hook, read};
use crate::diagnostic::{MAX_ERRORS, Rule};
use crate::model::{OnFailure, Stage, Timeout};
use crate::spec::{Hook, MAX_SIZE};

#[test]
fn isulads_sample_is_read_whole() {
    let text = r#"{
        "prestart": [
            {"path": "/usr/bin/echo", "args": ["arg1", "arg2"], "env": ["key1=value1"], "timeout": 30},
            {"path": "/usr/bin/ls", "args": ["/tmp"]}
        ],
        "poststart": [{"path": "/usr/bin/ls", "args": ["/tmp"], "timeout": 5}],
        "poststop": [{"path": "/tmp/cleanup.sh", "args": ["cleanup.sh", "-f"]}]
    }"#;
    let parsed = read(text.as_bytes());
    assert_eq!(parsed.errors, []);
    let prestart = &parsed.spec.stages[&Stage::Prestart];
    assert_eq!(
        prestart[0],
        Hook {
            path: "/usr/bin/echo".into(),
            args: Some(vec!["arg1".into(), "arg2".into()]),
            env: Some(vec!["key1=value1".into()]),
            timeout: Timeout::from_seconds(30),
            on_failure: OnFailure::default(),
            line: 3,
        }
    );
    assert_eq!(
        (prestart[1].line, prestart[1].env.clone(), prestart[1].timeout),
        (4, None, None)
    );
    assert_eq!(
        parsed.spec.stages[&Stage::Poststop][0]
            .args
            .as_ref()
            .map(Vec::len),
        Some(2)
    );
    let programs: Vec<&str> = parsed.programs.iter().map(|program| &*program.path).collect();
    assert_eq!(
        programs,
        ["/usr/bin/echo", "/usr/bin/ls", "/tmp/cleanup.sh"],
        "each once, first use first"
    );
}

#[test]
fn every_text_that_the_rules_allow_is_accepted() {
    for text in [
        "{}",
        " \t\r\n{}\n",
        r#"{"prestart":[],"poststop":[],"poststart":[]}"#,
        r#"{"createRuntime":[{"path":"/a"}],"createContainer":[{"path":"/a"}],"startContainer":[{"path":"/a"}]}"#,
        &hook(r#""path":"/a","args":[],"env":[]"#),
        &hook(
            r#""path":"/a","args":["",""],"env":["A=","B==","A=again","ld_preload=/x.so","LDFLAGS=","MY_LD_PRELOAD=","GLIBC_TUNABLES_=","A=LD_PRELOAD=/x"]"#,
        ),
        &hook(r#""path":"/a","timeout":2147483647"#),
        &hook(r#""p\u0061th":"\/a\ud83d\ude00""#),
        &hook(r#""path":"/a/../b//c/.""#),
    ] {
        assert_eq!(errors(text), [], "{text}");
    }
}

#[test]
fn programs_inside_the_container_are_not_listed_as_files_of_the_host() {
    let parsed = read(br#"{"startContainer":[{"path":"/a"}],"createContainer":[{"path":"/b"}]}"#);
    assert_eq!(
        parsed
            .programs
            .iter()
            .map(|program| &*program.path)
            .collect::<Vec<_>>(),
        ["/b"]
    );
}

#[test]
fn every_error_of_a_file_is_reported_in_the_order_of_the_text() {
    let text = r#"{
  "prestart": [
    {"path": "bin/a", "timeout": 0, "arg": []},
    {"env": ["A", "=b"]}
  ],
  "postart": []
}"#;
    assert_eq!(
        found(text.as_bytes()),
        [
            "path-not-absolute 3:14 prestart[0].path",
            "timeout-zero 3:34 prestart[0].timeout",
            "unknown-key 3:37 prestart[0]",
            "path-missing 4:5 prestart[1]",
            "env-not-key-value 4:14 prestart[1].env[0]",
            "env-empty-key 4:19 prestart[1].env[1]",
            "unknown-stage 6:3",
        ]
    );
}

#[test]
fn an_extension_of_json_is_one_error_that_names_the_cause() {
    for (text, expected) in [
        (
            "{\"prestart\": [], // ours\n}",
            "JSON has no comments; remove the comment",
        ),
        ("{\n  /* ours */\n}", "JSON has no comments; remove the comment"),
        ("# ours\n{}", "JSON has no comments; remove the comment"),
        ("{} // ours", "JSON has no comments; remove the comment"),
        (
            "{\"prestart\": [{\"path\": \"/a\"},\n]}",
            "there is a comma before the end; remove the comma",
        ),
        (
            "{\"prestart\": [],\n}",
            "there is a comma before the end; remove the comma",
        ),
    ] {
        let messages: Vec<String> = errors(text)
            .iter()
            .map(|error| format!("{}; {}", error.message, error.help))
            .collect();
        assert_eq!(messages, [format!("is not valid JSON: {expected}")], "{text}");
    }
}

#[test]
fn a_stage_and_fields_that_are_null_count_as_absent() {
    let read = read(br#"{"poststop": null, "prestart": [{"path": "/a", "args": null, "timeout": null}]}"#);
    assert_eq!(read.errors, []);
    let hooks = &read.spec.stages[&Stage::Prestart];
    assert_eq!((hooks.len(), &hooks[0].args, hooks[0].timeout), (1, &None, None));
    assert_eq!(read.spec.stages.len(), 1);
}

#[test]
fn an_error_reads_as_one_line_that_says_what_to_do() {
    let line = |text: &str| errors(text)[0].to_string();
    assert_eq!(
        line("{\"postart\":[]}"),
        "/specs/x.json:1:2: unknown stage postart; did you mean poststart? [unknown-stage]"
    );
    assert_eq!(
        line(&hook(r#""path":"bin/echo""#)),
        "/specs/x.json:1:22: prestart[0].path: must begin with /, but is bin/echo; \
         name the program by its absolute path [path-not-absolute]"
    );
    assert_eq!(
        line(&hook(r#""path":"/a","timeout":"30""#)),
        "/specs/x.json:1:37: prestart[0].timeout: must be a number, but is a string; \
         write a whole number of seconds greater than 0, without quotes [wrong-type]"
    );
    assert_eq!(
        line("{\"prestart\":[],}"),
        "/specs/x.json:1:16: is not valid JSON: there is a comma before the end; remove the comma [invalid-json]"
    );
}

#[test]
fn the_value_of_a_variable_is_never_in_a_message() {
    let message = errors(&hook(
        r#""path":"/a","env":["hunter2", "=hunter2", "A=hunter2\u0000"]"#,
    ));
    assert_eq!(message.len(), 3);
    assert!(message.iter().all(|error| !error.to_string().contains("hunter2")));
}

#[test]
fn text_of_the_file_reaches_a_message_escaped_and_bounded() {
    let key = format!("\\u001b[2J\\n{}", "x".repeat(100_000));
    let message = errors(&format!("{{\"{key}\":1}}"))[0].to_string();
    assert!(message.len() < 500, "{}", message.len());
    assert!(message.chars().all(|c| (' '..='~').contains(&c)), "{message}");
}

#[test]
fn nesting_as_deep_as_a_file_can_hold_is_one_error_and_no_stack_overflow() {
    let deep = 1_000_000;
    let text = format!("{{\"prestart\":{}{}}}", "[".repeat(deep), "]".repeat(deep));
    assert_eq!(found(text.as_bytes()), ["wrong-type 1:14 prestart[0]"]);
    assert_eq!(
        found("[".repeat(deep).as_bytes()),
        [format!("invalid-json 1:{deep}")]
    );
}

#[test]
fn a_number_of_a_million_digits_is_only_too_large() {
    let text = hook(&format!("\"path\":\"/a\",\"timeout\":{}", "9".repeat(1_000_000)));
    assert_eq!(
        found(text.as_bytes()),
        ["timeout-too-large 1:37 prestart[0].timeout"]
    );
}

#[test]
fn errors_beyond_the_limit_are_counted() {
    let text = format!("{{\"prestart\":[{}1]}}", "1,".repeat(99_999));
    let errors = errors(&text);
    assert_eq!(errors.len(), MAX_ERRORS + 1);
    let last = &errors[MAX_ERRORS];
    assert_eq!(
        (last.rule, last.message.as_str()),
        (Rule::TooManyErrors, "has 99000 more errors")
    );
}

#[test]
fn a_file_of_tens_of_thousands_of_hooks_in_one_line_is_read_whole() {
    let one = r#"{"path":"/usr/bin/true","args":["true"],"env":["A=b"],"timeout":3}"#;
    let count = usize::try_from(MAX_SIZE).unwrap() / (one.len() + 1) - 1;
    let text = format!("{{\"prestart\":[{}{one}]}}", format!("{one},").repeat(count - 1));
    let parsed = read(text.as_bytes());
    assert_eq!(parsed.errors, []);
    assert_eq!(
        (parsed.spec.stages[&Stage::Prestart].len(), parsed.programs.len()),
        (count, 1)
    );
}

#[test]
fn an_error_has_stable_keys_in_json() {
    let json = serde_json::to_value(&errors(&hook(r#""path":"a""#))[0]).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "file": "/specs/x.json", "line": 1, "column": 22, "offset": 21, "length": 3,
            "stage": "prestart", "index": 0, "field": "path", "rule": "path-not-absolute",
            "message": "must begin with /, but is a", "help": "name the program by its absolute path",
        })
    );
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes);
    }

    #[test]
    fn no_json_like_text_makes_the_reader_panic(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"", "\"prestart\"", "\"path\"", "\"/a\"", "\"env\"",
                "\"args\"", "\"timeout\"", "1", "-0", "1e9", "null", "\\u0000", "\n", "\u{feff}", "\u{e9}",
            ]),
            0..60,
        ),
    ) {
        read(words.concat().as_bytes());
    }

    #[test]
    fn an_error_is_placed_where_it_stands_whatever_is_around_it(
        before in "[ \n\t]{0,20}",
        hooks in 0usize..5,
        filler in "[a-z\u{e4}\u{20ac}]{0,20}",
    ) {
        let good = format!("{{\"path\":\"/{filler}\"}},\n");
        let head = format!("{{{before}\"poststop\":[{}", good.repeat(hooks));
        let text = format!("{head}\"bad\"]}}");
        let found = errors(&text);
        prop_assert_eq!(found.len(), 1);
        let place = found[0].place.unwrap();
        prop_assert_eq!(&text[place.offset..place.offset + place.length], "\"bad\"");
        prop_assert_eq!(place.line, head.matches('\n').count() + 1);
        prop_assert_eq!(place.column, head.chars().rev().take_while(|c| *c != '\n').count() + 1);
        prop_assert_eq!(found[0].index, Some(hooks));
    }
}
