//! The daemon, and a plugin of this library, on the runtime side of NRI itself.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Result, ensure};
use containerd_nri_testkit::{ContainerBuilder, PodBuilder, RuntimeProfile};
use e2e::adaptation::{Adaptation, Called, Field};
use e2e::plugin::ANNOTATION;
use e2e::workspace;
use tempfile::TempDir;

use crate::side::{is_built, profiles};

/// A daemon with one default hook for each stage; dropping it ends it.
struct Daemon {
    process: Child,
    _directory: TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only if it has ended and been waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Daemon {
    fn start(socket: &Path) -> Result<Daemon> {
        let directory = tempfile::tempdir()?;
        let at = |name: &str| directory.path().join(name);
        fs::write(
            at("config.toml"),
            format!("state_dir = {:?}\ndelivery = \"direct\"\n", at("state")),
        )?;
        let hook = r#"[{"path": "/bin/true"}]"#;
        fs::write(
            at("default.json"),
            format!(r#"{{"prestart": {hook}, "poststart": {hook}, "poststop": {hook}}}"#),
        )?;
        let process = Command::new(workspace::nri_oci_hooks()?)
            .arg("run")
            .arg("--config")
            .arg(at("config.toml"))
            .arg("--hook-spec")
            .arg(at("default.json"))
            .arg("--nri-socket")
            .arg(socket)
            .stderr(File::create(at("log"))?)
            .spawn()?;
        Ok(Daemon {
            process,
            _directory: directory,
        })
    }
}

/// The stages of the hooks that a new container gets, or why there is none.
async fn created(runtime: &mut Adaptation, annotation: Option<&str>) -> Result<Result<[usize; 6], String>> {
    let pod = PodBuilder::new("web");
    let pod = annotation
        .into_iter()
        .fold(pod, |pod, value| pod.annotation(ANNOTATION, value))
        .build();
    let container = ContainerBuilder::new(&pod, "app").build();
    let fields = [Field::Pod(&pod), Field::Container(&container)];
    Ok(match runtime.call("CreateContainer", &fields).await? {
        Called::GoesOn(response) => {
            let hooks = response.adjust.hooks.clone().unwrap_or_default();
            Ok([
                hooks.prestart.len(),
                hooks.create_runtime.len(),
                hooks.create_container.len(),
                hooks.start_container.len(),
                hooks.poststart.len(),
                hooks.poststop.len(),
            ])
        }
        Called::Fails(text) => Err(text),
        Called::Missing => Err("there is no CreateContainer".to_owned()),
    })
}

async fn serves(profile: &RuntimeProfile) -> Result<()> {
    let mut runtime = Adaptation::start(profile).await?;
    let _daemon = Daemon::start(&runtime.socket())?;
    let accepted = runtime.accept().await?;
    ensure!(accepted.is_ok(), "{accepted:?}");
    let hooks = created(&mut runtime, None).await?;
    ensure!(hooks == Ok([1, 0, 0, 0, 1, 1]), "NRI {}: {hooks:?}", profile.nri);
    let refused = created(&mut runtime, Some("no-such-spec")).await?;
    ensure!(
        refused
            .as_ref()
            .is_err_and(|text| text.contains("no-such-spec: no such hook-spec")),
        "NRI {}: {refused:?}",
        profile.nri
    );
    Ok(())
}

/// Whether the daemon is taken in by a runtime with more than 4 MiB of pods and containers, and then gives hooks.
async fn serves_a_large_state(profile: &RuntimeProfile) -> Result<()> {
    let mut profile = profile.clone();
    profile.request_timeout = Duration::from_secs(30);
    let (pods, containers) = crate::synchronize::state(6_000);
    let mut runtime = Adaptation::start(&profile).await?;
    runtime.set_state(&pods, &containers, &[]).await?;
    let _daemon = Daemon::start(&runtime.socket())?;
    let accepted = runtime.accept().await?;
    ensure!(accepted.is_ok(), "NRI {}: {accepted:?}", profile.nri);
    let hooks = created(&mut runtime, None).await?;
    ensure!(hooks == Ok([1, 0, 0, 0, 1, 1]), "NRI {}: {hooks:?}", profile.nri);
    Ok(())
}

/// Before, it comes in one message that is longer than a message may be, which no plugin can read.
#[tokio::test]
async fn the_daemon_serves_a_node_with_more_than_4_mib_of_containers_from_nri_0_7_on() -> Result<()> {
    for profile in profiles() {
        if profile.nri.minor >= 7
            && is_built(
                &profile,
                "the daemon and a large state on the runtime side of NRI",
            )
        {
            serves_a_large_state(&profile).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_daemon_gives_hooks_to_containers_and_refuses_them_at_every_version() -> Result<()> {
    for profile in profiles() {
        if is_built(&profile, "the daemon on the runtime side of NRI") {
            serves(&profile).await?;
        }
    }
    Ok(())
}
