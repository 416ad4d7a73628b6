//! What the kernel knows about a process: its memory and its threads.

use std::fs;

use anyhow::Context as _;

/// Resident memory in kB.
pub(crate) fn resident(process: u32) -> anyhow::Result<u64> {
    // Unlike the figure in `status`, this one is exact.
    number(process, "smaps_rollup", "Rss:")
}

/// Number of threads.
pub(crate) fn threads(process: u32) -> anyhow::Result<u64> {
    number(process, "status", "Threads:")
}

fn number(process: u32, file: &str, key: &str) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/{file}");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.with_context(|| format!("{path} has no number for {key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_threads() {
        assert!(resident(std::process::id()).unwrap() > 100);
        assert!(threads(std::process::id()).unwrap() >= 1);
    }
}
