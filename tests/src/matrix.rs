//! The dimensions of a case: the containerds, the OCI runtimes, and the ways in which hooks are delivered.

use std::str::FromStr;

use anyhow::{Context, Result};

use crate::containerd::Builder;
use crate::node::say_not_tested;
use crate::{Containerd, OciRuntime, Version};

/// A containerd and the OCI runtime below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runtime {
    /// The containerd.
    pub version: Version,
    /// Its OCI runtime.
    pub oci: OciRuntime,
}

impl Runtime {
    /// Chooses nothing but these two; [`Builder::start`] starts it.
    pub fn builder(self) -> Builder {
        Containerd::builder(self.version).oci_runtime(self.oci)
    }

    /// A containerd with nothing else chosen.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn start(self) -> Result<Containerd> {
        self.builder().start().await
    }

    /// Whether a case can run on it: it can unless one of the two was to be built and was not, which is reported.
    /// `hack/test` builds them where Go is installed.
    pub fn is_there_for(self, case: &str) -> bool {
        let programs = self.version.programs().and_then(|_| self.oci.program());
        if let Err(error) = &programs {
            say_not_tested(case, &format!("{error:#}"));
        }
        programs.is_ok()
    }
}

impl From<Runtime> for Version {
    fn from(runtime: Runtime) -> Version {
        runtime.version
    }
}

/// How hooks get to run; see the configuration key `delivery`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// One injected hook per stage, which starts the runner; NRI events as the second trigger.
    Runner,
    /// NRI events alone start the runner.
    Events,
    /// The hooks are injected as they are, and follow the rules of the OCI runtime.
    Direct,
}

impl Delivery {
    /// All of them.
    pub const ALL: [Delivery; 3] = [Delivery::Runner, Delivery::Events, Delivery::Direct];

    /// Those in which the runner executes the hooks, by our rules.
    pub const RUNNER: [Delivery; 2] = [Delivery::Runner, Delivery::Events];

    /// The word of the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Delivery::Runner => "runner",
            Delivery::Events => "events",
            Delivery::Direct => "direct",
        }
    }
}

impl FromStr for Delivery {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Delivery> {
        let found = Delivery::ALL.into_iter().find(|delivery| delivery.word() == text);
        found.with_context(|| format!("hooks are delivered by runner, events or direct, not {text:?}"))
    }
}

/// Runs each named `async fn(Runtime) -> anyhow::Result<()>` as one test per containerd and OCI runtime of Debian. The
/// oldest containerd with crun is left to `hack/test --all`: each of the two is tested with another.
#[macro_export]
macro_rules! on_each_runtime {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            $crate::on_runtimes_of_debian!($case);
        }
    )+};
}

/// As [`on_each_runtime`], and on the newest containerd with the newest runc of each kind too: the last that runs
/// poststart hooks inside of create, and the first that runs them inside of start. On the containerds between, and on
/// the newest NRI, with `hack/test --all` alone.
#[macro_export]
macro_rules! on_each_runtime_and_the_newest {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            $crate::on_runtimes_of_debian!($case);
            $crate::on_built_runtime!($case, containerd_2_4_with_runc_1_5, V2_4, Runc1_5);
            $crate::on_built_runtime!($case, containerd_2_4_with_runc_1_6, V2_4, Runc1_6);
            $crate::on_every_other_runtime!($case);
        }
    )+};
}

/// The tests of [`on_each_runtime`], for one case.
#[doc(hidden)]
#[macro_export]
macro_rules! on_runtimes_of_debian {
    ($case:ident) => {
        $crate::on_runtime!($case, containerd_1_7_with_runc, V1_7, Runc);
        $crate::on_runtime!(
            #[ignore = "for hack/test --all"]
            $case,
            containerd_1_7_with_crun,
            V1_7,
            Crun
        );
        $crate::on_runtime!($case, containerd_2_with_runc, V2_1, Runc);
        $crate::on_runtime!($case, containerd_2_with_crun, V2_1, Crun);
    };
}

/// The tests of one case that are left to `hack/test --all`.
#[doc(hidden)]
#[macro_export]
macro_rules! on_every_other_runtime {
    ($case:ident) => {
        $crate::on_built_runtime!(
            #[ignore = "for hack/test --all"]
            $case,
            containerd_2_2_with_runc_1_4,
            V2_2,
            Runc1_4
        );
        $crate::on_built_runtime!(
            #[ignore = "for hack/test --all"]
            $case,
            containerd_2_3_with_runc_1_4,
            V2_3,
            Runc1_4
        );
        $crate::on_built_runtime!(
            #[ignore = "for hack/test --all"]
            $case,
            containerd_2_with_runc_forky,
            V2_1,
            RuncForky
        );
        $crate::on_built_runtime!(
            #[ignore = "for hack/test --all"]
            $case,
            containerd_2_4_with_crun,
            V2_4,
            Crun
        );
        $crate::on_built_runtime!(
            #[ignore = "for hack/test --all"]
            $case,
            containerd_2_4_with_crun_forky,
            V2_4,
            CrunForky
        );
        $crate::on_built_runtime!(
            #[ignore = "for hack/test --all"]
            $case,
            nri_0_12_5_with_runc_1_6,
            V2_4Nri0_12_5,
            Runc1_6
        );
    };
}

/// One test on one runtime, which must be there. The case takes the runtime, or its containerd alone.
#[doc(hidden)]
#[macro_export]
macro_rules! on_runtime {
    ($(#[$attribute:meta])? $case:ident, $test:ident, $version:ident, $oci:ident) => {
        #[tokio::test]
        $(#[$attribute])?
        async fn $test() -> anyhow::Result<()> {
            let version = $crate::Version::$version;
            let oci = $crate::OciRuntime::$oci;
            super::$case($crate::Runtime { version, oci }.into()).await
        }
    };
}

/// One test on one runtime, which only machines with Go have.
#[doc(hidden)]
#[macro_export]
macro_rules! on_built_runtime {
    ($(#[$attribute:meta])? $case:ident, $test:ident, $version:ident, $oci:ident) => {
        #[tokio::test]
        $(#[$attribute])?
        async fn $test() -> anyhow::Result<()> {
            let version = $crate::Version::$version;
            let oci = $crate::OciRuntime::$oci;
            let runtime = $crate::Runtime { version, oci };
            if runtime.is_there_for(concat!(stringify!($case), "::", stringify!($test))) {
                super::$case(runtime.into()).await?;
            }
            Ok(())
        }
    };
}
