//! `log`: which hooks ran for which container, when, from which hook-spec, and how they ended.

mod command;
mod history;
mod show;
mod timeline;

#[cfg(test)]
mod tests;

pub(crate) use command::{LogArgs, log};
