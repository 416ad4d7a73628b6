//! Where the programs of the host are.

use std::env;
use std::ffi::OsString;

/// The directories of the host's own programs.
pub(crate) const TOOLS_PATH: &str =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin";

/// The `PATH` by which this process finds a program of the host. In a pod, its own names no directory of the host.
pub(crate) fn search_path() -> OsString {
    search_path_after(env::var_os("PATH"))
}

fn search_path_after(own: Option<OsString>) -> OsString {
    // An empty part would be the working directory.
    let Some(mut path) = own.filter(|own| !own.is_empty()) else {
        return TOOLS_PATH.into();
    };
    path.push(":");
    path.push(TOOLS_PATH);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_the_host_are_found_with_the_path_of_a_pod_and_with_none() {
        assert_eq!(search_path_after(None), TOOLS_PATH);
        assert_eq!(search_path_after(Some("".into())), TOOLS_PATH);
        let path = search_path_after(Some("/".into())).into_string().unwrap();
        assert_eq!(path, format!("/:{TOOLS_PATH}"));
    }
}
