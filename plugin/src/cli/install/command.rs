//! What `install` and `uninstall` are asked, and what they tell and do.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::cli::complain::fail;
use crate::doctor::{InstalledRuntime, Node};
use crate::install::{self, Plan, Target, Way};

const MORE_INSTALL: &str = "\
Puts the program, a configuration, the unit (or a link in the runtime's directory of plugins) and the
runtime's drop-in in place. The runtime's own file is changed only if it does not import drop-ins:
one line, and the file as it was is kept beside it. So is whatever else has to make room and is not of
an earlier install. No service is restarted; what is to be done is told. Done again, it changes nothing.

Exit status:
  0  all is in place
  1  it is not: something failed, or you said no
  2  wrong usage

Examples:
  nri-oci-hooks install --dry-run
  nri-oci-hooks install --yes
  nri-oci-hooks install --root /mnt/image --runtime containerd-2 --yes";

const MORE_UNINSTALL: &str = "\
Leaves the configuration, the hook-specs, the ledger, and what install did not put there; and the
program, as long as the daemon runs, there are containers whose hooks it has yet to run, or that cannot
be told. Done again later, it removes that too.

Exit status:
  0  it is gone
  1  it is not: something failed, or you said no
  2  wrong usage";

/// What both are asked.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// Directory with the files of the node
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,

    /// Configuration that the daemon goes by, as the node calls it [default: what its unit says, or
    /// /etc/nri-oci-hooks/config.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<String>,

    /// Directory of the ledger, as the node calls it; wins over the configuration
    #[arg(long, value_name = "DIR")]
    state_dir: Option<String>,

    /// Do it without asking
    #[arg(long, short)]
    yes: bool,

    /// Tell what would be done, and do nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

/// What `install` is asked.
#[derive(Debug, Args)]
#[command(after_help = MORE_INSTALL)]
pub struct InstallArgs {
    #[command(flatten)]
    pub(super) common: Common,

    /// The runtime [default: the one that is there]
    #[arg(long, value_enum)]
    runtime: Option<InstalledRuntime>,

    /// What starts the daemon
    #[arg(long, value_enum, default_value_t)]
    by: Way,
}

/// What `uninstall` is asked.
#[derive(Debug, Args)]
#[command(after_help = MORE_UNINSTALL)]
pub struct UninstallArgs {
    #[command(flatten)]
    pub(super) common: Common,
}

/// Puts the daemon in place. Exits 0 if it is, 1 if not.
pub fn install(args: InstallArgs) -> ExitCode {
    let plan = || -> anyhow::Result<Plan> {
        let program = std::env::current_exe().context("cannot find this program")?;
        Ok(install::install(&args.target(), &program)?)
    };
    told(plan().and_then(|plan| {
        run(
            &plan,
            &args.common,
            &mut io::stdin().lock(),
            &mut io::stdout().lock(),
        )
    }))
}

/// Takes the daemon away. Exits 0 if it is gone, 1 if not.
pub fn uninstall(args: UninstallArgs) -> ExitCode {
    let plan = install::uninstall(&args.target());
    told(run(
        &plan,
        &args.common,
        &mut io::stdin().lock(),
        &mut io::stdout().lock(),
    ))
}

fn told(done: anyhow::Result<bool>) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}

impl Common {
    fn target(&self, runtime: Option<InstalledRuntime>, way: Way) -> Target {
        Target {
            node: Node::new(&self.root),
            runtime,
            way,
            config: self.config.clone(),
            state_dir: self.state_dir.clone(),
        }
    }
}

impl InstallArgs {
    pub(super) fn target(&self) -> Target {
        self.common.target(self.runtime, self.by)
    }
}

impl UninstallArgs {
    pub(super) fn target(&self) -> Target {
        self.common.target(None, Way::default())
    }
}

/// Whether the plan was carried out, or asked for to be told only.
pub(super) fn run(
    plan: &Plan,
    args: &Common,
    input: &mut impl BufRead,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let open = plan.open();
    match open.is_empty() {
        true => writeln!(out, "Nothing is to be changed.")?,
        false => writeln!(out, "To be done:")?,
    }
    for step in &open {
        writeln!(out, "  {step}")?;
    }
    for left in &plan.left {
        writeln!(out, "Left as it is: {left}")?;
    }
    if open.is_empty() {
        return Ok(true);
    }
    if args.dry_run {
        writeln!(out, "Nothing was changed.")?;
        return Ok(true);
    }
    if !args.yes && !agreed(input, out)? {
        writeln!(out, "Nothing was changed.")?;
        return Ok(false);
    }
    plan.execute()?;
    writeln!(out, "Done. Now run:")?;
    for command in &plan.afterwards {
        writeln!(out, "  {command}")?;
    }
    Ok(true)
}

fn agreed(input: &mut impl BufRead, out: &mut impl Write) -> anyhow::Result<bool> {
    write!(out, "Do it? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    if !io::stdin().is_terminal() {
        writeln!(out)?;
    }
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
