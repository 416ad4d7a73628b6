//! The command line of the benchmark; `hack/bench` describes it.

use std::iter::Peekable;

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{Delivery, OciRuntime, Runtime, Version};

use crate::way::Way;

/// The measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The events of a fake runtime.
    Events,
    /// Lives of containers on a real runtime.
    Runtime,
    /// A pod beside others with slow hooks, on a real runtime.
    Bystander,
}

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) mode: Mode,
    pub(crate) plugins: Vec<String>,
    pub(crate) creates: usize,
    pub(crate) containers: usize,
    pub(crate) lives: usize,
    pub(crate) starts: usize,
    pub(crate) rounds: usize,
    pub(crate) pods: usize,
    /// How long each hook takes.
    pub(crate) seconds: usize,
    /// The plugin that injects hooks as they are.
    pub(crate) peer: Way,
    pub(crate) runtime: Runtime,
}

impl Arguments {
    /// Reads the arguments of the process, without its name.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut arguments = arguments.peekable();
        let mut parsed = Self {
            mode: mode(&mut arguments),
            plugins: Vec::new(),
            creates: 5_000,
            containers: 2_000,
            lives: 1_000,
            starts: 200,
            rounds: 10,
            pods: 20,
            seconds: 1,
            peer: Way::Daemon(Delivery::Direct),
            runtime: Runtime {
                version: Version::V2_1,
                oci: OciRuntime::Runc,
            },
        };
        while let Some(option) = arguments.next() {
            let value = arguments
                .next()
                .with_context(|| format!("{option} needs a value"))?;
            let count = match (parsed.mode, option.as_str()) {
                (Mode::Events, "--creates") => &mut parsed.creates,
                (Mode::Events, "--containers") => &mut parsed.containers,
                (Mode::Events, "--lives") => &mut parsed.lives,
                (Mode::Runtime, "--starts") => &mut parsed.starts,
                (Mode::Bystander, "--rounds") => &mut parsed.rounds,
                (Mode::Bystander, "--pods") => &mut parsed.pods,
                (Mode::Bystander, "--seconds") => &mut parsed.seconds,
                (Mode::Events, "--plugin") => {
                    parsed.plugins.push(value);
                    continue;
                }
                (Mode::Runtime | Mode::Bystander, "--peer") => {
                    parsed.peer = value.parse()?;
                    continue;
                }
                (Mode::Runtime | Mode::Bystander, "--containerd") => {
                    parsed.runtime.version = value.parse()?;
                    continue;
                }
                (Mode::Runtime | Mode::Bystander, "--oci-runtime") => {
                    parsed.runtime.oci = value.parse()?;
                    continue;
                }
                _ => bail!("unknown argument {option:?}"),
            };
            let number = value.parse().ok().filter(|number| *number > 0);
            *count = number.with_context(|| format!("{option} needs a number above 0, not {value:?}"))?;
        }
        let is_empty = parsed.mode == Mode::Events && parsed.plugins.is_empty();
        ensure!(!is_empty, "there is no --plugin to measure");
        Ok(parsed)
    }
}

fn mode(arguments: &mut Peekable<impl Iterator<Item = String>>) -> Mode {
    if arguments.next_if_eq("--runtime").is_some() {
        Mode::Runtime
    } else if arguments.next_if_eq("--bystander").is_some() {
        Mode::Bystander
    } else {
        Mode::Events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments> {
        Arguments::parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn plugins_keep_their_order_and_counts_their_defaults() {
        let arguments = parse("--plugin a --creates 3 --plugin b").unwrap();
        assert_eq!(arguments.plugins, ["a", "b"]);
        assert_eq!((arguments.creates, arguments.containers), (3, 2_000));
    }

    #[test]
    fn an_option_replaces_its_default_and_no_other() {
        let line = "--bystander --seconds 5 --pods 1 --containerd 2.4 --peer hook-injector";
        let arguments = parse(line).unwrap();
        assert_eq!(arguments.mode, Mode::Bystander);
        assert_eq!(arguments.peer, Way::HookInjector);
        assert_eq!((arguments.seconds, arguments.pods, arguments.rounds), (5, 1, 10));
        assert_eq!(arguments.runtime.version, Version::V2_4);
        assert_eq!(arguments.runtime.oci, OciRuntime::Runc);
    }

    #[test]
    fn an_argument_that_cannot_be_measured_is_refused() {
        for line in [
            "--creates 5",
            "--plugin",
            "--plugin a --creates 0",
            "--plugin a --lives x",
            "--plugin a --pods 1",
            "--runtime --pods 1",
            "--runtime --peer runner",
            "--bystander --rounds",
            "--help",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
