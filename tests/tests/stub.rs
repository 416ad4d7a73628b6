//! The same plugin on Go's own stub and on this library: what each answers, and what containerd makes of it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Result, bail, ensure};
use containerd_nri::api::{Container, PodSandbox};
use containerd_nri_testkit::{ContainerBuilder, PodBuilder, RuntimeProfile};
use e2e::adaptation::{Adaptation, Called, Field};
use e2e::node::say_not_tested;
use e2e::{Containerd, Plugin, Version, cache, on_each_containerd_and_the_newest, workspace};

/// A plugin that is there in both languages: an argument of the program in Go, and an example in Rust.
#[derive(Clone, Copy, Debug)]
struct Both {
    go: &'static str,
    rust: &'static str,
    /// Index and name of the one in Rust.
    rust_identity: &'static str,
    /// The beginning of its annotations.
    key: &'static str,
}

const DEVICES: Both = Both {
    go: "device-injector",
    rust: "device_injector",
    rust_identity: "10-device-injector",
    key: "devices.example.com",
};

const LIMITS: Both = Both {
    go: "ulimit-adjuster",
    rust: "ulimit_adjuster",
    rust_identity: "20-ulimit-adjuster",
    key: "ulimits.example.com",
};

impl Both {
    /// The one in Go and the one in Rust: the names that they register with, and their commands.
    fn commands(self, socket: &Path) -> Result<[(String, Command); 2]> {
        let mut go = Command::new(go_stub()?);
        go.arg(self.go).arg(socket);
        let mut rust = Command::new(workspace::example(self.rust)?);
        rust.arg(socket);
        Ok([
            (format!("10-{}", self.go), go),
            (self.rust_identity.to_owned(), rust),
        ])
    }
}

fn go_stub() -> Result<PathBuf> {
    Ok(cache::built("stub-0.12.5")?.join("usr/bin/stub"))
}

/// Whether the plugins in Go, and what else a case needs, are there; if not, it is reported.
fn is_built(case: &str) -> bool {
    let programs = go_stub().and_then(|_| Adaptation::program(&RuntimeProfile::newest()));
    if let Err(error) = &programs {
        say_not_tested(case, &format!("{error:#}"));
    }
    programs.is_ok()
}

/// A process that is killed at the end of its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended and been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The result of each request, on the runtime side of NRI itself.
async fn answers(both: Both, side: usize, requests: &[(PodSandbox, Container)]) -> Result<Vec<String>> {
    let mut runtime = Adaptation::start(&RuntimeProfile::newest()).await?;
    let mut commands = both.commands(&runtime.socket())?;
    let (_, command) = &mut commands[side];
    let _plugin = Running(command.stderr(Stdio::null()).spawn()?);
    let accepted = runtime.accept().await?;
    ensure!(accepted.is_ok(), "{accepted:?}");
    let mut answers = Vec::new();
    for (pod, container) in requests {
        let fields = [Field::Pod(pod), Field::Container(container)];
        answers.push(match runtime.call("CreateContainer", &fields).await? {
            Called::GoesOn(response) => format!("{response:?}"),
            // The words are each plugin's own.
            Called::Fails(_) => "fails".to_owned(),
            Called::Missing => bail!("there is no CreateContainer"),
        });
    }
    Ok(answers)
}

/// Asks both with each annotation: for the container itself, for all of its pod, for another container.
async fn answer_alike(both: Both, annotations: &[&str]) -> Result<()> {
    let mut requests = Vec::new();
    for annotation in annotations {
        for whose in ["container.app", "pod", "container.other"] {
            let pod = PodBuilder::new("web").annotation(format!("{}/{whose}", both.key), *annotation);
            let pod = pod.build();
            let container = ContainerBuilder::new(&pod, "app").build();
            requests.push((pod, container));
        }
    }
    let go = answers(both, 0, &requests).await?;
    let rust = answers(both, 1, &requests).await?;
    for ((request, go), rust) in requests.iter().zip(&go).zip(&rust) {
        assert_eq!(go, rust, "{}: {:?}", both.go, request.0.annotations);
    }
    for expected in ["fails", "dev/", "RLIMIT_"] {
        let found = go.iter().any(|answer| answer.contains(expected));
        let is_of_other = (both.go == DEVICES.go) == (expected == "RLIMIT_") && expected != "fails";
        assert_eq!(found, !is_of_other, "{expected}: {go:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_device_injectors_answer_alike() -> Result<()> {
    let annotations = [
        "/dev/fuse c 10:229 0666",
        "/dev/fuse c 10:229 0666\n/dev/loop7 b 7:7 0600",
        "/dev/a",
        "/dev/a c 1:2",
        "/dev/a x 1:2 0666",
        "/dev/a c 1 0666",
        "/a c 1:2 0666",
        "/dev/a c 1:2 9",
    ];
    match is_built("the_device_injectors_answer_alike") {
        true => answer_alike(DEVICES, &annotations).await,
        false => Ok(()),
    }
}

#[tokio::test]
async fn the_ulimit_adjusters_answer_alike() -> Result<()> {
    let annotations = [
        "RLIMIT_NOFILE=1024:4096",
        "RLIMIT_MEMLOCK=65536:65536, RLIMIT_CORE=0:0",
        "RLIMIT_NOFILE=0:18446744073709551615",
        "",
        "RLIMIT_NOFILE",
        "RLIMIT_NOFILE=1",
        "RLIMIT_NOFILE=2:1",
        "NOFILE=1:2",
        "RLIMIT_A=x:1",
    ];
    match is_built("the_ulimit_adjusters_answer_alike") {
        true => answer_alike(LIMITS, &annotations).await,
        false => Ok(()),
    }
}

/// The OCI spec that containerd makes of one container of a pod, with each of the two plugins and with none. The
/// containers differ in their ids alone.
async fn specs(version: Version, both: Both, annotation: &str) -> Result<[String; 3]> {
    let containerd = Containerd::start(version).await?;
    let pod = containerd
        .pod("web")
        .annotation(&format!("{}/pod", both.key), annotation);
    let pod = pod.run().await?;
    let without = pod.oci_spec().await?;
    let [(go_name, go), (rust_name, rust)] = both.commands(containerd.nri_socket())?;
    let mut plugin = Plugin::start(&containerd, &go_name, go).await?;
    let with_go = pod.oci_spec().await?;
    plugin.kill().await?;
    let _plugin = Plugin::start(&containerd, &rust_name, rust).await?;
    Ok([without, with_go, pod.oci_spec().await?])
}

async fn make_equal_specs(version: Version, both: Both, annotation: &str) -> Result<()> {
    if !is_built(&format!("equal OCI specs with {}", both.go)) {
        return Ok(());
    }
    let [without, with_go, with_rust] = specs(version, both, annotation).await?;
    assert_ne!(without, with_go);
    assert_eq!(with_go, with_rust);
    Ok(())
}

async fn the_device_injectors_make_equal_specs(version: Version) -> Result<()> {
    make_equal_specs(version, DEVICES, "/dev/one c 1:3 0666\n/dev/two c 1:5 0600").await
}

async fn the_ulimit_adjusters_make_equal_specs(version: Version) -> Result<()> {
    make_equal_specs(version, LIMITS, "RLIMIT_NOFILE=64:128, RLIMIT_CORE=0:0").await
}

on_each_containerd_and_the_newest!(
    the_device_injectors_make_equal_specs,
    the_ulimit_adjusters_make_equal_specs,
);
