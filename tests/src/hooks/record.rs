//! The record that the program `record-hook` writes each time it runs: one line of JSON.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, process, thread};

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{getpgrp, getsid};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The file that it appends to, beside itself.
pub(super) const FILE: &str = "records";

/// The variable of a hook's environment that has it take its time: for so many milliseconds.
pub const HOLD: &str = "HOLD_MS";

/// How a hook was run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The file name of the program.
    pub program: String,
    /// When it began, in nanoseconds of the machine's monotonic clock; compare with [`now`].
    pub began: u64,
    /// When it was about to end, on the same clock.
    pub ended: u64,
    /// Its whole argv.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Its working directory; `None` if that was removed.
    pub cwd: Option<PathBuf>,
    /// Its process id.
    pub pid: i32,
    /// Its process group.
    pub process_group: i32,
    /// Its session.
    pub session: i32,
    /// The descriptors that were open when it began, beside standard input, output and error.
    pub descriptors: Vec<i32>,
    /// The container state it got on standard input (OCI runtime-spec, runtime.md, "State").
    pub state: Value,
    /// The program that the container's init was running when the hook began; `None` if there was no such
    /// process. If the state has no `pid`, that of an earlier record of the container counts.
    pub init_program: Option<PathBuf>,
    /// The same when the hook was about to end.
    pub init_program_at_end: Option<PathBuf>,
}

/// The machine's monotonic clock, in nanoseconds.
///
/// # Errors
/// The kernel has none.
pub fn now() -> Result<u64> {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(u64::try_from(time.tv_sec())? * 1_000_000_000 + u64::try_from(time.tv_nsec())?)
}

/// Records how the running program was run, after the time that [`HOLD`] says.
///
/// # Errors
/// Standard input is no JSON, or the record cannot be written.
pub fn write() -> Result<()> {
    let began = now()?;
    let descriptors = descriptors()?;
    let program = env::current_exe().context("find the running program")?;
    let mut input = String::new();
    io::stdin()
        .read_to_string(&mut input)
        .context("read standard input")?;
    let state: Value = serde_json::from_str(&input).context("parse standard input")?;
    let file = program.with_file_name(FILE);
    let init = match state["pid"].as_i64() {
        Some(pid) if pid > 0 => Some(pid),
        _ => earlier_pid(&file, &state["id"])?,
    };
    let init_program = || init.and_then(|pid| fs::read_link(format!("/proc/{pid}/exe")).ok());
    let init_program_at_begin = init_program();
    if let Ok(milliseconds) = env::var(HOLD) {
        thread::sleep(Duration::from_millis(milliseconds.parse().context(HOLD)?));
    }
    let record = Record {
        program: program
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        began,
        ended: now()?,
        args: env::args().collect(),
        env: env::vars().collect(),
        cwd: env::current_dir().ok(),
        pid: process::id().try_into()?,
        process_group: getpgrp().as_raw(),
        session: getsid(None)?.as_raw(),
        descriptors,
        init_program: init_program_at_begin,
        init_program_at_end: init_program(),
        state,
    };
    let line = serde_json::to_string(&record)? + "\n";
    // No write of another hook can divide a write to a file that was opened for appending.
    File::options()
        .create(true)
        .append(true)
        .open(file)?
        .write_all(line.as_bytes())?;
    Ok(())
}

/// The open descriptors above the standard three, but for the one that lists them.
fn descriptors() -> Result<Vec<i32>> {
    let mut descriptors = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let is_this_list = fs::read_link(entry.path())?.ends_with("fd");
        let number = entry.file_name().to_string_lossy().parse()?;
        if number > 2 && !is_this_list {
            descriptors.push(number);
        }
    }
    Ok(descriptors)
}

/// The process id that an earlier record has for a container.
fn earlier_pid(file: &Path, container: &Value) -> Result<Option<i64>> {
    let records = read(file)?;
    Ok(records
        .iter()
        .filter(|record| record.state["id"] == *container)
        .find_map(|record| record.state["pid"].as_i64().filter(|pid| *pid > 0)))
}

/// All records of a file, in order; none if there is no such file yet.
pub(super) fn read(file: &Path) -> Result<Vec<Record>> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.with_context(|| format!("read {}", file.display()))?,
    };
    // A line without its end is being written at this moment.
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole
        .map(|line| serde_json::from_str(line).context("parse a record"))
        .collect()
}
