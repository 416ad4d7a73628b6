//! What is done for the host again and again: its files, its unit.

use std::path::Path;

use crate::cli::RunArgs;
use crate::cli::pod::PodFiles;
use crate::model::bounded_list;
use crate::pod::{HostUnit, Needed, StandIn, UnitError, refused_in};

/// What is done for the host again and again. All of it blocks.
pub(super) struct Rounds {
    files: PodFiles,
    unit: HostUnit,
    /// The daemon that stands in while that of the unit is replaced.
    stand_in: Vec<String>,
    /// Whether the last round has had the unit's program upgraded in place.
    is_upgrading: bool,
    /// What was reported last; empty if nothing.
    reported: String,
    refused: Vec<String>,
}

impl Rounds {
    /// Nothing is done yet. Fails if a unit cannot name an option of `args`.
    pub(super) fn new(args: &RunArgs, files: PodFiles) -> Result<Rounds, UnitError> {
        let program = args.pod.host_program().to_string_lossy().into_owned();
        let mut command = vec![program];
        command.extend(args.words());
        let mut stand_in = command.clone();
        stand_in.extend(args.pod.words());
        Ok(Rounds {
            files,
            unit: HostUnit::new(command)?,
            stand_in,
            is_upgrading: false,
            reported: String::new(),
            refused: Vec::new(),
        })
    }

    /// Has the host's files and its unit be as the pod has them.
    ///
    /// # Errors
    /// The host does not take something in; the next round tries again.
    pub(super) fn next(&mut self) -> Result<(), UnitError> {
        let kept = self.files.put_now();
        self.report_refused();
        let is_anew = kept.map_err(UnitError::Pod)?;
        if !self.unit.is_owned()? {
            return Ok(());
        }
        let was_upgrading = std::mem::take(&mut self.is_upgrading);
        match self.unit.put()? {
            Needed::Upgrade if !was_upgrading => {
                tracing::info!("the unit runs another release: the one on the host takes over in place");
                self.is_upgrading = true;
                self.unit.reload()
            }
            Needed::Start => {
                tracing::info!("the unit is started");
                self.unit.start()
            }
            Needed::Upgrade | Needed::Replace => self.replace(),
            Needed::Nothing if is_anew => self.unit.reload(),
            Needed::Nothing => Ok(()),
        }
    }

    /// Logs what went wrong, once.
    pub(super) fn report(&mut self, error: Option<String>) {
        let error = error.unwrap_or_default();
        if error != self.reported && !error.is_empty() {
            tracing::error!(error, "the host is not as the pod has it; the pod tries again");
        }
        self.reported = error;
    }

    fn replace(&self) -> Result<(), UnitError> {
        tracing::info!(
            "the unit runs with other options, or cannot be upgraded in place: it is restarted, and the pod stands in"
        );
        // It is better replaced with a gap than not at all: the old one may be why there is a new one.
        let stand_in = StandIn::start(&self.stand_in);
        if let Err(error) = &stand_in {
            tracing::warn!(%error, "the unit is restarted without a daemon that stands in");
        }
        let restarted = self.unit.restart();
        drop(stand_in);
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
                "the pod's files are refused: the versions before them stay active"
            );
        }
        self.refused = refused;
    }
}
