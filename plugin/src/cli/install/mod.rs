//! `install` and `uninstall`: the daemon in place on a node, or gone from it.

mod command;
#[cfg(test)]
mod tests;

pub use command::{InstallArgs, UninstallArgs, install, uninstall};
