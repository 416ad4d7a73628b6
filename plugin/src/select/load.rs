//! A hook-spec ready for use: trusted and parsed, and each of its programs trusted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Copies, Digest, ImageProgram, LastGood, loads, version_directory};
use crate::diagnostic::{Diagnostic, MAX_ERRORS};
use crate::model::Timestamp;
use crate::spec::{HookSpec, MAX_SIZE, Parsed, Program, When, parse, parse_hooks_d};
use crate::trust::{FileIdentity, MaxSize, PathCache, TrustedFile};

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A hook-spec: lists of hooks, by stage.
    HookSpec,
    /// A hooks.d file of podman and CRI-O, version 1.0.0: one hook, with conditions.
    HooksD,
}

impl Format {
    fn max_size(self) -> MaxSize {
        let (bytes, in_words) = match self {
            Format::HookSpec => (MAX_SIZE, "10 MiB"),
            Format::HooksD => (256 * 1024, "256 KiB"),
        };
        MaxSize {
            bytes,
            in_words,
            help: "make it smaller",
        }
    }

    fn parse(self, file: &Arc<str>, bytes: &[u8]) -> Parsed {
        match self {
            Format::HookSpec => parse(file, bytes),
            Format::HooksD => parse_hooks_d(file, bytes),
        }
    }
}

/// A valid hook-spec, and the state of the file that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoadedSpec {
    file: Arc<str>,
    identity: FileIdentity,
    digest: Digest,
    when: When,
    spec: HookSpec,
    programs: Vec<Program>,
    pins: Pins,
    image_programs: Vec<ImageProgram>,
}

/// The programs that have versions, by their paths in the hook-spec, each with its version at the check.
type Pins = BTreeMap<Arc<str>, Arc<str>>;

impl LoadedSpec {
    /// Loads the hook-spec `file`, an absolute path: checks its trust, parses it, and checks the trust of
    /// each program that it names.
    ///
    /// Fails with all errors, in the order of the text.
    pub(crate) fn load(file: &Arc<str>) -> Result<LoadedSpec, Vec<Diagnostic>> {
        LoadedSpec::load_with_text(file).1
    }

    /// As [`LoadedSpec::load`], with the text that was read, to show the errors in it; empty if the file
    /// could not be read.
    pub(crate) fn load_with_text(file: &Arc<str>) -> (Vec<u8>, Result<LoadedSpec, Vec<Diagnostic>>) {
        LoadedSpec::load_as(Format::HookSpec, file)
    }

    /// As [`LoadedSpec::load_with_text`], for a file of this `format`.
    pub(crate) fn load_as(format: Format, file: &Arc<str>) -> (Vec<u8>, Result<LoadedSpec, Vec<Diagnostic>>) {
        let path_cache = &mut PathCache::new();
        let read = path_cache
            .named(file)
            .and_then(|trusted| Ok((trusted.content(file, format.max_size())?, trusted)));
        match read {
            Ok((text, trusted)) => {
                let loaded = LoadedSpec::of_text(format, file, &text, trusted.identity(), path_cache);
                (text, loaded)
            }
            Err(errors) => (Vec::new(), Err(errors)),
        }
    }

    /// As [`LoadedSpec::load`], for a trusted file of this `format`.
    pub(super) fn read(
        format: Format,
        file: &Arc<str>,
        trusted: &TrustedFile,
        path_cache: &mut PathCache,
        copies: &Copies,
    ) -> Result<LoadedSpec, Vec<Diagnostic>> {
        let text = trusted.content(file, format.max_size());
        let loaded = text.and_then(|text| {
            let loaded = LoadedSpec::of_text(format, file, &text, trusted.identity(), path_cache)?;
            copies.store(file, &text);
            Ok(loaded)
        });
        loads::count(format, loaded.is_ok());
        loaded
    }

    /// The last good version of `file`, which is invalid now, and the time when that became active. Its
    /// programs are checked again.
    pub(crate) fn last_good(
        format: Format,
        file: &Arc<str>,
        path_cache: &mut PathCache,
        copies: &Copies,
    ) -> Option<(LoadedSpec, Timestamp)> {
        let LastGood {
            text,
            taken,
            identity,
        } = copies.find(file)?;
        let loaded = LoadedSpec::of_text(format, file, &text, identity, path_cache).ok()?;
        Some((loaded, taken))
    }

    fn of_text(
        format: Format,
        file: &Arc<str>,
        text: &[u8],
        identity: FileIdentity,
        path_cache: &mut PathCache,
    ) -> Result<LoadedSpec, Vec<Diagnostic>> {
        let Parsed {
            when,
            spec,
            programs,
            mut errors,
        } = format.parse(file, text);
        let pins = check(file, &programs, path_cache).unwrap_or_else(|untrusted| {
            errors.extend(untrusted);
            Pins::new()
        });
        if errors.is_empty() {
            return Ok(LoadedSpec {
                image_programs: of_images(&pins),
                pins,
                file: file.clone(),
                identity,
                digest: Digest::of(text),
                when,
                spec,
                programs,
            });
        }
        // Errors of the file as a whole come last.
        errors.sort_by_key(|error| (error.place.is_none(), error.place));
        Err(errors)
    }

    /// This hook-spec, if its file is unchanged and its programs are still trusted; otherwise loaded again.
    pub(super) fn refresh(
        format: Format,
        file: &Arc<str>,
        trusted: &TrustedFile,
        known: Option<&Arc<LoadedSpec>>,
        path_cache: &mut PathCache,
        copies: &Copies,
    ) -> Result<Arc<LoadedSpec>, Vec<Diagnostic>> {
        match known {
            Some(known) if known.identity == trusted.identity() => known.checked(path_cache),
            _ => LoadedSpec::read(format, file, trusted, path_cache, copies).map(Arc::new),
        }
    }

    /// This hook-spec, with the current versions of its programs.
    ///
    /// Fails unless each program is still trusted.
    pub(super) fn checked(
        self: &Arc<Self>,
        path_cache: &mut PathCache,
    ) -> Result<Arc<Self>, Vec<Diagnostic>> {
        let pins = check(&self.file, &self.programs, path_cache)?;
        if pins == self.pins {
            return Ok(self.clone());
        }
        Ok(Arc::new(LoadedSpec {
            image_programs: of_images(&pins),
            pins,
            ..LoadedSpec::clone(self)
        }))
    }

    /// The version of the program at `path` in this hook-spec; `None` if it has none.
    pub(super) fn pin(&self, path: &str) -> Option<&str> {
        self.pins.get(path).map(|version| &**version)
    }

    /// The programs from images, in their versions at the check.
    pub(crate) fn image_programs(&self) -> &[ImageProgram] {
        &self.image_programs
    }

    /// The file, by the name under which it was loaded.
    pub(crate) fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// The state of the file that was read.
    pub(crate) fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// The programs that it names, each once.
    pub(crate) fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// Its conditions: always, unless it is a hooks.d file.
    pub(crate) fn when(&self) -> &When {
        &self.when
    }

    /// The digest of the text that was read.
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The hooks in it.
    pub(crate) fn spec(&self) -> &HookSpec {
        &self.spec
    }
}

/// The versions of those `programs` that have versions. Each is checked once, however many hooks run it.
///
/// Fails with one error for each that is not trusted, up to the maximum number of errors of a file.
fn check(file: &Arc<str>, programs: &[Program], path_cache: &mut PathCache) -> Result<Pins, Vec<Diagnostic>> {
    let (mut pins, mut errors) = (Pins::new(), Vec::new());
    for program in programs {
        match path_cache.file_to_execute(Path::new(&*program.path)) {
            Ok(trusted) if version_directory(trusted.real_path()).is_some() => {
                let real = trusted.real_path().to_string_lossy().into();
                pins.insert(program.path.clone(), real);
            }
            Ok(_) => {}
            Err(error) => errors.push(program.error(file, error.rule(), error.to_string(), error.help())),
        }
        if errors.len() == MAX_ERRORS {
            break;
        }
    }
    if errors.is_empty() { Ok(pins) } else { Err(errors) }
}

fn of_images(pins: &Pins) -> Vec<ImageProgram> {
    pins.values()
        .filter_map(|program| ImageProgram::at(program))
        .collect()
}
