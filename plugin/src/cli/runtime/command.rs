//! The arguments, the output and the work of `runtime`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::complain::fail;
use crate::node::{InstalledRuntime, Node};
use crate::runtime::{Plan, Target, disable, enable};

const MORE_ENABLE: &str = "\
Writes a drop-in. If containerd's own file does not import the drop-in, adds the import there, and keeps a copy of
the old file beside it. Keeps the administrator's settings for NRI. Restarts no service. A second call changes
nothing.

Exit status:
  0  NRI is on, once the runtime is restarted
  1  something failed
  2  wrong usage

Examples:
  nri-oci-hooks runtime enable --dry-run
  nri-oci-hooks runtime enable
  nri-oci-hooks runtime enable --root /mnt/image --runtime containerd-2";

const MORE_DISABLE: &str = "\
Removes the drop-in, and restores containerd's own file. If that file was changed since, removes only the import.
Restarts no service. A second call changes nothing.

Exit status:
  0  all changes of `runtime enable` are undone
  1  something failed
  2  wrong usage";

const MORE: &str = "\
Exit status:
  0  it is done
  1  something failed
  2  wrong usage";

/// The arguments of `runtime`.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(crate) struct RuntimeArgs {
    #[command(subcommand)]
    pub(super) switch: Switch,
}

/// The two subcommands.
#[derive(Debug, Subcommand)]
pub(super) enum Switch {
    /// Switch NRI on in the runtime's configuration
    #[command(after_help = MORE_ENABLE)]
    Enable(SwitchArgs),
    /// Undo `runtime enable`
    #[command(after_help = MORE_DISABLE)]
    Disable(SwitchArgs),
}

/// The arguments of both subcommands.
#[derive(Debug, Args)]
pub(super) struct SwitchArgs {
    /// Directory with the files of the node
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,

    /// Runtime [default: the installed one]
    #[arg(long, value_enum)]
    runtime: Option<InstalledRuntime>,

    /// Only print the changes
    #[arg(long)]
    dry_run: bool,
}

/// Switches NRI on or off. Exits 0 if it is done, 1 if not.
pub(crate) fn runtime(args: RuntimeArgs) -> ExitCode {
    match run(&args, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

pub(super) fn run(args: &RuntimeArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let (args, plan) = match &args.switch {
        Switch::Enable(args) => (args, enable(&args.target())?),
        Switch::Disable(args) => (args, disable(&args.target())?),
    };
    if !args.dry_run {
        plan.execute()?;
    }
    print(&plan, args.dry_run, out)
}

impl SwitchArgs {
    fn target(&self) -> Target {
        Target {
            node: Node::new(&self.root),
            runtime: self.runtime,
        }
    }
}

fn print(plan: &Plan, is_dry: bool, out: &mut impl Write) -> anyhow::Result<()> {
    for change in &plan.changes {
        writeln!(out, "{}{change}", if is_dry { "would " } else { "" })?;
    }
    for note in &plan.notes {
        writeln!(out, "note: {note}")?;
    }
    match (plan.changes.is_empty(), is_dry) {
        (true, _) => writeln!(out, "Nothing to change.")?,
        (false, true) => writeln!(out, "Nothing was changed.")?,
        (false, false) => writeln!(out, "Now run: systemctl restart {}", plan.service)?,
    }
    Ok(())
}
