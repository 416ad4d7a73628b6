//! The processes that `/proc` lists.

use std::fs;

/// The numbers of all processes that this one sees; none if there is no `/proc`. Other files there, such as
/// `self`, are not processes.
pub(crate) fn processes() -> impl Iterator<Item = i32> {
    let listed = fs::read_dir("/proc").into_iter().flatten().flatten();
    listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_is_listed_once() {
        let own = std::process::id() as i32;
        assert_eq!(processes().filter(|pid| *pid == own).count(), 1);
        assert!(processes().all(|pid| pid > 0));
    }
}
