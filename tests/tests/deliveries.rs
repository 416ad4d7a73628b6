//! The table of what differs between deliveries, in docs/failure-modes.md: each cell is tried on each runtime, and must
//! say what is seen. The table is the one source; a row without a trial here must be named in [`ELSEWHERE`].

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::cri::State;
use e2e::hooks::record;
use e2e::ledger::Stage;
use e2e::{
    Containerd, Delivery, Hook, HookSpec, OciRuntime, Plugin, Runtime, Version,
    on_each_runtime_and_the_newest, plugin, workspace,
};

/// Rows whose cells other tests hold to what they say.
const ELSEWHERE: [&str; 4] = [
    // hack/bench --bystander measures it, timed_out.rs and gate.rs hold it.
    "a slow hook keeps other pods of the node waiting",
    // It takes 10 s a cell: once.rs and runner.rs hold it.
    "poststop longer than 10 s on containerd",
    // bounds.rs.
    "a timeout kills",
    // They run in the container's namespaces: the unit tests of `select` hold it.
    "createContainer and startContainer hooks run",
];

/// The text that failing hooks print.
const REASON: &str = "no licence left";

/// The cells of each row, by its first cell: for `runner`, `events` and `direct`.
fn table() -> Result<BTreeMap<String, [String; 3]>> {
    let text = fs::read_to_string(workspace::file("docs/failure-modes.md"))?;
    let table = text
        .split("## What differs between deliveries\n")
        .nth(1)
        .context("no table")?;
    let table = table.split("\n## ").next().unwrap_or_default();
    let rows = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| |"));
    rows.map(|line| {
        let mut cells = line
            .trim_matches('|')
            .split(" | ")
            .map(|cell| cell.trim().to_owned());
        let name = cells.next().context("an empty row")?;
        let cells: Vec<String> = cells.collect();
        Ok((
            name,
            cells
                .try_into()
                .map_err(|cells| anyhow::anyhow!("not three cells: {cells:?}"))?,
        ))
    })
    .collect()
}

/// The text of a cell for a runtime: all of it, or the part after the first condition that holds.
fn expected(cell: &str, runtime: Runtime) -> Result<&str> {
    for clause in cell.split("; ") {
        let Some((conditions, words)) = clause.split_once(": ") else {
            return Ok(clause);
        };
        let is_runc = !runtime.oci.is_crun();
        let holds = conditions.split(", ").map(|condition| {
            Ok(match condition {
                "containerd" | "else" => true,
                "CRI-O" | "youki" => false,
                "runc" => is_runc,
                "runc up to 1.5" => is_runc && runtime.oci.runs_poststart_in_create(),
                "crun" => !is_runc,
                "crun up to 1.8" => runtime.oci == OciRuntime::Crun,
                other => bail!("nobody knows whether a runtime is {other:?}"),
            })
        });
        if holds.collect::<Result<Vec<bool>>>()?.contains(&true) {
            return Ok(words);
        }
    }
    bail!("it says nothing of {runtime:?}: {cell}")
}

/// A node with an `nri-oci-hooks` that delivers in one way.
struct Trial<'a> {
    containerd: &'a Containerd,
    delivery: Delivery,
    /// The row, which names the pod.
    name: String,
}

impl Trial<'_> {
    async fn plugin(&self, spec: &HookSpec) -> Result<Plugin> {
        let spec = self.containerd.hooks().spec("default", spec)?;
        self.containerd.deliver(self.delivery, &spec).await
    }

    /// A hook that reads its state before it does anything: crun is killed by SIGPIPE if it writes the state to a hook
    /// that has ended.
    fn script(&self, name: &str, body: &str) -> Result<Hook> {
        let hooks = self.containerd.hooks();
        hooks.script(name, &format!("cat >/dev/null\n{body}"))
    }

    async fn container(&self) -> Result<e2e::Container> {
        let name = format!(
            "{}-{}",
            self.delivery.word(),
            self.name.to_lowercase().replace(' ', "-")
        );
        let pod = self.containerd.pod(&name).run().await?;
        Ok(pod.container("app").create().await?)
    }

    fn recorders(&self) -> Result<HookSpec> {
        let hooks = self.containerd.hooks();
        Ok(HookSpec::new()
            .prestart(hooks.recorder("prestart")?)
            .poststart(hooks.recorder("poststart")?)
            .poststop(hooks.recorder("poststop")?))
    }

    /// The record of one of the [`recorders`](Self::recorders) in a life of a container.
    async fn record_of(&self, program: &str) -> Result<record::Record> {
        let mut plugin = self.plugin(&self.recorders()?).await?;
        let container = self.container().await?;
        container.start().await?;
        container.stop(10).await?;
        let record = self
            .containerd
            .hooks()
            .await_record(container.id(), program)
            .await?;
        plugin.kill().await?;
        Ok(record)
    }

    async fn prestart_before(&self) -> Result<&'static str> {
        let record = self.record_of("prestart").await?;
        let runs = record
            .init_program_at_end
            .as_deref()
            .is_some_and(|program| program.ends_with("busybox"));
        Ok(yes(!runs))
    }

    async fn poststart_after(&self) -> Result<&'static str> {
        Ok(yes(
            self.record_of("poststart").await?.state["status"] == "running"
        ))
    }

    async fn poststop_at_stop(&self) -> Result<&'static str> {
        let mut plugin = self.plugin(&self.recorders()?).await?;
        let container = self.container().await?;
        container.start().await?;
        container.stop(10).await?;
        let stopped = record::now()?;
        let record = self
            .containerd
            .hooks()
            .await_record(container.id(), "poststop")
            .await?;
        plugin.kill().await?;
        Ok(if record.ended <= stopped { "yes" } else { "later" })
    }

    async fn after_a_failed_poststop(&self) -> Result<&'static str> {
        let hooks = self.containerd.hooks();
        let spec = HookSpec::new()
            .poststop(self.script("failing", &format!("echo {REASON} >&2; exit 3"))?)
            .poststop(hooks.recorder("poststop-2")?);
        let mut plugin = self.plugin(&spec).await?;
        let container = self.container().await?;
        container.start().await?;
        container.stop(10).await?;
        let id = container.id().to_owned();
        if self.delivery != Delivery::Direct {
            self.containerd.ledger().await_end(&id, Stage::Poststop).await?;
        }
        // With delivery direct poststop is over when the container is removed.
        container.remove().await?;
        plugin.kill().await?;
        Ok(match hooks.ran(&id)?.is_empty() {
            true => "the rest are skipped",
            false => "the rest run",
        })
    }

    async fn a_failing_poststart(&self) -> Result<&'static str> {
        let spec = HookSpec::new().poststart(self.script("failing", "exit 3")?);
        let mut plugin = self.plugin(&spec).await?;
        let container = self.container().await?;
        let started = container.start().await;
        if self.delivery != Delivery::Direct {
            self.containerd
                .ledger()
                .await_end(container.id(), Stage::Poststart)
                .await?;
        }
        let state = container.status().await?.state;
        plugin.kill().await?;
        Ok(match started.is_ok() && state == State::Running {
            true => "the container goes on",
            false => "the container is ended",
        })
    }

    async fn output(&self) -> Result<&'static str> {
        let spec = HookSpec::new()
            .prestart(self.script("talking", &format!("trap '' PIPE; echo {REASON}; exit 0"))?);
        let mut plugin = self.plugin(&spec).await?;
        let container = self.container().await?;
        container.start().await?;
        container.stop(10).await?;
        let log = plugin::tool(self.containerd, &["log", container.id()]);
        plugin.kill().await?;
        Ok(match log.is_ok_and(|log| log.contains(REASON)) {
            true => "kept",
            false => "lost",
        })
    }

    async fn with_the_daemon_dead(&self) -> Result<&'static str> {
        let mut plugin = self.plugin(&self.recorders()?).await?;
        let container = self.container().await?;
        plugin.kill().await?;
        container.start().await?;
        container.stop(10).await?;
        let ran = self.containerd.hooks().ran(container.id())?;
        Ok(match ran.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["prestart", "poststart", "poststop"] => "all run",
            [] => "nothing runs until it is back",
            _ => bail!("there ran {ran:?}"),
        })
    }

    async fn a_long_prestart(&self) -> Result<&'static str> {
        let spec = HookSpec::new().prestart(self.script("long", "sleep 3")?);
        let mut plugin = self.plugin(&spec).await?;
        let container = self.container().await?;
        let started = container.start().await;
        plugin.kill().await?;
        Ok(if started.is_ok() {
            "is waited for"
        } else {
            "the start fails"
        })
    }

    async fn a_failing_prestart(&self) -> Result<&'static str> {
        let spec = HookSpec::new().prestart(self.script("failing", &format!("echo {REASON} >&2; exit 3"))?);
        let mut plugin = self.plugin(&spec).await?;
        let container = self.container().await?;
        let refused = container.start().await.err().context("it was started")?;
        plugin.kill().await?;
        let message = refused.message();
        Ok(
            match (message.contains("prestart hook 1 of 1"), message.contains(REASON)) {
                (true, true) => "its whole text",
                (_, true) => "its text",
                _ if message.contains("exit") => "its exit status",
                _ => bail!("the error says nothing: {message}"),
            },
        )
    }

    async fn checked_again(&self) -> Result<&'static str> {
        let hooks = self.containerd.hooks();
        let spec = HookSpec::new().prestart(self.script("changed", "exit 0")?);
        let mut plugin = self.plugin(&spec).await?;
        let container = self.container().await?;
        // Everybody may write to it now, so nobody should trust it.
        fs::set_permissions(hooks.program("changed"), Permissions::from_mode(0o777))?;
        let started = container.start().await;
        plugin.kill().await?;
        Ok(yes(started.is_err()))
    }

    async fn other_stages(&self) -> Result<&'static str> {
        let hooks = self.containerd.hooks();
        let spec = HookSpec::new().create_runtime(hooks.recorder("create-runtime")?);
        let mut plugin = self.plugin(&spec).await?;
        let name = format!(
            "{}-{}",
            self.delivery.word(),
            self.name.to_lowercase().replace(' ', "-")
        );
        let pod = self.containerd.pod(&name).run().await?;
        let created = pod.container("app").create().await;
        let ran = match created {
            Ok(container) => {
                container.start().await?;
                !hooks.ran(container.id())?.is_empty()
            }
            Err(_) => false,
        };
        plugin.kill().await?;
        Ok(yes(ran))
    }

    /// The row's cell, as it is seen.
    async fn seen(&self) -> Result<Option<&'static str>> {
        Ok(Some(match self.name.as_str() {
            "prestart before init" => self.prestart_before().await?,
            "poststart after init has started" => self.poststart_after().await?,
            "poststop when it stops" => self.poststop_at_stop().await?,
            "after a failed poststop hook" => self.after_a_failed_poststop().await?,
            "a failing poststart" => self.a_failing_poststart().await?,
            "output" => self.output().await?,
            "with the daemon dead" => self.with_the_daemon_dead().await?,
            "a prestart longer than the request timeout" => self.a_long_prestart().await?,
            "a failing prestart in the CRI error" => self.a_failing_prestart().await?,
            "the file is checked again before it is run" => self.checked_again().await?,
            "createRuntime hooks run" => self.other_stages().await?,
            _ => return Ok(None),
        }))
    }
}

fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

/// The row about validators needs a containerd that has one, and its own configuration.
const VALIDATOR: &str = "survives a validator that refuses hooks";

async fn every_cell_says_what_is_seen(runtime: Runtime) -> Result<()> {
    let containerd = runtime
        .builder()
        .request_timeout(Duration::from_secs(2))
        .start()
        .await?;
    let mut wrong = Vec::new();
    for (name, cells) in table()? {
        if name == VALIDATOR || ELSEWHERE.contains(&name.as_str()) {
            continue;
        }
        for (delivery, cell) in Delivery::ALL.into_iter().zip(&cells) {
            let trial = Trial {
                containerd: &containerd,
                delivery,
                name: name.clone(),
            };
            let what = || format!("{name}, {delivery:?}, {runtime:?}");
            let seen = trial.seen().await.with_context(what)?;
            let seen = seen.with_context(|| format!("no trial for the row {name}"))?;
            let expected = expected(cell, runtime).with_context(what)?;
            if seen != expected {
                wrong.push(format!(
                    "{}: the table says {expected:?}, seen is {seen:?}",
                    what()
                ));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

on_each_runtime_and_the_newest!(every_cell_says_what_is_seen);

/// Whether a container comes up with its hooks where a validator refuses all that a plugin injects.
#[tokio::test]
async fn the_cells_about_a_validator_say_what_is_seen() -> Result<()> {
    let version = Version::V2_4;
    let runtime = Runtime {
        version,
        oci: version.runc(),
    };
    if !runtime.is_there_for("a validator that refuses hooks") {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let drop_in = directory.path().join("validator.toml");
    fs::write(
        &drop_in,
        "version = 3\n[plugins.\"io.containerd.nri.v1.nri\".default_validator]\nenable = true\n\
         reject_oci_hook_adjustment = true\n",
    )?;
    let containerd = runtime.builder().drop_in(&drop_in).start().await?;
    let cells = table()?.remove(VALIDATOR).context("no such row")?;
    for (delivery, cell) in Delivery::ALL.into_iter().zip(&cells) {
        let trial = Trial {
            containerd: &containerd,
            delivery,
            name: VALIDATOR.to_owned(),
        };
        let mut plugin = trial.plugin(&trial.recorders()?).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let seen = match pod.start("app").await {
            Ok(container) => {
                containerd
                    .hooks()
                    .await_record(container.id(), "poststart")
                    .await?;
                "yes"
            }
            Err(refused) => {
                let message = refused.message();
                ensure!(
                    message.contains("attempted restricted OCI hook injection"),
                    "{message}"
                );
                "no"
            }
        };
        plugin.kill().await?;
        assert_eq!(seen, expected(cell, runtime)?, "{delivery:?}");
    }
    Ok(())
}

/// Else a row could be added that nobody tries, or a trial be left that no row needs.
#[test]
fn each_row_is_tried_here_or_elsewhere() -> Result<()> {
    let table = table()?;
    for name in ELSEWHERE.into_iter().chain([VALIDATOR]) {
        ensure!(table.contains_key(name), "there is no row {name}");
    }
    ensure!(table.len() == 16, "{:?}", table.keys());
    Ok(())
}
