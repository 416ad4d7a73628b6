//! Why a pod does not get what it picks.

use std::sync::Arc;

use thiserror::Error;

use super::Overdue;
use crate::model::{Stage, Timeout, bounded_list, shown};
use crate::trust::TrustError;

/// Why a pick leads to no hook-spec that the pod may have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SelectionFault {
    /// No spec directory has a file of this name.
    #[error("no such hook-spec in {}; {}", bounded_list(.directories), advice(.name))]
    NoSuchSpec {
        /// The name that was picked.
        name: String,
        /// Where.
        directories: Vec<Arc<str>>,
    },
    /// The path, or what its links lead to, is in none of the spec directories.
    #[error("lies outside the directories of hook-specs that may be picked; those are: {}", bounded_list(.directories))]
    Outside {
        /// The spec directories.
        directories: Vec<Arc<str>>,
    },
    /// The file is not to be trusted.
    #[error("{0}; {help}", help = .0.help())]
    Untrusted(TrustError),
    /// A rule denies it.
    #[error("pods in namespace {} may not pick it: annotation.rules[{rule}] of the node's configuration denies it", shown(.namespace))]
    Denied {
        /// The pod's namespace.
        namespace: String,
        /// Which rule, from 0.
        rule: usize,
    },
    /// There are rules, and none allows it.
    #[error("pods in namespace {} may not pick it: no rule of annotation.rules in the node's configuration allows it", shown(.namespace))]
    NotAllowed {
        /// The pod's namespace.
        namespace: String,
    },
    /// Whether the rules allow it takes too much to find out.
    #[error(
        "holding it against annotation.rules of the node's configuration {0}; pick fewer hook-specs, by shorter names"
    )]
    Overdue(Overdue),
    /// It has a stage that picked hook-specs may not use.
    #[error(
        "has {stage} hooks, but hook-specs that pods pick may have these alone: {}",
        bounded_list(.allowed)
    )]
    StageNotAllowed {
        /// The stage.
        stage: Stage,
        /// Which are.
        allowed: Vec<Stage>,
    },
    /// One of its hooks may run for too long.
    #[error(
        "{stage}[{index}], line {line}, may run for {seconds} s, but those that pods pick for at most {most} s",
        seconds = .timeout.seconds(), most = .most.seconds()
    )]
    TimeoutTooLong {
        /// The stage of the hook.
        stage: Stage,
        /// Its index in the stage's list, from 0.
        index: usize,
        /// Its line in the hook-spec.
        line: usize,
        /// How long it may run, by itself or by the configured default.
        timeout: Timeout,
        /// How long it might.
        most: Timeout,
    },
}

/// What to do about a name that no hook-spec has.
fn advice(name: &str) -> String {
    match name.strip_suffix(".json") {
        Some(meant) => format!("write {}: its .json is added", shown(meant)),
        None => {
            let file = format!("{name}.json");
            format!(
                "ask who runs the node to put {} there, or pick another",
                shown(&file)
            )
        }
    }
}
