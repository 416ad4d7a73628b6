//! Plugins that do not answer: after the deadline, gone, or in frames that cannot be read; with and without a failure
//! policy.

use std::time::Duration;

use containerd_nri::api::{ConfigureResponse, Empty, FailurePolicy};
use containerd_nri_testkit::RuntimeProfile;

use crate::raw_plugin::{PLUGIN, RawPlugin, response};
use crate::side::{Kind, Next, Seen, Side, alike, nothing, silence};

/// A plugin that is taken in with a failure policy.
async fn plugin_with(side: &mut Side, fail_request: bool, keep_connected: bool) -> RawPlugin {
    let policy = FailurePolicy {
        fail_request,
        keep_connected,
        ..Default::default()
    };
    let configured = ConfigureResponse {
        events: 0x668,
        failure_policy: Some(policy).into(),
        ..Default::default()
    };
    let mut raw = RawPlugin::connect(&side.socket()).await;
    let (accepted, ()) = tokio::join!(side.accept(), raw.introduce_with(configured));
    assert!(accepted);
    raw
}

const POLICIES: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

/// A plugin is silent once and would answer from then on: what comes of three events.
async fn after_silence(kind: Kind, mut profile: RuntimeProfile) -> Vec<Vec<(Option<Next>, usize)>> {
    profile.request_timeout = Duration::from_secs(1);
    let mut all = Vec::new();
    for (fail_request, keep_connected) in POLICIES {
        let mut side = Side::start(kind, profile.clone()).await;
        let mut raw = plugin_with(&mut side, fail_request, keep_connected).await;
        let mut lives = Vec::new();
        let (next, seen) = side.call_while("CreateContainer", &mut raw, silence).await;
        lives.push((next, seen.len()));
        for event in ["StartContainer", "StopContainer"] {
            let (next, seen) = side.call_while(event, &mut raw, nothing).await;
            lives.push((next, seen.len()));
        }
        all.push(lives);
    }
    all
}

#[tokio::test]
async fn an_overdue_answer_ends_alike_under_every_failure_policy() {
    alike!(after_silence);
}

/// A plugin goes away when it is asked: what comes of that event and of the next.
async fn after_departure(kind: Kind, profile: RuntimeProfile) -> Vec<[Option<Next>; 2]> {
    let mut all = Vec::new();
    for (fail_request, keep_connected) in POLICIES {
        let mut side = Side::start(kind, profile.clone()).await;
        let mut raw = plugin_with(&mut side, fail_request, keep_connected).await;
        let (first, ()) = tokio::join!(side.call("CreateContainer"), async move {
            raw.call().await;
            drop(raw);
        });
        all.push([first, side.call("StartContainer").await]);
    }
    all
}

#[tokio::test]
async fn a_plugin_that_goes_away_when_it_is_asked_is_missed_alike() {
    alike!(after_departure);
}

/// A plugin goes away between two events: nobody misses it.
async fn between_events(kind: Kind, profile: RuntimeProfile) -> Vec<Option<Next>> {
    let mut all = Vec::new();
    for (fail_request, keep_connected) in POLICIES {
        let mut side = Side::start(kind, profile.clone()).await;
        let mut raw = plugin_with(&mut side, fail_request, keep_connected).await;
        side.call_while("CreateContainer", &mut raw, nothing).await;
        drop(raw);
        // The first event after that finds it gone, or finds out; no version fails the second.
        side.call("StartContainer").await;
        all.push(side.call("StopContainer").await);
    }
    all
}

#[tokio::test]
async fn a_plugin_that_went_away_before_is_not_missed() {
    alike!(between_events);
}

/// The result of an event that is answered in these frames, and the next event as the plugin sees it.
async fn answered_in_frames(
    kind: Kind,
    profile: RuntimeProfile,
    frames: impl Fn(&[u8]) -> Vec<Vec<u8>>,
) -> (Option<Next>, Vec<Seen>) {
    let mut side = Side::start(kind, profile).await;
    let mut raw = side.plugin(0x668).await;
    let (first, ()) = tokio::join!(side.call("CreateContainer"), async {
        let (stream, _) = raw.call().await;
        // An answer of 6,000 bytes: the padding is a field that no version knows.
        let mut answer = Empty::new();
        answer
            .special_fields
            .mut_unknown_fields()
            .add_length_delimited(999, vec![0; 6_000]);
        let message = response(stream, &answer);
        let frames = frames(&message);
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        raw.send(PLUGIN, &frames).await;
    });
    let (_, seen) = side.call_while("StartContainer", &mut raw, nothing).await;
    (first, seen)
}

/// The next event as the plugin sees it. The result of the first one is NRI's luck: its reader fails and its connection
/// closes at the same moment, and only one of the two makes the event fail.
async fn as_one_frame(kind: Kind, mut profile: RuntimeProfile) -> Vec<Seen> {
    profile.request_timeout = Duration::from_secs(1);
    let (_, seen) = answered_in_frames(kind, profile, |message| vec![message.to_vec()]).await;
    seen
}

#[tokio::test]
async fn an_answer_whose_first_frame_has_more_than_4096_bytes_ends_alike() {
    alike!(as_one_frame);
}

async fn as_two_frames(kind: Kind, profile: RuntimeProfile) -> (Option<Next>, Vec<Seen>) {
    answered_in_frames(kind, profile, |message| {
        vec![message[..10].to_vec(), message[10..].to_vec()]
    })
    .await
}

#[tokio::test]
async fn an_answer_whose_header_is_a_frame_of_its_own_is_read_alike() {
    alike!(as_two_frames);
}
