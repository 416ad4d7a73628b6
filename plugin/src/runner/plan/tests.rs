//! Every interleaving of the runners of a container: their steps and deaths in any order, in a ledger in memory.

mod world;

use std::collections::{BTreeSet, HashSet};

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use world::{Request, World};

const EACH: [Request; 3] = [
    Request::Stage(Stage::Prestart, Trigger::Oci),
    Request::Stage(Stage::Poststart, Trigger::Oci),
    Request::Stage(Stage::Poststop, Trigger::Oci),
];

/// Goes through every state that can follow `world`, each of which checks itself. Returns the ends.
fn explore(world: World) -> BTreeSet<String> {
    let mut ends = BTreeSet::new();
    let mut seen = HashSet::from([world.clone()]);
    let mut left = vec![world];
    while let Some(world) = left.pop() {
        let moves = world.moves();
        if moves.is_empty() {
            ends.insert(world.end());
        }
        for one in moves {
            let mut next = world.clone();
            next.make(one);
            if seen.insert(next.clone()) {
                left.push(next);
            }
        }
    }
    println!("{} states, {} ends", seen.len(), ends.len());
    ends
}

/// The ends as a list for people.
fn listed(ends: &BTreeSet<String>) -> String {
    ends.iter().map(|end| format!("{end}\n")).collect()
}

#[test]
fn whatever_the_order_of_three_requests_each_stage_has_one_of_these_ends() {
    let ends = explore(World::new([1; 4], &EACH, 0));
    insta::assert_snapshot!("ends", listed(&ends));
}

#[test]
fn whichever_runner_dies_each_stage_that_was_requested_has_one_of_these_ends() {
    let ends = explore(World::new([1; 4], &EACH, 1));
    insta::assert_snapshot!("ends_with_a_death", listed(&ends));
}

#[test]
fn no_interleaving_breaks_a_rule_whichever_stages_have_hooks() {
    for bits in 0..16 {
        let hooks = [0, 1, 2, 3].map(|stage| bits >> stage & 1);
        explore(World::new(hooks, &EACH, 1));
    }
}

#[test]
fn no_interleaving_breaks_a_rule_when_a_start_is_held_and_the_daemon_runs_poststop() {
    let requests = [
        Request::Stage(Stage::Prestart, Trigger::Oci),
        Request::EarlyPoststart(Trigger::Oci),
        Request::Stage(Stage::Poststop, Trigger::InitEnded),
    ];
    explore(World::new([2, 1, 2, 1], &requests, 1));
}

#[test]
fn no_interleaving_breaks_a_rule_when_a_stage_is_requested_twice() {
    for (stage, by) in [
        (Stage::Prestart, Trigger::StartContainer),
        (Stage::Poststart, Trigger::PostStartContainer),
        (Stage::Poststop, Trigger::RemoveContainer),
    ] {
        let once = EACH.iter().copied();
        let requests: Vec<_> = once.chain([Request::Stage(stage, by)]).collect();
        explore(World::new([1; 4], &requests, 0));
        explore(World::new([2; 4], &[Request::Stage(stage, by); 2], 2));
    }
}

/// A request of any stage, by any trigger.
fn any_request() -> impl Strategy<Value = Request> {
    let triggers = || select(Trigger::ALL.to_vec());
    prop_oneof![
        4 => (select(Stage::STARTED.to_vec()), triggers()).prop_map(|(stage, by)| Request::Stage(stage, by)),
        1 => triggers().prop_map(Request::EarlyPoststart),
    ]
}

proptest! {
    #[test]
    fn no_sequence_of_steps_and_deaths_breaks_a_rule(
        hooks in prop::array::uniform4(0_usize..4),
        requests in prop::collection::vec(any_request(), 1..6),
        deaths in 0_usize..4,
        choices in prop::collection::vec(any::<Index>(), 200),
    ) {
        let mut world = World::new(hooks, &requests, deaths);
        for choice in choices {
            let moves = world.moves();
            if moves.is_empty() {
                break;
            }
            world.make(moves[choice.index(moves.len())]);
        }
        // The rest in any order.
        while let Some(one) = world.moves().first() {
            world.make(*one);
        }
        world.end();
    }
}

#[test]
fn the_hooks_of_a_claimed_stage_run_or_not_for_a_reason() {
    use Stage::{CreateRuntime, Poststart, Poststop, Prestart};
    let failed = NotRun::AfterFailed(Prestart);
    let skipped = NotRun::AfterSkipped(CreateRuntime);
    for (requested, stage, has_begun, started, expected) in [
        (Prestart, Prestart, false, Ok(()), Ok(())),
        (Prestart, Prestart, true, Ok(()), Ok(())),
        (Prestart, CreateRuntime, false, Ok(()), Ok(())),
        (Poststart, Prestart, false, Ok(()), Err(NotRun::NotRequested)),
        (Poststart, Prestart, true, Ok(()), Err(NotRun::Interrupted)),
        (Poststart, CreateRuntime, false, Ok(()), Err(NotRun::NotRequested)),
        (Poststart, CreateRuntime, false, Err(failed), Err(failed)),
        (
            Poststart,
            CreateRuntime,
            true,
            Err(failed),
            Err(NotRun::Interrupted),
        ),
        (Poststart, Poststart, false, Ok(()), Ok(())),
        (Poststart, Poststart, true, Ok(()), Ok(())),
        (Poststart, Poststart, false, Err(failed), Err(failed)),
        (Poststart, Poststart, false, Err(skipped), Err(skipped)),
        (Poststop, Prestart, false, Ok(()), Err(NotRun::NotRequested)),
        (Poststop, Prestart, true, Ok(()), Err(NotRun::Interrupted)),
        (Poststop, CreateRuntime, false, Err(failed), Err(failed)),
        (Poststop, Poststart, false, Ok(()), Err(NotRun::Stopped)),
        (Poststop, Poststart, false, Err(skipped), Err(skipped)),
        (Poststop, Poststart, true, Ok(()), Ok(())),
        (Poststop, Poststart, true, Err(failed), Ok(())),
        (Poststop, Poststop, false, Ok(()), Ok(())),
        (Poststop, Poststop, true, Err(failed), Ok(())),
    ] {
        let found = may_run(requested, stage, has_begun, started);
        assert_eq!(
            found, expected,
            "{stage} at {requested}: {has_begun}, {started:?}"
        );
    }
}

#[test]
fn only_an_interrupted_stage_has_failed_without_running() {
    for reason in [
        NotRun::AfterFailed(Stage::Prestart),
        NotRun::AfterSkipped(Stage::Prestart),
        NotRun::NotRequested,
        NotRun::Stopped,
    ] {
        assert!(
            matches!(reason.result(), StageResult::Skipped { .. }),
            "{reason:?}"
        );
    }
    assert!(matches!(NotRun::Interrupted.result(), StageResult::Failed { .. }));
}

/// The steps of a poststop of a container whose prestart was `prestart`, up to its claim of poststart.
fn claim_of_poststart(by: Trigger, prestart: StageResult) -> Step<()> {
    let mut plan = Plan::new(Stage::Poststop, by, &world::header([1, 0, 1, 1]));
    assert_eq!(plan.next(), Step::Claim(Stage::Poststop));
    let (claim, has_begun) = ((), false);
    plan.learn(Stage::Poststop, Known::Ours { claim, has_begun });
    assert_eq!(plan.next(), Step::Claim(Stage::Prestart));
    plan.learn(Stage::Prestart, Known::Over(prestart));
    plan.next()
}

#[test]
fn poststop_gives_a_poststart_its_turn_that_the_daemon_may_still_request() {
    let failed = || StageResult::Failed { message: "m".into() };
    for (by, prestart, may_come) in [
        (Trigger::InitEnded, StageResult::Done, true),
        (Trigger::StopContainer, StageResult::Done, true),
        (Trigger::RemoveContainer, StageResult::Done, true),
        (Trigger::Synchronize, StageResult::Done, true),
        // An OCI runtime that deletes a container has ended its start.
        (Trigger::Oci, StageResult::Done, false),
        (Trigger::InitEnded, failed(), false),
        (Trigger::Oci, failed(), false),
    ] {
        let step = claim_of_poststart(by, prestart);
        assert_eq!(step, Step::ClaimPoststart { may_come }, "{by}");
    }
}

#[test]
fn a_stage_that_is_over_is_returned_without_a_step_for_another() {
    for stage in [Stage::Poststart, Stage::Poststop] {
        let mut plan: Plan<()> = Plan::new(stage, Trigger::Oci, &world::header([1; 4]));
        assert_eq!(plan.next(), Step::Claim(stage));
        plan.learn(stage, Known::Over(StageResult::Done));
        assert_eq!(plan.next(), Step::Return(StageResult::Done));
    }
}
