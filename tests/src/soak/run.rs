//! A soak from its beginning to its end.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::process::Command;

use anyhow::{Context, Result};
use fastrand::Rng;
use futures::future::try_join_all;

use super::chaos::{self, LostPods};
use super::check::{self, Account, Runs};
use super::life::{self, Life};
use super::{Plan, Tally};
use crate::hooks::Hooks;
use crate::ledger::NodeLedger;
use crate::{Containerd, HookSpec, Pod, wait};

/// The number of lives after which progress is printed.
const STEP: usize = 50;

/// Has the containers of `plan` live, and checks each; `report` is called with a line of progress now and then.
///
/// # Errors
/// The runtime cannot be started, or fails for the whole of [`wait::LIMIT`]. A fault of hooks is no error, but among the
/// [faults](Tally::faults).
pub async fn run(plan: Plan, report: impl Fn(&str)) -> Result<Tally> {
    let mut containerd = plan.runtime.start().await?;
    let hooks = containerd.hooks().clone();
    let ledger = containerd.ledger();
    let spec = spec(&hooks)?;
    let plugin = containerd
        .plugin()
        .delivery(plan.delivery.word())
        .hook_spec(&spec);
    let plugin = plugin.start().await?;
    let mut pods = Vec::new();
    for number in 0..plan.at_once {
        pods.push(containerd.pod(&format!("soak-{number}")).run().await?);
    }

    let mut rng = Rng::with_seed(plan.seed);
    let names = Cell::new(0);
    let begun = Cell::new(0);
    let done = Cell::new(0);
    let tally = RefCell::new(Tally::default());
    let book = Book::new(ledger);
    let lost = LostPods::default();
    let workers = pods.into_iter().map(|mut pod| {
        let mut rng = rng.fork();
        let (names, begun, done, book, tally, report) = (&names, &begun, &done, &book, &tally, &report);
        let lost = &lost;
        let next = || {
            names.set(names.get() + 1);
            names.get()
        };
        async move {
            while begun.get() < plan.lifecycles {
                begun.set(begun.get() + 1);
                let life = loop {
                    if lost.borrow().contains(pod.id()) {
                        pod = life::replace(pod, || format!("soak-{}", next())).await?;
                    }
                    if let Some(life) = life::run(&pod, lost, &book.ledger, &mut rng, next()).await? {
                        break life;
                    }
                    tally.borrow_mut().cut_off += 1;
                };
                book.enter(life).await?;
                done.set(done.get() + 1);
                if done.get() % STEP == 0 {
                    report(&format!(
                        "{} of {} lives\n{}",
                        done.get(),
                        plan.lifecycles,
                        tally.borrow()
                    ));
                }
            }
            Ok(pod)
        }
    });
    let workers: Vec<_> = workers.collect();
    let chaos = chaos::reign(
        &mut containerd,
        plugin,
        &lost,
        rng,
        || done.get() >= plan.lifecycles,
        |count| count(&mut tally.borrow_mut()),
    );
    let (_plugin, pods) = tokio::try_join!(chaos, try_join_all(workers))?;

    remove_all(&containerd, pods).await?;
    book.end_lost(&containerd)?;
    let accounts = book.close().await?;
    let mut tally = tally.into_inner();
    let runs = Runs::count(&hooks.all_records()?);
    let known: HashSet<&str> = accounts.iter().map(|(life, _)| life.id.as_str()).collect();
    for stranger in runs.containers().filter(|id| !known.contains(id)) {
        check::check_stranger(stranger, &runs, &mut tally);
    }
    for (life, account) in &accounts {
        check::check(plan.delivery, life, account, &runs, &mut tally);
    }
    tally.close();
    if tally.faults.is_empty() {
        containerd.remove_silently();
    }
    Ok(tally)
}

/// One recorder for each stage, named as the stage, and before the first a hook that refuses some containers.
fn spec(hooks: &Hooks) -> Result<std::path::PathBuf> {
    let script = format!(
        "! grep -q '\"io.kubernetes.cri.container-name\": *\"{}-'",
        life::REFUSED
    );
    let spec = HookSpec::new()
        .prestart(hooks.recorder("prestart")?)
        .prestart(hooks.script("refuse", &script)?)
        .poststart(hooks.recorder("poststart")?)
        .poststop(hooks.recorder("poststop")?);
    hooks.spec("default", &spec)
}

/// Removes what is left: the pods, and in them the containers whose creation nobody has confirmed.
async fn remove_all(containerd: &Containerd, pods: Vec<Pod>) -> Result<()> {
    for pod in pods {
        life::remove(&pod.reconnected(containerd)).await?;
    }
    let left = containerd.client().containers().await?;
    anyhow::ensure!(left.is_empty(), "the runtime still has {left:?}");
    Ok(())
}

/// The lives that are over, each with its account once nothing can be added to that.
struct Book {
    ledger: NodeLedger,
    open: RefCell<Vec<Life>>,
    closed: RefCell<Vec<(Life, Account)>>,
}

impl Book {
    /// So many accounts may be open before somebody waits; the ledger forgets the oldest of 200.
    const OPEN: usize = 100;

    fn new(ledger: NodeLedger) -> Book {
        Book {
            ledger,
            open: RefCell::default(),
            closed: RefCell::default(),
        }
    }

    /// Enters a life that is over, and closes the accounts that can be.
    async fn enter(&self, life: Life) -> Result<()> {
        self.open.borrow_mut().push(life);
        self.await_finished(Book::OPEN).await
    }

    /// Kills the inits that a runtime has lost with their shim: containers that it has removed.
    fn end_lost(&self, containerd: &Containerd) -> Result<()> {
        for life in self.open.borrow().iter() {
            let account = check::account(&self.ledger, &life.id)?;
            let created = account.iter().flatten().find_map(|record| record.created());
            if let Some(process) = created.and_then(|created| created.process) {
                let script = format!("kill -9 {} 2>/dev/null || true", process.pid);
                containerd.node().run(Command::new("sh").args(["-c", &script]))?;
            }
        }
        Ok(())
    }

    /// Closes all accounts. Of a container to which nothing happened the ledger may keep the entry: it cannot know
    /// that no start is on its way.
    async fn close(self) -> Result<Vec<(Life, Account)>> {
        let closed = wait::until("all accounts to be closed", async || {
            self.close_finished()?;
            let mut open = self.open.borrow_mut();
            let mut index = 0;
            while let Some(life) = open.get(index) {
                let account = check::account(&self.ledger, &life.id)?;
                if account.iter().any(Option::is_some) {
                    index += 1;
                } else {
                    self.closed.borrow_mut().push((open.remove(index), account));
                }
            }
            Ok(open.is_empty().then_some(()))
        });
        closed.await.with_context(|| {
            let open = self.open.borrow();
            let accounts = open
                .iter()
                .map(|life| (life, check::account(&self.ledger, &life.id)));
            format!("the ledger does not let go of {:?}", accounts.collect::<Vec<_>>())
        })?;
        Ok(self.closed.into_inner())
    }

    /// Closes the accounts that can be, until at most `left` are open.
    async fn await_finished(&self, left: usize) -> Result<()> {
        let what = format!("all but {left} accounts to be closed");
        wait::until(&what, async || {
            self.close_finished()?;
            Ok((self.open.borrow().len() <= left).then_some(()))
        })
        .await
    }

    /// Finishes the check of the containers that the ledger has archived.
    fn close_finished(&self) -> Result<()> {
        let tracked: HashSet<String> = self.ledger.tracked()?.into_iter().collect();
        let open = self.open.take();
        let (open, over): (Vec<_>, Vec<_>) = open.into_iter().partition(|life| tracked.contains(&life.id));
        self.open.replace(open);
        for life in over {
            let account = check::account(&self.ledger, &life.id)?;
            self.closed.borrow_mut().push((life, account));
        }
        Ok(())
    }
}
