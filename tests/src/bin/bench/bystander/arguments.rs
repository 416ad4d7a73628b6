//! The command line of the measurements with a bystander.

use e2e::{Delivery, OciRuntime, Runtime, Version};

use crate::arguments::count;
use crate::way::Way;

pub(crate) const USAGE: &str = "\
usage: bench --bystander [--rounds N] [--pods N] [--seconds N] [--peer NAME] [--containerd VERSION]
             [--oci-runtime NAME]

  --rounds N          rounds for each delivery (10)
  --pods N            pods with hooks that start at once (20)
  --seconds N         time that each hook takes (1)
  --peer NAME         way that the others are compared with: direct or hook-injector (direct)
  --containerd V      containerd to measure on (2)
  --oci-runtime NAME  OCI runtime of its containers (runc)";

/// What to measure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) rounds: usize,
    pub(crate) pods: usize,
    /// How long each hook takes.
    pub(crate) seconds: u32,
    /// What injects hooks as they are.
    pub(crate) peer: Way,
    pub(crate) runtime: Runtime,
}

impl Arguments {
    /// Reads the arguments behind `--bystander`.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut parsed = Self {
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
                .ok_or_else(|| anyhow::anyhow!("{option} needs a value"))?;
            match option.as_str() {
                "--rounds" => parsed.rounds = count(&option, &value)?,
                "--pods" => parsed.pods = count(&option, &value)?,
                "--seconds" => parsed.seconds = count(&option, &value)?.try_into()?,
                "--peer" => parsed.peer = value.parse()?,
                "--containerd" => parsed.runtime.version = value.parse()?,
                "--oci-runtime" => parsed.runtime.oci = value.parse()?,
                _ => anyhow::bail!("unknown argument {option:?}"),
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> anyhow::Result<Arguments> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn an_option_replaces_its_default_and_no_other() {
        let arguments = parse("--seconds 5 --pods 1 --containerd 2.4 --peer hook-injector").unwrap();
        assert_eq!(arguments.seconds, 5);
        assert_eq!(arguments.peer, Way::HookInjector);
        assert_eq!((arguments.pods, arguments.rounds), (1, 10));
        assert_eq!(arguments.runtime.version, Version::V2_4);
        assert_eq!(arguments.runtime.oci, OciRuntime::Runc);
    }

    #[test]
    fn an_argument_that_cannot_be_measured_is_refused() {
        for line in [
            "--pods 0",
            "--rounds",
            "--seconds x",
            "--peer runner",
            "--starts 5",
            "--help",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
