//! Whether the conditions of hooks.d files hold for one container.

use std::collections::HashMap;

use super::{Budget, Overspent, Subject};
use crate::spec::{Pattern, When};

/// Longest command that is held against a pattern: the kernel executes no longer path.
const LONGEST_COMMAND: usize = 4095;

/// How many steps it costs to remember that an annotation matches: as many as bound the memory for
/// that to some megabytes.
const STEPS_TO_REMEMBER: u64 = 32;

/// Holds conditions against one container. What it has found out of a pattern it remembers: files
/// have many in common.
pub(super) struct Conditions<'c> {
    subject: &'c Subject<'c>,
    /// The annotations whose key matches a pattern.
    of_key: HashMap<&'c str, Vec<(&'c str, &'c str)>>,
    /// Whether there is an annotation for a pattern of keys and one of values.
    some_annotation: HashMap<(&'c str, &'c str), bool>,
    /// Whether the command matches a pattern.
    this_command: HashMap<&'c str, bool>,
}

impl<'c> Conditions<'c> {
    pub(super) fn of(subject: &'c Subject<'c>) -> Self {
        Conditions {
            subject,
            of_key: HashMap::new(),
            some_annotation: HashMap::new(),
            this_command: HashMap::new(),
        }
    }

    /// Whether all conditions that are set hold.
    pub(super) fn hold(&mut self, when: &'c When, budget: &mut Budget) -> Result<bool, Overspent> {
        Ok(self.always(when)
            && self.bind_mounts(when)
            && self.commands(when, budget)?
            && self.annotations(when, budget)?)
    }

    /// The keys of the conditions that do not hold.
    pub(super) fn unmet(
        &mut self,
        when: &'c When,
        budget: &mut Budget,
    ) -> Result<Vec<&'static str>, Overspent> {
        let judged = [
            ("always", self.always(when)),
            ("hasBindMounts", self.bind_mounts(when)),
            ("annotations", self.annotations(when, budget)?),
            ("commands", self.commands(when, budget)?),
        ];
        let unmet = judged.into_iter().filter(|(_, holds)| !holds);
        Ok(unmet.map(|(key, _)| key).collect())
    }

    fn always(&self, when: &When) -> bool {
        when.always.unwrap_or(true)
    }

    fn bind_mounts(&self, when: &When) -> bool {
        when.has_bind_mounts
            .is_none_or(|wanted| wanted && self.subject.has_bind_mounts)
    }

    fn commands(&mut self, when: &'c When, budget: &mut Budget) -> Result<bool, Overspent> {
        let command = self.subject.command.filter(|path| path.len() <= LONGEST_COMMAND);
        let Some(command) = command else {
            return Ok(when.commands.is_empty());
        };
        for pattern in &when.commands {
            let known = self.this_command.get(pattern.as_str()).copied();
            let is_match = match known {
                Some(known) => known,
                None => is_match(pattern, command, budget)?,
            };
            self.this_command.insert(pattern.as_str(), is_match);
            if is_match {
                return Ok(true);
            }
        }
        Ok(when.commands.is_empty())
    }

    fn annotations(&mut self, when: &'c When, budget: &mut Budget) -> Result<bool, Overspent> {
        for (key, value) in &when.annotations {
            let pair = (key.as_str(), value.as_str());
            let is_there = match self.some_annotation.get(&pair) {
                Some(known) => *known,
                None => self.has_annotation(key, value, budget)?,
            };
            self.some_annotation.insert(pair, is_there);
            if !is_there {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn has_annotation(
        &mut self,
        key: &'c Pattern,
        value: &Pattern,
        budget: &mut Budget,
    ) -> Result<bool, Overspent> {
        for (_, text) in self.annotations_of(key, budget)? {
            if is_match(value, text, budget)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The annotations whose key matches.
    fn annotations_of(
        &mut self,
        key: &'c Pattern,
        budget: &mut Budget,
    ) -> Result<&[(&'c str, &'c str)], Overspent> {
        let annotations = self.subject.annotations;
        if !self.of_key.contains_key(key.as_str()) {
            let mut found = Vec::new();
            match key.only_match() {
                Some(name) => {
                    budget.spend(1 + name.len() as u64 / 64)?;
                    found.extend(annotations.get_key_value(name));
                }
                None => {
                    for annotation in annotations {
                        if is_match(key, annotation.0, budget)? {
                            budget.spend(STEPS_TO_REMEMBER)?;
                            found.push(annotation);
                        }
                    }
                }
            }
            let found = found.into_iter().map(|(name, value)| (&**name, &**value));
            self.of_key.insert(key.as_str(), found.collect());
        }
        Ok(self.of_key.get(key.as_str()).map_or(&[], Vec::as_slice))
    }
}

fn is_match(pattern: &Pattern, text: &str, budget: &mut Budget) -> Result<bool, Overspent> {
    budget.spend_at_once(pattern.work(text))?;
    Ok(pattern.is_match(text))
}
