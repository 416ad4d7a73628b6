//! Whether a container still needs this program, which its OCI spec names.

use crate::ledger::{BootId, EntryDirectory, Header, LedgerError};
use crate::model::Stage;
use crate::process::Init;

/// Whether a container still needs this program: its runtime may still start the runner, or its poststop
/// hooks have not run. A container that is over does not need it, although without a daemon it stays in the
/// ledger. One that was never started is over at the end of the boot.
///
/// # Errors
/// Its records cannot be read.
pub(crate) fn needs_program(files: &EntryDirectory, header: &Header) -> Result<bool, LedgerError> {
    let is_of_this_boot = header.boot == BootId::current()?;
    let Some(created) = files.created()? else {
        return Ok(is_of_this_boot);
    };
    let may_live = is_of_this_boot && Init::of(&created).is_none_or(Init::is_alive);
    Ok(may_live || !files.is_complete(Stage::Poststop, header.count(Stage::Poststop))?)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::ledger::{Claimed, Created, Identity, Ledger, StageResult, Trigger};
    use crate::model::{ResolvedHook, ResolvedHooks};

    #[test]
    fn a_container_needs_the_program_until_its_init_has_ended_and_its_poststop_has_run() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::create(directory.path()).unwrap();
        let hooks = vec![ResolvedHook::for_test("/bin/true")];
        let resolved = ResolvedHooks {
            stages: [(Stage::Poststop, hooks)].into(),
        };
        ledger
            .add(Identity::for_test("c1", "web"), &resolved, true)
            .unwrap();
        let container = ledger.find(&"c1".parse().unwrap()).unwrap().unwrap();
        let header = container.header().unwrap();
        let needs = || needs_program(&container, &header).unwrap();
        assert!(needs(), "it may be started");
        let earlier = Header {
            boot: serde_json::from_str("\"earlier\"").unwrap(),
            ..header.clone()
        };
        assert!(
            !needs_program(&container, &earlier).unwrap(),
            "nobody starts it after a reboot"
        );
        let mut process = Command::new("sleep").arg("600").spawn().unwrap();
        let created = Created {
            process: crate::process::process(process.id().try_into().unwrap()),
            ..Created::default()
        };
        container.note_created(Stage::Poststop, &created).unwrap();
        assert!(needs(), "it runs");
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(needs(), "its poststop has not run");
        let Claimed::Ours(claim) = container.claim(Stage::Poststop, Trigger::Oci).unwrap() else {
            panic!("it is over");
        };
        claim.finish(StageResult::Done).unwrap();
        assert!(!needs());
    }
}
