//! The options of `run` in a pod.

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
use crate::model::escaped_path;
use crate::pod::{
    HookImages, IMAGES, Mirror, Needs, PodError, Program, Refreshed, Required, report_images, require,
};

/// The interval of checks for a changed ConfigMap. The kubelet itself needs a minute.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The path on the node at which a pod installs the program.
const PROGRAM: &str = "/usr/local/bin/nri-oci-hooks";

/// The options of a daemon in a pod.
#[derive(Debug, Args)]
#[command(next_help_heading = "In a pod")]
pub(crate) struct PodArgs {
    /// Enter the host: use its files, and run hooks on it. Requires a privileged pod with hostPID that mounts
    /// the directory of the NRI socket under its own path
    #[arg(long)]
    enter_host: bool,

    /// Path on the host at which to install this program, which runs the hooks
    #[arg(long, value_name = "PATH", default_value = PROGRAM, requires = "enter_host")]
    host_program: PathBuf,

    /// Install the drop-in of required plugins on the host. Once restarted, the runtime creates no container
    /// without this daemon. Without the option, a drop-in from a pod is removed
    #[arg(long, requires = "enter_host")]
    require: bool,

    /// Directory, such as a mounted ConfigMap: copy its files to the directory of the configuration
    #[arg(long, value_name = "DIR")]
    files_from: Option<PathBuf>,

    /// Directory with images from `hand-over`: install their programs on the host, in place of those of
    /// earlier pods
    #[arg(long, value_name = "DIR")]
    hook_images_from: Option<PathBuf>,

    /// Directory on the host for the programs of images; hook-specs name DIR/NAME/current/PROGRAM
    #[arg(long, value_name = "DIR", default_value = IMAGES)]
    hook_images_dir: PathBuf,
}

/// A daemon that has entered its place.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) runner: RunnerProgram,
    pub(super) files: PodFiles,
}

/// The files that a daemon brings from its pod to the host.
#[derive(Debug)]
pub(super) struct PodFiles {
    /// The program, and its path on the host.
    program: Option<(Program, PathBuf)>,
    images: Option<HookImages>,
    mirror: Option<Mirror>,
    /// Whether the runtime must create no container without the plugin of this name; `None` until that is
    /// known, and outside of a pod.
    required: Option<Option<String>>,
    /// The daemon's configuration, by which its files are checked.
    config: ConfigSource,
}

/// A write of the files to the host, in progress.
type Putting = JoinHandle<(PodFiles, anyhow::Result<()>)>;

impl PodArgs {
    /// The arguments of a daemon in the same pod that leaves the host's files to this process.
    pub(super) fn words(&self) -> Vec<String> {
        let program = self.host_program.to_string_lossy().into_owned();
        let words = ["--enter-host".to_owned(), "--host-program".to_owned(), program];
        words
            .into_iter()
            .chain(self.require.then(|| "--require".to_owned()))
            .collect()
    }

    /// The path of this program on the host.
    pub(super) fn host_program(&self) -> &Path {
        &self.host_program
    }

    /// Enters the daemon's place. Must be called while this process has one thread.
    ///
    /// # Errors
    /// The pod lacks a property that is required.
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
        // Without images, only a pod on the host may have to remove those of earlier pods.
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
    /// Writes the files to the host, and updates them when the pod's files change, forever. Returns after the
    /// first write. After `limit`, or if a file system does not answer, it returns too, and the write
    /// continues in the background.
    ///
    /// # Errors
    /// The host does not accept a file.
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
                tokio::spawn(files.refresh_forever(plugin));
            }
            None => {
                tracing::error!(
                    "the host does not accept the pod's files yet: the daemon starts without them"
                );
                tokio::spawn(PodFiles::put_in_background(putting, plugin));
            }
        }
        Ok(())
    }

    /// Writes the files to the host now, and the program unless that was done before. Returns whether there
    /// are new files for the daemon to read. Blocks.
    ///
    /// # Errors
    /// The host does not accept a file.
    pub(super) fn put_now(&mut self) -> Result<bool, PodError> {
        if let Some((program, path)) = &mut self.program {
            program.put(path)?;
            self.program = None;
        }
        if let Some(name) = &self.required {
            match require(name.as_deref()) {
                Ok(required) => report_required(&required),
                // Hooks matter more.
                Err(error) => {
                    tracing::error!(%error, "cannot write the drop-in of required plugins")
                }
            }
            self.required = None;
        }
        self.refresh()
    }

    /// The part of [`PodFiles::put_now`] that may change: the images, and then the files, which name their
    /// programs.
    fn refresh(&mut self) -> Result<bool, PodError> {
        let mut has_changed = false;
        if let Some(images) = &mut self.images {
            has_changed = images.put(|| Needs::now(&self.config));
            report_images(directory(&self.config), &images.errors())?;
        }
        if let Some(mirror) = &mut self.mirror {
            has_changed |= mirror.refresh(&self.config)? == Refreshed::Changed;
        }
        Ok(has_changed)
    }

    /// The directory of the daemon's configuration.
    pub(super) fn directory(&self) -> &Path {
        directory(&self.config)
    }

    async fn put_in_background(putting: Putting, plugin: Arc<OciHooks>) {
        let Ok((files, done)) = putting.await else {
            return tracing::error!(
                "the thread that copies the pod's files to the host has ended: restart the daemon"
            );
        };
        match done {
            Ok(()) => tracing::info!("the pod's files are on the host now"),
            Err(error) => {
                tracing::error!(
                    error = with_causes(&error),
                    "files of the pod are missing on the host"
                )
            }
        }
        let reloading = plugin.clone();
        // The reload logs its result.
        let _ = spawn_blocking(move || reloading.reload()).await;
        files.refresh_forever(plugin).await;
    }

    /// Updates the files on the host when the pod's files change, forever.
    async fn refresh_forever(mut self, plugin: Arc<OciHooks>) {
        let mut reported = String::new();
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            // Disks are slow, and events wait for this thread.
            let reloading = plugin.clone();
            let refreshed = spawn_blocking(move || {
                let changed = self.refresh();
                if matches!(changed, Ok(true)) {
                    reloading.reload();
                }
                (self, changed)
            });
            let Ok((back, changed)) = refreshed.await else {
                return tracing::error!(
                    "the thread that copies the pod's files to the host has ended: restart the daemon"
                );
            };
            self = back;
            match changed {
                Ok(_) => reported.clear(),
                Err(error) => {
                    let error = error.to_string();
                    if error != reported {
                        tracing::error!(%error, "files on the host are older than the pod's");
                    }
                    reported = error;
                }
            }
        }
    }
}

/// The directory of the daemon's configuration.
fn directory(config: &ConfigSource) -> &Path {
    Path::new(&**config.path()).parent().unwrap_or(Path::new("/"))
}

fn report_required(required: &Required) {
    match required {
        Required::Unchanged => {}
        Required::Changed(path) => tracing::warn!(
            path = %escaped_path(path),
            "the drop-in of required plugins has changed: restart the runtime, which reads it only at its start"
        ),
        Required::Foreign(path) => tracing::warn!(
            path = %escaped_path(path),
            "this drop-in of required plugins was not written by a pod, so it stays unchanged"
        ),
        Required::Impossible => tracing::warn!(
            "no runtime of this node supports required plugins: they need containerd 2.2 or CRI-O 1.34"
        ),
    }
}
