//! One node: made, entered, and removed with everything in it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{SysconfVar, sysconf};

use super::{Host, Process};
use crate::{cache, wait, workspace};

/// The script that holds the namespaces and cleans up after them.
const KEEPER: &str = include_str!("keeper.sh");

/// The script that clears the memory of a node: mounts, /run, directory `$1`; and makes `$2` the file with the id of
/// the boot.
const RESET: &str = r#"
    awk -v directory="$1/" 'index($2, directory) == 1 { print $2 }' /proc/self/mounts |
        sort -r | xargs --no-run-if-empty umount --lazy
    find "$1" -mindepth 1 -delete
    umount --lazy /run
    mount -t tmpfs -o mode=755 tmpfs /run
    mount --bind "$2" /proc/sys/kernel/random/boot_id
"#;

/// The longest directory that leaves space for the socket names in a `sockaddr_un` (108 bytes).
const LONGEST_DIRECTORY: usize = 48;

/// A directory and namespaces of its own. Dropping it kills everything inside, and removes directory, mounts and
/// control groups. It also prints the logs of its processes, which the test harness shows only if the test failed.
#[derive(Debug)]
pub struct Node {
    keeper: Child,
    init: i32,
    directory: PathBuf,
    /// The processes that hold the node, as it counts: its init and the one that waits for the end of standard input.
    keepers: Vec<i64>,
    /// How often it was reset.
    boots: u32,
    silent: bool,
}

impl Node {
    /// Makes a node. `unified_cgroups`: the node must see cgroup v2 at /sys/fs/cgroup, even if the machine keeps
    /// it elsewhere.
    ///
    /// # Errors
    /// Not root, or the machine refuses namespaces.
    pub fn create(unified_cgroups: bool) -> Result<Node> {
        ensure!(
            nix::unistd::geteuid().is_root(),
            "a node needs namespaces: run this as root"
        );
        let overlay = unified_cgroups && !Host::detect()?.unified_cgroups;
        let directory = tempfile::Builder::new()
            .prefix("noh-")
            .tempdir()
            .context("make the node's directory")?;
        ensure!(
            directory.path().as_os_str().len() <= LONGEST_DIRECTORY,
            "{} is too long for socket names: set TMPDIR to a shorter directory",
            directory.path().display()
        );
        fs::create_dir(directory.path().join("log"))?;
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(directory.path())
            .arg(cgroup_name(directory.path())?)
            .arg(if overlay { "yes" } else { "no" })
            .args(needed_paths()?)
            .process_group(0) // an interrupt at the terminal must not reach who cleans up
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the node's keeper")?;
        // From here on the keeper removes the directory.
        let mut node = Node {
            keeper,
            init: 0,
            directory: directory.keep(),
            keepers: Vec::new(),
            boots: 0,
            silent: false,
        };
        node.init = node.await_init()?;
        node.keepers = node.processes()?;
        Ok(node)
    }

    /// Removes it without printing the logs.
    pub fn remove_silently(mut self) {
        self.silent = true;
    }

    /// Its init, as the machine counts.
    pub fn init(&self) -> i32 {
        self.init
    }

    /// The node's directory, seen under the same path inside and outside.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes a directory inside the node's, and all above it, writable by root alone.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn make_directory(&self, name: &str) -> Result<PathBuf> {
        let directory = self.directory.join(name);
        fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
        Ok(directory)
    }

    /// The control group below which the pods of this node belong, as the CRI wants it.
    ///
    /// # Errors
    /// Never for a node that was created.
    pub fn cgroup_parent(&self) -> Result<String> {
        Ok(format!("/{}", cgroup_name(&self.directory)?))
    }

    /// The file of a process of the node in the machine's /proc; `pid` as the node counts.
    pub fn proc(&self, pid: i64, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/proc/{pid}/{file}", self.init))
    }

    /// The processes of the node that have `variable` (`KEY=VALUE`) in the environment they were started with, as the
    /// node counts. Those that have ended are not among them, even if nobody has waited for them yet.
    ///
    /// # Errors
    /// The node has ended.
    pub fn processes_with(&self, variable: &str) -> Result<Vec<i64>> {
        let mut processes = self.processes()?;
        processes.retain(|pid| {
            // One that is gone by now has none.
            let environment = fs::read(self.proc(*pid, "environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|entry| entry == variable.as_bytes())
        });
        Ok(processes)
    }

    /// The processor time of all its processes, and of those that they have waited for.
    ///
    /// # Errors
    /// The node has ended.
    pub fn processor_time(&self) -> Result<Duration> {
        let ticks_per_second = sysconf(SysconfVar::CLK_TCK)?.context("the kernel counts no ticks")?;
        // One that is gone by now has been waited for.
        let stats = self.processes()?.into_iter();
        let stats = stats.filter_map(|pid| fs::read_to_string(self.proc(pid, "stat")).ok());
        let ticks: u64 = stats.map(|stat| ticks(&stat)).sum();
        Ok(Duration::from_secs(ticks) / u32::try_from(ticks_per_second)?)
    }

    /// All processes of the node, as it counts.
    fn processes(&self) -> Result<Vec<i64>> {
        let directory = self.proc(1, "..");
        let entries = fs::read_dir(&directory).with_context(|| format!("read {}", directory.display()))?;
        let names = entries.map(|entry| Ok(entry?.file_name()));
        let names = names.collect::<Result<Vec<_>>>()?;
        Ok(names
            .iter()
            .filter_map(|name| name.to_string_lossy().parse().ok())
            .collect())
    }

    /// Has the same effect as a reset of a machine: its processes are gone, and so are its mounts, /run and `volatile`,
    /// a directory. The next boot has another id.
    ///
    /// # Errors
    /// Something survives.
    pub async fn reset(&mut self, volatile: &Path) -> Result<()> {
        wait::until("the processes of the node to end", async || {
            let mut processes = self.processes()?;
            processes.retain(|pid| !self.keepers.contains(pid));
            for pid in &processes {
                // It may have ended by itself.
                let _ = self.run(Command::new("sh").args(["-c", &format!("kill -9 {pid}")]));
            }
            Ok(processes.is_empty().then_some(()))
        })
        .await?;
        self.boots += 1;
        let boot = self.directory.join(format!("boot-{}", self.boots));
        fs::write(&boot, format!("00000000-0000-4000-8000-{:012}\n", self.boots))?;
        let mut script = Command::new("sh");
        script.args(["-euc", RESET, "reset"]).arg(volatile).arg(boot);
        self.run(&script).map(drop)
    }

    /// Starts `command` inside the node with exactly the environment given to it; its output goes to the log
    /// `name`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn(&self, name: &str, command: &Command) -> Result<Process> {
        Process::spawn(name, self.enter(command), &self.directory.join("log"))
    }

    /// Runs `command` inside the node and awaits its end.
    ///
    /// # Errors
    /// It cannot be started or fails; the message has its output.
    pub fn run(&self, command: &Command) -> Result<String> {
        let output = self.enter(command).output().context("start nsenter")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!(
                "{:?} ended with {}: {said}{}",
                command.get_program(),
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(said)
    }

    fn enter(&self, command: &Command) -> Command {
        let mut entered = Command::new("nsenter");
        entered
            .arg("--target")
            .arg(self.init.to_string())
            .args(["--mount", "--pid", "--"]);
        entered.arg(command.get_program()).args(command.get_args());
        entered.env_clear().env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        );
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => entered.env(key, value),
                None => entered.env_remove(key),
            };
        }
        entered.process_group(0).stdin(Stdio::null());
        entered
    }

    /// Awaits the node's init and returns its id as the machine counts.
    fn await_init(&mut self) -> Result<i32> {
        let stdout = self
            .keeper
            .stdout
            .take()
            .context("the keeper has no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(
            line == "ready\n",
            "this machine refuses the namespaces of a node (see the error above)"
        );
        let unshare =
            super::process::only_child(self.keeper.id().try_into()?)?.context("the node has ended")?;
        super::process::only_child(unshare)?.context("the node has ended")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if !self.silent {
            print_logs(&self.directory.join("log"));
        }
        drop(self.keeper.stdin.take());
        match self.keeper.wait() {
            Ok(status) if status.success() => {}
            outcome => eprintln!("cleaning up {} ended with {outcome:?}", self.directory.display()),
        }
    }
}

/// The directories of the machine beside its root that the programs of a node need: the runtimes, the repository, the
/// files that it builds.
fn needed_paths() -> Result<Vec<PathBuf>> {
    let mut paths = vec![cache::root()?, workspace::file(""), env::current_exe()?];
    paths.extend(env::var_os(workspace::PROGRAM).map(PathBuf::from));
    // One that is missing is reported where it is needed.
    paths.retain(|path| path.exists());
    let absolute = paths.iter().map(fs::canonicalize).collect::<Result<_, _>>();
    absolute.context("find what a node needs")
}

/// The node's directory has a unique name: its control group has the same.
fn cgroup_name(directory: &Path) -> Result<&str> {
    directory
        .file_name()
        .and_then(|name| name.to_str())
        .context("the node's directory has no name")
}

/// The ticks in a line of /proc/PID/stat: in user and in kernel mode, then the same of children that were waited for.
fn ticks(stat: &str) -> u64 {
    // The name of the program may have spaces.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let times = fields.split_whitespace().skip(11).take(4);
    times.filter_map(|field| field.parse::<u64>().ok()).sum()
}

fn print_logs(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let text = fs::read(entry.path()).unwrap_or_default();
        println!(
            "--- {}\n{}",
            entry.file_name().display(),
            String::from_utf8_lossy(&text)
        );
    }
}
