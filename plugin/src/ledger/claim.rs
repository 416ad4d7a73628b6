//! The claim: the right to run one stage of one container, which at most one process has at a time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;

use super::checksum::{self, Format};
use super::notification;
use super::{LedgerError, Line, Outcome, Output, Record, StageResult, Trigger};
use crate::model::{ResolvedHook, Timestamp};

/// The maximum number of bytes of output of all hooks of one stage in its record.
const MAX_STAGE_OUTPUT: usize = 1024 * 1024;

/// The number of bytes of a hook's stderr that are recorded beyond that maximum.
const MIN_STDERR: usize = 256;

/// The result of a request for a claim.
#[derive(Debug)]
pub enum Claimed {
    /// The claim to run or continue the stage.
    Ours(Claim),
    /// The stage is over.
    Over(StageResult),
}

/// The right to run a stage. It is the lock on the stage's record, and ends with the last process that holds
/// the file. So a killed runner leaves no claim.
///
/// A child made by `fork` shares it.
#[derive(Debug)]
pub struct Claim {
    file: File,
    path: PathBuf,
    format: Format,
    /// The record from the last hook that began: a stage may have tens of thousands.
    record: Record,
    /// The number of bytes of output in the record.
    output_bytes: usize,
}

impl Claim {
    /// Makes a claim of `file`, the record at `path`, whose lock is held. A hook that began and has no
    /// recorded end was interrupted: a process that holds the lock records both.
    pub(super) fn of(
        mut file: File,
        path: PathBuf,
        format: Format,
        by: Trigger,
    ) -> Result<Claimed, LedgerError> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.read_to_end(&mut bytes))
            .map_err(LedgerError::io("read", &path))?;
        let record = Record::parse(&bytes, format).map_err(|damage| LedgerError::damaged(&path, damage))?;
        if let Some(result) = record.finished() {
            return Ok(Claimed::Over(result.clone()));
        }
        let output_bytes = record.lines.iter().map(Line::output).sum();
        let mut claim = Claim {
            file,
            path,
            format,
            record: record.of_last_run(),
            output_bytes,
        };
        let at = Timestamp::now();
        let runner = std::process::id();
        claim.append(Line::Claimed { by, runner, at })?;
        if let Some(hook) = claim.record.open() {
            claim.ended(hook, Outcome::Interrupted, Output::default(), Output::default())?;
        }
        Ok(Claimed::Ours(claim))
    }

    /// The record from the last hook that began.
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Records that a hook begins. A hook that is not on record must not run.
    ///
    /// # Errors
    /// It could not be written: the disk is full.
    pub fn began(&mut self, index: usize, hook: &ResolvedHook) -> Result<(), LedgerError> {
        self.append(Line::Began {
            hook: index,
            path: hook.path.clone(),
            file: hook.source.file.to_string(),
            line: hook.source.line,
            may_fail: !hook.on_failure.is_fail(),
            at: Timestamp::now(),
        })
    }

    /// Records the end of a hook. At most 1 MiB of output of all hooks of the stage is recorded; the rest is
    /// left out.
    ///
    /// # Errors
    /// It could not be written.
    pub fn ended(
        &mut self,
        hook: usize,
        outcome: Outcome,
        mut stdout: Output,
        mut stderr: Output,
    ) -> Result<(), LedgerError> {
        let left = MAX_STAGE_OUTPUT.saturating_sub(self.output_bytes);
        if stdout.len() + stderr.len() > left {
            // Messages show the end of stderr.
            stderr = stderr.shortened(MIN_STDERR);
            stdout = stdout.shortened(0);
        }
        self.append(Line::Ended {
            hook,
            outcome,
            stdout,
            stderr,
            at: Timestamp::now(),
        })
    }

    /// Adds a line that another process with this claim has written.
    pub(crate) fn received(&mut self, line: Line) {
        self.output_bytes += line.output();
        if matches!(line, Line::Began { .. }) {
            self.record.lines.clear();
        }
        self.record.lines.push(line);
    }

    /// Records that the stage is over, notifies the daemon, and releases the claim.
    ///
    /// # Errors
    /// It could not be written.
    pub fn finish(mut self, result: StageResult) -> Result<StageResult, LedgerError> {
        let at = Timestamp::now();
        self.append(Line::Finished {
            result: result.clone(),
            at,
        })?;
        notification::notify(&self.path);
        Ok(result)
    }

    fn append(&mut self, line: Line) -> Result<(), LedgerError> {
        checksum::append(&self.file, &line, self.format).map_err(LedgerError::io("write", &self.path))?;
        self.received(line);
        Ok(())
    }
}

impl AsRawFd for Claim {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}
