//! `run`: the daemon.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use containerd_nri::{DEFAULT_SOCKET, Identity, Launched, Service};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;

use super::complain::{complain, with_causes};
use super::config::ConfigArg;
use super::pod::{Arrived, PodArgs};
use crate::config::{ConfigSource, Delivery, ListenAt, Overrides};
use crate::daemon::OciHooks;
use crate::doctor::requires_plugin;
use crate::front::{self, Link};
use crate::node::Node;
use crate::observe::{
    Endpoint, LogArgs, Observed, Observer, detect_stalls, flush_logs, run_periodic_tasks, service_manager,
    start_logs,
};
use crate::process::raise_descriptor_limit;
use crate::system;

/// The maximum time to read the configuration and its files before the daemon connects to the runtime. After
/// that, reading continues in the background, and containers are refused until it ends.
const LOAD_TIMEOUT: Duration = Duration::from_secs(60);

/// The maximum time to write the pod's files to the host before the configuration is read.
const PUT_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum time at the end to count stages that are over.
const LAST_STAGES_TIMEOUT: Duration = Duration::from_millis(200);

/// The time until an idle thread ends.
const THREAD_KEEP_ALIVE: Duration = Duration::from_millis(500);

const MORE: &str = "\
A daemon that the runtime launches from its plugin directory needs no options. If the runtime has a configuration for
the plugin, the daemon uses that instead of the file.

Signals:
  HUP        read the configuration and hook-specs now, not only with the next container; if another release of
             the program was installed, hand over to it without a registration
  TERM, INT  end; running hooks continue

Exit status:
  0  ended by TERM, INT, or the runtime that launched it
  1  the daemon cannot start, or the runtime refuses the plugin
  2  wrong usage

Examples:
  nri-oci-hooks run
  nri-oci-hooks run --hook-spec /etc/nri-oci-hooks/default.json --log-format json";

/// The options of the daemon.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(crate) struct RunArgs {
    /// The configuration that is used
    #[command(flatten)]
    pub(crate) config: ConfigArg,

    /// Default hook-spec, for every container; wins over the configuration
    #[arg(long, value_name = "FILE")]
    pub(crate) hook_spec: Option<String>,

    /// Socket of the runtime's NRI
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    pub(crate) nri_socket: PathBuf,

    /// Place among the node's NRI plugins: two digits, lower ones are called first
    #[arg(long, value_name = "NN", default_value = "10")]
    pub(crate) index: String,

    /// Name among the node's NRI plugins
    #[arg(long, value_name = "NAME", default_value = "oci-hooks")]
    pub(crate) name: String,

    /// Delivery of hooks: runner, direct or events; wins over the configuration
    #[arg(long, value_name = "HOW")]
    pub(crate) delivery: Option<Delivery>,

    /// Directory of the ledger; wins over the configuration
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<String>,

    /// Address of metrics and health: an address and a port, the path of a socket, or none; wins over the
    /// configuration
    #[arg(long, value_name = "WHERE")]
    pub(crate) listen: Option<ListenAt>,

    /// The options of its log
    #[command(flatten)]
    pub(crate) logs: LogArgs,

    /// The options of its pod
    #[command(flatten)]
    pub(crate) pod: PodArgs,
}

/// Runs the daemon until SIGTERM or SIGINT. A daemon that the runtime has launched also ends when the runtime
/// closes the connection. Exits 0 then; 1 if the daemon cannot start or the runtime refuses the plugin.
pub(crate) fn run(args: RunArgs) -> ExitCode {
    system::share_heap();
    raise_descriptor_limit();
    if let Err(error) = Link::take() {
        complain(&format_args!(
            "cannot use the connection to the front of the daemon: {error}"
        ));
        return ExitCode::FAILURE;
    }
    // This is first: files that are opened after this are the host's.
    let source = args.source();
    let arrived = args.pod.arrive(&args.nri_socket, &args.name, source.clone());
    start_logs(&args.logs);
    let status = match arrived.and_then(|arrived| serve(args, source, arrived)) {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!("{}", with_causes(&error));
            1
        }
    };
    flush_logs();
    if let Some(link) = front::link() {
        link.ended(status);
    }
    ExitCode::from(status)
}

/// Whether the runtime launched this process as a plugin; the runtime gives it no arguments.
pub fn is_launched() -> bool {
    std::env::var_os("NRI_PLUGIN_SOCKET").is_some()
}

impl RunArgs {
    /// The arguments for the same daemon on the host, without its program: the command of a unit. That daemon
    /// serves no port, because the pod serves health at its own address.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = vec!["run".to_owned()];
        let socket = self.nri_socket.to_string_lossy().into_owned();
        for (option, value) in [
            ("--config", self.config.config.clone()),
            ("--hook-spec", self.hook_spec.clone()),
            ("--nri-socket", Some(socket)),
            ("--index", Some(self.index.clone())),
            ("--name", Some(self.name.clone())),
            ("--delivery", self.delivery.map(|delivery| delivery.to_string())),
            ("--state-dir", self.state_dir.clone()),
            ("--listen", Some(ListenAt::Nowhere.to_string())),
        ] {
            let value = value.into_iter();
            words.extend(value.flat_map(|value| [option.to_owned(), value]));
        }
        words
    }

    /// The source of the configuration.
    pub(super) fn source(&self) -> ConfigSource {
        self.config.source(Overrides {
            hook_spec: self.hook_spec.clone(),
            delivery: self.delivery,
            state_dir: self.state_dir.clone(),
            listen: self.listen.clone(),
        })
    }
}

fn serve(args: RunArgs, source: ConfigSource, arrived: Arrived) -> anyhow::Result<()> {
    let launched = Launched::from_env()?;
    let plugin = Arc::new(OciHooks::new(source, arrived.runner));
    let observer = Arc::new(Observer::new(plugin.clone(), || requires_plugin(&Node::new("/"))));
    let identity = Identity::new(&args.index, &args.name)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(THREAD_KEEP_ALIVE)
        .build()
        .context("cannot start")?;
    let ended = runtime.block_on(async {
        let mut stop = Box::pin(stop(plugin.clone())?);
        tokio::select! {
            put = arrived.files.put(plugin.clone(), PUT_TIMEOUT) => put?,
            () = &mut stop => return Ok(()),
        }
        let endpoint = Arc::new(Endpoint::default());
        if let Some(link) = front::link() {
            tokio::spawn(link.listen());
        }
        tokio::spawn(detect_stalls(observer.clone(), endpoint.clone()));
        tokio::spawn(run_periodic_tasks(observer.clone(), endpoint.clone()));
        let connected = Observed::new(observer.clone(), endpoint.clone());
        let ended = match launched {
            // The runtime may still send another configuration, with another state directory.
            Some(launched) => launched.run_until(connected, stop).await,
            None => {
                tokio::select! {
                    () = plugin.load(LOAD_TIMEOUT) => {}
                    () = &mut stop => return Ok(()),
                }
                endpoint.refresh(&observer);
                service_manager::starting(&args.nri_socket);
                let mut service = Service::new(connected, identity).socket(&args.nri_socket);
                if let Some(link) = front::link() {
                    let socket: Arc<Path> = args.nri_socket.into();
                    service = service.dialer(move || {
                        let socket = socket.clone();
                        async move { link.connect(&socket).await }
                    });
                }
                service.run_until(stop).await;
                Ok(())
            }
        };
        service_manager::stopping();
        endpoint.close();
        observer.counted(LAST_STAGES_TIMEOUT).await;
        anyhow::Ok(ended?)
    });
    // A thread that is stuck in the kernel is not waited for.
    runtime.shutdown_background();
    ended
}

/// Is ready when the daemon is to end. Reloads `plugin` on request.
fn stop(plugin: Arc<OciHooks>) -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let plugin = plugin.clone();
            // Reloads run one after the other: one more is enough for all requests that arrive meanwhile.
            let _ = spawn_blocking(move || plugin.reload()).await;
        }
    });
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
