//! Who still needs the program.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Target;
use super::layout::{CONFIG, PLUGIN_CONFIGS, PROGRAM};
use super::unit::Options;
use crate::config::{Config, ConfigSource, Overrides};
use crate::doctor::Node;
use crate::ledger::{BootId, Ledger, LedgerError};
use crate::model::{ContainerId, Stage, bounded_list, prose, shown};
use crate::observe::{AskError, ask};
use crate::process::Init;
use crate::trust::{Fault, TrustError};

/// Who still needs the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    Nobody,
    /// A daemon, which would hand it to new containers.
    Daemon,
    /// So many containers, whose hooks it has yet to run.
    Containers(usize),
    /// It cannot be told, and why: so it may be needed.
    Unknown(String),
}

/// Who needs the program, and the directories of the ledger, as far as they are known.
pub(super) fn of(target: &Target) -> (Need, Vec<String>) {
    let directories = match state_dirs(target) {
        Ok(directories) => directories,
        Err(why) => return (Need::Unknown(why), Vec::new()),
    };
    if target.node.is_live() && is_executed(Path::new(PROGRAM)) {
        return (Need::Daemon, directories);
    }
    let needs = directories
        .iter()
        .map(|directory| of_ledger(&target.node, directory));
    let need = needs.reduce(|one, other| if one == Need::Nobody { other } else { one });
    (need.unwrap_or(Need::Nobody), directories)
}

/// Where the ledger is: more than one directory if several configurations are there.
fn state_dirs(target: &Target) -> Result<Vec<String>, String> {
    let options = Options::in_force(target);
    if let Some(directory) = options.state_dir {
        if !directory.starts_with('/') {
            return Err(format!(
                "--state-dir must begin with /, but is {}",
                shown(&directory)
            ));
        }
        return Ok(vec![directory]);
    }
    let read = |name: &str, is_named: bool| -> Result<Config, String> {
        let path = target.node.path(name);
        let path = path.to_string_lossy();
        let source = match is_named {
            true => ConfigSource::file(&path, Overrides::default()),
            false => ConfigSource::optional_file(&path, Overrides::default()),
        };
        let config = source.read().map_err(|errors| bounded_list(&errors))?;
        Ok(config.0)
    };
    let file = options.config;
    let mut directories = vec![read(file.as_deref().unwrap_or(CONFIG), file.is_some())?.state_dir];
    for name in PLUGIN_CONFIGS {
        if target.node.path(name).exists() {
            directories.push(read(name, true)?.state_dir);
        }
    }
    let mut directories: Vec<String> = directories.iter().map(ToString::to_string).collect();
    directories.dedup();
    Ok(directories)
}

fn of_ledger(node: &Node, state_dir: &str) -> Need {
    let directory = node.path(state_dir);
    if node.is_live() && runs(&directory) {
        return Need::Daemon;
    }
    let ledger = match Ledger::open(&directory) {
        Ok(ledger) => ledger,
        Err(LedgerError::Untrusted { fault }) if is_absent(&directory, &fault) => return Need::Nobody,
        Err(LedgerError::Untrusted { fault }) => return Need::Unknown(fault.to_string()),
        Err(error) => return Need::Unknown(prose(&error.to_string())),
    };
    match ledger.live() {
        Ok(mut live) => {
            // Of an image nobody knows what has become of them.
            if node.is_live() {
                live.retain(|id| may_need(&ledger, id).unwrap_or(true));
            }
            match live.len() {
                0 => Need::Nobody,
                containers => Need::Containers(containers),
            }
        }
        Err(error) => Need::Unknown(prose(&error.to_string())),
    }
}

/// Whether a container may still need the program. One that is over and has had its poststop does
/// not, though without a daemon nobody has taken it out of the ledger.
fn may_need(ledger: &Ledger, id: &ContainerId) -> Result<bool, LedgerError> {
    let Some(directory) = ledger.find(id)? else {
        return Ok(false);
    };
    let header = directory.header()?;
    let Some(init) = directory.created()?.as_ref().and_then(Init::of) else {
        return Ok(true);
    };
    let is_over = header.boot != BootId::current()? || !init.is_alive();
    Ok(!is_over || !directory.is_settled(Stage::Poststop, header.count(Stage::Poststop))?)
}

/// Whether there is no ledger, rather than a link that leads nowhere: what it leads to may be mounted
/// another time.
fn is_absent(directory: &Path, error: &TrustError) -> bool {
    error.fault == Fault::NotFound && directory.join("live").starts_with(&error.component)
}

/// Whether another process executes a program, whatever its options are.
fn is_executed(program: &Path) -> bool {
    let Ok(program) = program.metadata() else {
        return false;
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let others = processes.filter(|process| process.file_name() != *std::process::id().to_string());
    // The file itself, wherever the process sees it.
    let executes = |process: fs::DirEntry| fs::metadata(process.path().join("exe"));
    let mut executed = others.filter_map(|process| executes(process).ok());
    executed.any(|file| (file.dev(), file.ino()) == (program.dev(), program.ino()))
}

/// Whether a daemon runs. One that hangs does.
fn runs(directory: &Path) -> bool {
    match ask(directory) {
        Ok(_) | Err(AskError::NoAnswer { .. }) => true,
        Err(AskError::NoDaemon { source, .. }) => {
            !matches!(source.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::ledger::{Claimed, Created, Identity, StageResult, Trigger};
    use crate::model::{ResolvedHook, ResolvedHooks};

    #[test]
    fn a_container_that_is_over_and_has_had_its_poststop_needs_no_program() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::create(directory.path()).unwrap();
        let id: ContainerId = "c1".parse().unwrap();
        let identity = Identity {
            id: id.clone(),
            container: "app".into(),
            pod: "web".into(),
            namespace: "default".into(),
            uid: "u".into(),
        };
        let hooks = vec![ResolvedHook::for_test("/bin/true")];
        let resolved = ResolvedHooks {
            stages: [(Stage::Poststop, hooks)].into(),
        };
        ledger.add(identity, &resolved, true).unwrap();
        assert!(may_need(&ledger, &id).unwrap(), "it may be started");
        let container = ledger.find(&id).unwrap().unwrap();
        let mut process = Command::new("sleep").arg("600").spawn().unwrap();
        let created = Created {
            process: crate::process::process(process.id().try_into().unwrap()),
            ..Created::default()
        };
        container.note_created(Stage::Poststop, &created).unwrap();
        assert!(may_need(&ledger, &id).unwrap(), "it runs");
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(may_need(&ledger, &id).unwrap(), "its poststop is owed");
        let Claimed::Ours(claim) = container.claim(Stage::Poststop, Trigger::Oci).unwrap() else {
            panic!("it is over");
        };
        claim.finish(StageResult::Done).unwrap();
        assert!(!may_need(&ledger, &id).unwrap());
    }

    #[test]
    fn a_program_is_needed_as_long_as_another_process_executes_it() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("program");
        // By a process of its own: what is open for writing here, a child of another test might keep open.
        let copied = Command::new("cp").arg("/bin/sleep").arg(&program).status();
        assert!(copied.unwrap().success());
        assert!(!is_executed(&program));
        let mut other = Command::new(&program).arg("600").spawn().unwrap();
        let executed = is_executed(&program);
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(executed);
        let own = std::env::current_exe().unwrap();
        fs::remove_file(&program).unwrap();
        fs::copy(own, &program).unwrap();
        assert!(!is_executed(&program) && !is_executed(&directory.path().join("none")));
    }
}
