//! The cluster tests of `tests/kube`, on a node that has a real containerd and no cluster. Tested are the hook program
//! that they install and the functions by which they check its records, through `NODE_EXEC` as on a cluster.
//!
//! Only a cluster can show the additions of a kubelet and an API server (events, ConfigMaps, rolling upgrades):
//! `hack/cluster --test`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use e2e::cri::State;
use e2e::plugin::ANNOTATION;
use e2e::{Containerd, Delivery, OciRuntime, Plugin, Runtime, on_each_runtime, workspace};

/// The hooks of a container with the default hook-spec and a selected one, as `tests/kube` writes them.
const ALL: &str =
    "prestart/default prestart/extra poststart/default poststart/extra poststop/default poststop/extra";

/// Shapes, and the delivery that each has.
const SHAPES: [(&str, Delivery); 2] = [("full", Delivery::Runner), ("least-privilege", Delivery::Direct)];

async fn the_stages_of_a_container_are_found_at_their_moments(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let kube = Kube::install(&containerd)?;
    for (shape, delivery) in SHAPES {
        let mut plugin = plugin(&containerd, &kube, delivery).await?;
        let pod = containerd.pod(shape).annotation(ANNOTATION, "extra");
        let pod = pod.run().await?;
        let workload = kube.bash("printf %s \"$WORKLOAD\"")?;
        let container = pod.container("app").command(["/bin/sh", "-c", &workload]);
        let container = container.start().await?;
        let id = container.id();

        kube.bash(&format!(
            "snapshot; assert_ran {id} prestart/default prestart/extra poststart/default poststart/extra"
        ))?;
        kube.bash(&format!("await 'the file of init' started $(pid_of {id})"))?;
        let started = kube.bash(&format!("started $(pid_of {id})"))?;
        let program = kube.bash(&format!("program $(pid_of {id})"))?;
        ensure!(program == "/bin/busybox", "{shape}: init is {program}");
        // Init has children; it ends when it is asked to, not after the time for that.
        container.stop(10).await?;
        assert_eq!(
            container.await_state(State::Exited).await?.exit_code,
            0,
            "{shape}"
        );
        let gone = kube.bash("node_now")?;

        let assertions =
            format!("assert_ran {id} {ALL}; assert_stages {shape} {id} {started} {program} {gone}");
        kube.bash(&format!("snapshot; {assertions}"))
            .with_context(|| shape.to_owned())?;
        kube.finds_out(&assertions, shape, id, &program)?;
        plugin.kill().await?;
    }
    Ok(())
}

async fn a_failed_prestart_is_recorded_with_its_reason(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let kube = Kube::install(&containerd)?;
    let reason = kube.bash("printf %s \"$REASON\"")?;
    for (shape, delivery) in SHAPES {
        let mut plugin = plugin(&containerd, &kube, delivery).await?;
        let pod = containerd.pod(shape).annotation(ANNOTATION, "failing");
        let pod = pod.run().await?;
        let container = pod.container("app").create().await?;
        let refused = container.start().await.err().context("it was started")?;
        let id = container.id().to_owned();
        // crun runs no poststop after a failed prestart: the daemon does, when the container is removed.
        container.remove().await?;
        if delivery == Delivery::Runner {
            kube.bash(&format!("await poststop has_run {id} poststop/default"))?;
        }
        kube.bash("snapshot")?;
        // crun keeps what a hook writes to itself.
        if runtime.oci == OciRuntime::Runc {
            ensure!(refused.message().contains(&reason), "{shape}: {refused}");
        }
        if runtime.oci == OciRuntime::Runc || delivery == Delivery::Runner {
            kube.bash(&format!(
                "assert_ran {id} prestart/default prestart/failing poststop/default; assert_in_order {id}"
            ))?;
        } else {
            kube.bash(&format!("assert_ran {id} prestart/default prestart/failing"))?;
        }
        if (runtime.oci, delivery) == (OciRuntime::Runc, Delivery::Runner) {
            let directory = kube.bash("printf '%s' \"$HOOK_DIRECTORY/kube-record\"")?;
            for text in [
                "prestart hook 2 of 2",
                &directory,
                "failing.json",
                "exited with status 3",
            ] {
                ensure!(refused.message().contains(text), "{shape}: {refused}");
            }
        }
        plugin.kill().await?;
    }
    Ok(())
}

on_each_runtime!(
    the_stages_of_a_container_are_found_at_their_moments,
    a_failed_prestart_is_recorded_with_its_reason,
);

async fn plugin(containerd: &Containerd, kube: &Kube, delivery: Delivery) -> Result<Plugin> {
    containerd
        .deliver(delivery, &kube.specs.join("default.json"))
        .await
}

/// The functions of `tests/kube/lib`, for one node.
struct Kube {
    /// The prefix that runs a command on the node.
    node_exec: String,
    /// The files of the tests on the node.
    directory: PathBuf,
    /// The directory from which pods may select.
    specs: PathBuf,
}

impl Kube {
    /// Puts hook program and hook-specs on the node, by the functions that do so on a cluster.
    fn install(containerd: &Containerd) -> Result<Kube> {
        let kube = Kube {
            node_exec: format!("nsenter --target {} --mount --pid --", containerd.node().init()),
            directory: containerd.node().make_directory("kube")?,
            specs: containerd.hooks().spec_directory().to_owned(),
        };
        kube.bash("install_hook")?;
        for name in ["default", "extra", "failing"] {
            let spec = match name {
                "failing" => "failing_spec".to_owned(),
                name => format!("recording_spec {name}"),
            };
            let file = kube.specs.join(format!("{name}.json"));
            kube.bash(&format!("{spec} | node_write {} 644", file.display()))?;
        }
        Ok(kube)
    }

    /// Runs a script with all functions, and returns what it says, without the end of the last line.
    fn bash(&self, script: &str) -> Result<String> {
        let library = workspace::file("tests/kube/lib/all.sh");
        let script = format!("set -euo pipefail; . {}; node true; {script}", library.display());
        let output = Command::new("bash")
            .args(["-c", &script])
            .env("NODE_EXEC", &self.node_exec)
            .env("HOOK_DIRECTORY", self.directory.join("programs"))
            .env("NODE_DIRECTORY", self.directory.join("state"))
            .env("RECORDS", self.snapshot())
            .env("LIMIT", "30")
            .env("HOLD", "0.1")
            .output()
            .context("start bash")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{script}: {complaint}");
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// The copy of the node's records that is checked.
    fn snapshot(&self) -> PathBuf {
        self.directory.join("snapshot")
    }

    /// Spoils the copy in several ways, and sees each found out.
    fn finds_out(&self, assertions: &str, shape: &str, id: &str, program: &str) -> Result<()> {
        let good = fs::read_to_string(self.snapshot())?;
        let line = |stage: &str| -> Result<&str> {
            let of_stage = format!("stage={stage} name=extra id={id} ");
            let found = good.lines().find(|line| line.starts_with(&of_stage));
            found.with_context(|| format!("no {of_stage}: {good}"))
        };
        let (prestart, poststop) = (line("prestart")?, line("poststop")?);
        let after = |line: &str, key: &str| -> Result<String> {
            let value = line.split(key).nth(1).and_then(|rest| rest.split(' ').next());
            Ok(format!("{key}{}", value.context("no such key")?))
        };
        let spoiled = [
            ("a poststop twice", good.clone() + poststop + "\n"),
            ("no poststop", good.replace(poststop, "").replace("\n\n", "\n")),
            (
                "a prestart beside init",
                good.replace(
                    prestart,
                    &prestart.replace(&after(prestart, " exe_end=")?, &format!(" exe_end={program}")),
                ),
            ),
            (
                "a poststop beside init",
                good.replace(poststop, &poststop.replace(" exe=-", &format!(" exe={program}"))),
            ),
            (
                "a poststop after the pod was gone",
                good.replace(
                    poststop,
                    &poststop.replace(&after(poststop, " ended=")?, " ended=9000000000000000000"),
                ),
            ),
        ];
        for (what, records) in spoiled {
            ensure!(records != good, "{shape}: {what}: nothing was spoiled");
            write(&self.snapshot(), &records)?;
            ensure!(
                self.bash(assertions).is_err(),
                "{shape}: {what} was not found out: {records}"
            );
        }
        write(&self.snapshot(), &good)?;
        self.bash(assertions)
            .map(drop)
            .context("the good records were spoiled too")
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("write {}", file.display()))
}
