//! A hook-spec of three hooks whose files root may run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A hook-spec file. Its hooks are never run here: a runtime would.
pub(crate) struct HookSpec(PathBuf);

impl HookSpec {
    /// Writes the spec and its hooks.
    pub(crate) fn write(directory: &Path) -> anyhow::Result<Self> {
        let hooks = ["prestart", "poststart", "poststop"].map(|stage| (stage, directory.join(stage)));
        for (_, hook) in &hooks {
            write(hook, "#!/bin/sh\nexit 0\n", 0o755)?;
        }
        let stages = hooks.map(|(stage, hook)| {
            let (path, name) = (hook.display(), stage);
            format!(
                r#"  "{stage}": [{{ "path": "{path}", "args": ["{name}", "--verbose"], "env": ["STAGE={stage}"], "timeout": 5 }}]"#
            )
        });
        let spec = directory.join("hooks.json");
        write(&spec, &format!("{{\n{}\n}}\n", stages.join(",\n")), 0o644)?;
        Ok(Self(spec))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    fs::write(path, text)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .with_context(|| format!("cannot write {}", path.display()))
}
