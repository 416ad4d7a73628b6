//! Which container gets which hooks, and which requests are refused.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::merge::merge;
use super::*;
use crate::config::{Config, Overrides};
use crate::diagnostic::Rule;
use crate::spec::{MAX_SIZE, Stage, Timeout};

const KEY: &str = "hook-spec.noderesource.dev";

/// A node: a default hook-spec, two spec folders, and programs to run.
struct Node {
    root: TempDir,
}

impl Node {
    fn new() -> Node {
        let node = Node {
            root: tempfile::tempdir().unwrap(),
        };
        for folder in ["specs", "more", "bin"] {
            fs::create_dir(node.path(folder)).unwrap();
        }
        for program in ["a", "b", "c"] {
            fs::write(node.path(&format!("bin/{program}")), "").unwrap();
            node.mode(&format!("bin/{program}"), 0o755);
        }
        node
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// A hook-spec that runs `programs` at prestart.
    fn spec(&self, name: &str, programs: &[&str]) {
        let hook = |program: &&str| format!("{{\"path\":\"{}\"}}", self.text(&format!("bin/{program}")));
        let hooks: Vec<String> = programs.iter().map(hook).collect();
        self.write(name, &format!("{{\"prestart\":[{}]}}", hooks.join(",")));
    }

    fn selector(&self, more: &str) -> Selector {
        let text = format!(
            "{more}\nannotation.spec_dirs = [\"{}\", \"{}\"]",
            self.text("specs"),
            self.text("more")
        );
        Selector::new(Config::from_text("config.toml", &text, &Overrides::default()).unwrap())
    }

    /// As [`Node::selector`], with the default hook-spec `default.json`.
    fn selector_with_default(&self, more: &str) -> Selector {
        self.selector(&format!("hook_spec = \"{}\"\n{more}", self.text("default.json")))
    }
}

fn select(selector: &Selector, annotations: &[(&str, &str)]) -> Result<Selected, SelectError> {
    let annotations: HashMap<String, String> = annotations
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    selector.select(&Subject {
        namespace: "apps",
        annotations: &annotations,
        container: "main",
    })
}

/// The last letters of the programs run at prestart: `ab` for `bin/a`, `bin/b`.
fn programs(selected: &Selected) -> String {
    selected
        .frozen
        .stage(Stage::Prestart)
        .iter()
        .filter_map(|hook| hook.path.chars().last())
        .collect()
}

fn chosen(selector: &Selector, annotations: &[(&str, &str)]) -> String {
    select(selector, annotations).map_or_else(|error| error.to_string(), |selected| programs(&selected))
}

fn refused(selector: &Selector, annotations: &[(&str, &str)]) -> String {
    let message = select(selector, annotations).unwrap_err().to_string();
    assert!(message.len() < 2048, "{} bytes: {message}", message.len());
    assert!(message.chars().all(|c| (' '..='~').contains(&c)), "{message}");
    message
}

#[test]
fn without_default_and_annotation_a_container_gets_nothing() {
    let selected = select(&Node::new().selector(""), &[("other.key", "x")]).unwrap();
    assert!(selected.frozen.is_empty() && selected.specs.is_empty());
}

#[test]
fn default_hooks_come_first_then_the_annotations_in_its_order() {
    let node = Node::new();
    node.spec("default.json", &["a", "b"]);
    node.spec("specs/gpu.json", &["c"]);
    node.spec("more/net.json", &["b", "a"]);
    let selector = node.selector_with_default("");
    assert_eq!(chosen(&selector, &[]), "ab");
    assert_eq!(chosen(&selector, &[(KEY, "gpu")]), "abc");
    assert_eq!(chosen(&selector, &[(KEY, "gpu,net")]), "abcba");
    assert_eq!(chosen(&selector, &[(KEY, " net , gpu ")]), "abbac");
    assert_eq!(
        chosen(&selector, &[(KEY, "gpu,gpu")]),
        "abcc",
        "nothing is removed"
    );
    let selected = select(&selector, &[(KEY, "net")]).unwrap();
    assert_eq!(
        selected.specs,
        [
            node.text("default.json").into(),
            node.text("more/net.json").into()
        ]
    );
}

#[test]
fn the_nearest_scope_counts_alone() {
    let node = Node::new();
    for name in ["a", "b", "c"] {
        node.spec(&format!("specs/{name}.json"), &[name]);
    }
    let selector = node.selector("");
    let (pod, main, other) = (
        format!("{KEY}/pod"),
        format!("{KEY}/container.main"),
        format!("{KEY}/container.x"),
    );
    assert_eq!(chosen(&selector, &[(KEY, "a")]), "a");
    assert_eq!(chosen(&selector, &[(KEY, "a"), (&pod, "b")]), "b");
    assert_eq!(chosen(&selector, &[(KEY, "a"), (&pod, "b"), (&main, "c")]), "c");
    assert_eq!(
        chosen(&selector, &[(KEY, "a"), (&main, "")]),
        "",
        "an empty value means none"
    );
    assert_eq!(chosen(&selector, &[(KEY, "a"), (&pod, "  ")]), "");
    assert_eq!(
        chosen(&selector, &[(KEY, "a"), (&other, "b")]),
        "a",
        "another container's does not count"
    );
}

#[test]
fn a_scope_that_does_not_exist_is_refused() {
    let selector = Node::new().selector("");
    for scope in [
        "/containr.main",
        "/container",
        "/container.",
        "/Container.main",
        "/Pod",
        "/pods",
        "/",
        "/pod/",
        "//pod",
        "/ pod",
    ] {
        let message = refused(&selector, &[(&format!("{KEY}{scope}"), "")]);
        assert!(
            message.contains("unknown scope; write hook-spec"),
            "{scope}: {message}"
        );
    }
}

#[test]
fn keys_that_only_look_like_ours_do_not_count() {
    let selector = Node::new().selector("");
    for key in [
        "hook-spec.noderesource.dev2",
        "hook-spec.noderesource.dev.x/pod",
        "x.hook-spec.noderesource.dev",
        "Hook-Spec.noderesource.dev",
        "hook-spec.noder\u{435}source.dev",
        "hook-spec.noderesource.dev\0/pod",
        "io.kubernetes.cri.sandbox-id",
    ] {
        assert_eq!(chosen(&selector, &[(key, "../../etc/passwd")]), "", "{key}");
    }
}

#[test]
fn a_container_name_as_long_as_its_key_allows_is_addressed() {
    let node = Node::new();
    node.spec("specs/a.json", &["a"]);
    let name = "n".repeat(53);
    let annotations = HashMap::from([(format!("{KEY}/container.{name}"), "a".to_owned())]);
    let subject = Subject {
        namespace: "apps",
        annotations: &annotations,
        container: &name,
    };
    assert_eq!(programs(&node.selector("").select(&subject).unwrap()), "a");
}

#[test]
fn a_value_that_is_no_list_of_names_and_plain_paths_is_refused() {
    let node = Node::new();
    node.spec("specs/gpu.json", &["a"]);
    let selector = node.selector("");
    let inside = |tail: &str| node.text("specs") + tail;
    let long = "x".repeat(262_144);
    let commas = ",".repeat(1000);
    let many = ["gpu"; 17].join(",");
    let (dots, doubled, dot, slash, control) = (
        inside("/../specs/gpu.json"),
        inside("//gpu.json"),
        inside("/./gpu.json"),
        inside("/gpu.json/"),
        inside("/gpu.json\n"),
    );
    let long_path = inside(&"/x".repeat(3000));
    for (attack, value, says) in [
        ("a relative path", "specs/gpu", "neither the bare name"),
        ("a way up", "../gpu", "neither the bare name"),
        ("dots alone", "..", "neither the bare name"),
        ("one dot", ".", "neither the bare name"),
        ("a hidden file", ".gpu", "neither the bare name"),
        ("a home folder", "~/gpu", "neither the bare name"),
        ("an option", "-f", "neither the bare name"),
        ("a glob", "*", "neither the bare name"),
        ("a command", "$(reboot)", "neither the bare name"),
        ("a backslash", "a\\b", "neither the bare name"),
        ("a NUL", "gpu\0", "neither the bare name"),
        ("a line break at the end", "gpu\n", "neither the bare name"),
        (
            "a line break between",
            "gpu\nERROR all is lost",
            "neither the bare name",
        ),
        ("a terminal escape", "\x1b[2Jgpu", "neither the bare name"),
        ("a look-alike letter", "gp\u{446}", "neither the bare name"),
        (
            "a full-width dot and slash",
            "\u{ff0e}\u{ff0f}gpu",
            "neither the bare name",
        ),
        ("text that runs backwards", "\u{202e}upg", "neither the bare name"),
        ("a blank inside", "gpu net", "neither the bare name"),
        ("a tab around", "\tgpu", "neither the bare name"),
        ("a web address", "http://x/gpu", "neither the bare name"),
        ("256 KiB", &long, "neither the bare name"),
        ("1,000 commas", &commas, "picks 1001 hook-specs; at most 16"),
        ("17 specs", &many, "picks 17 hook-specs; at most 16"),
        ("a comma at the end", "gpu,", "element 2 of the list is empty"),
        ("a comma in front", ",gpu", "element 1 of the list is empty"),
        ("two commas", "gpu, ,gpu", "element 2 of the list is empty"),
        ("a path with ..", &dots, "not a plain absolute path"),
        ("a path with //", &doubled, "not a plain absolute path"),
        ("a path with .", &dot, "not a plain absolute path"),
        ("a path with a last slash", &slash, "not a plain absolute path"),
        ("a path with a line break", &control, "not a plain absolute path"),
        ("a path too long", &long_path, "not a plain absolute path"),
        ("the root", "/", "not a plain absolute path"),
        ("a good one and a bad one", "gpu,../x", "neither the bare name"),
        ("a name that is not there", "none", "no such hook-spec in "),
        ("a name with its ending", "gpu.json", "no such hook-spec in "),
        ("a name in other letters", "GPU", "no such hook-spec in "),
    ] {
        let message = refused(&selector, &[(KEY, value)]);
        assert!(
            message.starts_with(&format!("annotation {KEY}: ")),
            "{attack}: {message}"
        );
        assert!(message.contains(says), "{attack}: {message}");
    }
}

#[test]
fn a_name_as_long_as_a_file_name_allows_is_looked_for() {
    let node = Node::new();
    let name = "n".repeat(250);
    node.spec(&format!("specs/{name}.json"), &["a"]);
    assert_eq!(chosen(&node.selector(""), &[(KEY, &name)]), "a");
    assert!(refused(&node.selector(""), &[(KEY, &"n".repeat(251))]).contains("neither the bare name"));
}

#[test]
fn the_first_spec_folder_that_has_the_name_wins_and_a_missing_folder_has_none() {
    let node = Node::new();
    node.spec("more/x.json", &["b"]);
    let selector = node.selector("");
    assert_eq!(chosen(&selector, &[(KEY, "x")]), "b");
    node.spec("specs/x.json", &["a"]);
    assert_eq!(chosen(&selector, &[(KEY, "x")]), "a");
    fs::remove_dir_all(node.path("specs")).unwrap();
    assert_eq!(chosen(&selector, &[(KEY, "x")]), "b");
}

#[test]
fn a_path_is_picked_only_inside_a_spec_folder() {
    let node = Node::new();
    fs::create_dir(node.path("specs/deep")).unwrap();
    fs::create_dir(node.path("specs2")).unwrap();
    for spec in ["specs/deep/x.json", "specs2/x.json", "x.json"] {
        node.spec(spec, &["a"]);
    }
    let selector = node.selector("");
    assert_eq!(chosen(&selector, &[(KEY, &node.text("specs/deep/x.json"))]), "a");
    for outside in [
        node.text("specs2/x.json"),
        node.text("x.json"),
        "/etc/passwd".into(),
        node.text("specs"),
    ] {
        let message = refused(&selector, &[(KEY, &outside)]);
        assert!(message.contains("lies outside the folders"), "{message}");
        assert!(
            message.contains(&node.text("specs")),
            "says what is allowed: {message}"
        );
    }
    let there = refused(&selector, &[(KEY, "/etc/passwd")]).replace("passwd", "none");
    assert_eq!(
        there,
        refused(&selector, &[(KEY, "/etc/none")]),
        "nobody learns what exists outside"
    );
}

#[test]
fn a_link_that_leads_out_of_the_spec_folders_is_refused_and_one_that_stays_is_followed() {
    let node = Node::new();
    node.spec("outside.json", &["a"]);
    node.spec("more/inside.json", &["b"]);
    symlink(node.path("outside.json"), node.path("specs/out.json")).unwrap();
    symlink(node.path("more/inside.json"), node.path("specs/in.json")).unwrap();
    symlink(node.root.path(), node.path("specs/up")).unwrap();
    let selector = node.selector("");
    assert!(refused(&selector, &[(KEY, "out")]).contains("lies outside the folders"));
    assert!(refused(&selector, &[(KEY, &node.text("specs/out.json"))]).contains("lies outside"));
    assert!(refused(&selector, &[(KEY, &node.text("specs/up/outside.json"))]).contains("lies outside"));
    assert_eq!(chosen(&selector, &[(KEY, "in")]), "b");
}

#[test]
fn a_spec_folder_that_is_itself_a_link_holds_what_it_leads_to() {
    let node = Node::new();
    node.spec("more/x.json", &["b"]);
    fs::remove_dir(node.path("specs")).unwrap();
    symlink("more", node.path("specs")).unwrap();
    assert_eq!(
        chosen(&node.selector(""), &[(KEY, &node.text("specs/x.json"))]),
        "b"
    );
}

#[test]
fn a_picked_spec_is_held_to_every_rule() {
    let node = Node::new();
    node.spec("specs/x.json", &["a"]);
    let selector = node.selector("");
    node.mode("specs/x.json", 0o666);
    assert!(refused(&selector, &[(KEY, "x")]).contains("must be writable by root alone"));
    node.mode("specs/x.json", 0o644);
    node.mode("specs", 0o777);
    assert!(refused(&selector, &[(KEY, "x")]).contains("unless it is sticky"));
    node.mode("specs", 0o755);
    chown(node.path("specs/x.json"), Some(65534), None).unwrap();
    assert!(refused(&selector, &[(KEY, "x")]).contains("owned by uid 65534"));
    fs::remove_file(node.path("specs/x.json")).unwrap();
    fs::create_dir(node.path("specs/x.json")).unwrap();
    assert!(refused(&selector, &[(KEY, "x")]).contains("must be a regular file, but is a directory"));
    node.write("specs/y.json", r#"{"prestart":[{"path":"x"}],"poststrt":[]}"#);
    let message = refused(&selector, &[(KEY, "y")]);
    assert!(
        message.starts_with(&format!("annotation {KEY}: hook-spec y: ")),
        "{message}"
    );
    assert!(message.contains("[path-not-absolute] | ") && message.contains("did you mean poststart?"));
}

#[test]
fn many_mistakes_are_bounded_and_counted() {
    let node = Node::new();
    node.write(
        "specs/x.json",
        &format!("{{\"prestart\":[{}1]}}", "1,".repeat(99)),
    );
    let message = refused(&node.selector(""), &[(KEY, "x")]);
    assert!(message.len() < 1300, "{}", message.len());
    assert!(message.ends_with(" more"), "{message}");
}

#[test]
fn an_excluded_namespace_is_exempt_from_the_default_only() {
    let node = Node::new();
    node.spec("default.json", &["a"]);
    node.spec("specs/b.json", &["b"]);
    let selector = node.selector_with_default("exclude_namespaces = [\"apps\"]");
    assert_eq!(chosen(&selector, &[(KEY, "b")]), "b");
    let annotations = HashMap::new();
    let elsewhere = Subject {
        namespace: "app",
        annotations: &annotations,
        container: "main",
    };
    assert_eq!(programs(&selector.select(&elsewhere).unwrap()), "a");
}

#[test]
fn a_default_that_was_never_valid_fails_each_create_until_it_is() {
    let node = Node::new();
    let selector = node.selector_with_default("");
    assert!(refused(&selector, &[]).contains("default.json does not exist"));
    node.write("default.json", "{");
    assert!(refused(&selector, &[]).contains("[invalid-json]"));
    node.spec("default.json", &["a"]);
    assert_eq!(chosen(&selector, &[]), "a");
}

#[test]
fn an_excluded_namespace_does_not_suffer_from_a_bad_default() {
    let node = Node::new();
    let selector = node.selector_with_default("exclude_namespaces = [\"apps\"]");
    assert_eq!(chosen(&selector, &[]), "");
}

#[test]
fn a_default_that_turns_invalid_leaves_the_last_good_one_in_force() {
    let node = Node::new();
    node.spec("default.json", &["a"]);
    let selector = node.selector_with_default("");
    node.write("default.json", "{\"prestart\":[{\"path\":\"x\"}]}");
    assert_eq!(chosen(&selector, &[]), "a");
    fs::remove_file(node.path("default.json")).unwrap();
    assert_eq!(chosen(&selector, &[]), "a");
    node.spec("default.json", &["b"]);
    node.mode("default.json", 0o666);
    assert_eq!(chosen(&selector, &[]), "a", "what others may write is not read");
    node.mode("default.json", 0o644);
    assert_eq!(chosen(&selector, &[]), "b");
}

#[test]
fn a_program_that_is_no_longer_trusted_is_not_run_whatever_is_in_force() {
    let node = Node::new();
    node.spec("default.json", &["a"]);
    node.spec("specs/b.json", &["b"]);
    let selector = node.selector_with_default("");
    assert_eq!(chosen(&selector, &[(KEY, "b")]), "ab");
    node.mode("bin/b", 0o777);
    assert!(refused(&selector, &[(KEY, "b")]).contains("[writable-by-others]"));
    assert_eq!(chosen(&selector, &[]), "a");
    node.mode("bin/a", 0o777);
    assert!(refused(&selector, &[]).contains("[writable-by-others]"));
    node.write("default.json", "broken");
    assert!(
        refused(&selector, &[]).contains("[writable-by-others]"),
        "not through the last good one either"
    );
    node.mode("bin/a", 0o755);
    assert_eq!(chosen(&selector, &[]), "a");
}

#[test]
fn with_policy_ignore_the_bad_part_alone_is_left_out() {
    let node = Node::new();
    node.spec("default.json", &["a"]);
    node.spec("specs/b.json", &["b"]);
    let selector = node.selector_with_default("failure_policy = \"ignore\"");
    let selected = select(&selector, &[(KEY, "b,../x")]).unwrap();
    assert_eq!((programs(&selected).as_str(), selected.ignored.len()), ("a", 1));
    fs::remove_file(node.path("default.json")).unwrap();
    let selector = node.selector_with_default("failure_policy = \"ignore\"");
    let selected = select(&selector, &[(KEY, "b")]).unwrap();
    assert_eq!((programs(&selected).as_str(), selected.ignored.len()), ("b", 1));
}

#[test]
fn what_a_spec_leaves_out_is_filled_in() {
    let node = Node::new();
    let path = node.text("bin/a");
    node.write(
        "default.json",
        &format!(
            r#"{{"poststop":[{{"path":"{path}"}},{{"path":"{path}","args":[],"env":[]}},
                {{"path":"{path}","args":["x"],"env":["A=b"],"timeout":5}}]}}"#
        ),
    );
    let selected = select(&node.selector_with_default("default_timeout = 7"), &[]).unwrap();
    let hooks = selected.frozen.stage(Stage::Poststop);
    let filled = |hook: &FrozenHook| (hook.args.clone(), hook.env.clone(), hook.timeout.seconds());
    let default = (vec![path.clone()], vec![DEFAULT_PATH.to_owned()], 7);
    assert_eq!(filled(&hooks[0]), default);
    assert_eq!(filled(&hooks[1]), default);
    assert_eq!(filled(&hooks[2]), (vec!["x".into()], vec!["A=b".into()], 5));
    assert_eq!(
        hooks[1].source,
        Source {
            file: node.text("default.json").into(),
            index: 1,
            line: 1
        }
    );
    assert_eq!(hooks[2].source.line, 2);
}

#[test]
fn the_same_unchanged_specs_give_the_same_frozen_hooks_and_a_change_gives_new_ones() {
    let node = Node::new();
    node.spec("default.json", &["a"]);
    node.spec("specs/b.json", &["b"]);
    let selector = node.selector_with_default("");
    let frozen = |value: &str| select(&selector, &[(KEY, value)]).unwrap().frozen;
    let (first, other) = (frozen("b"), frozen(""));
    assert!(Arc::ptr_eq(&first, &frozen("b")) && Arc::ptr_eq(&other, &frozen("")));
    assert_eq!(first.stage(Stage::Prestart).len(), 2);
    node.spec("specs/b.json", &["c", "c"]);
    assert_eq!(frozen("b").stage(Stage::Prestart).len(), 3);
    assert!(Arc::ptr_eq(&other, &frozen("")), "what has not changed is kept");
}

#[test]
fn a_flood_of_specs_is_answered_from_a_bounded_cache() {
    let node = Node::new();
    let selector = node.selector("");
    for round in 0..2 {
        for spec in 0..200 {
            let name = format!("s{spec}");
            if round == 0 {
                node.spec(&format!("specs/{name}.json"), &["a"]);
            }
            assert_eq!(chosen(&selector, &[(KEY, &name)]), "a");
        }
    }
}

#[test]
fn a_spec_of_10_mib_exactly_is_loaded_and_one_byte_more_is_refused() {
    let node = Node::new();
    let file: Arc<str> = node.text("specs/x.json").into();
    let size = usize::try_from(MAX_SIZE).unwrap();
    node.write("specs/x.json", &format!("{{}}{}", " ".repeat(size - 2)));
    assert!(LoadedSpec::load(&file).is_ok());
    node.write("specs/x.json", &format!("{{}}{}", " ".repeat(size - 1)));
    let mistakes = LoadedSpec::load(&file).unwrap_err();
    assert_eq!((mistakes.len(), mistakes[0].rule), (1, Rule::TooLarge));
    fs::File::create(&*file).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(
        LoadedSpec::load(&file).unwrap_err()[0].rule,
        Rule::TooLarge,
        "a terabyte of nothing"
    );
}

#[test]
fn mistakes_of_the_text_and_untrusted_programs_are_told_together_in_order() {
    let node = Node::new();
    node.mode("bin/b", 0o644);
    let (a, b) = (node.text("bin/a"), node.text("bin/b"));
    let text = format!(
        "{{\"prestart\":[\n{{\"path\":\"{b}\",\"timeout\":0}},\n{{\"path\":\"/none\"}},\n{{\"path\":\"{b}\"}},\n\
         {{\"path\":\"{a}\"}},\n{{\"path\":\"{}\"}}],\"startContainer\":[{{\"path\":\"/in/container\"}}]}}",
        node.text("bin")
    );
    node.write("specs/x.json", &text);
    let mistakes = LoadedSpec::load(&node.text("specs/x.json").into()).unwrap_err();
    let found: Vec<_> = mistakes
        .iter()
        .map(|mistake| (mistake.rule, mistake.place.unwrap().line))
        .collect();
    assert_eq!(
        found,
        [
            (Rule::NotExecutable, 2),
            (Rule::TimeoutZero, 2),
            (Rule::NotFound, 3),
            (Rule::NotRegular, 6)
        ],
        "each program once, where it is first named"
    );
}

#[test]
fn a_selector_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Selector>();
    shared::<SelectError>();
}

fn any_hooks() -> impl Strategy<Value = Vec<(usize, Vec<u8>)>> {
    prop::collection::vec(
        (0..Stage::ALL.len(), prop::collection::vec(any::<u8>(), 0..6)),
        0..6,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn merging_keeps_the_order_and_loses_nothing(files in prop::collection::vec(any_hooks(), 0..5)) {
        let node = Node::new();
        let mut specs = Vec::new();
        let mut expected: Vec<Vec<(String, usize)>> = vec![Vec::new(); Stage::ALL.len()];
        for (number, hooks) in files.iter().enumerate() {
            let mut stages = serde_json::Map::new();
            for (stage, arguments) in hooks {
                let stage = Stage::ALL[*stage].key();
                let list: Vec<_> = arguments
                    .iter()
                    .map(|argument| serde_json::json!({"path": node.text("bin/a"), "args": [argument.to_string()]}))
                    .collect();
                // A stage drawn twice counts once: keys are unique.
                stages.insert(stage.to_owned(), list.into());
            }
            let file = node.text(&format!("specs/{number}.json"));
            fs::write(&file, serde_json::to_string(&stages).unwrap()).unwrap();
            for (index, stage) in Stage::ALL.iter().enumerate() {
                let list = stages.get(stage.key()).and_then(|list| list.as_array()).cloned().unwrap_or_default();
                expected[index].extend(
                    list.iter().map(|hook| (hook["args"][0].as_str().unwrap().to_owned(), number)),
                );
            }
            specs.push(Arc::new(LoadedSpec::load(&file.into()).unwrap()));
        }
        let frozen = merge(&specs, Timeout::DEFAULT);
        for (index, stage) in Stage::ALL.iter().enumerate() {
            let merged: Vec<(String, usize)> = frozen
                .stage(*stage)
                .iter()
                .map(|hook| {
                    let file = hook.source.file.rsplit('/').next().unwrap();
                    (hook.args[0].clone(), file.trim_end_matches(".json").parse().unwrap())
                })
                .collect();
            prop_assert_eq!(&merged, &expected[index]);
        }
    }

    #[test]
    fn no_annotation_makes_the_selector_panic_or_leave_the_spec_folders(
        scope in "(/pod|/container\\.main|)",
        value in "[a-c./,~ \u{0}\n\u{e9}-]{0,40}",
    ) {
        let node = Node::new();
        node.spec("specs/a.json", &["a"]);
        let key = format!("{KEY}{scope}");
        if let Ok(selected) = select(&node.selector(""), &[(&key, &value)]) {
            prop_assert!(selected.specs.iter().all(|spec| **spec == node.text("specs/a.json")));
        }
    }
}
