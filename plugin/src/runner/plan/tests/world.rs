//! The runners of one container and their ledger, in memory. Each move checks the rules of the stages.

use super::super::*;
use crate::ledger::{Header, Identity, Line, Outcome, Output, Record};
use crate::model::{ResolvedHook, ResolvedHooks, Timestamp};
use crate::runner::list::{self, Next};

/// The request for which a runner is started.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Request {
    Stage(Stage, Trigger),
    /// A poststart before init runs its program: the runner claims it, and waits for that.
    EarlyPoststart(Trigger),
}

/// The holder of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    None,
    Runner(usize),
    /// The supervisor of a hook whose runner has died.
    Supervisor,
}

/// The record of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Recorded {
    hooks: usize,
    /// The number of hooks that have begun.
    begun: usize,
    /// Whether the last of them has no recorded end.
    is_open: bool,
    /// Whether it has failed.
    has_failed: bool,
    holder: Holder,
    result: Option<StageResult>,
}

/// The next move of a runner.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum At {
    /// It has requested the claim on poststart, for which it holds the start.
    ClaimsEarly,
    /// It holds the start.
    Holds,
    Step(Step<Stage>),
    /// A hook of its stage runs.
    Hook(Stage),
    Returned(StageResult),
    Dead,
}

impl At {
    /// The stage that a runner claims next, for which it may have to wait.
    fn claims(&self) -> Option<Stage> {
        match self {
            At::Step(Step::Claim(stage)) => Some(*stage),
            At::Step(Step::ClaimPoststart { .. }) | At::ClaimsEarly => Some(Stage::Poststart),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Runner {
    plan: Plan<Stage>,
    at: At,
    /// The stages that it has claimed.
    claimed: Vec<Stage>,
}

/// A move of the runner with this index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    /// It takes its next step.
    Step(usize),
    /// Its hook ends.
    End { runner: usize, fails: bool },
    /// Init ends before it runs its program.
    Never(usize),
    /// It dies, and the supervisor of its hook does not.
    Die(usize),
    /// It dies with the supervisor of its hook.
    DieBoth(usize),
    /// The hook of this stage ends, whose runner has died.
    EndAlone { stage: Stage, fails: bool },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// Those of [`Stage::OF_RUNNER`].
    ledger: [Recorded; 4],
    runners: Vec<Runner>,
    /// The number of deaths that may still happen.
    deaths: usize,
}

/// The header of a container with so many hooks for each of [`Stage::OF_RUNNER`].
pub(crate) fn header(hooks: [usize; 4]) -> Header {
    let hook = || ResolvedHook::for_test("/bin/hook");
    let stages = Stage::OF_RUNNER.into_iter().zip(hooks);
    let resolved = ResolvedHooks {
        stages: stages
            .map(|(stage, count)| (stage, vec![hook(); count]))
            .collect(),
    };
    Header::new(Identity::for_test("c1", "web"), &resolved, true).unwrap()
}

fn number(stage: Stage) -> usize {
    Stage::OF_RUNNER.iter().position(|of| *of == stage).unwrap()
}

impl World {
    pub(crate) fn new(hooks: [usize; 4], requests: &[Request], deaths: usize) -> World {
        let header = header(hooks);
        let runner = |request: &Request| match *request {
            Request::Stage(stage, by) => {
                let mut plan = Plan::new(stage, by, &header);
                Runner {
                    at: At::Step(plan.next()),
                    plan,
                    claimed: Vec::new(),
                }
            }
            Request::EarlyPoststart(by) => Runner {
                at: At::ClaimsEarly,
                plan: Plan::new(Stage::Poststart, by, &header),
                claimed: Vec::new(),
            },
        };
        World {
            ledger: hooks.map(|hooks| Recorded {
                hooks,
                begun: 0,
                is_open: false,
                has_failed: false,
                holder: Holder::None,
                result: None,
            }),
            runners: requests.iter().map(runner).collect(),
            deaths,
        }
    }

    fn of(&self, stage: Stage) -> &Recorded {
        &self.ledger[number(stage)]
    }

    fn of_mut(&mut self, stage: Stage) -> &mut Recorded {
        &mut self.ledger[number(stage)]
    }

    /// The moves that can come next.
    pub(crate) fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for (runner, Runner { at, .. }) in self.runners.iter().enumerate() {
            match at {
                At::Returned(_) | At::Dead => continue,
                At::Hook(_) => moves.extend([false, true].map(|fails| Move::End { runner, fails })),
                At::Holds => moves.extend([Move::Step(runner), Move::Never(runner)]),
                _ => {
                    let is_free = |stage: Stage| {
                        self.of(stage).holder == Holder::None || self.of(stage).result.is_some()
                    };
                    if at.claims().is_none_or(is_free) {
                        moves.push(Move::Step(runner));
                    }
                }
            }
            if self.deaths > 0 {
                moves.push(Move::Die(runner));
                if matches!(at, At::Hook(_)) {
                    moves.push(Move::DieBoth(runner));
                }
            }
        }
        for stage in Stage::OF_RUNNER {
            if self.of(stage).holder == Holder::Supervisor {
                moves.extend([false, true].map(|fails| Move::EndAlone { stage, fails }));
            }
        }
        moves
    }

    /// Makes a move, and checks it.
    pub(crate) fn make(&mut self, one: Move) {
        match one {
            Move::Step(runner) => self.step(runner),
            Move::End { runner, fails } => {
                if let At::Hook(stage) = self.runners[runner].at {
                    self.end_hook(stage, fails);
                    self.runners[runner].at = At::Step(Step::Run(stage, stage));
                }
            }
            Move::Never(runner) => {
                let reason = "the container was never started".to_owned();
                let result = StageResult::Skipped { reason };
                self.finish(runner, Stage::Poststart, result.clone());
                self.runners[runner].at = At::Returned(result);
            }
            Move::Die(runner) | Move::DieBoth(runner) => self.die(runner, one == Move::Die(runner)),
            Move::EndAlone { stage, fails } => {
                self.end_hook(stage, fails);
                self.of_mut(stage).holder = Holder::None;
            }
        }
    }

    fn step(&mut self, runner: usize) {
        let at = std::mem::replace(&mut self.runners[runner].at, At::Dead);
        if let Some(stage) = at.claims() {
            let known = self.claim(runner, stage);
            if at == At::ClaimsEarly {
                self.runners[runner].at = match &known {
                    Known::Over(result) => At::Returned(result.clone()),
                    _ => At::Holds,
                };
                self.runners[runner].plan.learn(stage, known);
                return;
            }
            self.runners[runner].plan.learn(stage, known);
            return self.go_on(runner);
        }
        match at {
            At::Holds => self.go_on(runner),
            At::Step(Step::Run(stage, _)) => self.run(runner, stage),
            At::Step(Step::Finish(stage, result)) => {
                assert!(!matches!(result, StageResult::Done), "{stage} is not done");
                self.finish(runner, stage, result);
                self.go_on(runner);
            }
            at => panic!("{at:?}"),
        }
    }

    /// The plan's next step.
    fn go_on(&mut self, runner: usize) {
        let step = self.runners[runner].plan.next();
        if let Step::Return(result) = &step {
            self.check_return(runner, result);
            self.runners[runner].at = At::Returned(result.clone());
        } else {
            self.runners[runner].at = At::Step(step);
        }
    }

    /// As `EntryDirectory::claim` does.
    fn claim(&mut self, runner: usize, stage: Stage) -> Known<Stage> {
        let claimed = &mut self.runners[runner].claimed;
        assert!(!claimed.contains(&stage), "{stage} is claimed once");
        claimed.push(stage);
        let of = self.of_mut(stage);
        if let Some(result) = &of.result {
            return Known::Over(result.clone());
        }
        assert_eq!(of.holder, Holder::None);
        of.holder = Holder::Runner(runner);
        of.has_failed |= of.is_open;
        of.is_open = false;
        Known::Ours {
            claim: stage,
            has_begun: of.begun > 0,
        }
    }

    /// The next step in the list of `stage`.
    fn run(&mut self, runner: usize, stage: Stage) {
        let of = self.of(stage);
        let hooks = vec![ResolvedHook::for_test("/bin/hook"); of.hooks];
        let header = header(std::array::from_fn(|stage| self.ledger[stage].hooks));
        match list::next(&header, stage, &hooks, &of.record()) {
            Next::Hook(index, _) => {
                self.check_begin(runner, stage, index);
                let of = self.of_mut(stage);
                of.begun += 1;
                of.is_open = true;
                of.has_failed = false;
                self.runners[runner].at = At::Hook(stage);
            }
            Next::Over(result) => {
                self.finish(runner, stage, result.clone());
                self.runners[runner].plan.learn(stage, Known::Over(result));
                self.go_on(runner);
            }
        }
    }

    fn end_hook(&mut self, stage: Stage, fails: bool) {
        let of = self.of_mut(stage);
        assert!(of.is_open && of.result.is_none());
        of.is_open = false;
        of.has_failed = fails;
    }

    fn die(&mut self, runner: usize, has_supervisor: bool) {
        self.deaths -= 1;
        let at = std::mem::replace(&mut self.runners[runner].at, At::Dead);
        for stage in Stage::OF_RUNNER {
            if self.of(stage).holder == Holder::Runner(runner) {
                self.of_mut(stage).holder = match at == At::Hook(stage) && has_supervisor {
                    true => Holder::Supervisor,
                    false => Holder::None,
                };
            }
        }
    }

    fn finish(&mut self, runner: usize, stage: Stage, result: StageResult) {
        let of = self.of_mut(stage);
        assert_eq!(
            of.holder,
            Holder::Runner(runner),
            "only the holder finishes {stage}"
        );
        assert_eq!(
            (of.is_open, &of.result),
            (false, &None),
            "{stage} is finished once"
        );
        let is_before_start = Stage::BEFORE_START.contains(&stage);
        match &result {
            StageResult::Done => assert_eq!(of.begun, of.hooks, "{stage} is done"),
            StageResult::Failed { .. } => assert!(is_before_start && of.begun > 0, "{stage}"),
            StageResult::Skipped { .. } => assert_eq!(of.begun, 0, "{stage} is skipped"),
        }
        of.holder = Holder::None;
        of.result = Some(result);
    }

    /// Whether nothing of `stage` is pending.
    fn is_over(&self, stage: Stage) -> bool {
        self.of(stage).hooks == 0 || self.of(stage).result.is_some()
    }

    /// Whether `stage` did its work, if it has some.
    fn is_done(&self, stage: Stage) -> bool {
        self.of(stage).hooks == 0 || self.of(stage).result == Some(StageResult::Done)
    }

    /// The rules for a hook that begins.
    fn check_begin(&self, runner: usize, stage: Stage, index: usize) {
        let of = self.of(stage);
        assert_eq!(of.holder, Holder::Runner(runner), "{stage}: without the claim");
        assert_eq!((of.is_open, &of.result), (false, &None), "{stage}: not its turn");
        assert_eq!(index, of.begun, "{stage}: each hook once, in order");
        let mut later = Stage::OF_RUNNER.into_iter().filter(|other| *other > stage);
        assert!(
            later.all(|later| self.of(later).begun == 0),
            "{stage} after a later stage"
        );
        let mut before_start = Stage::BEFORE_START.into_iter().filter(|other| *other < stage);
        match stage {
            Stage::Poststop => {
                assert!(before_start.all(|stage| self.is_over(stage)) && self.is_over(Stage::Poststart));
            }
            _ => assert!(
                before_start.all(|stage| self.is_done(stage)),
                "{stage} after a failure"
            ),
        }
        let ends_with_failure = Stage::BEFORE_START.contains(&stage);
        assert!(
            !(ends_with_failure && of.has_failed),
            "{stage} after a failed hook"
        );
    }

    /// The rules for a runner that returns.
    fn check_return(&self, runner: usize, result: &StageResult) {
        let requested = self.runners[runner].plan.requested;
        let is_held = |of: &Recorded| of.holder == Holder::Runner(runner);
        assert!(!self.ledger.iter().any(is_held), "it returns with a claim");
        if requested == Stage::Prestart {
            let is_done = Stage::BEFORE_START.iter().all(|stage| self.is_done(*stage));
            assert_eq!(*result == StageResult::Done, is_done, "the container may start");
        } else {
            assert_eq!(
                Some(result),
                self.of(requested).result.as_ref(),
                "what the ledger has"
            );
            let is_last = requested == Stage::Poststop;
            assert!(!is_last || Stage::OF_RUNNER.iter().all(|stage| self.is_over(*stage)));
        }
    }

    /// The result of each stage when no move is left. Then no runner may be waiting.
    pub(crate) fn end(&self) -> String {
        for Runner { at, .. } in &self.runners {
            assert!(matches!(at, At::Returned(_) | At::Dead), "deadlock: {self:?}");
        }
        let stages = Stage::OF_RUNNER.iter().zip(&self.ledger);
        let ends = stages.map(|(stage, of)| {
            let begun = of.begun;
            match &of.result {
                None => format!("{stage} {begun} begun"),
                Some(StageResult::Done) => format!("{stage} done"),
                Some(StageResult::Failed { message }) => {
                    let reason = message.rsplit("), ").next().unwrap();
                    format!("{stage} failed ({reason})")
                }
                Some(StageResult::Skipped { reason }) => format!("{stage} skipped ({reason})"),
            }
        });
        ends.collect::<Vec<_>>().join("; ")
    }
}

impl Recorded {
    /// Its lines, from the last hook that began.
    fn record(&self) -> Record {
        let at = Timestamp::now();
        let began = |hook| Line::Began {
            hook,
            path: "/bin/hook".into(),
            file: "/etc/hooks.json".into(),
            line: 3,
            may_fail: false,
            at,
        };
        let ended = |hook| Line::Ended {
            hook,
            outcome: Outcome::Exited {
                status: self.has_failed.into(),
            },
            stdout: Output::default(),
            stderr: Output::default(),
            at,
        };
        let last = self.begun.checked_sub(1);
        Record {
            lines: last.map_or_else(Vec::new, |hook| vec![began(hook), ended(hook)]),
        }
    }
}
