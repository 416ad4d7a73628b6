//! The daemon's status, as it is told and as it is read.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use containerd_nri::{FailurePolicy, RuntimeInfo};
use serde::{Deserialize, Serialize};

use crate::daemon::{ConfiguredBy, WithoutHooks};
use crate::front::Report;
use crate::model::{Origin, Timestamp, shown};
use crate::select::{ImageProgram, LoadedSpec};
use crate::trust::access::Unanswered;

/// The daemon's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Of the daemon's program.
    pub version: String,
    /// Of its process.
    pub pid: u32,
    /// Whether it is in a pod.
    #[serde(default)]
    pub is_in_pod: bool,
    /// When it began.
    pub since: Timestamp,
    /// Why it is not ready; empty if it is.
    pub not_ready: Vec<String>,
    /// The files of which an older version is active; empty if all is what the files say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded: Vec<String>,
    /// To the runtime.
    pub connection: Connection,
    /// Where its configuration comes from.
    pub configured_by: ConfiguredBy,
    /// When that was taken over; absent if there is none, and from an earlier release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configured_at: Option<Timestamp>,
    /// How hooks get to run.
    pub delivery: String,
    /// Where the ledger is, or would be.
    pub state_dir: String,
    /// Why there is no ledger; absent if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_ledger: Option<String>,
    /// The files in force without being picked.
    pub in_force: Vec<InForceFile>,
    /// The files that were changed since, which the daemon takes over with the next container; found by whoever asks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub newer: Vec<String>,
    /// What is wrong with the configuration, the default hook-spec and hooks.d.
    pub errors: Vec<String>,
    /// What is wrong with hook-specs that pods may select.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalid_specs: Vec<String>,
    /// The programs of valid hook-specs that are from images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_programs: Vec<ImageProgram>,
    /// File systems that do not answer: containers that need one are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unanswered: Vec<UnansweredPath>,
    /// The runtime handlers that run no OCI hooks; that of the default one is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unhooked_handlers: Vec<String>,
    /// The containers that lack the hooks that they should have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_hooks: Vec<WithoutHooks>,
    /// What has happened since the front of the daemon began; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front: Option<Report>,
    /// What went wrong last; absent if nothing has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
}

/// The connection to the runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Since when the runtime has the plugin; absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<Timestamp>,
    /// Whether the runtime has told its containers.
    pub synchronized: bool,
    /// What the runtime calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Its version, in any form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_version: Option<String>,
    /// Its NRI version; told since NRI 0.12.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nri_version: Option<String>,
    /// What the runtime does when the daemon does not answer, by the NRI version that it announced and the policy that
    /// the daemon declared; absent if it does not have the plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_silence: Option<OnSilence>,
    /// Since when the connection is lost, and why; absent unless it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<LastError>,
}

/// What the runtime does with a container when the daemon does not answer for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnSilence {
    /// The container is refused.
    Refuse,
    /// `failure_policy` is `ignore`, and the runtime goes by that: the container is created without its hooks.
    Ignore,
    /// The runtime knows no failure policy: the container is created without its hooks, and so are all others until
    /// the daemon is connected again.
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

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// A path whose file system does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnansweredPath {
    /// What the daemon waits for.
    pub path: String,
    /// Where its file system is mounted; absent if that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<String>,
    /// Since when.
    pub since: Timestamp,
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
        write!(f, "the file system of {}", shown(&self.path))?;
        if let Some(mount) = &self.mount {
            write!(f, ", mounted at {},", shown(mount))?;
        }
        write!(f, " has not answered since {}", self.since.to_the_millisecond())
    }
}

/// A file in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForceFile {
    /// What it is.
    pub what: String,
    /// The file, as it was named.
    pub file: String,
    /// Of its content as it is in force, which may no longer be what the file says.
    pub digest: String,
}

impl InForceFile {
    pub(super) fn new(origin: &Origin, spec: &LoadedSpec) -> InForceFile {
        InForceFile {
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

/// How long a runtime may take to tell its containers before something is the matter.
const SYNCHRONIZE_TIMEOUT: Duration = Duration::from_secs(5);

impl Connection {
    /// Whether the runtime has the plugin, and does not tell its containers.
    pub fn is_stuck(&self) -> bool {
        let waits = self.registered.filter(|_| !self.synchronized);
        waits.is_some_and(|since| Timestamp::now().since(since) >= SYNCHRONIZE_TIMEOUT)
    }

    /// One that the runtime has configured just now.
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

    /// None any more.
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
