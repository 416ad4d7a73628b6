//! From what an annotation picks to a trusted file inside a spec folder.

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use super::annotation::Pick;
use crate::diagnostic::{bounded_list, shown};
use crate::trust::{Fault, Survey, TrustError, TrustedFile};

/// Why a pick leads to no hook-spec.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PickFault {
    /// No spec folder has a file of this name.
    #[error("no such hook-spec in {}; ask who runs the node to put {file} there, or pick another", bounded_list(.folders))]
    NoSuchSpec {
        /// The file looked for.
        file: String,
        /// Where.
        folders: Vec<Arc<str>>,
    },
    /// The path, or what its links lead to, is in none of the spec folders.
    #[error("lies outside the folders of hook-specs that may be picked; those are: {}", bounded_list(.folders))]
    Outside {
        /// The spec folders.
        folders: Vec<Arc<str>>,
    },
    /// The file is not to be trusted.
    #[error("{0}; {help}", help = .0.help())]
    Untrusted(TrustError),
}

/// A hook-spec that was found.
pub(super) struct Located {
    pub(super) file: Arc<str>,
    pub(super) trusted: TrustedFile,
}

/// The file that `pick` means, if it is trusted and really is inside one of `folders`.
pub(super) fn locate(folders: &[Arc<str>], pick: &Pick, survey: &mut Survey) -> Result<Located, PickFault> {
    let found = match pick {
        Pick::Name(name) => by_name(folders, name, survey)?,
        // The text is judged first: nobody is to learn whether a file outside exists.
        Pick::Path(path) if folders.iter().any(|folder| is_below(path, folder)) => Located {
            file: path.as_str().into(),
            trusted: survey
                .file_to_read(Path::new(path))
                .map_err(PickFault::Untrusted)?,
        },
        Pick::Path(_) => {
            return Err(PickFault::Outside {
                folders: folders.to_vec(),
            });
        }
    };
    if is_really_inside(folders, &found, survey) {
        Ok(found)
    } else {
        Err(PickFault::Outside {
            folders: folders.to_vec(),
        })
    }
}

fn by_name(folders: &[Arc<str>], name: &str, survey: &mut Survey) -> Result<Located, PickFault> {
    let file = format!("{name}.json");
    for folder in folders {
        let path: Arc<str> = format!("{folder}/{file}").into();
        match survey.file_to_read(Path::new(&*path)) {
            Ok(trusted) => return Ok(Located { file: path, trusted }),
            Err(TrustError {
                fault: Fault::NotFound,
                ..
            }) => {}
            Err(error) => return Err(PickFault::Untrusted(error)),
        }
    }
    Err(PickFault::NoSuchSpec {
        file: shown(&file).to_string(),
        folders: folders.to_vec(),
    })
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Whether the file is still inside a spec folder when all links are resolved.
fn is_really_inside(folders: &[Arc<str>], found: &Located, survey: &mut Survey) -> bool {
    let real = found.trusted.real_path();
    // No link on the way, so none on the way to its folder: the usual case.
    real == Path::new(&*found.file)
        || folders
            .iter()
            .filter_map(|folder| survey.directory(Path::new(&**folder)).ok())
            .any(|folder| real.starts_with(folder.real_path()))
}
