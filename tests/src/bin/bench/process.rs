//! A process by the kernel's figures: its memory and its processor time.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// The processes that `process` has started and that have not ended.
pub(crate) fn children(process: u32) -> anyhow::Result<Vec<u32>> {
    // A process with children has one thread here.
    let path = format!("/proc/{process}/task/{process}/children");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let numbers = text.split_whitespace().map(str::parse);
    numbers
        .collect::<Result<_, _>>()
        .with_context(|| format!("{path}: {text}"))
}

/// Resident memory in kB.
pub(crate) fn resident(process: u32) -> anyhow::Result<u64> {
    // Unlike the figure in `status`, this one is exact.
    let path = format!("/proc/{process}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.with_context(|| format!("{path} has no number for Rss"))
}

/// The processor time that it has used, all its threads together.
pub(crate) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(process.try_into()?))?;
    Ok(clock.now()?.into())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_has_its_children_until_they_are_waited_for() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "read line"]).stdin(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        assert!(children(child.id()).unwrap().is_empty());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(children(child.id()).is_err());
    }

    #[test]
    fn this_process_has_memory_and_uses_processor_time() {
        assert!(resident(std::process::id()).unwrap() > 100);
        assert!(processor_time(std::process::id()).unwrap() > Duration::ZERO);
    }
}
