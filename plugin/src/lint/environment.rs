//! `env` is a hook's whole environment. Without `PATH`, its program finds no other program by name.

use super::lints::Linted;
use crate::diagnostic::{Diagnostic, Rule};

/// One warning for each hook that has an environment without `PATH`.
pub(super) fn lint<'l>(linted: &'l Linted<'_>) -> impl Iterator<Item = Diagnostic> + 'l {
    let lacks_path =
        |env: &Vec<String>| !env.is_empty() && !env.iter().any(|entry| entry.starts_with("PATH="));
    let hooks = linted.hooks();
    let without = hooks.filter(move |at| at.hook.env.as_ref().is_some_and(lacks_path));
    without.map(|at| {
        let message =
            "has no PATH, and the hook gets no other variables: its program cannot find others by name";
        let help = "add \"PATH=/usr/sbin:/usr/bin:/sbin:/bin\" to env, or remove env";
        let what = (message.to_owned(), help.to_owned());
        linted.warning(at, ("env", at.places.env), Rule::EnvWithoutPath, what)
    })
}
