//! Who still needs the program.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Target;
use super::layout::{CONFIG, PLUGIN_CONFIGS, PROGRAM};
use super::unit::Options;
use crate::config::{Config, ConfigSource, Overrides};
use crate::diagnostic::{bounded_list, prose, shown};
use crate::doctor::Node;
use crate::ledger::{Boot, ContainerId, Ledger, LedgerError};
use crate::observe::{AskError, ask};
use crate::runner::Init;
use crate::spec::Stage;
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

/// Who needs the program, and the folders of the ledger, as far as they are known.
pub(super) fn of(target: &Target) -> (Need, Vec<String>) {
    let folders = match state_dirs(target) {
        Ok(folders) => folders,
        Err(why) => return (Need::Unknown(why), Vec::new()),
    };
    if target.node.is_live() && is_executed(Path::new(PROGRAM)) {
        return (Need::Daemon, folders);
    }
    let needs = folders.iter().map(|folder| of_ledger(&target.node, folder));
    let need = needs.reduce(|one, other| if one == Need::Nobody { other } else { one });
    (need.unwrap_or(Need::Nobody), folders)
}

/// Where the ledger is: more than one folder if several configurations are there.
fn state_dirs(target: &Target) -> Result<Vec<String>, String> {
    let options = Options::in_force(target);
    if let Some(folder) = options.state_dir {
        if !folder.starts_with('/') {
            return Err(format!(
                "--state-dir must begin with /, but is {}",
                shown(&folder)
            ));
        }
        return Ok(vec![folder]);
    }
    let read = |name: &str, is_named: bool| -> Result<Config, String> {
        let path = target.node.path(name);
        let path = path.to_string_lossy();
        let source = match is_named {
            true => ConfigSource::file(&path, Overrides::default()),
            false => ConfigSource::optional_file(&path, Overrides::default()),
        };
        let config = source.read().map_err(|mistakes| bounded_list(&mistakes))?;
        Ok(config.0)
    };
    let file = options.config;
    let mut folders = vec![read(file.as_deref().unwrap_or(CONFIG), file.is_some())?.state_dir];
    for name in PLUGIN_CONFIGS {
        if target.node.path(name).exists() {
            folders.push(read(name, true)?.state_dir);
        }
    }
    let mut folders: Vec<String> = folders.iter().map(ToString::to_string).collect();
    folders.dedup();
    Ok(folders)
}

fn of_ledger(node: &Node, state_dir: &str) -> Need {
    let folder = node.path(state_dir);
    if node.is_live() && runs(&folder) {
        return Need::Daemon;
    }
    let ledger = match Ledger::open(&folder) {
        Ok(ledger) => ledger,
        Err(LedgerError::Untrusted { fault }) if is_absent(&folder, &fault) => return Need::Nobody,
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
    let Some(folder) = ledger.find(id)? else {
        return Ok(false);
    };
    let header = folder.header()?;
    let Some(init) = folder.created()?.as_ref().and_then(Init::of) else {
        return Ok(true);
    };
    let is_over = header.boot != Boot::current()? || !init.is_alive();
    Ok(!is_over || !folder.is_settled(Stage::Poststop, header.count(Stage::Poststop))?)
}

/// Whether there is no ledger, rather than a link that leads nowhere: what it leads to may be mounted
/// another time.
fn is_absent(folder: &Path, error: &TrustError) -> bool {
    error.fault == Fault::NotFound && folder.join("live").starts_with(&error.component)
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
fn runs(folder: &Path) -> bool {
    match ask(folder) {
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
    use crate::select::{Frozen, FrozenHook};

    #[test]
    fn a_container_that_is_over_and_has_had_its_poststop_needs_no_program() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::create(folder.path()).unwrap();
        let id: ContainerId = "c1".parse().unwrap();
        let identity = Identity {
            id: id.clone(),
            container: "app".into(),
            pod: "web".into(),
            namespace: "default".into(),
            uid: "u".into(),
        };
        let hooks = vec![FrozenHook::for_test("/bin/true")];
        let frozen = Frozen {
            stages: [(Stage::Poststop, hooks)].into(),
        };
        ledger.add(identity, &frozen, true).unwrap();
        assert!(may_need(&ledger, &id).unwrap(), "it may be started");
        let container = ledger.find(&id).unwrap().unwrap();
        let mut process = Command::new("sleep").arg("600").spawn().unwrap();
        let created = Created {
            process: crate::runner::process(process.id().try_into().unwrap()),
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
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
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
        assert!(!is_executed(&program) && !is_executed(&folder.path().join("none")));
    }
}
