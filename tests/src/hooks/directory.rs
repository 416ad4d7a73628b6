//! The directory of hook programs and specs of a node, all of it trusted: root's, and writable by root alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::record::{self, Record};
use super::{Hook, HookSpec};
use crate::node::Node;
use crate::{wait, workspace};

/// The hook programs and specs of a node.
#[derive(Debug, Clone)]
pub struct Hooks {
    programs: PathBuf,
    specs: PathBuf,
}

impl Hooks {
    pub(crate) fn new(node: &Node) -> Result<Hooks> {
        Ok(Hooks {
            programs: node.make_directory("hooks")?,
            specs: node.make_directory("specs")?,
        })
    }

    /// The directory that holds the specs, to be given to the plugin as one of its `spec_dirs`.
    pub fn spec_directory(&self) -> &Path {
        &self.specs
    }

    /// Where the program of a hook of this name is.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// A hook whose program records how it was run (see [`Record`]) and succeeds.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn recorder(&self, name: &str) -> Result<Hook> {
        let program = self.programs.join(name);
        fs::copy(workspace::program("record-hook")?, &program)
            .with_context(|| format!("make hook {name}"))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        Ok(Hook::new(program))
    }

    /// A hook whose program is a shell script.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn script(&self, name: &str, body: &str) -> Result<Hook> {
        let program = self.programs.join(name);
        write(&program, &format!("#!/bin/sh\n{body}\n"), 0o755)?;
        Ok(Hook::new(program))
    }

    /// Writes a spec as `NAME.json` and returns its path.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn spec(&self, name: &str, spec: &HookSpec) -> Result<PathBuf> {
        self.raw_spec(name, &serde_json::to_string_pretty(spec)?)
    }

    /// Writes a spec as `NAME.json` that has one recorder for each of iSulad's stages, `NAME-prestart`,
    /// `NAME-poststart` and `NAME-poststop`, and returns its path.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn recording_spec(&self, name: &str) -> Result<PathBuf> {
        let spec = HookSpec::new()
            .prestart(self.recorder(&format!("{name}-prestart"))?)
            .poststart(self.recorder(&format!("{name}-poststart"))?)
            .poststop(self.recorder(&format!("{name}-poststop"))?);
        self.spec(name, &spec)
    }

    /// Writes any text as `NAME.json` and returns its path.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn raw_spec(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.specs.join(format!("{name}.json"));
        write(&file, text, 0o644)?;
        Ok(file)
    }

    /// The records of the recorders for a container, in the order in which they ran.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn records(&self, container: &str) -> Result<Vec<Record>> {
        Ok(self
            .all_records()?
            .into_iter()
            .filter(|record| record.state["id"] == container)
            .collect())
    }

    /// The records of the recorders for all containers, in the order in which they ran.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn all_records(&self) -> Result<Vec<Record>> {
        record::read(&self.programs.join(record::FILE))
    }

    /// The names of the recorders that ran for a container, in order.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn ran(&self, container: &str) -> Result<Vec<String>> {
        Ok(self
            .records(container)?
            .into_iter()
            .map(|record| record.program)
            .collect())
    }

    /// Awaits that `program` has run for a container, and returns its record.
    ///
    /// # Errors
    /// It does not within [`wait::LIMIT`].
    pub async fn await_record(&self, container: &str, program: &str) -> Result<Record> {
        wait::until(&format!("hook {program} of {container} to run"), async || {
            Ok(self
                .records(container)?
                .into_iter()
                .find(|record| record.program == program))
        })
        .await
    }
}

/// Writes a file whole or not at all, as an administrator should.
fn write(file: &Path, text: &str, mode: u32) -> Result<()> {
    let directory = file.parent().context("a file is in a directory")?;
    let mut new = tempfile::NamedTempFile::new_in(directory)?;
    std::io::Write::write_all(&mut new, text.as_bytes())?;
    fs::set_permissions(new.path(), fs::Permissions::from_mode(mode))?;
    new.into_temp_path()
        .persist(file)
        .with_context(|| format!("write {}", file.display()))
}
