//! What `run` is asked of the host if it lives in a pod.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::task::{JoinHandle, spawn_blocking};

use super::complain::with_causes;
use crate::bounded::answered;
use crate::config::ConfigSource;
use crate::daemon::{OciHooks, RunnerProgram};
use crate::front;
use crate::host;
use crate::model::shown_path;
use crate::pod::{
    HookImages, IMAGES, Kept, Mirror, Needs, PodError, Program, Required, report_images, require,
};

/// How often it is looked whether a ConfigMap has changed. kubelet itself takes a minute.
const LOOK: Duration = Duration::from_secs(5);

/// Where a pod puts the program on its node.
const PROGRAM: &str = "/usr/local/bin/nri-oci-hooks";

/// How a daemon lives in a pod.
#[derive(Debug, Args)]
#[command(next_help_heading = "In a pod")]
pub struct PodArgs {
    /// Enter the host: its files are seen, and hooks run on it. Takes a privileged pod with hostPID
    /// that has the directory of the NRI socket mounted under its own path
    #[arg(long)]
    enter_host: bool,

    /// Where this program is put on the host, to run hooks
    #[arg(long, value_name = "PATH", default_value = PROGRAM, requires = "enter_host")]
    host_program: PathBuf,

    /// Have the runtime create no container without this daemon once it is restarted: puts the drop-in of required
    /// plugins on the host. Without the option, one that a pod has put there is removed
    #[arg(long, requires = "enter_host")]
    require: bool,

    /// Directory, as a ConfigMap is mounted, whose files are kept in that of the configuration
    #[arg(long, value_name = "DIR")]
    files_from: Option<PathBuf>,

    /// Directory in which `hand-over` has put images: their programs are put on the host, and replace those of earlier
    /// pods
    #[arg(long, value_name = "DIR")]
    hook_images_from: Option<PathBuf>,

    /// Where the programs of images are put on the host: hook-specs name DIR/NAME/current/PROGRAM
    #[arg(long, value_name = "DIR", default_value = IMAGES)]
    hook_images_dir: PathBuf,
}

/// A daemon that is where it belongs.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) runner: RunnerProgram,
    pub(super) files: PodFiles,
}

/// What a daemon brings from its pod to the host.
#[derive(Debug)]
pub(super) struct PodFiles {
    /// And where it is to be put.
    program: Option<(Program, PathBuf)>,
    images: Option<HookImages>,
    mirror: Option<Mirror>,
    /// Whether the runtime is to create no container without the plugin of this name; `None` until it is known and
    /// outside of a pod.
    required: Option<Option<String>>,
    /// The daemon's configuration, by which its files are judged.
    config: ConfigSource,
}

/// Files that are being put on the host.
type Putting = JoinHandle<(PodFiles, anyhow::Result<()>)>;

impl PodArgs {
    /// The words for a daemon in the same pod that leaves the host's files to this process.
    pub(super) fn words(&self) -> Vec<String> {
        let program = self.host_program.to_string_lossy().into_owned();
        let words = ["--enter-host".to_owned(), "--host-program".to_owned(), program];
        words
            .into_iter()
            .chain(self.require.then(|| "--require".to_owned()))
            .collect()
    }

    /// Where this program is put on the host.
    pub(super) fn host_program(&self) -> &Path {
        &self.host_program
    }

    /// Goes where the daemon belongs. To be called while this process has one thread.
    ///
    /// # Errors
    /// The pod is not what it must be.
    pub(super) fn arrive(
        &self,
        nri_socket: &Path,
        name: &str,
        config: ConfigSource,
    ) -> anyhow::Result<Arrived> {
        let to = Path::new(&**config.path()).parent().unwrap_or(Path::new("/"));
        let mirror = self.files_from.as_ref().map(|from| Mirror::open(from, to));
        let mirror = mirror.transpose()?;
        let from = self.hook_images_from.as_deref();
        // Without images, only a pod on the host may have to remove those of earlier ones.
        let images =
            (from.is_some() || self.enter_host).then(|| HookImages::open(from, &self.hook_images_dir));
        let images = images.transpose()?;
        if !self.enter_host {
            let (runner, program) = (RunnerProgram::this()?, None);
            let files = PodFiles {
                program,
                images,
                mirror,
                required: None,
                config,
            };
            return Ok(Arrived { runner, files });
        }
        let program = Some((Program::open()?, self.host_program.clone()));
        host::enter_mounts(nri_socket.parent().unwrap_or(Path::new("/")))?;
        if let Some(link) = front::link() {
            link.entered_host()?;
        }
        Ok(Arrived {
            runner: RunnerProgram::on_host(self.host_program.clone()),
            files: PodFiles {
                program,
                images,
                mirror,
                required: Some(self.require.then(|| name.to_owned())),
                config,
            },
        })
    }
}

impl PodFiles {
    /// Puts them on the host, and keeps them there as the pod has them, for ever. Returns when they are there for the
    /// first time; after `limit`, or when a file system does not answer, that is done behind.
    ///
    /// # Errors
    /// The host takes something not in.
    pub(super) async fn put(mut self, plugin: Arc<OciHooks>, limit: Duration) -> anyhow::Result<()> {
        if self.program.is_none() && self.mirror.is_none() && self.images.is_none() {
            return Ok(());
        }
        let mut putting: Putting = spawn_blocking(move || {
            let done = self.put_now().map(drop).map_err(anyhow::Error::from);
            (self, done)
        });
        match answered(&mut putting, limit).await {
            Some(result) => {
                let (files, done) = result?;
                done?;
                tokio::spawn(files.keep(plugin));
            }
            None => {
                tracing::error!("the host does not take the pod's files yet");
                tokio::spawn(PodFiles::put_late(putting, plugin));
            }
        }
        Ok(())
    }

    /// Puts them on the host now, and the program unless that was done before. Returns whether the daemon has something
    /// new to look at. Blocks.
    ///
    /// # Errors
    /// The host takes something not in.
    pub(super) fn put_now(&mut self) -> Result<bool, PodError> {
        if let Some((program, path)) = &mut self.program {
            program.put(path)?;
            self.program = None;
        }
        if let Some(name) = &self.required {
            match require(name.as_deref()) {
                Ok(required) => tell_required(&required),
                // Hooks matter more.
                Err(error) => {
                    tracing::error!(%error, "the drop-in of required plugins is not as it is to be")
                }
            }
            self.required = None;
        }
        self.refresh()
    }

    /// As [`PodFiles::put_now`], of what may change: the images, and then the files, which name their programs.
    fn refresh(&mut self) -> Result<bool, PodError> {
        let mut is_anew = false;
        if let Some(images) = &mut self.images {
            is_anew = images.put(|| Needs::now(&self.config));
            report_images(directory(&self.config), &images.errors())?;
        }
        if let Some(mirror) = &mut self.mirror {
            is_anew |= mirror.refresh(&self.config)? == Kept::Anew;
        }
        Ok(is_anew)
    }

    /// The directory of the daemon's configuration.
    pub(super) fn directory(&self) -> &Path {
        directory(&self.config)
    }

    async fn put_late(putting: Putting, plugin: Arc<OciHooks>) {
        let Ok((files, done)) = putting.await else {
            return tracing::error!("the pod's files are not on the host: restart the daemon");
        };
        match done {
            Ok(()) => tracing::info!("the host has the pod's files now"),
            Err(error) => {
                tracing::error!(
                    error = with_causes(&error),
                    "the host has not all files of the pod"
                )
            }
        }
        let reloading = plugin.clone();
        // It logs what comes of it.
        let _ = spawn_blocking(move || reloading.reload()).await;
        files.keep(plugin).await;
    }

    /// Keeps them on the host as the pod has them, for ever.
    async fn keep(mut self, plugin: Arc<OciHooks>) {
        let mut told = String::new();
        loop {
            tokio::time::sleep(LOOK).await;
            // Disks are slow, and events wait for this thread.
            let reloading = plugin.clone();
            let looked = spawn_blocking(move || {
                let kept = self.refresh();
                if matches!(kept, Ok(true)) {
                    reloading.reload();
                }
                (self, kept)
            });
            let Ok((back, kept)) = looked.await else {
                return tracing::error!("the pod's files are kept on the host no more: restart the daemon");
            };
            self = back;
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
}

/// Where the daemon's configuration is.
fn directory(config: &ConfigSource) -> &Path {
    Path::new(&**config.path()).parent().unwrap_or(Path::new("/"))
}

fn tell_required(required: &Required) {
    match required {
        Required::AsItWas => {}
        Required::Changed(path) => tracing::warn!(
            path = %shown_path(path),
            "the drop-in of required plugins has changed: restart the runtime, which reads it only then"
        ),
        Required::Foreign(path) => tracing::warn!(
            path = %shown_path(path),
            "this drop-in of required plugins is not from a pod, and stays as it is"
        ),
        Required::Impossible => tracing::warn!(
            "no runtime of this node knows required plugins: it takes containerd 2.2 or CRI-O 1.34"
        ),
    }
}
