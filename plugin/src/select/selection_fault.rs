//! The reasons why a pod does not get its selection.

use std::sync::Arc;

use thiserror::Error;

use super::Overdue;
use crate::model::{Stage, Timeout, bounded_list, escaped};
use crate::trust::TrustError;

/// The reason why the pod does not get a selected hook-spec.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SelectionFault {
    /// No spec directory has a file of this name.
    #[error("no such hook-spec in {}; {}", bounded_list(.directories), advice(.name))]
    NoSuchSpec {
        /// The selected name.
        name: String,
        /// The directories.
        directories: Vec<Arc<str>>,
    },
    /// The path, or the target of its links, is in none of the spec directories.
    #[error("is outside the directories of hook-specs that may be selected: {}", bounded_list(.directories))]
    Outside {
        /// The spec directories.
        directories: Vec<Arc<str>>,
    },
    /// The file is not trusted.
    #[error("{0}; {help}", help = .0.help())]
    Untrusted(TrustError),
    /// A rule denies it.
    #[error("pods in namespace {} may not select it: annotation.rules[{rule}] of the node's configuration denies it", escaped(.namespace))]
    Denied {
        /// The pod's namespace.
        namespace: String,
        /// The index of the rule, from 0.
        rule: usize,
    },
    /// There are rules, and none allows it.
    #[error("pods in namespace {} may not select it: no rule of annotation.rules in the node's configuration allows it", escaped(.namespace))]
    NotAllowed {
        /// The pod's namespace.
        namespace: String,
    },
    /// Matching the rules takes too long.
    #[error(
        "checking it against annotation.rules of the node's configuration {0}; select fewer hook-specs, or ones with shorter names"
    )]
    Overdue(Overdue),
    /// It has a stage that selected hook-specs may not use.
    #[error(
        "has {stage} hooks, but hook-specs that pods select may only have these: {}",
        bounded_list(.allowed)
    )]
    StageNotAllowed {
        /// The stage.
        stage: Stage,
        /// The allowed stages.
        allowed: Vec<Stage>,
    },
    /// The timeout of one of its hooks is too long.
    #[error(
        "{stage}[{index}], line {line}, may run for {seconds} s, but hooks that pods select may run for at most {max} s",
        seconds = .timeout.seconds(), max = .max.seconds()
    )]
    TimeoutTooLong {
        /// The stage of the hook.
        stage: Stage,
        /// Its index in the stage's list, from 0.
        index: usize,
        /// Its line in the hook-spec.
        line: usize,
        /// Its timeout, its own or the configured default.
        timeout: Timeout,
        /// The maximum timeout.
        max: Timeout,
    },
}

/// The hint for a name that no hook-spec has.
fn advice(name: &str) -> String {
    match name.strip_suffix(".json") {
        Some(meant) => format!("write {}: its .json is added", escaped(meant)),
        None => {
            let file = format!("{name}.json");
            format!(
                "ask an administrator of the node to put {} there, or select another",
                escaped(&file)
            )
        }
    }
}
