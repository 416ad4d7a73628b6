//! The daemon's status, as it is written and read.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use containerd_nri::{FailurePolicy, RuntimeInfo};
use serde::{Deserialize, Serialize};

use crate::daemon::{ConfiguredBy, WithoutHooks};
use crate::front::Report;
use crate::model::{Origin, Timestamp, escaped};
use crate::select::{ImageProgram, LoadedSpec};
use crate::trust::access::Unanswered;

/// The daemon's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The version of the daemon's program.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Whether it is in a pod.
    #[serde(default)]
    pub is_in_pod: bool,
    /// The start of the daemon.
    pub since: Timestamp,
    /// The reasons why it is not ready; empty if it is.
    pub not_ready: Vec<String>,
    /// The files of which an older version is active; empty if the content of every file is active.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded: Vec<String>,
    /// The connection to the runtime.
    pub connection: Connection,
    /// The source of its configuration.
    pub configured_by: ConfiguredBy,
    /// The time when that was applied; absent if there is none, and from an earlier release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configured_at: Option<Timestamp>,
    /// The way in which hooks run.
    pub delivery: String,
    /// The path of the ledger, even if there is none.
    pub state_dir: String,
    /// The reason why there is no ledger; absent if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_ledger: Option<String>,
    /// The active files that need no selection. 0.1.0 had another name for them.
    #[serde(alias = "in_force")]
    pub active: Vec<ActiveFile>,
    /// The files that have changed since, which the daemon applies at the next container. The client determines them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub newer: Vec<String>,
    /// The errors of the configuration, the default hook-spec and hooks.d. 0.1.0 had another name for them.
    #[serde(alias = "mistakes")]
    pub errors: Vec<String>,
    /// The errors of hook-specs that pods may select.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalid_specs: Vec<String>,
    /// The programs of valid hook-specs that are from images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_programs: Vec<ImageProgram>,
    /// File systems that do not answer: containers that need one are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unanswered: Vec<UnansweredPath>,
    /// The runtime handlers that run no OCI hooks; the name of the default one is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unhooked_handlers: Vec<String>,
    /// The containers that lack their hooks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_hooks: Vec<WithoutHooks>,
    /// The events since the front of the daemon began; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front: Option<Report>,
    /// The last error; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
}

/// The connection to the runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The time since which the runtime has the plugin; absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<Timestamp>,
    /// Whether the runtime has sent its containers.
    pub synchronized: bool,
    /// The runtime's name of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Its version, in any form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_version: Option<String>,
    /// Its NRI version, which runtimes send since NRI 0.12.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nri_version: Option<String>,
    /// The runtime's action if the daemon does not answer, by its NRI version and the policy that the daemon
    /// declared. Absent if the runtime does not have the plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_silence: Option<OnSilence>,
    /// The time and reason of the loss of the connection; absent unless it is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<LastError>,
}

/// The runtime's action for a container for which the daemon does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnSilence {
    /// The container is refused.
    Refuse,
    /// `failure_policy` is `ignore`, and the runtime obeys it: the container is created without its hooks.
    Ignore,
    /// The runtime knows no failure policy: the container is created without its hooks, and so are all others
    /// until the daemon is connected again.
    LetThrough,
}

impl OnSilence {
    fn of(runtime: &RuntimeInfo, policy: FailurePolicy) -> OnSilence {
        match (runtime.honours_failure_policy(), policy.fail_request) {
            (true, true) => OnSilence::Refuse,
            (true, false) => OnSilence::Ignore,
            (false, _) => OnSilence::LetThrough,
        }
    }
}

/// An error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// The time of the error.
    pub(crate) at: Timestamp,
    /// The error itself.
    pub(crate) text: String,
}

/// A path whose file system does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnansweredPath {
    /// The path that the daemon waits for.
    pub(crate) path: String,
    /// The mount point of its file system; absent if that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mount: Option<String>,
    /// The time since which it does not answer.
    pub(crate) since: Timestamp,
}

impl From<Unanswered> for UnansweredPath {
    fn from(unanswered: Unanswered) -> Self {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        UnansweredPath {
            path: text(unanswered.path),
            mount: unanswered.mount.map(text),
            since: unanswered.since.into(),
        }
    }
}

impl fmt::Display for UnansweredPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the file system of {}", escaped(&self.path))?;
        if let Some(mount) = &self.mount {
            write!(f, ", mounted at {},", escaped(mount))?;
        }
        write!(f, " has not answered since {}", self.since.to_the_millisecond())
    }
}

/// An active file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveFile {
    /// Its kind.
    pub what: String,
    /// The file, by its configured name.
    pub file: String,
    /// The digest of its active content, which the file may no longer have.
    pub digest: String,
}

impl ActiveFile {
    pub(super) fn new(origin: &Origin, spec: &LoadedSpec) -> ActiveFile {
        ActiveFile {
            what: match origin {
                Origin::HooksD => "hooks.d",
                _ => "default hook-spec",
            }
            .to_owned(),
            file: spec.file().to_string(),
            digest: spec.digest().to_string(),
        }
    }
}

/// The time in which a runtime must send its containers. After that, the status reports it.
const SYNCHRONIZE_TIMEOUT: Duration = Duration::from_secs(5);

impl Connection {
    /// Whether the runtime has the plugin, and does not send its containers.
    pub(crate) fn is_stuck(&self) -> bool {
        let waits = self.registered.filter(|_| !self.synchronized);
        waits.is_some_and(|since| Timestamp::now().since(since) >= SYNCHRONIZE_TIMEOUT)
    }

    /// A connection that the runtime has just configured.
    pub(super) fn to(runtime: &RuntimeInfo, policy: FailurePolicy) -> Connection {
        Connection {
            registered: Some(Timestamp::now()),
            synchronized: false,
            runtime: Some(runtime.name.clone()),
            runtime_version: Some(runtime.version.clone()),
            nri_version: runtime.nri_version.map(|version| version.to_string()),
            on_silence: Some(OnSilence::of(runtime, policy)),
            lost: None,
        }
    }

    /// A lost connection.
    pub(super) fn lost(reason: &dyn fmt::Display) -> Connection {
        Connection {
            lost: Some(LastError {
                at: Timestamp::now(),
                text: reason.to_string(),
            }),
            ..Connection::default()
        }
    }
}
