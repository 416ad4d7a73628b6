//! The arguments of `host-unit`, and its life.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::probes::serve;
use super::rounds::Rounds;
use crate::cli::RunArgs;
use crate::cli::complain::with_causes;
use crate::config::{Config, ConfigSource, Listen};
use crate::observe::{flush_logs, start_logs};
use crate::pod::{HostUnit, UnitError};

/// The interval between checks of the host.
const INTERVAL: Duration = Duration::from_secs(5);

/// The maximum time that the end waits for a round on the host.
const LAST_ROUND_TIMEOUT: Duration = Duration::from_secs(4);

const MORE: &str = "\
Puts the program, the files of the ConfigMap and a unit on the host, starts the unit, and serves its health. The unit
runs the daemon with the same options. If the host does not run systemd, this process is the daemon.

When the pod ends, systemd removes the unit after 5 minutes, unless the next pod takes over.

Exit status:
  0  ended by TERM or INT
  1  the host does not accept the unit, for example because it has one of this name that is not from a pod
  2  wrong usage

Example:
  nri-oci-hooks host-unit --enter-host --files-from /config --listen 0.0.0.0:9790";

/// The arguments of `host-unit`.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(crate) struct HostUnitArgs {
    #[command(flatten)]
    run: RunArgs,
}

/// Runs the daemon as a unit of the host, until SIGTERM or SIGINT. Exits 0 then; 1 if the host does not
/// accept the unit.
pub(crate) fn host_unit(args: HostUnitArgs) -> ExitCode {
    if !HostUnit::is_possible() {
        start_logs(&args.run.logs);
        tracing::warn!(
            "the host does not run systemd, or the pod cannot see it; the daemon runs in this pod"
        );
        flush_logs();
        let error = be_daemon();
        tracing::error!(%error, "cannot run the daemon in this pod");
        flush_logs();
        return ExitCode::FAILURE;
    }
    let source = args.run.source();
    // This process must have one thread here.
    let run = &args.run;
    let arrived = run.pod.arrive(&run.nri_socket, &run.name, source.clone());
    start_logs(&args.run.logs);
    let ended = arrived.and_then(|arrived| {
        let rounds = Rounds::new(&args.run, arrived.files)?;
        run_rounds(source, rounds)
    });
    let ended = match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", with_causes(&error));
            ExitCode::FAILURE
        }
    };
    flush_logs();
    ended
}

/// Becomes `run` with the same options; returns only the error if that fails.
fn be_daemon() -> std::io::Error {
    let options = env::args_os().skip(2);
    Command::new("/proc/self/exe")
        .arg0("nri-oci-hooks")
        .arg("run")
        .args(options)
        .exec()
}

fn run_rounds(source: ConfigSource, rounds: Rounds) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let ended = runtime.block_on(async {
        let mut stop = Stop::new()?;
        repeat(source, rounds, &mut stop).await
    });
    // A thread that is stuck in the kernel is not waited for.
    runtime.shutdown_background();
    ended
}

async fn repeat(source: ConfigSource, mut rounds: Rounds, stop: &mut Stop) -> anyhow::Result<()> {
    let mut is_serving = false;
    loop {
        let mut round = spawn_blocking(move || {
            let done = rounds.next();
            (rounds, done)
        });
        let (back, is_over) = tokio::select! {
            done = &mut round => (done?, false),
            // Until here the unit is this pod's or has no owner: the current round ends first.
            () = stop.requested() => (timeout(LAST_ROUND_TIMEOUT, &mut round).await.context("the host does not answer")??, true),
        };
        let done;
        (rounds, done) = back;
        match done {
            // The kubelet reports the error, and tries again.
            Err(error @ UnitError::Foreign(_)) => return Err(error.into()),
            Err(error) => rounds.report(Some(error.to_string())),
            Ok(()) => rounds.report(None),
        }
        if !is_serving && let Some(place) = place(&source) {
            tokio::spawn(serve(place, source.clone()));
            is_serving = true;
        }
        if is_over || timeout(INTERVAL, stop.requested()).await.is_ok() {
            break;
        }
    }
    Ok(())
}

/// The address at which the pod serves its health.
fn place(source: &ConfigSource) -> Option<std::net::SocketAddr> {
    let config = Config::from_file(source.path(), source.overrides());
    match config.unwrap_or_else(|_| source.overridden_defaults()).listen {
        Some(Listen::Tcp(place)) => Some(place),
        _ => None,
    }
}

/// The signals that request the end.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> std::io::Result<Stop> {
        Ok(Stop {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
