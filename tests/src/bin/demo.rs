//! Runs one pod with a default hook-spec and an annotation on a private containerd, and prints what ran when.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};
use e2e::hooks::{Record, record};
use e2e::plugin::ANNOTATION;
use e2e::{Containerd, HookSpec, Version, workspace};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    println!("Starting a containerd of its own, in a temporary directory ...");
    let containerd = Containerd::start(Version::V2_1).await?;
    let hooks = containerd.hooks();
    let default = hooks.recording_spec("default")?;
    let gpu = hooks.recording_spec("gpu")?;
    println!("\nThe hook-spec for every container, given to nri-oci-hooks as --hook-spec:\n");
    print_indented(&fs::read_to_string(&default)?);
    println!(
        "\nThe hook-spec {} is alike, with hooks named gpu-...",
        gpu.display()
    );
    println!("The pod asks for it with the annotation  {ANNOTATION}: gpu");
    let _plugin = containerd.plugin().hook_spec(&default).start().await?;

    let pod = containerd.pod("web").annotation(ANNOTATION, "gpu").run().await?;
    let mut story = Story::begin()?;
    let container = pod.container("app").create().await?;
    story.note("the container has been created; its hooks are settled")?;
    story.note("start is asked for")?;
    container.start().await?;
    story.note("start has returned")?;
    story.note("stop is asked for")?;
    container.stop(10).await?;
    story.note("stop has returned")?;
    for record in hooks.records(container.id())? {
        story.add(record.began, describe(&record));
    }
    println!("\nWhat ran, in milliseconds since the container was asked for:\n");
    story.print();
    let id = container.id().to_owned();
    container.remove().await?;
    refused(&containerd).await?;
    println!("\nWhat the ledger tells of the first container, which is gone  (nri-oci-hooks log):\n");
    print_indented(&log(&containerd, &id)?);
    pod.stop().await?;
    pod.remove().await?;
    println!("\nRemoving everything again ...");
    containerd.remove_silently();
    Ok(())
}

/// Shows the error of a prestart hook that fails.
async fn refused(containerd: &Containerd) -> Result<()> {
    let hooks = containerd.hooks();
    let licence = hooks.script("licence", "echo no licence left >&2; exit 3")?;
    hooks.spec("licence", &HookSpec::new().prestart(licence))?;
    let key = format!("{ANNOTATION}/container.unlucky");
    let picky = containerd.pod("picky").annotation(&key, "licence").run().await?;
    let container = picky.container("unlucky").create().await?;
    if let Err(refused) = container.start().await {
        println!("\nA container whose prestart hook fails does not start, and its events say why:\n");
        print_indented(refused.message());
    }
    container.remove().await?;
    Ok(())
}

/// The output of `nri-oci-hooks log` about one container.
fn log(containerd: &Containerd, container: &str) -> Result<String> {
    let output = Command::new(workspace::nri_oci_hooks()?)
        .args(["log", "--state-dir"])
        .arg(containerd.ledger().directory())
        .arg(container)
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// The events, each with its time on the machine's monotonic clock.
struct Story {
    begin: u64,
    moments: Vec<(u64, String)>,
}

impl Story {
    fn begin() -> Result<Story> {
        Ok(Story {
            begin: record::now()?,
            moments: Vec::new(),
        })
    }

    /// Something that happens now.
    fn note(&mut self, text: &str) -> Result<()> {
        self.add(record::now()?, text.to_owned());
        Ok(())
    }

    /// Something that happened at `moment`.
    fn add(&mut self, moment: u64, text: String) {
        self.moments.push((moment, text));
    }

    fn print(&mut self) {
        self.moments.sort();
        for (moment, text) in &self.moments {
            let milliseconds = moment.saturating_sub(self.begin) / 1_000_000;
            println!("{milliseconds:>8}  {text}");
        }
    }
}

/// One line about a hook that ran.
fn describe(record: &Record) -> String {
    let (spec, stage) = record.program.split_once('-').unwrap_or(("", &record.program));
    let status = record.state["status"].as_str().unwrap_or("unknown");
    format!("    hook of {stage:<9} from {spec}.json ran; the container's state was {status:?}")
}

fn print_indented(text: &str) {
    for line in text.lines() {
        println!("    {line}");
    }
}
