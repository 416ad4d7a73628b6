//! The periodic work on the host: its files, its unit.

use std::path::Path;

use crate::cli::RunArgs;
use crate::cli::pod::PodFiles;
use crate::model::bounded_list;
use crate::pod::{HostUnit, Needed, TemporaryDaemon, UnitError, refused_in};

/// The periodic work on the host. All of it blocks.
pub(super) struct Rounds {
    files: PodFiles,
    unit: HostUnit,
    /// The daemon that runs while that of the unit is replaced.
    temporary_daemon: Vec<String>,
    /// Whether the last round has requested an upgrade of the unit's program in place.
    is_upgrading: bool,
    /// The last report; empty if there was none.
    reported: String,
    refused: Vec<String>,
}

impl Rounds {
    /// Starts with no work done. Fails if a unit cannot name an option of `args`.
    pub(super) fn new(args: &RunArgs, files: PodFiles) -> Result<Rounds, UnitError> {
        let program = args.pod.host_program().to_string_lossy().into_owned();
        let mut command = vec![program];
        command.extend(args.words());
        let mut temporary_daemon = command.clone();
        temporary_daemon.extend(args.pod.words());
        Ok(Rounds {
            files,
            unit: HostUnit::new(command)?,
            temporary_daemon,
            is_upgrading: false,
            reported: String::new(),
            refused: Vec::new(),
        })
    }

    /// Brings the host's files and its unit into the state of the pod.
    ///
    /// # Errors
    /// The host does not accept a part; the next round tries again.
    pub(super) fn next(&mut self) -> Result<(), UnitError> {
        let written = self.files.put_now();
        self.report_refused();
        let has_changed = written.map_err(UnitError::Pod)?;
        if !self.unit.is_owned()? {
            return Ok(());
        }
        let was_upgrading = std::mem::take(&mut self.is_upgrading);
        match self.unit.put()? {
            Needed::Upgrade if !was_upgrading => {
                tracing::info!("the unit runs another release: upgrading it in place");
                self.is_upgrading = true;
                self.unit.reload()
            }
            Needed::Start => {
                tracing::info!("starting the unit");
                self.unit.start()
            }
            Needed::Upgrade | Needed::Replace => self.replace(),
            Needed::Nothing if has_changed => self.unit.reload(),
            Needed::Nothing => Ok(()),
        }
    }

    /// Logs an error, once.
    pub(super) fn report(&mut self, error: Option<String>) {
        let error = error.unwrap_or_default();
        if error != self.reported && !error.is_empty() {
            tracing::error!(error, "the host is not up to date; trying again");
        }
        self.reported = error;
    }

    fn replace(&self) -> Result<(), UnitError> {
        tracing::info!(
            "the unit has other options, or cannot be upgraded in place: restarting it while a temporary daemon runs in the pod"
        );
        // A replacement with a gap is better than none: the old program may be the reason for the new one.
        let temporary_daemon = TemporaryDaemon::start(&self.temporary_daemon);
        if let Err(error) = &temporary_daemon {
            tracing::warn!(%error, "restarting the unit without a temporary daemon");
        }
        let restarted = self.unit.restart();
        drop(temporary_daemon);
        restarted
    }

    /// Logs which files of the pod are refused, when that changes.
    fn report_refused(&mut self) {
        let directory = self.files.directory().to_owned();
        let refused = refused_in(Path::new(&directory)).unwrap_or_default();
        if refused != self.refused && !refused.is_empty() {
            let errors = bounded_list(&refused);
            tracing::error!(
                errors,
                "files of the pod are refused: their earlier versions stay active"
            );
        }
        self.refused = refused;
    }
}
