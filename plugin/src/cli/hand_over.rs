//! `hand-over`: the init containers of a pod that has hook images.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::complain::fail;
use crate::model::escaped;
use crate::pod::{HOOKS, hand_over_files, hand_over_program};

const MORE: &str = "\
For init containers of the daemon's pod. The first one copies this program to DIR. Then one for each hook image
runs it from there, and copies the files of its image. So a hook image needs no program. The daemon reads DIR with
run --hook-images-from.

Exit status:
  0  the files are handed over; or the image is invalid, which the daemon reports
  1  nothing can be handed over
  2  wrong usage

Examples:
  nri-oci-hooks hand-over --to /handover
  /handover/nri-oci-hooks hand-over --to /handover --name gpu --image registry.example.com/gpu-hooks:1.4";

/// The arguments of `hand-over`.
#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub(crate) struct HandOverArgs {
    /// Directory that the pod's containers share
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    /// Name of the image on the host; without it, hand over this program
    #[arg(long, requires = "image")]
    name: Option<String>,

    /// Reference of the image, as in the pod; only for display
    #[arg(long, value_name = "REFERENCE", requires = "name")]
    image: Option<String>,

    /// Directory of the image to hand over
    #[arg(long, value_name = "DIR", default_value = HOOKS, requires = "name")]
    from: PathBuf,
}

/// Hands over the program, or the files of an image. Exits 1 if nothing can be handed over.
pub(crate) fn hand_over(args: HandOverArgs) -> ExitCode {
    let (Some(name), Some(image)) = (&args.name, &args.image) else {
        return match hand_over_program(&args.to) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error.into()),
        };
    };
    let line = match hand_over_files(&args.from, &args.to, name, image) {
        Ok(Ok(content)) => {
            let (files, bytes, digest) = (content.files, content.bytes, content.digest());
            format!(
                "{name}, {}: {files} files, {bytes} bytes, {digest}",
                escaped(image)
            )
        }
        Ok(Err(error)) => format!("{name}, {}: not handed over: {error}", escaped(image)),
        Err(error) => return fail(&error.into()),
    };
    // There may be no reader.
    let _ = writeln!(io::stdout(), "{line}");
    ExitCode::SUCCESS
}
