//! The output of `log`.

use std::fs;

use super::LogArgs;
use super::command::run;
use crate::cli::{Format, LedgerArg};
use crate::ledger::{Identity, Ledger};
use crate::model::{ResolvedHook, ResolvedHooks, Stage};

/// A ledger with two containers, one of them removed.
fn ledger() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::create(directory.path()).unwrap();
    for (id, pod) in [("abc123", "web"), ("def456", "db")] {
        let stages = [Stage::Prestart, Stage::Poststart, Stage::Poststop];
        let resolved = ResolvedHooks {
            stages: stages
                .map(|stage| (stage, vec![ResolvedHook::for_test("/bin/a"); 2]))
                .into(),
        };
        ledger.add(Identity::for_test(id, pod), &resolved, true).unwrap();
        // Format 1 has no checksums.
        let entry = directory.path().join("entries").join(id);
        let text = fs::read_to_string(&entry).unwrap();
        fs::write(&entry, text.replacen("\"format\":2", "\"format\":1", 1)).unwrap();
        let record = |stage: &str, lines: &str| {
            let live = directory.path().join("live").join(id);
            fs::create_dir_all(&live).unwrap();
            fs::write(live.join(stage), lines).unwrap();
        };
        match id {
            "abc123" => {
                record("prestart", PRESTART);
                record("poststart", POSTSTART);
            }
            _ => record("poststop", POSTSTOP),
        }
    }
    ledger.archive(&"def456".parse().unwrap()).unwrap();
    directory
}

const PRESTART: &str = r#"
{"claimed":{"by":"oci","runner":7,"at":"2026-01-02T03:04:05.000000001Z"}}
{"began":{"hook":0,"path":"/bin/a","file":"/etc/hooks.json","line":3,"at":"2026-01-02T03:04:05.001Z"}}
{"ended":{"hook":0,"outcome":"exited","status":0,"stdout":{"head":"one\ntwo\n","omitted":12,"tail":"last"},"at":"2026-01-02T03:04:05.0125Z"}}
{"began":{"hook":1,"path":"/bin/b","file":"/etc/hooks.json","line":3,"at":"2026-01-02T03:04:05.013Z"}}
{"ended":{"hook":1,"outcome":"timed-out","seconds":30,"stderr":{"head":"\u001b[2Jcleared\n"},"at":"2026-01-02T03:04:35.013Z"}}
{"finished":{"result":"failed","message":"container app of pod default/web: prestart hook 2 of 2, /bin/b (/etc/hooks.json:3), was killed after its timeout of 30 s","at":"2026-01-02T03:04:35.014Z"}}
"#;

const POSTSTART: &str = r#"
{"late":{"by":"post-start-container","waited_ms":1900,"at":"2026-01-02T03:04:36Z"}}
{"began":{"hook":0,"path":"/bin/a","file":"/etc/hooks.json","line":3,"at":"2026-01-02T03:04:36.001Z"}}
"#;

const POSTSTOP: &str = r#"
{"finished":{"result":"skipped","reason":"its prestart failed","at":"2026-01-01T00:00:00Z"}}
"#;

fn args(directory: &tempfile::TempDir, wanted: Option<&str>) -> LogArgs {
    LogArgs {
        wanted: wanted.map(str::to_owned),
        follow: false,
        timeline: false,
        ledger: LedgerArg {
            state_dir: directory.path().to_str().map(str::to_owned),
            ..LedgerArg::default()
        },
        format: Format::Json,
    }
}

fn printed(directory: &tempfile::TempDir, wanted: Option<&str>, format: Format) -> String {
    let args = LogArgs {
        format,
        ..args(directory, wanted)
    };
    let mut out = Vec::new();
    run(&args, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn people_get_a_line_for_each_hook_and_each_stage_in_order_of_time() {
    insta::assert_snapshot!(printed(&ledger(), None, Format::Text));
}

#[test]
fn programs_get_an_object_for_each_event() {
    insta::assert_snapshot!(printed(&ledger(), None, Format::Json));
}

#[test]
fn a_container_matches_by_its_id_its_name_its_pod_or_both_with_their_namespace() {
    let directory = ledger();
    let lines = |wanted| printed(&directory, Some(wanted), Format::Json).lines().count();
    assert_eq!(lines("app"), 7);
    for web in ["abc", "abc123", "web", "default/web", "default/web/app"] {
        assert_eq!(lines(web), 6, "{web}");
    }
    assert_eq!(lines("db"), 1);
    for none in ["bc123", "we", "kube-system/web", "default"] {
        let error = run(&args(&directory, Some(none)), &mut Vec::new())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(none) && error.contains("the ledger begins at 20"),
            "{error}"
        );
    }
}

#[test]
fn no_ledger_is_an_error_that_names_the_searched_directory() {
    // The second exists, and is none.
    for directory in ["/nowhere", "/usr"] {
        let args = LogArgs {
            wanted: None,
            follow: false,
            timeline: false,
            ledger: LedgerArg {
                state_dir: Some(directory.into()),
                ..LedgerArg::default()
            },
            format: Format::Text,
        };
        let error = run(&args, &mut Vec::new()).unwrap_err().to_string();
        let expected = format!("there is no ledger at {directory}: ");
        assert!(error.starts_with(&expected), "{error}");
    }
}

/// A container that has ended.
const LIFE: [(&str, &str); 3] = [
    (
        "prestart",
        r#"{"claimed":{"by":"oci","runner":7,"at":"2026-01-02T03:04:05.020Z"}}
{"began":{"hook":0,"path":"/bin/a","file":"/etc/hooks.json","line":3,"at":"2026-01-02T03:04:05.021Z"}}
{"ended":{"hook":0,"outcome":"exited","status":0,"at":"2026-01-02T03:04:05.0245Z"}}
{"began":{"hook":1,"path":"/bin/b","file":"/etc/hooks.json","line":3,"at":"2026-01-02T03:04:05.025Z"}}
{"ended":{"hook":1,"outcome":"exited","status":0,"at":"2026-01-02T03:04:05.525Z"}}
{"finished":{"result":"done","at":"2026-01-02T03:04:05.526Z"}}
"#,
    ),
    (
        "poststart",
        r#"{"claimed":{"by":"oci","runner":8,"at":"2026-01-02T03:04:05.6Z"}}
{"finished":{"result":"skipped","reason":"nobody asked for it","at":"2026-01-02T03:04:05.6001Z"}}
"#,
    ),
    (
        "poststop",
        r#"{"claimed":{"by":"oci","runner":9,"at":"2026-01-02T06:04:05.6Z"}}
{"began":{"hook":0,"path":"/bin/a","file":"/etc/hooks.json","line":3,"at":"2026-01-02T06:04:05.601Z"}}
"#,
    ),
];

#[test]
fn a_life_is_drawn_as_bars_in_the_order_in_which_things_begin() {
    let directory = ledger();
    for (stage, lines) in LIFE {
        fs::write(directory.path().join("live/abc123").join(stage), lines).unwrap();
    }
    // The time of creation is not fixed in a test.
    let entry = directory.path().join("entries/abc123");
    let text = fs::read_to_string(&entry).unwrap();
    let (header, rest) = text.split_once('\n').unwrap();
    let mut header: serde_json::Value = serde_json::from_str(header).unwrap();
    header["at"] = "2026-01-02T03:04:05.000Z".into();
    fs::write(&entry, format!("{header}\n{rest}")).unwrap();

    let args = LogArgs {
        wanted: Some("web".into()),
        follow: false,
        timeline: true,
        ledger: LedgerArg {
            state_dir: directory.path().to_str().map(str::to_owned),
            ..LedgerArg::default()
        },
        format: Format::Text,
    };
    let mut out = Vec::new();
    run(&args, &mut out).unwrap();
    insta::assert_snapshot!("timeline", String::from_utf8(out).unwrap());
}
