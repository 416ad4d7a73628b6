//! The runner's command line. It is parsed by hand, because an argument framework would take too long.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use thiserror::Error;

use crate::ledger::Trigger;
use crate::model::{DEFAULT_STATE_DIR, Stage, escaped};

/// The name of this program, which is the first argument of every runner.
pub(crate) const NAME: &str = "nri-oci-hooks";

/// The first argument that makes this program a runner.
pub const COMMAND: &str = "stage";

/// The call of a runner: `stage STAGE [--state-dir DIR] [--trigger TRIGGER] [--enter-host]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// The stage.
    pub(crate) stage: Stage,
    /// The directory of the ledger.
    pub(crate) state_dir: PathBuf,
    /// The trigger.
    pub(crate) trigger: Trigger,
    /// Whether it starts in a pod and must enter the host: its daemon runs in a pod.
    pub(crate) enter_host: bool,
}

/// A command line that is not a call of a runner.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0}; usage: nri-oci-hooks stage prestart|poststart|poststop [--state-dir DIR] [--trigger TRIGGER] \
     [--enter-host], with the container's OCI state on stdin"
)]
pub(super) struct WrongCall(String);

impl Call {
    /// Parses the arguments after the word `stage`.
    pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Call, WrongCall> {
        let mut arguments = arguments.into_iter();
        let name = arguments.next().unwrap_or_default();
        let stage = name.to_str().and_then(Stage::from_key);
        let mut call = Call {
            stage: stage
                .filter(|stage| Stage::STARTED.contains(stage))
                .ok_or_else(|| WrongCall(format!("{} is not a stage", quoted(&name))))?,
            state_dir: DEFAULT_STATE_DIR.into(),
            trigger: Trigger::Oci,
            enter_host: false,
        };
        while let Some(option) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.ok_or_else(|| WrongCall(format!("{} has no value", quoted(&option))))
            };
            match option.to_str() {
                Some("--state-dir") => call.state_dir = value()?.into(),
                Some("--trigger") => {
                    let name = value()?;
                    let trigger = name.to_string_lossy().parse();
                    call.trigger = trigger.map_err(|error| WrongCall(format!("--trigger {error}")))?;
                }
                Some("--enter-host") => call.enter_host = true,
                _ => return Err(WrongCall(format!("unknown option {}", quoted(&option)))),
            }
        }
        Ok(call)
    }

    /// The arguments of this call, the program's name first.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "nri-oci-hooks".to_owned(),
            COMMAND.into(),
            self.stage.key().into(),
        ];
        arguments.extend([
            "--state-dir".into(),
            self.state_dir.to_string_lossy().into_owned(),
        ]);
        if self.trigger != Trigger::Oci {
            arguments.extend(["--trigger".into(), self.trigger.name().into()]);
        }
        if self.enter_host {
            arguments.push("--enter-host".into());
        }
        arguments
    }
}

fn quoted(text: &OsStr) -> String {
    escaped(&text.to_string_lossy()).to_string()
}
