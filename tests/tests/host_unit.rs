//! The daemon as a unit of the host, put there by pods, on a real containerd. systemd is a stand-in.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use e2e::cri::{Access, State};
use e2e::ledger::Stage;
use e2e::plugin::NAME;
use e2e::{Container, Containerd, Pod, Version, on_each_containerd, wait};

const ALL: [&str; 3] = ["default-prestart", "default-poststart", "default-poststop"];

const NRI: &str = "/var/run/nri";

const UNIT: &str = "/etc/systemd/system/nri-oci-hooks.service";

const TOOLS: [(&str, &str); 2] = [
    ("systemctl", include_str!("../src/systemd/systemctl")),
    ("systemd-run", include_str!("../src/systemd/systemd-run")),
];

/// A node with a ConfigMap whose default hook-spec records.
struct Cluster {
    containerd: Containerd,
    image: String,
    config_map: PathBuf,
    /// In place of /etc/nri-oci-hooks, which is the machine's.
    etc: PathBuf,
}

impl Cluster {
    async fn start(version: Version) -> Result<Cluster> {
        let (containerd, image) = Containerd::with_image_of_daemon(version).await?;
        let [config_map, etc] = ["config-map", "etc"].map(|name| containerd.node().make_directory(name));
        let cluster = Cluster {
            containerd,
            image,
            config_map: config_map?,
            etc: etc?,
        };
        let spec = cluster.containerd.hooks().recording_spec("default")?;
        let state = cluster.containerd.ledger().directory().to_owned();
        let config = format!(
            "hook_spec = {:?}\nexclude_namespaces = [\"nri-oci-hooks\"]\nstate_dir = {state:?}\n",
            cluster.etc.join("default.json"),
        );
        let version = cluster.config_map.join("..version");
        fs::create_dir(&version)?;
        fs::write(version.join("config.toml"), config)?;
        fs::copy(spec, version.join("default.json"))?;
        symlink("..version", cluster.config_map.join("..data"))?;
        for name in ["config.toml", "default.json"] {
            symlink(Path::new("..data").join(name), cluster.config_map.join(name))?;
        }
        Ok(cluster)
    }

    /// Has the node run systemd, or what stands in for it.
    fn run_systemd(&self) -> Result<()> {
        for directory in ["/usr/local/sbin", "/etc/systemd"] {
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", "mode=755", "tmpfs", directory]);
            self.on_node(&mount)?;
        }
        self.on_node(Command::new("mkdir").args(["-p", "/etc/systemd/system", "/run/systemd/system"]))?;
        let tools = self.containerd.node().make_directory("tools")?;
        for (name, text) in TOOLS {
            let path = tools.join(name);
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
            self.on_node(Command::new("cp").arg(path).arg("/usr/local/sbin"))?;
        }
        Ok(())
    }

    fn on_node(&self, command: &Command) -> Result<String> {
        self.containerd.node().run(command)
    }

    /// The requests to systemd.
    fn asked(&self) -> Result<String> {
        self.on_node(Command::new("sh").args(["-c", "cat /run/stand-in/asked 2>/dev/null || true"]))
    }

    /// Starts a pod of the daemon with these options more.
    async fn pod(&self, name: &str, more: &[&str]) -> Result<(Pod, Container)> {
        let pod = self.containerd.pod(name).namespace("nri-oci-hooks");
        let pod = pod.privileged().host_pid().without_network().run().await?;
        let config = self.etc.join("config.toml").display().to_string();
        let program = self.host_program().display().to_string();
        let common = [
            "host-unit",
            "--enter-host",
            "--files-from=/config",
            "--config",
            &config,
            "--host-program",
            &program,
        ];
        let options = common.iter().chain(more).copied();
        let daemon = pod
            .container("daemon")
            .image(&self.image, options)
            .mount(Path::new(NRI), NRI, Access::Read)
            .mount(&self.config_map, "/config", Access::Read)
            .privileged()
            .start()
            .await?;
        Ok((pod, daemon))
    }

    /// In place of /usr/local/bin/nri-oci-hooks, which is the machine's.
    fn host_program(&self) -> PathBuf {
        self.containerd.node().directory().join("host/nri-oci-hooks")
    }

    async fn await_connections(&self, pod: &Pod, count: usize) -> Result<()> {
        let connected = self.containerd.await_connection(NAME, count).await;
        connected.with_context(|| pod.log("daemon").unwrap_or_default())
    }

    /// The hooks that ran for a container that lived just now.
    async fn life(&self, pod: &str) -> Result<Vec<String>> {
        let container = self.containerd.pod(pod).run().await?.start("app").await?;
        container.stop(10).await?;
        if !self.containerd.hooks().ran(container.id())?.is_empty() {
            self.containerd
                .ledger()
                .await_end(container.id(), Stage::Poststop)
                .await?;
        }
        self.containerd.hooks().ran(container.id())
    }

    /// Waits until systemd is to remove the unit after the time of grace, for the `count`th time.
    async fn await_removal(&self, count: usize) -> Result<()> {
        wait::until("the removal to be arranged", async || {
            let is_removal =
                |line: &&str| line.starts_with("systemd-run ") && line.contains("--on-active=300s ");
            // The process that waits to arrange it names it too.
            let arranged = |line: &&str| is_removal(line) && !line.contains("flock");
            Ok((self.asked()?.lines().filter(arranged).count() >= count).then_some(()))
        })
        .await
    }

    async fn await_asked(&self, what: &str, count: usize) -> Result<()> {
        wait::until("systemd to be asked", async || {
            Ok((self.asked()?.lines().filter(|line| *line == what).count() >= count).then_some(()))
        })
        .await
    }
}

async fn the_unit_gives_hooks_while_pods_come_and_go(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    cluster.run_systemd()?;
    let (first, daemon) = cluster.pod("first", &[]).await?;
    cluster.await_connections(&first, 1).await?;
    assert_eq!(cluster.life("beside-the-pod").await?, ALL);

    // As the kubelet does it; to stop the pod alone is to kill it.
    daemon.stop(10).await?;
    first.stop().await?;
    cluster.await_removal(1).await?;
    assert_eq!(cluster.life("without-a-pod").await?, ALL);

    // As a rollout: the next pod takes over, and nothing registers again.
    let (_second, daemon) = cluster.pod("second", &[]).await?;
    cluster.await_asked("stop nri-oci-hooks-removal.timer", 2).await?;
    assert_eq!(cluster.life("with-the-next").await?, ALL);
    assert_eq!(cluster.containerd.connections(NAME)?, 1);

    // As a deleted DaemonSet whose pod gets no notice: nobody takes over.
    daemon.stop(0).await?;
    cluster.await_removal(2).await?;
    cluster.on_node(Command::new("sh").arg("/run/stand-in/later"))?;
    cluster.on_node(Command::new("test").args(["!", "-e", UNIT]))?;
    assert!(cluster.life("without-a-unit").await?.is_empty());
    Ok(())
}

async fn another_program_or_other_options_are_taken_over_without_a_gap(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    cluster.run_systemd()?;
    let (old, daemon) = cluster.pod("old", &[]).await?;
    cluster.await_connections(&old, 1).await?;
    let (new, _) = cluster.pod("new", &["--delivery", "runner"]).await?;
    let asked = cluster.asked()?;
    ensure!(
        !asked.contains("restart"),
        "the old pod still sees to the unit: {asked}"
    );
    daemon.stop(10).await?;
    let restart = "restart nri-oci-hooks.service";
    let mut lives = 0;
    while !cluster.asked()?.lines().any(|line| line == restart) || lives < 8 {
        assert_eq!(cluster.life(&format!("during-{lives}")).await?, ALL);
        lives += 1;
        ensure!(lives < 400, "{}", new.log("daemon")?);
    }
    // The old one, the one that stands in, the new one.
    cluster.await_connections(&new, 3).await?;
    assert_eq!(cluster.life("after").await?, ALL);
    let unit = cluster.on_node(Command::new("cat").arg(UNIT))?;
    ensure!(unit.contains("--delivery runner"), "{unit}");
    Ok(())
}

async fn another_release_takes_over_in_place_and_does_not_register(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    cluster.run_systemd()?;
    let (pod, _) = cluster.pod("pod", &[]).await?;
    cluster.await_connections(&pod, 1).await?;
    // As the pod of another release does.
    let program = cluster.host_program();
    let new = program.with_extension("new");
    fs::copy(&program, &new)?;
    fs::rename(&new, &program)?;
    wait::until("the other release", async || {
        let log = cluster.on_node(Command::new("cat").arg("/run/stand-in/log"))?;
        Ok(log.contains("the front has the new release").then_some(()))
    })
    .await?;
    assert_eq!(cluster.life("after").await?, ALL);
    assert_eq!(cluster.containerd.connections(NAME)?, 1);
    let asked = cluster.asked()?;
    ensure!(!asked.contains("restart"), "{asked}");
    Ok(())
}

async fn where_systemd_does_not_run_the_pod_is_the_daemon(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    let (pod, _) = cluster.pod("daemon", &[]).await?;
    cluster.await_connections(&pod, 1).await?;
    assert_eq!(cluster.life("web").await?, ALL);
    let log = pod.log("daemon")?;
    ensure!(log.contains("does not run systemd"), "{log}");
    pod.stop().await?;
    assert!(cluster.life("after").await?.is_empty());
    Ok(())
}

async fn a_unit_that_is_not_from_a_pod_is_left_alone(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    cluster.run_systemd()?;
    cluster.on_node(Command::new("sh").args(["-c", "echo theirs >\"$0\"", UNIT]))?;
    let (pod, daemon) = cluster.pod("daemon", &[]).await?;
    let status = daemon.await_state(State::Exited).await?;
    let log = pod.log("daemon")?;
    ensure!(
        status.exit_code == 1 && log.contains("was not written by a pod"),
        "{status:?}: {log}"
    );
    assert_eq!(cluster.on_node(Command::new("cat").arg(UNIT))?, "theirs\n");
    Ok(())
}

on_each_containerd!(
    the_unit_gives_hooks_while_pods_come_and_go,
    another_program_or_other_options_are_taken_over_without_a_gap,
    another_release_takes_over_in_place_and_does_not_register,
    where_systemd_does_not_run_the_pod_is_the_daemon,
    a_unit_that_is_not_from_a_pod_is_left_alone,
);
