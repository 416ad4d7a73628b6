//! The drop-in with which the host's runtime creates no container without this plugin.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::PodError;
use crate::node::{Node, RequiredDropIn, required_drop_ins};
use crate::write::{is_put, put};

/// The beginning of a drop-in from a pod.
const MARK: &str =
    "# Put here by a pod of nri-oci-hooks, which also removes it: change the DaemonSet instead.\n";

/// The name in the shipped drop-ins.
const NAME: &str = "\"oci-hooks\"";

const MODE: u32 = 0o644;

/// The result for the drop-in of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Required {
    /// It is unchanged.
    Unchanged,
    /// It was written or removed: the runtime must be restarted.
    Changed(PathBuf),
    /// The host has a drop-in that is not from a pod; it stays.
    Foreign(PathBuf),
    /// No runtime of the host supports required plugins.
    Impossible,
}

/// Writes the drop-in with which the host's runtime creates no container without the plugin `name`, once the
/// runtime is restarted. If `name` is `None`, removes a drop-in from a pod. Blocks.
///
/// # Errors
/// A file cannot be written or removed.
pub(crate) fn require(name: Option<&str>) -> Result<Required, PodError> {
    apply(&required_drop_ins(&Node::new("/")), name)
}

fn apply(drop_ins: &[RequiredDropIn], name: Option<&str>) -> Result<Required, PodError> {
    let mut result = Required::Unchanged;
    if name.is_some() && !drop_ins.iter().any(|drop_in| drop_in.is_possible) {
        return Ok(Required::Impossible);
    }
    for drop_in in drop_ins {
        let done = match name {
            Some(name) if drop_in.is_possible => put_one(drop_in, name)?,
            Some(_) => Required::Unchanged,
            None => remove(&drop_in.path)?,
        };
        if done != Required::Unchanged {
            result = done;
        }
    }
    Ok(result)
}

fn put_one(drop_in: &RequiredDropIn, name: &str) -> Result<Required, PodError> {
    let path = &drop_in.path;
    let text = format!("{MARK}{}", drop_in.text.replace(NAME, &format!("{name:?}")));
    if is_put(path, text.as_bytes(), MODE) {
        return Ok(Required::Unchanged);
    }
    if path.symlink_metadata().is_ok() && !is_ours(path) {
        return Ok(Required::Foreign(path.clone()));
    }
    put(path, text.as_bytes(), MODE).map_err(PodError::File)?;
    Ok(Required::Changed(path.clone()))
}

fn remove(path: &Path) -> Result<Required, PodError> {
    if !is_ours(path) {
        return Ok(Required::Unchanged);
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(PodError::io("remove", path)(error)),
        _ => Ok(Required::Changed(path.to_owned())),
    }
}

fn is_ours(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.starts_with(MARK))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drop_in(directory: &Path, is_possible: bool) -> RequiredDropIn {
        RequiredDropIn {
            path: directory.join("conf.d/required.toml"),
            text: "required_plugins = [\"oci-hooks\"]\n",
            is_possible,
        }
    }

    #[test]
    fn the_drop_in_names_the_plugin_and_is_removed_when_it_is_no_longer_wanted() {
        let directory = tempfile::tempdir().unwrap();
        let all = [drop_in(directory.path(), true)];
        let path = all[0].path.clone();
        assert_eq!(apply(&all, None).unwrap(), Required::Unchanged);
        assert_eq!(
            apply(&all, Some("hooks-2")).unwrap(),
            Required::Changed(path.clone())
        );
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{MARK}required_plugins = [\"hooks-2\"]\n"));
        assert_eq!(apply(&all, Some("hooks-2")).unwrap(), Required::Unchanged);
        assert_eq!(apply(&all, None).unwrap(), Required::Changed(path.clone()));
        assert!(!path.exists());
    }

    #[test]
    fn a_drop_in_of_the_administrator_stays() {
        let directory = tempfile::tempdir().unwrap();
        let all = [drop_in(directory.path(), true)];
        let path = all[0].path.clone();
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert_eq!(
            apply(&all, Some("oci-hooks")).unwrap(),
            Required::Foreign(path.clone())
        );
        assert_eq!(apply(&all, None).unwrap(), Required::Unchanged);
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
    }

    #[test]
    fn a_runtime_that_might_not_start_with_it_gets_none() {
        let directory = tempfile::tempdir().unwrap();
        let all = [drop_in(directory.path(), false)];
        assert_eq!(apply(&all, Some("oci-hooks")).unwrap(), Required::Impossible);
        assert!(!all[0].path.exists());
    }

    #[test]
    fn both_shipped_drop_ins_name_the_plugin() {
        for drop_in in required_drop_ins(&Node::new("/nowhere")) {
            assert_eq!(drop_in.text.matches(NAME).count(), 1, "{}", drop_in.text);
            assert!(!drop_in.is_possible);
        }
    }
}
