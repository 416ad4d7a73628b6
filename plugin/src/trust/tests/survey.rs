//! What one survey sees, and what the next.

use super::tree::{Tree, outcome};
use crate::diagnostic::Rule;
use crate::trust::Survey;
use crate::trust::survey::MOST_REMEMBERED;

#[test]
fn what_changed_between_two_surveys_is_seen_by_the_second() {
    let tree = Tree::new();
    tree.link("l", "bin");
    for (asked, good, bad, rule, blamed) in [
        ("bin/hook", 0o755, 0o777, Rule::WritableByOthers, "bin"),
        ("l/hook", 0o755, 0o777, Rule::WritableByOthers, "bin"),
        ("bin/hook", 0o755, 0o644, Rule::NotExecutable, "bin/hook"),
    ] {
        let mut survey = Survey::new();
        let mut execute = || outcome(survey.file_to_execute(&tree.path(asked)));
        assert_eq!(execute(), Ok(tree.path("bin/hook")));
        tree.mode(blamed, bad);
        assert_eq!(execute(), Ok(tree.path("bin/hook")), "one survey is one moment");
        let next = outcome(Survey::new().file_to_execute(&tree.path(asked)));
        assert_eq!(next, Err((rule, tree.path(blamed))));
        tree.mode(blamed, good);
    }
    tree.link("to", "bin/hook");
    let mut survey = Survey::new();
    assert!(survey.file_to_read(&tree.path("to")).is_ok());
    std::fs::remove_file(tree.path("to")).unwrap();
    tree.link("to", "none");
    assert!(survey.file_to_read(&tree.path("to")).is_ok());
    let next = outcome(Survey::new().file_to_read(&tree.path("to")));
    assert_eq!(next, Err((Rule::NotFound, tree.path("none"))));
}

#[test]
fn a_file_that_was_good_to_read_is_judged_again_before_it_is_executed() {
    let tree = Tree::new();
    tree.mode("bin/hook", 0o644);
    let mut survey = Survey::new();
    assert!(survey.file_to_read(&tree.path("bin/hook")).is_ok());
    assert_eq!(
        outcome(survey.file_to_execute(&tree.path("bin/hook"))),
        Err((Rule::NotExecutable, tree.path("bin/hook")))
    );
}

#[test]
fn beyond_what_a_survey_remembers_it_judges_each_time_anew() {
    let tree = Tree::new();
    let mut survey = Survey::new();
    for folder in 0..MOST_REMEMBERED {
        tree.dir(&format!("{folder}/inner"), 0o755);
        tree.file(&format!("{folder}/hook"), 0o755);
        for asked in [format!("{folder}/hook"), format!("{folder}/inner/../hook")] {
            let found = outcome(survey.file_to_execute(&tree.path(&asked)));
            assert_eq!(found, Ok(tree.path(&format!("{folder}/hook"))), "{asked}");
        }
        assert!(survey.remembered() <= MOST_REMEMBERED);
    }
    let last = format!("{}", MOST_REMEMBERED - 1);
    tree.mode(&last, 0o777);
    assert_eq!(
        outcome(survey.file_to_execute(&tree.path(&format!("{last}/hook")))),
        Err((Rule::WritableByOthers, tree.path(&last)))
    );
}
