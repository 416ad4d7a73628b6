//! From what an annotation picks to a trusted file inside a spec folder.

use std::path::Path;
use std::sync::Arc;

use super::PickFault;
use super::annotation::Pick;
use super::policy::names;
use crate::trust::{Fault, Survey, TrustError, TrustedFile};

/// A hook-spec that was found.
pub(super) struct Located {
    pub(super) file: Arc<str>,
    pub(super) trusted: TrustedFile,
    /// If links led to it: what the rules know the file by that they led to.
    pub(super) real_names: Vec<String>,
}

/// The files that `pick` may mean.
pub(super) fn candidates(folders: &[Arc<str>], pick: &Pick) -> Vec<Arc<str>> {
    match pick {
        Pick::Name(name) => folders
            .iter()
            .map(|folder| format!("{folder}/{name}.json").into())
            .collect(),
        // The text is judged first: nobody is to learn whether a file outside exists.
        Pick::Path(path) if folders.iter().any(|folder| is_below(path, folder)) => vec![path.as_str().into()],
        Pick::Path(_) => Vec::new(),
    }
}

/// The first of `candidates` that exists, if it is trusted and really is inside one of `folders`.
pub(super) fn locate(
    folders: &[Arc<str>],
    pick: &Pick,
    candidates: &[Arc<str>],
    survey: &mut Survey,
) -> Result<Located, PickFault> {
    let (file, trusted) = match pick {
        Pick::Name(name) => by_name(folders, name, candidates, survey)?,
        Pick::Path(_) => {
            let path = candidates.first().ok_or_else(|| outside(folders))?;
            let trusted = survey.file_to_read(Path::new(&**path));
            (path.clone(), trusted.map_err(PickFault::Untrusted)?)
        }
    };
    let real = trusted.real_path();
    // No link on the way, so none on the way to its folder: the usual case.
    let real_names = if real == Path::new(&*file) {
        Vec::new()
    } else {
        real_names(folders, real, survey).ok_or_else(|| outside(folders))?
    };
    Ok(Located {
        file,
        trusted,
        real_names,
    })
}

fn outside(folders: &[Arc<str>]) -> PickFault {
    PickFault::Outside {
        folders: folders.to_vec(),
    }
}

fn by_name(
    folders: &[Arc<str>],
    name: &str,
    candidates: &[Arc<str>],
    survey: &mut Survey,
) -> Result<(Arc<str>, TrustedFile), PickFault> {
    for path in candidates {
        match survey.file_to_read(Path::new(&**path)) {
            Ok(trusted) => return Ok((path.clone(), trusted)),
            Err(TrustError {
                fault: Fault::NotFound,
                ..
            }) => {}
            Err(error) => return Err(PickFault::Untrusted(error)),
        }
    }
    Err(PickFault::NoSuchSpec {
        name: name.to_owned(),
        folders: folders.to_vec(),
    })
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// What the rules know the file at the path `real` by, which has no links on the way; `None` if it
/// is in no spec folder.
fn real_names(folders: &[Arc<str>], real: &Path, survey: &mut Survey) -> Option<Vec<String>> {
    let real = real.to_string_lossy();
    let real_folders: Vec<Arc<str>> = folders
        .iter()
        .filter_map(|folder| survey.directory(Path::new(&**folder)).ok())
        .map(|folder| folder.real_path().to_string_lossy().into())
        .collect();
    let inside = real_folders.iter().any(|folder| is_below(&real, folder));
    inside.then(|| {
        names(&real, &real_folders)
            .into_iter()
            .map(str::to_owned)
            .collect()
    })
}
