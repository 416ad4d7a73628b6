//! The right to run one stage of one container, which at most one process has at a time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;

use super::checksum::{self, Format};
use super::notification;
use super::{LedgerError, Line, Outcome, Output, Record, StageResult, Trigger};
use crate::model::{ResolvedHook, Timestamp};

/// How many bytes of what the hooks of one stage wrote are kept.
const OUTPUT_OF_STAGE: usize = 1024 * 1024;

/// How many bytes of a hook's stderr are kept when no more may be.
const ENOUGH: usize = 256;

/// What came of asking for a claim.
#[derive(Debug)]
pub enum Claimed {
    /// The stage is ours to run, or to go on with.
    Ours(Claim),
    /// It is over.
    Over(StageResult),
}

/// The right to run a stage. It is the lock on the stage's record: it ends when the last process
/// that holds the file is gone, however it went, so a runner that is killed leaves no claim behind.
///
/// A child made by `fork` shares it.
#[derive(Debug)]
pub struct Claim {
    file: File,
    path: PathBuf,
    format: Format,
    /// From the hook that began last on: a stage may have tens of thousands.
    record: Record,
    /// How many bytes of what hooks wrote are in the record.
    kept: usize,
}

impl Claim {
    /// Makes a claim of `file`, the record at `path`, on which the lock is held. A hook that began
    /// and of which nobody wrote that it ended was interrupted: who wrote the one would have
    /// written the other while he had the lock.
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
        let record = Record::parse(&bytes, format).map_err(|reason| LedgerError::damaged(&path, reason))?;
        if let Some(result) = record.finished() {
            return Ok(Claimed::Over(result.clone()));
        }
        let kept = record.lines.iter().map(Line::output).sum();
        let mut claim = Claim {
            file,
            path,
            format,
            record: record.of_last_run(),
            kept,
        };
        let at = Timestamp::now();
        let runner = std::process::id();
        claim.append(Line::Claimed { by, runner, at })?;
        if let Some(hook) = claim.record.open() {
            claim.ended(hook, Outcome::Interrupted, Output::default(), Output::default())?;
        }
        Ok(Claimed::Ours(claim))
    }

    /// What happened since the hook that began last did.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Writes that a hook begins. What is not on record must not run.
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

    /// Writes how a hook ended. Of what all hooks of the stage wrote at most 1 MiB is kept; what
    /// comes after that is left out.
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
        let room = OUTPUT_OF_STAGE.saturating_sub(self.kept);
        if stdout.len() + stderr.len() > room {
            // The end of stderr is what people are told.
            stderr = stderr.shortened(ENOUGH);
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

    /// Takes in a line that another process that shares this claim has written.
    pub fn heard(&mut self, line: Line) {
        self.kept += line.output();
        if matches!(line, Line::Began { .. }) {
            self.record.lines.clear();
        }
        self.record.lines.push(line);
    }

    /// Writes that the stage is over, tells the daemon, and gives the claim up.
    ///
    /// # Errors
    /// It could not be written.
    pub fn finish(mut self, result: StageResult) -> Result<StageResult, LedgerError> {
        let at = Timestamp::now();
        self.append(Line::Finished {
            result: result.clone(),
            at,
        })?;
        notification::ring(&self.path);
        Ok(result)
    }

    fn append(&mut self, line: Line) -> Result<(), LedgerError> {
        checksum::append(&self.file, &line, self.format).map_err(LedgerError::io("write", &self.path))?;
        self.heard(line);
        Ok(())
    }
}

impl AsRawFd for Claim {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}
