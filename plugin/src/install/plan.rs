//! What is to be changed, told before it is done.

use super::{InstallError, Step};

/// What is to be changed on a node, in order, and what is left to whoever asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The changes.
    pub steps: Vec<Step>,
    /// What is to be done afterwards: commands, a line each.
    pub afterwards: Vec<String>,
    /// What is left as it is, and why.
    pub left: Vec<String>,
}

impl Plan {
    /// The changes that are not done yet.
    pub fn open(&self) -> Vec<&Step> {
        self.steps.iter().filter(|step| !step.is_done()).collect()
    }

    /// Does them.
    ///
    /// # Errors
    /// One fails; those before it are done.
    pub fn execute(&self) -> Result<(), InstallError> {
        self.steps.iter().try_for_each(Step::execute)
    }
}
