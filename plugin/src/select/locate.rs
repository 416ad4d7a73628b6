//! From a reference in an annotation to a trusted file inside a spec directory.

use std::path::Path;
use std::sync::Arc;

use super::SelectionFault;
use super::annotation::SpecRef;
use super::policy::names;
use crate::trust::{Fault, PathCache, TrustError, TrustedFile};

/// A hook-spec that was found.
pub(super) struct Located {
    pub(super) file: Arc<str>,
    pub(super) trusted: TrustedFile,
    /// The names of the real file by the rules, if links led to it.
    pub(super) real_names: Vec<String>,
}

/// The files that `reference` may mean.
pub(super) fn candidates(directories: &[Arc<str>], reference: &SpecRef) -> Vec<Arc<str>> {
    match reference {
        SpecRef::Name(name) => directories
            .iter()
            .map(|directory| format!("{directory}/{name}.json").into())
            .collect(),
        // The text is checked first, so that a pod cannot find out whether a file outside exists.
        SpecRef::Path(path) if directories.iter().any(|directory| is_below(path, directory)) => {
            vec![path.as_str().into()]
        }
        SpecRef::Path(_) => Vec::new(),
    }
}

/// The first of `candidates` that exists, if it is trusted and really inside one of `directories`.
pub(super) fn locate(
    directories: &[Arc<str>],
    reference: &SpecRef,
    candidates: &[Arc<str>],
    path_cache: &mut PathCache,
) -> Result<Located, SelectionFault> {
    let (file, trusted) = match reference {
        SpecRef::Name(name) => by_name(directories, name, candidates, path_cache)?,
        SpecRef::Path(_) => {
            let path = candidates.first().ok_or_else(|| outside(directories))?;
            let trusted = path_cache.file_to_read(Path::new(&**path));
            (path.clone(), trusted.map_err(SelectionFault::Untrusted)?)
        }
    };
    let real = trusted.real_path();
    // Without a link on the way, there is none on the way to its directory: the usual case.
    let real_names = if real == Path::new(&*file) {
        Vec::new()
    } else {
        real_names(directories, real, path_cache).ok_or_else(|| outside(directories))?
    };
    Ok(Located {
        file,
        trusted,
        real_names,
    })
}

fn outside(directories: &[Arc<str>]) -> SelectionFault {
    SelectionFault::Outside {
        directories: directories.to_vec(),
    }
}

fn by_name(
    directories: &[Arc<str>],
    name: &str,
    candidates: &[Arc<str>],
    path_cache: &mut PathCache,
) -> Result<(Arc<str>, TrustedFile), SelectionFault> {
    for path in candidates {
        match path_cache.file_to_read(Path::new(&**path)) {
            Ok(trusted) => return Ok((path.clone(), trusted)),
            Err(TrustError {
                fault: Fault::NotFound,
                ..
            }) => {}
            Err(error) => return Err(SelectionFault::Untrusted(error)),
        }
    }
    Err(SelectionFault::NoSuchSpec {
        name: name.to_owned(),
        directories: directories.to_vec(),
    })
}

fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// The names of the file at the path `real` by the rules. The path has no links on the way. `None` if it is in no
/// spec directory.
fn real_names(directories: &[Arc<str>], real: &Path, path_cache: &mut PathCache) -> Option<Vec<String>> {
    let real = real.to_string_lossy();
    let real_directories: Vec<Arc<str>> = directories
        .iter()
        .filter_map(|directory| path_cache.directory(Path::new(&**directory)).ok())
        .map(|directory| directory.real_path().to_string_lossy().into())
        .collect();
    let inside = real_directories
        .iter()
        .any(|directory| is_below(&real, directory));
    inside.then(|| {
        names(&real, &real_directories)
            .into_iter()
            .map(str::to_owned)
            .collect()
    })
}
