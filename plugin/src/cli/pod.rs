//! What `run` is asked of the host if it lives in a pod.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::host;
use crate::install::PROGRAM;
use crate::plugin::{OciHooks, RunnerProgram};
use crate::pod::{Kept, Mirror, Program};

/// How often it is looked whether a ConfigMap has changed. kubelet itself takes a minute.
const LOOK: Duration = Duration::from_secs(5);

/// How a daemon lives in a pod.
#[derive(Debug, Args)]
#[command(next_help_heading = "In a pod")]
pub struct PodArgs {
    /// Enter the host: its files are seen, and hooks run on it. Takes a privileged pod with hostPID
    /// that has the folder of the NRI socket mounted under its own path
    #[arg(long)]
    enter_host: bool,

    /// Where this program is put on the host, to run hooks
    #[arg(long, value_name = "PATH", default_value = PROGRAM, requires = "enter_host")]
    host_program: PathBuf,

    /// Folder, as a ConfigMap is mounted, whose files are kept in that of the configuration
    #[arg(long, value_name = "DIR")]
    files_from: Option<PathBuf>,
}

/// A daemon that is where it belongs.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) runner: RunnerProgram,
    pub(super) mirror: Option<Mirror>,
}

impl PodArgs {
    /// Goes where the daemon belongs, and brings along what it needs there. To be called while this
    /// process has one thread.
    ///
    /// # Errors
    /// The pod is not what it must be, or the host takes something not in.
    pub(super) fn arrive(&self, nri_socket: &Path, config: &Path) -> anyhow::Result<Arrived> {
        let to = config.parent().unwrap_or(Path::new("/"));
        let mirror = self.files_from.as_ref().map(|from| Mirror::open(from, to));
        let mut mirror = mirror.transpose()?;
        let runner = match self.enter_host {
            true => self.enter(nri_socket)?,
            false => RunnerProgram::this()?,
        };
        if let Some(mirror) = &mut mirror {
            mirror.keep_up()?;
        }
        Ok(Arrived { runner, mirror })
    }

    fn enter(&self, nri_socket: &Path) -> anyhow::Result<RunnerProgram> {
        let program = Program::open()?;
        host::enter_mounts(nri_socket.parent().unwrap_or(Path::new("/")))?;
        program.put(&self.host_program)?;
        Ok(RunnerProgram::on_host(self.host_program.clone()))
    }
}

/// Keeps the files on the host as `mirror` has them, for ever.
pub(super) async fn keep_files(mut mirror: Mirror, plugin: Arc<OciHooks>) {
    let mut told = String::new();
    loop {
        tokio::time::sleep(LOOK).await;
        // Disks are slow, and events wait for this thread.
        let reloading = plugin.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let kept = mirror.keep_up();
            if matches!(kept, Ok(Kept::Anew)) {
                reloading.reload();
            }
            (mirror, kept)
        });
        let Ok((back, kept)) = looked.await else {
            return tracing::error!("the pod's files are kept on the host no more: restart the daemon");
        };
        mirror = back;
        match kept {
            Ok(_) => told.clear(),
            Err(error) => {
                let error = error.to_string();
                if error != told {
                    tracing::error!(%error, "the host has not all files as the pod has them");
                }
                told = error;
            }
        }
    }
}
