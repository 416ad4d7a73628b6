//! Directories of hooks.d: the files that count, their order, and the effect of invalid ones.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::sync::Arc;

use super::node::{KEY, Node, annotations, chosen, programs, select, subject};
use crate::diagnostic::Rule;
use crate::model::Stage;
use crate::select::{Deadline, Format, LoadedSpec, Selector, Subject};

/// A node with two directories of hooks.d, `vendor` and `admin`.
pub(super) struct HooksD(pub(super) Node);

impl HooksD {
    pub(super) fn new() -> Self {
        let node = Node::new();
        for directory in ["vendor", "admin"] {
            fs::create_dir(node.path(directory)).unwrap();
        }
        HooksD(node)
    }

    /// A file that runs `program` at prestart under these conditions.
    pub(super) fn file(&self, name: &str, program: &str, when: &str) {
        let path = self.0.text(&format!("bin/{program}"));
        self.0.write(
            name,
            &format!(
                r#"{{"version":"1.0.0","hook":{{"path":"{path}"}},"when":{when},"stages":["prestart"]}}"#
            ),
        );
    }

    fn always(&self, name: &str, program: &str) {
        self.file(name, program, r#"{"always":true}"#);
    }

    pub(super) fn selector(&self, more: &str) -> Selector {
        let directories = format!(
            "hooks_dirs = [\"{}\", \"{}/\"]",
            self.0.text("vendor"),
            self.0.text("admin")
        );
        self.0.selector(&format!("{directories}\n{more}"))
    }
}

/// The rules that are broken now, each with the end of the file's name.
fn errors(selector: &Selector) -> Vec<(Rule, String)> {
    let of = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let errors = selector.errors();
    errors.iter().map(|error| (error.rule, of(&error.file))).collect()
}

#[test]
fn without_directories_no_file_counts() {
    let node = HooksD::new();
    node.always("vendor/a.json", "a");
    assert_eq!(chosen(&node.0.selector(""), &[]), "");
}

#[test]
fn hooks_run_in_the_order_of_file_names_in_lower_case_between_default_and_selected() {
    let node = HooksD::new();
    node.0.spec("default.json", &["c"]);
    node.0.spec("specs/gpu.json", &["c"]);
    node.always("vendor/01-B.json", "a");
    node.always("admin/01-a.json", "b");
    node.always("vendor/10.json", "a");
    node.always("admin/02.json", "b");
    let selector = node.selector(&format!("hook_spec = \"{}\"", node.0.text("default.json")));
    assert_eq!(chosen(&selector, &[(KEY, "gpu")]), "cbabac");
}

#[test]
fn only_files_whose_name_ends_in_json_count() {
    let node = HooksD::new();
    for name in ["a.json.bak", "json", "a.JSON", "README"] {
        node.always(&format!("vendor/{name}"), "a");
    }
    node.always("vendor/.hidden.json", "b");
    let selector = node.selector("");
    assert_eq!(
        (chosen(&selector, &[]).as_str(), errors(&selector)),
        ("b", vec![])
    );
}

#[test]
fn a_file_masks_one_of_the_same_name_in_an_earlier_directory_while_it_exists() {
    let node = HooksD::new();
    node.always("vendor/gpu.json", "a");
    node.always("vendor/GPU.json", "c");
    let selector = node.selector("");
    assert_eq!(chosen(&selector, &[]), "ca");
    node.always("admin/gpu.json", "b");
    assert_eq!(chosen(&selector, &[]), "cb");
    node.file("admin/gpu.json", "b", r#"{"always":false}"#);
    assert_eq!(chosen(&selector, &[]), "c", "a file for no container masks too");
    fs::remove_file(node.0.path("admin/gpu.json")).unwrap();
    assert_eq!(chosen(&selector, &[]), "ca");
}

#[test]
fn an_invalid_file_masks_too_and_is_reported() {
    let node = HooksD::new();
    node.always("vendor/gpu.json", "a");
    node.0.write("admin/gpu.json", "");
    let selector = node.selector("");
    assert_eq!(chosen(&selector, &[]), "");
    assert_eq!(errors(&selector), [(Rule::EmptyFile, "gpu.json".into())]);
}

#[test]
fn a_hook_counts_for_the_containers_that_its_conditions_hold_for() {
    let node = HooksD::new();
    node.file("vendor/1.json", "a", r#"{"annotations":{"team$":"^fluid$"}}"#);
    node.file("vendor/2.json", "b", r#"{"commands":["/init$"]}"#);
    node.file("vendor/3.json", "c", r#"{"hasBindMounts":true}"#);
    let selector = node.selector("");
    let of_team = annotations(&[("com.example.team", "fluid")]);
    let of_nobody = annotations(&[]);
    for (annotations, command, has_bind_mounts, expected) in [
        (&of_nobody, None, false, ""),
        (&of_team, None, false, "a"),
        (&of_nobody, Some("/sbin/init"), false, "b"),
        (&of_nobody, Some("/bin/sh"), true, "c"),
        (&of_team, Some("/sbin/init"), true, "abc"),
    ] {
        let subject = Subject {
            command,
            has_bind_mounts,
            ..subject(annotations)
        };
        assert_eq!(
            programs(&selector.select(&subject, Deadline::none()).unwrap()),
            expected
        );
    }
}

#[test]
fn an_excluded_namespace_gets_only_selected_hooks() {
    let node = HooksD::new();
    node.always("vendor/gpu.json", "a");
    node.0.spec("specs/gpu.json", &["b"]);
    let selector = node.selector("exclude_namespaces = [\"apps\"]");
    assert_eq!(chosen(&selector, &[(KEY, "gpu")]), "b");
}

#[test]
fn an_invalid_file_is_ignored_with_its_reason_and_the_others_count() {
    let node = HooksD::new();
    node.always("vendor/good.json", "a");
    node.0.write("vendor/broken.json", "{");
    node.file("vendor/loose.json", "b", r#"{"always":true}"#);
    node.0.mode("vendor/loose.json", 0o666);
    node.always("vendor/gone.json", "none");
    node.always("vendor/theirs.json", "b");
    chown(node.0.path("vendor/theirs.json"), Some(65534), None).unwrap();
    node.always("vendor/plain.json", "c");
    node.0.mode("bin/c", 0o644);
    fs::create_dir(node.0.path("vendor/directory.json")).unwrap();
    symlink("nowhere", node.0.path("vendor/link.json")).unwrap();
    let selector = node.selector("");
    for _ in 0..2 {
        assert_eq!(chosen(&selector, &[]), "a");
        assert_eq!(
            errors(&selector),
            [
                (Rule::InvalidJson, "broken.json".into()),
                (Rule::NotRegular, "directory.json".into()),
                (Rule::NotFound, "gone.json".into()),
                (Rule::NotFound, "link.json".into()),
                (Rule::WritableByOthers, "loose.json".into()),
                (Rule::NotExecutable, "plain.json".into()),
                (Rule::OwnerNotRoot, "theirs.json".into()),
            ]
        );
    }
    let of_gone = &selector.errors()[2];
    assert!(
        of_gone.to_string().contains("hook.path: ")
            && of_gone.to_string().contains("bin/none does not exist"),
        "{of_gone}"
    );
}

#[test]
fn the_last_good_version_of_a_file_stays_active_when_it_becomes_invalid() {
    let node = HooksD::new();
    node.always("vendor/gpu.json", "a");
    let selector = node.selector("");
    node.0.write("vendor/gpu.json", "{");
    assert_eq!(chosen(&selector, &[]), "a");
    assert_eq!(errors(&selector).len(), 1);
    node.always("vendor/gpu.json", "b");
    assert_eq!(chosen(&selector, &[]), "b");
    assert_eq!(errors(&selector), []);
    node.0.write("vendor/gpu.json", "{");
    assert_eq!(chosen(&selector, &[]), "b");
    fs::remove_file(node.0.path("vendor/gpu.json")).unwrap();
    assert_eq!(chosen(&selector, &[]), "", "a removed file is no longer active");
}

#[test]
fn a_program_that_is_no_longer_trusted_is_not_run_by_any_version() {
    let node = HooksD::new();
    node.always("vendor/gpu.json", "a");
    let selector = node.selector("");
    assert_eq!(chosen(&selector, &[]), "a");
    node.0.mode("bin/a", 0o777);
    assert_eq!(chosen(&selector, &[]), "");
    node.0.write("vendor/gpu.json", "{");
    assert_eq!(chosen(&selector, &[]), "");
    node.0.mode("bin/a", 0o755);
    assert_eq!(chosen(&selector, &[]), "a");
}

#[test]
fn a_directory_that_others_may_write_to_is_not_listed_sticky_or_not() {
    for mode in [0o777, 0o1777, 0o775] {
        let node = HooksD::new();
        node.always("vendor/gpu.json", "a");
        node.0.mode("admin", mode);
        node.always("admin/gpu.json", "b");
        let selector = node.selector("");
        assert_eq!(
            chosen(&selector, &[]),
            "a",
            "no other user may mask a hook by {mode:o}"
        );
        assert_eq!(errors(&selector), [(Rule::WritableByOthers, "admin".into())]);
    }
}

#[test]
fn the_active_files_of_a_directory_that_becomes_invalid_stay_active() {
    let node = HooksD::new();
    node.always("vendor/gpu.json", "a");
    let selector = node.selector("");
    assert_eq!(chosen(&selector, &[]), "a");
    node.0.mode("vendor", 0o777);
    node.always("vendor/more.json", "b");
    assert_eq!(chosen(&selector, &[]), "a");
    node.0.mode("vendor", 0o755);
    assert_eq!(chosen(&selector, &[]), "ab");
    fs::remove_dir_all(node.0.path("vendor")).unwrap();
    assert_eq!(
        chosen(&selector, &[]),
        "",
        "a directory that is gone holds nothing"
    );
}

#[test]
fn the_last_files_beyond_the_limit_are_ignored() {
    let node = HooksD::new();
    for number in 0..300 {
        node.always(&format!("vendor/{number:03}.json"), "a");
    }
    let hooks = |selector: &Selector| {
        select(selector, &[])
            .unwrap()
            .resolved
            .stage(Stage::Prestart)
            .len()
    };
    assert_eq!(hooks(&node.selector("")), 256);
}

#[test]
fn a_file_larger_than_one_hook_can_be_is_refused() {
    let node = HooksD::new();
    node.always("vendor/gpu.json", "a");
    let file: Arc<str> = node.0.text("vendor/gpu.json").into();
    let text = fs::read_to_string(&*file).unwrap();
    let padded = |size: usize| fs::write(&*file, format!("{text}{}", " ".repeat(size - text.len()))).unwrap();
    padded(256 * 1024);
    assert!(LoadedSpec::load_as(Format::HooksD, &file).1.is_ok());
    padded(256 * 1024 + 1);
    let errors = LoadedSpec::load_as(Format::HooksD, &file).1.unwrap_err();
    assert_eq!((errors.len(), errors[0].rule), (1, Rule::TooLarge));
}
