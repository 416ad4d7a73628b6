//! Whether the conditions of hooks.d files hold for one container.

use std::collections::HashMap;

use super::deadline::{Deadline, Overdue};
use super::{Subject, Unknown};
use crate::spec::{Pattern, When};

/// The maximum length of a command that is matched: the kernel executes no longer path.
const LONGEST_COMMAND: usize = 4095;

/// Matches conditions against one container. It caches the result of each pattern, because files have many in
/// common.
pub(super) struct Conditions<'c> {
    subject: &'c Subject<'c>,
    deadline: Deadline,
    /// The container's annotations overlaid by the pod's.
    annotations: Vec<(&'c str, &'c str)>,
    /// Whether an annotation matches a pattern of keys and one of values.
    some_annotation: HashMap<(&'c str, &'c str), bool>,
    /// Whether the command matches a pattern.
    this_command: HashMap<&'c str, bool>,
}

impl<'c> Conditions<'c> {
    pub(super) fn of(subject: &'c Subject<'c>, deadline: Deadline) -> Self {
        let of_pod = subject.annotations.iter();
        let of_container = subject.container_annotations.iter();
        let not_overlaid = of_container.filter(|(key, _)| !subject.annotations.contains_key(*key));
        Conditions {
            subject,
            deadline,
            annotations: of_pod
                .chain(not_overlaid)
                .map(|(key, value)| (&**key, &**value))
                .collect(),
            some_annotation: HashMap::new(),
            this_command: HashMap::new(),
        }
    }

    /// Whether all conditions that are set hold.
    pub(super) fn hold(&mut self, when: &'c When) -> Result<bool, Overdue> {
        Ok(self.always(when) && self.bind_mounts(when) && self.commands(when)? && self.annotations(when)?)
    }

    /// The keys of the conditions that do not hold.
    pub(super) fn unmet(&mut self, when: &'c When) -> Result<Vec<&'static str>, Overdue> {
        let conditions = [
            ("always", self.always(when)),
            ("hasBindMounts", self.bind_mounts(when)),
            ("annotations", self.annotations(when)?),
            ("commands", self.commands(when)?),
        ];
        let unmet = conditions.into_iter().filter(|(_, holds)| !holds);
        Ok(unmet.map(|(key, _)| key).collect())
    }

    /// Whether the condition `key`, which does not hold by the known facts, may hold by the `unknown` ones.
    pub(super) fn may_hold(&self, key: &str, when: &When, unknown: &Unknown) -> bool {
        match key {
            "commands" => unknown.command,
            "annotations" => when.annotations.iter().all(|(name, value)| {
                self.has_annotation(name, value).unwrap_or(true)
                    || unknown.annotations.iter().any(|unknown| name.is_match(unknown))
            }),
            _ => false,
        }
    }

    fn always(&self, when: &When) -> bool {
        when.always.unwrap_or(true)
    }

    fn bind_mounts(&self, when: &When) -> bool {
        when.has_bind_mounts
            .is_none_or(|wanted| wanted && self.subject.has_bind_mounts)
    }

    fn commands(&mut self, when: &'c When) -> Result<bool, Overdue> {
        let command = self.subject.command.filter(|path| path.len() <= LONGEST_COMMAND);
        let Some(command) = command else {
            return Ok(when.commands.is_empty());
        };
        for pattern in &when.commands {
            self.deadline.check()?;
            let known = self.this_command.entry(pattern.as_str());
            if *known.or_insert_with(|| pattern.is_match(command)) {
                return Ok(true);
            }
        }
        Ok(when.commands.is_empty())
    }

    fn annotations(&mut self, when: &'c When) -> Result<bool, Overdue> {
        for (key, value) in &when.annotations {
            let pair = (key.as_str(), value.as_str());
            let is_there = match self.some_annotation.get(&pair) {
                Some(known) => *known,
                None => self.has_annotation(key, value)?,
            };
            self.some_annotation.insert(pair, is_there);
            if !is_there {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn has_annotation(&self, key: &Pattern, value: &Pattern) -> Result<bool, Overdue> {
        for (name, text) in &self.annotations {
            self.deadline.check()?;
            if key.is_match(name) && value.is_match(text) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
