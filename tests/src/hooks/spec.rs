//! Hook-specs as an administrator writes them.

use std::path::{Path, PathBuf};

use serde::Serialize;

/// A hook-spec; its JSON is the file's.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HookSpec {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    prestart: Vec<Hook>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    create_runtime: Vec<Hook>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    create_container: Vec<Hook>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    start_container: Vec<Hook>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    poststart: Vec<Hook>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    poststop: Vec<Hook>,
}

macro_rules! stages {
    ($($stage:ident),+) => {$(
        #[doc = concat!("Adds a hook to stage `", stringify!($stage), "`.")]
        #[must_use]
        pub fn $stage(mut self, hook: impl Into<Hook>) -> Self {
            self.$stage.push(hook.into());
            self
        }
    )+};
}

impl HookSpec {
    /// A hook-spec without hooks.
    pub fn new() -> Self {
        Self::default()
    }

    stages!(
        prestart,
        create_runtime,
        create_container,
        start_container,
        poststart,
        poststop
    );
}

/// One hook of a hook-spec.
#[derive(Debug, Clone, Serialize)]
pub struct Hook {
    path: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<i64>,
}

impl Hook {
    /// A hook with nothing but its path.
    pub fn new(path: impl Into<PathBuf>) -> Hook {
        Hook {
            path: path.into(),
            args: None,
            env: None,
            timeout: None,
        }
    }

    /// Its argv, the first included.
    #[must_use]
    pub fn args<const N: usize>(mut self, args: [&str; N]) -> Self {
        self.args = Some(args.map(Into::into).into());
        self
    }

    /// Its environment, `KEY=VALUE` each.
    #[must_use]
    pub fn env<const N: usize>(mut self, env: [&str; N]) -> Self {
        self.env = Some(env.map(Into::into).into());
        self
    }

    /// How long it may run, in seconds.
    #[must_use]
    pub fn timeout(mut self, seconds: i64) -> Self {
        self.timeout = Some(seconds);
        self
    }
}

impl From<&Path> for Hook {
    fn from(path: &Path) -> Hook {
        Hook::new(path)
    }
}

impl From<PathBuf> for Hook {
    fn from(path: PathBuf) -> Hook {
        Hook::new(path)
    }
}
