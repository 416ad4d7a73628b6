//! Many lives of containers on a private containerd while what serves them dies at random moments.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use e2e::soak::{self, Plan};
use e2e::{Delivery, OciRuntime, Runtime, Version};

const USAGE: &str = "\
usage: soak [--lifecycles N] [--at-once N] [--seed N] [--containerd VERSION] [--oci-runtime NAME]
            [--delivery runner|events]";

fn main() -> ExitCode {
    let plan = match plan(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("soak: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(plan) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything was as it should be.
#[tokio::main(flavor = "current_thread")]
async fn run(plan: Plan) -> Result<bool> {
    let begin = Instant::now();
    let report = |line: &str| println!("[{:>4}s] {line}", begin.elapsed().as_secs());
    report(&format!("{plan:?}"));
    let tally = soak::run(plan, report).await?;
    report("all containers are removed");
    println!("{tally}");
    match tally.faults.len() {
        0 => println!("no faults (seed {})", plan.seed),
        faults => println!("{faults} faults (seed {})", plan.seed),
    }
    Ok(tally.faults.is_empty())
}

fn plan(mut arguments: impl Iterator<Item = String>) -> Result<Plan> {
    let mut plan = Plan {
        lifecycles: 500,
        at_once: 4,
        seed: fastrand::u64(..),
        runtime: Runtime {
            version: Version::V2_1,
            oci: OciRuntime::Runc,
        },
        delivery: Delivery::Runner,
    };
    while let Some(option) = arguments.next() {
        let value = arguments
            .next()
            .with_context(|| format!("{option} needs a value"))?;
        let number = || {
            value
                .parse::<u64>()
                .with_context(|| format!("{option} needs a number, not {value:?}"))
        };
        match option.as_str() {
            "--lifecycles" => plan.lifecycles = number()?.try_into()?,
            "--at-once" => plan.at_once = number()?.try_into()?,
            "--seed" => plan.seed = number()?,
            "--containerd" => plan.runtime.version = value.parse()?,
            "--oci-runtime" => plan.runtime.oci = value.parse()?,
            "--delivery" => plan.delivery = value.parse()?,
            _ => bail!("unknown argument {option:?}"),
        }
    }
    ensure!(
        plan.delivery != Delivery::Direct,
        "direct delivery promises nothing that could be soaked"
    );
    ensure!(plan.at_once > 0, "--at-once needs a number above 0");
    Ok(plan)
}
