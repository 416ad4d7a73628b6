//! The command line of the measurements on a real containerd.

use e2e::{Delivery, OciRuntime, Runtime, Version};

use crate::way::Way;

pub(crate) const USAGE: &str = "\
usage: bench --runtime [--starts N] [--peer NAME] [--containerd VERSION] [--oci-runtime NAME]

  --starts N          containers started for each stage and each delivery (200)
  --peer NAME         what the runner is compared with: direct or hook-injector (direct)
  --containerd V      the containerd to measure on (2)
  --oci-runtime NAME  what runs its containers (runc)";

/// What to measure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) starts: usize,
    /// What injects hooks as they are.
    pub(crate) peer: Way,
    pub(crate) runtime: Runtime,
}

impl Arguments {
    /// Reads the arguments behind `--runtime`.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut parsed = Self {
            starts: 200,
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
                "--starts" => parsed.starts = crate::arguments::count(&option, &value)?,
                "--peer" => parsed.peer = value.parse()?,
                "--containerd" => parsed.runtime.version = value.parse()?,
                "--oci-runtime" => parsed.runtime.oci = value.parse()?,
                _ => anyhow::bail!("unknown argument {option:?}"),
            }
        }
        Ok(parsed)
    }
}
