//! The runtime side of NRI itself, without a container runtime around it: the program in `tests/adaptation`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use containerd_nri::api::{
    Container, ContainerUpdate, CreateContainerResponse, LinuxResources, Message, PodSandbox,
};
use containerd_nri_testkit::RuntimeProfile;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::cache;

/// Far more than anything takes that does happen.
const LIMIT: Duration = Duration::from_secs(60);

/// An adaptation that listens. Dropping it ends it.
#[derive(Debug)]
pub struct Adaptation {
    process: Child,
    commands: Option<ChildStdin>,
    events: mpsc::UnboundedReceiver<Event>,
    /// Updates that plugins asked for and nobody has waited for yet.
    updates: Vec<Vec<ContainerUpdate>>,
    /// Whether a plugin has been taken in, or why not; not waited for yet.
    accepted: Vec<Result<(), String>>,
    directory: TempDir,
}

/// A line of its output.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    answer: Option<Answer>,
    log: String,
    updates: Option<Vec<String>>,
}

/// The result of a call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    missing: bool,
    error: String,
    response: String,
}

/// How the call of an event ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Called {
    /// The runtime goes on, after CreateContainer with these changes.
    GoesOn(Box<CreateContainerResponse>),
    /// The runtime fails what it was about.
    Fails(String),
    /// This version does not have the event.
    Missing,
}

/// The parts of an event's request.
#[derive(Debug, Clone, Copy)]
pub enum Field<'a> {
    /// The pod.
    Pod(&'a PodSandbox),
    /// The container.
    Container(&'a Container),
    /// New resources of a container or a pod.
    Resources(&'a LinuxResources),
    /// New resources for the overhead of a pod.
    Overhead(&'a LinuxResources),
}

impl Field<'_> {
    /// Its name in Go, and its binary form.
    fn encoded(self) -> Result<(&'static str, Value)> {
        let (name, bytes) = match self {
            Field::Pod(pod) => ("Pod", pod.write_to_bytes()),
            Field::Container(container) => ("Container", container.write_to_bytes()),
            Field::Resources(resources) => ("LinuxResources", resources.write_to_bytes()),
            Field::Overhead(resources) => ("OverheadLinuxResources", resources.write_to_bytes()),
        };
        Ok((name, STANDARD.encode(bytes?).into()))
    }
}

impl Adaptation {
    /// The directory in the cache with the program that speaks this profile's version of NRI.
    ///
    /// # Errors
    /// It has not been built, or no program has that version.
    pub fn program(profile: &RuntimeProfile) -> Result<PathBuf> {
        let version = profile.nri.to_string();
        let name = format!("nri-{}", version.trim_start_matches('v'));
        Ok(cache::built(&name)?.join("usr/bin/adaptation"))
    }

    /// Starts it, as the runtime that a profile describes.
    ///
    /// # Errors
    /// It has not been built, or does not start.
    pub async fn start(profile: &RuntimeProfile) -> Result<Adaptation> {
        let directory = tempfile::tempdir()?;
        let milliseconds = |limit: Duration| format!("{}ms", limit.as_millis());
        let mut process = Command::new(Self::program(profile)?)
            .arg(directory.path())
            .args([&profile.runtime_name, &profile.runtime_version])
            .arg(milliseconds(profile.registration_timeout))
            .arg(milliseconds(profile.request_timeout))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = process.stdout.take().context("it has no output")?;
        let commands = process.stdin.take();
        let (sender, events) = mpsc::unbounded_channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Ok(event) = serde_json::from_str(&line) {
                    let _ = sender.send(event);
                }
            }
        });
        let mut adaptation = Adaptation {
            process,
            commands,
            events,
            updates: Vec::new(),
            accepted: Vec::new(),
            directory,
        };
        while adaptation.event().await?.log != "started" {}
        Ok(adaptation)
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("nri.sock")
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Sets what plugins are synchronized with, and the containers whose updates fail.
    ///
    /// # Errors
    /// It has ended.
    pub async fn set_state(
        &mut self,
        pods: &[PodSandbox],
        containers: &[Container],
        failing_updates: &[&str],
    ) -> Result<()> {
        let state = json!({
            "pods": encoded(pods)?,
            "containers": encoded(containers)?,
            "failing_updates": failing_updates,
        });
        self.command(&json!({ "state": state })).await.map(drop)
    }

    /// Waits until it has taken a plugin in, or has refused it; then with what it logs.
    ///
    /// # Errors
    /// It has ended.
    pub async fn accept(&mut self) -> Result<Result<(), String>> {
        while self.accepted.is_empty() {
            self.next().await?;
        }
        Ok(self.accepted.remove(0))
    }

    /// Waits for the updates that a plugin asks for by itself.
    ///
    /// # Errors
    /// It has ended.
    pub async fn update_request(&mut self) -> Result<Vec<ContainerUpdate>> {
        while self.updates.is_empty() {
            self.next().await?;
        }
        Ok(self.updates.remove(0))
    }

    /// Calls an event of all plugins.
    ///
    /// # Errors
    /// It has ended.
    pub async fn call(&mut self, event: &str, fields: &[Field<'_>]) -> Result<Called> {
        let fields = fields.iter().map(|field| field.encoded());
        let fields: serde_json::Map<String, Value> = fields
            .map(|field| field.map(|(name, value)| (name.to_owned(), value)))
            .collect::<Result<_>>()?;
        let answer = self.command(&json!({ "call": event, "fields": fields })).await?;
        Ok(match answer {
            Answer { missing: true, .. } => Called::Missing,
            Answer { error, .. } if !error.is_empty() => Called::Fails(error),
            Answer { response, .. } if event == "CreateContainer" => {
                let response = STANDARD.decode(response)?;
                Called::GoesOn(Box::new(CreateContainerResponse::parse_from_bytes(&response)?))
            }
            Answer { .. } => Called::GoesOn(Box::default()),
        })
    }

    async fn command(&mut self, command: &Value) -> Result<Answer> {
        let commands = self.commands.as_mut().context("it has no input")?;
        commands.write_all(format!("{command}\n").as_bytes())?;
        loop {
            if let Some(answer) = self.next().await? {
                return Ok(answer);
            }
        }
    }

    /// Waits for the next event, keeps what somebody may wait for later, and returns an answer.
    async fn next(&mut self) -> Result<Option<Answer>> {
        let Event { answer, log, updates } = self.event().await?;
        // From 0.6.1 on: `plugin "10-x" connected`, `... connected and synchronized`, `failed to start ...`.
        if log.starts_with("failed to synchronize") || log.starts_with("failed to start external plugin") {
            self.accepted.push(Err(log));
        } else if log.starts_with("plugin ") && log.contains("\" connected") {
            // 0.6.1 says so also after a failed Synchronize.
            if self.accepted.last().is_none_or(Result::is_ok) {
                self.accepted.push(Ok(()));
            }
        }
        if let Some(updates) = updates {
            let decoded = updates.iter().map(|update| {
                let bytes = STANDARD.decode(update)?;
                Ok(ContainerUpdate::parse_from_bytes(&bytes)?)
            });
            self.updates.push(decoded.collect::<Result<_>>()?);
        }
        Ok(answer)
    }

    async fn event(&mut self) -> Result<Event> {
        let event = timeout(LIMIT, self.events.recv()).await.context("nothing came")?;
        event.context("the adaptation has ended")
    }
}

impl Drop for Adaptation {
    fn drop(&mut self) {
        // Both fail only if it has ended and been waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The binary forms of messages.
fn encoded(messages: &[impl Message]) -> Result<Vec<String>> {
    let encoded = messages
        .iter()
        .map(|message| Ok(STANDARD.encode(message.write_to_bytes()?)));
    encoded.collect()
}
