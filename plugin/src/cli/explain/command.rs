//! The arguments of `explain`, and its exit status.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;

use super::explanation::Explanation;
use super::{subjects, text};
use crate::cli::complain::fail;
use crate::cli::{ConfigArg, Format};
use crate::config::{Delivery, Overrides};
use crate::model::bounded_list;
use crate::select::Selector;

const MORE: &str = "\
Reads the files of this node as they are now, without the daemon and the runtime. If a file is invalid, a
running daemon may still use its last good version. The commands of images are unknown: without a command in
the manifest, no condition on the command holds. Every container counts as one with a bind mount, because the
kubelet adds one.

Exit status:
  0  every container can be created
  1  a container would not be created, there is no pod, or something could not be read
  2  wrong usage

Examples:
  nri-oci-hooks explain pod.yaml
  kubectl get deployment web -o json | nri-oci-hooks explain -
  nri-oci-hooks explain --namespace apps --annotation hook-spec.noderesource.dev=gpu";

/// The arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(crate) struct ExplainArgs {
    /// Manifest of pods or workloads, YAML or JSON; - for stdin
    #[arg(required_unless_present_any = ["namespace", "annotations", "containers"])]
    pub(crate) manifest: Option<String>,

    /// Namespace of objects without one [default: default]
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,

    /// Annotation of the pod, in addition to those of the manifest. May be repeated
    #[arg(long = "annotation", value_name = "KEY=VALUE", value_parser = annotation)]
    pub(crate) annotations: Vec<(String, String)>,

    /// Explain only this container of the manifest; without a manifest, a container of the pod. May be
    /// repeated
    #[arg(long = "container", value_name = "NAME")]
    pub(crate) containers: Vec<String>,

    /// The configuration that is used
    #[command(flatten)]
    pub(crate) config: ConfigArg,

    /// Default hook-spec, as for the daemon; wins over the configuration
    #[arg(long, value_name = "FILE")]
    pub(crate) hook_spec: Option<String>,

    /// Delivery of hooks, as for the daemon: runner, direct or events; wins over the configuration
    #[arg(long, value_name = "HOW")]
    pub(crate) delivery: Option<Delivery>,

    /// Runtime handler of the pods, as their RuntimeClass names it [default: runtimeClassName]
    #[arg(long, value_name = "NAME")]
    pub(crate) runtime_handler: Option<String>,

    /// Also print every hook-spec of the node that does not apply
    #[arg(long)]
    pub(crate) all: bool,

    /// Format of the result; JSON has all details
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

impl ExplainArgs {
    /// Whether the container called `name` is to be explained.
    pub(super) fn includes(&self, name: &str) -> bool {
        self.containers.is_empty() || self.containers.iter().any(|included| included == name)
    }
}

fn annotation(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Explains which hooks containers would get. Exits 0 if all of them can be created, 1 if one cannot be
/// created or something could not be read.
pub(crate) fn explain(args: ExplainArgs) -> ExitCode {
    match run(&args, &mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}

/// Whether every container can be created.
pub(super) fn run(args: &ExplainArgs, input: &mut impl Read, out: &mut impl Write) -> anyhow::Result<bool> {
    let overrides = Overrides {
        hook_spec: args.hook_spec.clone(),
        delivery: args.delivery,
        state_dir: None,
        listen: None,
    };
    let config = args
        .config
        .read(&overrides)
        .map_err(|errors| anyhow!("the configuration is invalid: {}", bounded_list(&errors)))?;
    let subjects = subjects::of(args, input)?;
    let selector = Selector::new(config);
    selector.refresh();
    let explanation = Explanation::new(&selector, args, &subjects);
    match args.format {
        Format::Text => text::print(&explanation, args.all, out)?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &explanation)?;
            writeln!(out)?;
        }
    }
    Ok(explanation.all_can_be_created())
}
