//! Which containers lack their hooks, and which of these are ended.

use super::*;

const DAEMON: ProcessId = ProcessId {
    pid: 100,
    started: 1000,
};

fn boot(name: &str) -> BootId {
    serde_json::from_str(&format!("{name:?}")).unwrap()
}

fn daemon() -> Daemon {
    Daemon {
        process: DAEMON,
        boot: boot("now"),
        decided_since: Some(DecidedSince::for_test(boot("now"), 500)),
        action: MissedAction::Restart,
        unsound: None,
    }
}

fn init(started: u64) -> Option<ProcessId> {
    Some(ProcessId { pid: 200, started })
}

/// The facts about a container whose init is ended.
fn situation<'s>(daemon: &'s Daemon, hooks: &'s Hooks) -> Situation<'s> {
    Situation {
        init: init(900),
        entry: Entry::None,
        was_decided: false,
        hooks,
        is_excluded: false,
        always_restarts: true,
        daemon,
    }
}

#[test]
fn a_container_is_ended_only_if_it_certainly_lacks_its_hooks_and_comes_back() {
    use Verdict::{DecidedNow, Missed, NotMissed};
    let left = |why: Why, obstacle: Obstacle| Missed(why, Then::LeaveRunning(obstacle));
    let refused = || "annotation: no such hook-spec".to_owned();
    type Change<'c> = &'c dyn Fn(&mut Situation<'_>, &mut Hooks, &mut Daemon);
    let table: &[(&str, Change<'_>, Verdict)] = &[
        (
            "created before the daemon",
            &|_, _, _| (),
            Missed(Why::Before, Then::End),
        ),
        (
            "created while it was away",
            &|it, _, _| it.init = init(1001),
            Missed(Why::Away, Then::End),
        ),
        (
            "a static pod, after a reboot",
            &|it, _, daemon| {
                daemon.decided_since = Some(DecidedSince::for_test(boot("earlier"), 500_000));
                it.init = init(3);
            },
            Missed(Why::Before, Then::End),
        ),
        (
            "action is report",
            &|_, _, daemon| daemon.action = MissedAction::Report,
            Missed(Why::Before, Then::Report),
        ),
        (
            "report, in an excluded namespace",
            &|it, _, daemon| {
                daemon.action = MissedAction::Report;
                it.is_excluded = true;
            },
            Missed(Why::Before, Then::Report),
        ),
        (
            "it is in the ledger",
            &|it, _, _| it.entry = Entry::Registered,
            NotMissed,
        ),
        (
            "it is in the ledger, and the configuration gives it none now",
            &|it, hooks, _| {
                it.entry = Entry::Registered;
                *hooks = Hooks::None;
            },
            NotMissed,
        ),
        (
            "decided without hooks, then the configuration changed",
            &|it, _, _| it.was_decided = true,
            NotMissed,
        ),
        (
            "decided without hooks, and the daemon would refuse it now",
            &|it, hooks, _| {
                it.was_decided = true;
                *hooks = Hooks::Refused(refused());
            },
            NotMissed,
        ),
        (
            "decided without hooks, and still so",
            &|it, hooks, _| {
                it.was_decided = true;
                *hooks = Hooks::None;
            },
            NotMissed,
        ),
        (
            "the configuration gives it no hooks",
            &|_, hooks, _| *hooks = Hooks::None,
            DecidedNow,
        ),
        (
            "no hooks, in an excluded namespace",
            &|it, hooks, _| {
                it.is_excluded = true;
                *hooks = Hooks::None;
            },
            DecidedNow,
        ),
        (
            "no hooks, and the configuration is not sound",
            &|_, hooks, daemon| {
                daemon.unsound = Some("x".into());
                *hooks = Hooks::None;
            },
            DecidedNow,
        ),
        (
            "an excluded namespace, whose pod selects a hook-spec",
            &|it, _, _| it.is_excluded = true,
            left(Why::Before, Obstacle::Excluded),
        ),
        (
            "a Job's pod, or a bare one",
            &|it, _, _| it.always_restarts = false,
            left(Why::Before, Obstacle::MayNotRestart),
        ),
        (
            "a file is refused, or an older version active",
            &|_, _, daemon| daemon.unsound = Some("x".into()),
            left(Why::Before, Obstacle::Unsound("x".into())),
        ),
        (
            "from before this node had the daemon",
            &|it, _, _| it.init = init(499),
            left(Why::Before, Obstacle::BeforeDecisions),
        ),
        (
            "no ledger",
            &|_, _, daemon| daemon.decided_since = None,
            left(Why::Before, Obstacle::NoLedger),
        ),
        (
            "created and not started",
            &|it, _, _| it.init = None,
            left(Why::Without, Obstacle::NoInit),
        ),
        (
            "the daemon would refuse it",
            &|_, hooks, _| *hooks = Hooks::Refused(refused()),
            left(Why::Refused(refused()), Obstacle::Refused),
        ),
        (
            "in the ledger, and nothing ran",
            &|it, _, _| it.entry = Entry::NothingRan,
            left(Why::AnswerLost, Obstacle::AnswerLost),
        ),
        (
            "in the ledger, nothing ran, and it has none now",
            &|it, hooks, _| {
                it.entry = Entry::NothingRan;
                *hooks = Hooks::None;
            },
            left(Why::AnswerLost, Obstacle::AnswerLost),
        ),
        (
            "several reasons at once: none ends it",
            &|it, _, daemon| {
                it.always_restarts = false;
                it.init = None;
                daemon.unsound = Some("x".into());
            },
            left(Why::Without, Obstacle::MayNotRestart),
        ),
    ];
    for (name, change, expected) in table {
        let (mut daemon, mut hooks) = (daemon(), Hooks::Some);
        let mut changed = (daemon.clone(), hooks.clone());
        let mut it = situation(&daemon, &hooks);
        change(&mut it, &mut changed.1, &mut changed.0);
        let Situation {
            init,
            entry,
            was_decided,
            is_excluded,
            always_restarts,
            ..
        } = it;
        (daemon, hooks) = changed;
        let it = Situation {
            init,
            entry,
            was_decided,
            is_excluded,
            always_restarts,
            ..situation(&daemon, &hooks)
        };
        assert_eq!(it.verdict(), *expected, "{name}");
    }
}
