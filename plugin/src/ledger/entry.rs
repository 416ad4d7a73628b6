//! The entry: the hooks of a container, resolved when it was created.
//!
//! JSON lines: the header, then one line for each stage that has hooks. A runner reads only as far as its
//! stage.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::LedgerError;
use super::checksum::{self, Format};
use crate::model::{ContainerId, ResolvedHook, ResolvedHooks, Stage, Timestamp};

/// The identity of a container, in the words of its users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its id in the runtime.
    pub id: ContainerId,
    /// Its name in the pod.
    pub container: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's uid.
    pub uid: String,
}

#[cfg(test)]
impl Identity {
    /// An identity for tests: the container `app` of the pod `default/POD`.
    pub(crate) fn for_test(id: &str, pod: &str) -> Identity {
        Identity {
            id: id.parse().unwrap(),
            container: "app".into(),
            pod: pod.into(),
            namespace: "default".into(),
            uid: "u".into(),
        }
    }
}

/// The first line of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The format of the container's files.
    pub(crate) format: u32,
    /// The container's identity.
    #[serde(flatten)]
    pub(crate) identity: Identity,
    /// The boot in which it was created.
    pub(crate) boot: BootId,
    /// The time of its creation.
    pub at: Timestamp,
    /// Whether its OCI spec has the runner, so that the OCI runtime starts it too.
    pub(crate) injected: bool,
    /// The number of its hooks for each stage; stages without hooks are absent.
    pub(crate) hooks: BTreeMap<Stage, usize>,
}

/// One boot of the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct BootId(String);

impl BootId {
    /// The current boot of the node.
    ///
    /// # Errors
    /// `/proc` is missing.
    pub(crate) fn current() -> Result<BootId, LedgerError> {
        static CURRENT: OnceLock<BootId> = OnceLock::new();
        if let Some(current) = CURRENT.get() {
            return Ok(current.clone());
        }
        let path = "/proc/sys/kernel/random/boot_id";
        let text = fs::read_to_string(path).map_err(LedgerError::io("read", path))?;
        Ok(CURRENT.get_or_init(|| BootId(text.trim().to_owned())).clone())
    }
}

/// The line of one stage.
#[derive(Serialize, Deserialize)]
struct StageLine<H> {
    stage: Stage,
    hooks: H,
}

/// The last line: the annotations of the container's pod, if it has some.
#[derive(Serialize, Deserialize)]
struct AnnotationsLine<A> {
    annotations: A,
}

/// The start of a line of annotations.
const ANNOTATIONS: &[u8] = b"{\"annotations\":";

/// The stage of a line, without its hooks.
#[derive(Deserialize)]
struct StageOnly {
    stage: Stage,
}

impl Header {
    /// The header for a container that is created now.
    ///
    /// # Errors
    /// `/proc` is missing.
    pub(crate) fn new(
        identity: Identity,
        resolved: &ResolvedHooks,
        injected: bool,
    ) -> Result<Header, LedgerError> {
        let counts = resolved.stages.iter().filter(|(_, hooks)| !hooks.is_empty());
        Ok(Header {
            format: Format::CURRENT,
            identity,
            boot: BootId::current()?,
            at: Timestamp::now(),
            injected,
            hooks: counts.map(|(stage, hooks)| (*stage, hooks.len())).collect(),
        })
    }

    /// The number of the container's hooks for `stage`.
    pub(crate) fn count(&self, stage: Stage) -> usize {
        self.hooks.get(&stage).copied().unwrap_or_default()
    }

    /// Writes the whole entry.
    pub(super) fn write(
        &self,
        resolved: &ResolvedHooks,
        annotations: &BTreeMap<&str, &str>,
        mut out: impl Write,
    ) -> io::Result<()> {
        out.write_all(&checksum::to_line(self, Format::Sealed)?)?;
        for stage in self.hooks.keys() {
            let hooks = resolved.stage(*stage);
            let line = StageLine { stage: *stage, hooks };
            out.write_all(&checksum::to_line(&line, Format::Sealed)?)?;
        }
        // After the stages, where releases that do not know them do not read.
        if !annotations.is_empty() {
            out.write_all(&checksum::to_line(
                &AnnotationsLine { annotations },
                Format::Sealed,
            )?)?;
        }
        out.flush()
    }
}

/// An entry whose header was read.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its header.
    pub(crate) header: Header,
    pub(super) format: Format,
    path: PathBuf,
    rest: BufReader<File>,
}

impl Entry {
    /// Reads the header of the entry `file` at `path`.
    pub(super) fn read(path: PathBuf, file: File) -> Result<Entry, LedgerError> {
        #[derive(Deserialize)]
        struct Number {
            format: u32,
        }
        let mut rest = BufReader::new(file);
        let line = next_line(&path, &mut rest)?.ok_or_else(|| LedgerError::damaged(&path, "it is empty"))?;
        // The format comes first, because a later release may write the rest differently.
        let Number { format: found } = parse(&path, &line)?;
        let Some(format) = Format::of(found) else {
            let known = Format::CURRENT;
            return Err(match found {
                0 => LedgerError::damaged(path, "it has format 0"),
                _ => LedgerError::Newer { path, found, known },
            });
        };
        check(&path, &line, format)?;
        let header = parse(&path, &line)?;
        Ok(Entry {
            header,
            format,
            path,
            rest,
        })
    }

    /// Reads the annotations of the container's pod. Empty if it has none, or if an earlier release has
    /// written the entry.
    ///
    /// # Errors
    /// The entry is damaged.
    pub(crate) fn annotations(mut self) -> Result<BTreeMap<String, String>, LedgerError> {
        let Entry {
            format, path, rest, ..
        } = &mut self;
        while let Some(line) = next_line(path, rest)? {
            if line.starts_with(ANNOTATIONS) {
                check(path, &line, *format)?;
                let line: AnnotationsLine<BTreeMap<String, String>> = parse(path, &line)?;
                return Ok(line.annotations);
            }
        }
        Ok(BTreeMap::new())
    }

    /// Reads the hooks of `stage`; none if the header counts none.
    ///
    /// # Errors
    /// The entry is damaged.
    pub(crate) fn hooks(mut self, stage: Stage) -> Result<Vec<ResolvedHook>, LedgerError> {
        let Entry {
            header,
            format,
            path,
            rest,
        } = &mut self;
        let expected = header.count(stage);
        if expected == 0 {
            return Ok(Vec::new());
        }
        while let Some(line) = next_line(path, rest)? {
            check(path, &line, *format)?;
            if parse::<StageOnly>(path, &line)?.stage != stage {
                continue;
            }
            let StageLine::<Vec<ResolvedHook>> { hooks, .. } = parse(path, &line)?;
            if hooks.len() != expected {
                let reason = format!("it has {} of {expected} {stage} hooks", hooks.len());
                return Err(LedgerError::damaged(&*path, reason));
            }
            return Ok(hooks);
        }
        Err(LedgerError::damaged(
            &*path,
            format!("its {stage} hooks are missing"),
        ))
    }
}

/// The next line; a last one without its line feed was cut off.
fn next_line(path: &Path, file: &mut impl BufRead) -> Result<Option<Vec<u8>>, LedgerError> {
    let mut line = Vec::new();
    file.read_until(b'\n', &mut line)
        .map_err(LedgerError::io("read", path))?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) => Err(LedgerError::damaged(path, "it ends in the middle of a line")),
    }
}

/// Fails if `line`, which ends with its line feed, does not match its checksum.
fn check(path: &Path, line: &[u8], format: Format) -> Result<(), LedgerError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    match format {
        Format::Sealed if !checksum::matches(line) => {
            Err(LedgerError::damaged(path, "a line does not match its checksum"))
        }
        _ => Ok(()),
    }
}

fn parse<'l, T: Deserialize<'l>>(path: &Path, line: &'l [u8]) -> Result<T, LedgerError> {
    serde_json::from_slice(line).map_err(|error| LedgerError::damaged(path, error))
}
