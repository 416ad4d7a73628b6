//! `run`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use containerd_nri::{DEFAULT_SOCKET, Identity, Launched, Service};
use tokio::signal::unix::{SignalKind, signal};

use super::config::ConfigArg;
use super::pod::{Arrived, PodArgs, keep_files};
use crate::config::{Delivery, Overrides};
use crate::observe::{Endpoint, LogArgs, Observed, Observer, flush_logs, service_manager, start_logs};
use crate::plugin::OciHooks;

const MORE: &str = "\
Launched by the runtime from its plugin folder it needs no options; what the runtime's folder of
plugin configurations has for it is read in place of the file.

Signals:
  HUP        look at configuration and hook-specs now, rather than with the next container
  TERM, INT  end; hooks that run go on

Exit status:
  0  asked to end, or, launched by the runtime, that closed the connection
  1  the configuration is no good, or the runtime refuses the plugin
  2  wrong usage

Examples:
  nri-oci-hooks run
  nri-oci-hooks run --hook-spec /etc/nri-oci-hooks/default.json --log-format json";

/// How the daemon is started.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct RunArgs {
    /// Configuration to go by
    #[command(flatten)]
    pub config: ConfigArg,

    /// Default hook-spec, for every container; wins over the configuration
    #[arg(long, value_name = "FILE")]
    pub hook_spec: Option<String>,

    /// Socket of the runtime's NRI
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    pub nri_socket: PathBuf,

    /// Place among the node's NRI plugins: two digits, lower ones are called first
    #[arg(long, value_name = "NN", default_value = "10")]
    pub index: String,

    /// Name among the node's NRI plugins
    #[arg(long, value_name = "NAME", default_value = "oci-hooks")]
    pub name: String,

    /// How hooks get to run: runner, direct or events; wins over the configuration
    #[arg(long, value_name = "HOW")]
    pub delivery: Option<Delivery>,

    /// Folder of the ledger; wins over the configuration
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<String>,

    /// Its log lines
    #[command(flatten)]
    pub logs: LogArgs,

    /// Its host
    #[command(flatten)]
    pub pod: PodArgs,
}

/// Runs the daemon until SIGTERM or SIGINT, or, launched by the runtime, until that closes the
/// connection. Exits 0 then; 1 if the configuration is no good or the runtime refuses us.
pub fn run(args: RunArgs) -> ExitCode {
    // First of all: what is opened from here on is the host's.
    let arrived = args.pod.arrive(&args.nri_socket, args.config.path());
    start_logs(&args.logs);
    let ended = match arrived.and_then(|arrived| serve(args, arrived)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    };
    flush_logs();
    ended
}

/// Whether the runtime launched this process as a plugin; it gives no arguments then.
pub fn is_launched() -> bool {
    std::env::var_os("NRI_PLUGIN_SOCKET").is_some()
}

fn serve(args: RunArgs, arrived: Arrived) -> anyhow::Result<()> {
    let launched = Launched::from_env()?;
    let overrides = Overrides {
        hook_spec: args.hook_spec,
        delivery: args.delivery,
        state_dir: args.state_dir,
    };
    let source = args.config.source(overrides);
    let config = source.read().map_err(|mistakes| {
        for mistake in &mistakes {
            tracing::error!("{mistake}");
        }
        anyhow::anyhow!("the configuration has {} mistakes, told above", mistakes.len())
    })?;
    let observer = Arc::new(Observer::new(Arc::new(OciHooks::new(
        source,
        config,
        arrived.runner,
    ))));
    let identity = Identity::new(&args.index, &args.name)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(async {
        let stop = stop(observer.plugin().clone())?;
        if let Some(mirror) = arrived.mirror {
            tokio::spawn(keep_files(mirror, observer.plugin().clone()));
        }
        let endpoint = Endpoint::default();
        if launched.is_none() {
            // Launched, it may yet be handed another configuration, and another state folder.
            endpoint.keep_up(&observer);
        }
        let plugin = Observed::new(observer, endpoint);
        tokio::spawn(service_manager::stay_alive());
        match launched {
            Some(launched) => launched.run_until(plugin, stop).await?,
            None => {
                service_manager::starting(&args.nri_socket);
                Service::new(plugin, identity)
                    .socket(args.nri_socket)
                    .run_until(stop)
                    .await
            }
        }
        Ok(())
    })
}

/// Ready when the daemon is asked to end; asked to reload, `plugin` does.
fn stop(plugin: Arc<OciHooks>) -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => plugin.reload(),
            }
        }
        service_manager::stopping();
    })
}
