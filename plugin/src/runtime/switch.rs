//! The changes that switch NRI on and off: the drop-in, and the main file if it must import the drop-in.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::RuntimeError;
use super::containerd::{self, IMPORT, MAIN, drop_in, with_import, without_import};
use super::error::EditError;
use super::seal::{is_sealed, sealed};
use crate::model::{PathError, escaped, escaped_path};
use crate::node::{InstalledRuntime, Node, UnknownRuntime, installed_runtime};
use crate::write::{back_up, backups, put, replace};

const CRIO_DROP_IN: &str = "/etc/crio/crio.conf.d/50-nri-oci-hooks.conf";
const CRIO: &str = include_str!("../../../deploy/crio/crio.conf");

/// The node and runtime whose configuration is to be changed.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The node.
    pub(crate) node: Node,
    /// The runtime; `None` for the installed one.
    pub(crate) runtime: Option<InstalledRuntime>,
}

/// One change to a file. Each is made as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Writes a file of this program.
    Write {
        /// The path.
        path: PathBuf,
        /// The text.
        text: String,
    },
    /// Changes a file of the administrator. Its mode and owner stay, and a backup is kept.
    Edit {
        /// The path.
        path: PathBuf,
        /// The new text.
        text: String,
    },
    /// Restores a file of the administrator, and removes the backup.
    Restore {
        /// The path.
        path: PathBuf,
        /// The backup.
        backup: PathBuf,
    },
    /// Removes a file of this program, and its directory if that is empty then.
    Remove {
        /// The path.
        path: PathBuf,
    },
}

/// The planned changes, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The changes; none if the files are already as requested.
    pub(crate) changes: Vec<Change>,
    /// Notes for the user, one line each.
    pub(crate) notes: Vec<String>,
    /// The unit of the runtime, which reads its configuration when it starts.
    pub(crate) service: &'static str,
}

/// The plan that switches NRI on.
///
/// # Errors
/// There is no runtime, or a file cannot be changed safely.
pub(crate) fn enable(target: &Target) -> Result<Plan, RuntimeError> {
    let node = &target.node;
    let runtime = runtime(target)?;
    let mut plan = plan_for(runtime);
    let format = match runtime {
        InstalledRuntime::Crio => {
            plan.changes.extend(write(node.real(CRIO_DROP_IN), CRIO)?);
            return Ok(plan);
        }
        InstalledRuntime::Containerd17 => 2,
        InstalledRuntime::Containerd2 => 3,
    };
    let path = node.real(MAIN);
    let there = read(&path)?;
    let text = there.clone().unwrap_or_default();
    let edited = with_import(node, &text, format).map_err(refused(&path))?;
    let main = edited.as_deref().unwrap_or(&text);
    let drop_in = drop_in(node, runtime, main).map_err(refused(&path))?;
    plan.changes
        .extend(write(node.real(containerd::DROP_IN), &drop_in.text)?);
    plan.changes.extend(edited.map(|text| match there {
        Some(_) => Change::Edit { path, text },
        None => Change::Write { path, text },
    }));
    plan.notes.extend(
        drop_in
            .kept
            .into_iter()
            .map(|kept| format!("{kept} still applies")),
    );
    let socket = drop_in
        .socket
        .filter(|socket| socket != containerd_nri::DEFAULT_SOCKET);
    plan.notes
        .extend(socket.map(|socket| format!("start the daemon with --nri-socket {}", escaped(&socket))));
    Ok(plan)
}

/// The plan that undoes [`enable`].
///
/// # Errors
/// There is no runtime, or a file cannot be changed safely.
pub(crate) fn disable(target: &Target) -> Result<Plan, RuntimeError> {
    let node = &target.node;
    let runtime = runtime(target)?;
    let mut plan = plan_for(runtime);
    if runtime == InstalledRuntime::Crio {
        plan.changes.extend(remove(node.real(CRIO_DROP_IN), CRIO)?);
        return Ok(plan);
    }
    let path = node.real(MAIN);
    // This is first: an import without a file is harmless, and so is a drop-in without an import.
    if let Some(text) = read(&path)? {
        let ours = |format| with_import(node, "", format).ok().flatten();
        let made = |backup: &PathBuf| {
            let before = fs::read_to_string(backup).unwrap_or_default();
            !before.is_empty() && with_import(node, &before, 3).ok().flatten().as_deref() == Some(&text)
        };
        let backup = backups(&path).into_iter().rfind(made);
        let without = without_import(&text).map_err(refused(&path))?;
        plan.changes.extend(match (backup, without) {
            (Some(backup), _) => Some(Change::Restore { path, backup }),
            _ if [2, 3].map(ours).contains(&Some(text.clone())) => Some(Change::Remove { path }),
            (None, Some(text)) => Some(Change::Edit { path, text }),
            (None, None) => None,
        });
    }
    let template = drop_in(node, runtime, "").map_err(refused(&node.real(MAIN)))?;
    plan.changes
        .extend(remove(node.real(containerd::DROP_IN), &template.text)?);
    Ok(plan)
}

fn runtime(target: &Target) -> Result<InstalledRuntime, RuntimeError> {
    let root = || target.node.path("/");
    match target.runtime {
        Some(runtime) => Ok(runtime),
        None => installed_runtime(&target.node).map_err(|why| match why {
            UnknownRuntime::NoRuntime => RuntimeError::NoRuntime(root()),
            UnknownRuntime::WhichContainerd => RuntimeError::WhichContainerd(root()),
        }),
    }
}

fn plan_for(runtime: InstalledRuntime) -> Plan {
    Plan {
        service: match runtime {
            InstalledRuntime::Crio => "crio",
            _ => "containerd",
        },
        ..Plan::default()
    }
}

fn refused(path: &Path) -> impl FnOnce(EditError) -> RuntimeError {
    let path = path.to_owned();
    move |reason| RuntimeError::Main {
        path,
        reason,
        import: IMPORT,
    }
}

/// A file's text; `None` if there is no file.
fn read(path: &Path) -> Result<Option<String>, RuntimeError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PathError::io("read", path)(error).into()),
    }
}

/// The drop-in, unless it exists with this text.
fn write(path: PathBuf, text: &str) -> Result<Option<Change>, RuntimeError> {
    let there = ours(&path, text)?;
    let text = sealed(text);
    Ok((there.as_ref() != Some(&text)).then_some(Change::Write { path, text }))
}

fn remove(path: PathBuf, text: &str) -> Result<Option<Change>, RuntimeError> {
    Ok(ours(&path, text)?.map(|_| Change::Remove { path }))
}

/// The existing drop-in, if any. A copy of the package's file, made by hand, counts too.
fn ours(path: &Path, text: &str) -> Result<Option<String>, RuntimeError> {
    match read(path)? {
        Some(there) if !is_sealed(&there) && there != text => Err(RuntimeError::NotOurs(path.to_owned())),
        there => Ok(there),
    }
}

impl Plan {
    /// Makes the changes.
    ///
    /// # Errors
    /// One fails; those before it are made.
    pub(crate) fn execute(&self) -> Result<(), RuntimeError> {
        self.changes.iter().try_for_each(|change| Ok(change.make()?))
    }
}

impl Change {
    fn make(&self) -> Result<(), PathError> {
        match self {
            Change::Write { path, text } => put(path, text.as_bytes(), 0o644),
            Change::Edit { path, text } => {
                back_up(path)?;
                replace(path, text.as_bytes())
            }
            Change::Restore { path, backup } => {
                let before = fs::read(backup).map_err(PathError::io("read", backup))?;
                replace(path, &before)?;
                fs::remove_file(backup).map_err(PathError::io("remove", backup))
            }
            Change::Remove { path } => {
                fs::remove_file(path).map_err(PathError::io("remove", path))?;
                // The directory stays if it is not empty.
                let _ = path.parent().map(fs::remove_dir);
                Ok(())
            }
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Write { path, .. } => write!(f, "write {}", escaped_path(path)),
            Change::Edit { path, .. } => {
                write!(f, "change imports in {}, and keep a backup", escaped_path(path))
            }
            Change::Restore { path, backup } => {
                write!(f, "restore {} from {}", escaped_path(path), escaped_path(backup))
            }
            Change::Remove { path } => write!(f, "remove {}", escaped_path(path)),
        }
    }
}
