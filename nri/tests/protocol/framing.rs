//! The fake runtime's handling of frames: one test for each measured behaviour of the real ones.

use std::time::Duration;

use containerd_nri::api::{
    ContainerAdjustment, ContainerUpdate, CreateContainerResponse, Empty, Message, RegisterPluginRequest,
    UpdateContainersRequest,
};
use containerd_nri_testkit::{
    AcceptError, ConnectionEnd, FakeRuntime, NoAnswer, Outcome, RuntimeProfile, Unfinished,
};
use tokio::time::timeout;

use crate::plugins::create;
use crate::raw_plugin::{PLUGIN, RUNTIME, introduced, outcome, registration, request, response};

const FRAME_TOO_LONG: fn(usize, usize) -> ConnectionEnd =
    |length, limit| ConnectionEnd::FrameTooLong { length, limit };

/// A registration whose ttrpc message has exactly this many bytes.
fn registration_of(length: usize) -> Vec<u8> {
    let named = |name: usize| RegisterPluginRequest {
        plugin_name: "x".repeat(name),
        ..registration()
    };
    // From a name of a few hundred bytes on, all length prefixes have the size that they have at the end.
    let overhead = request(1, "RegisterPlugin", &named(2_000)).len() - 2_000;
    let message = request(1, "RegisterPlugin", &named(length - overhead));
    assert_eq!(message.len(), length);
    message
}

/// An adjustment whose encoding has at least this many bytes.
fn adjustment_of(length: usize) -> CreateContainerResponse {
    let adjust = ContainerAdjustment {
        args: vec!["x".repeat(length)],
        ..Default::default()
    };
    CreateContainerResponse {
        adjust: Some(adjust).into(),
        ..Default::default()
    }
}

/// Whether an answer to CreateContainer arrives, cut into frames by `cut`.
async fn create_answered_in(length: usize, cut: impl Fn(&[u8]) -> Vec<&[u8]>) -> Outcome<()> {
    let (mut plugin, mut raw, _runtime, _directory) = introduced(RuntimeProfile::containerd_main()).await;
    let adjustment = adjustment_of(length);
    let (created, ()) = tokio::join!(create(&mut plugin), async {
        let (stream, _) = raw.call().await;
        let message = response(stream, &adjustment);
        raw.send(PLUGIN, &cut(&message)).await;
    });
    created.map(|answer| assert_eq!(answer, adjustment))
}

#[tokio::test]
async fn a_message_of_4096_bytes_in_one_frame_is_accepted() {
    for profile in RuntimeProfile::all() {
        let (result, ..) = outcome(FakeRuntime::builder(profile), async |raw| {
            raw.send(RUNTIME, &[&registration_of(4096)]).await;
            assert_eq!(raw.answer().await, (1, 0));
            let (stream, _) = raw.call().await;
            raw.reply(stream, &Empty::new()).await;
            let (stream, _) = raw.call().await;
            raw.reply(stream, &Empty::new()).await;
        })
        .await;
        assert!(result.is_ok());
    }
}

#[tokio::test]
async fn a_request_of_4097_bytes_in_one_frame_is_never_answered_and_registration_times_out() {
    for profile in RuntimeProfile::all() {
        let timeout = Duration::from_millis(300);
        let builder = FakeRuntime::builder(profile).registration_timeout(timeout);
        let (result, mut raw, _runtime) = outcome(builder, async |raw| {
            raw.send(RUNTIME, &[&registration_of(4097)]).await;
        })
        .await;
        let Err(AcceptError::RegistrationTimeout { unreadable, .. }) = result else {
            panic!("{:?}", result.err());
        };
        assert_eq!(unreadable, Some(FRAME_TOO_LONG(4097, 4096)));
        raw.closed().await;
    }
}

#[tokio::test]
async fn an_answer_of_over_4096_bytes_in_one_frame_closes_the_connection() {
    for profile in RuntimeProfile::all() {
        let (result, mut raw, _runtime) = outcome(FakeRuntime::builder(profile), async |raw| {
            raw.register().await;
            let (stream, _) = raw.call().await;
            // Any answer that is 5 kB long: its unknown fields would be skipped.
            let message = response(stream, &adjustment_of(5_000));
            raw.send(PLUGIN, &[&message]).await;
        })
        .await;
        let Err(AcceptError::Configure(Unfinished::NoAnswer(NoAnswer::Closed(end)))) = result else {
            panic!("{:?}", result.err());
        };
        assert!(
            matches!(end, ConnectionEnd::FrameTooLong { limit: 4096, .. }),
            "{end}"
        );
        raw.closed().await;
    }
}

#[tokio::test]
async fn a_header_and_its_whole_body_in_two_frames_are_accepted() {
    for length in [5_000, 1 << 20] {
        let outcome = create_answered_in(length, |message| vec![&message[..10], &message[10..]]).await;
        assert_eq!(outcome, Outcome::Answer(()), "{length}");
    }
}

#[tokio::test]
async fn the_first_4096_bytes_and_the_whole_rest_in_two_frames_are_accepted() {
    for length in [5_000, 1 << 20] {
        let outcome = create_answered_in(length, |message| vec![&message[..4096], &message[4096..]]).await;
        assert_eq!(outcome, Outcome::Answer(()), "{length}");
    }
}

#[tokio::test]
async fn a_runtime_from_0_12_5_on_closes_at_a_payload_longer_than_the_protocol_has() {
    const LONGEST: usize = 10 + (4 << 20);
    let (plugin, mut raw, _runtime, _directory) =
        introduced(RuntimeProfile::containerd_2_4_nri_0_12_5()).await;
    for fits in [LONGEST, 1] {
        // A connection that does not exist: such frames are read and dropped.
        raw.send(9, &[&vec![0; fits]]).await;
    }
    raw.is_alive(3).await;
    let length = u32::try_from(LONGEST).unwrap() + 1;
    raw.write(&[PLUGIN.to_be_bytes(), length.to_be_bytes()].concat())
        .await;
    let end = timeout(Duration::from_secs(30), plugin.closed())
        .await
        .expect("the runtime closes");
    let expected = format!("conn 1: frame payload {length} bytes, maximum is {LONGEST}");
    assert_eq!(end.to_string(), expected);
    raw.closed().await;
}

#[tokio::test]
async fn two_small_messages_in_one_frame_are_accepted() {
    let (result, ..) = outcome(
        FakeRuntime::builder(RuntimeProfile::containerd_2_1()),
        async |raw| {
            let both = [
                request(1, "RegisterPlugin", &registration()),
                request(3, "UpdateContainers", &UpdateContainersRequest::new()),
            ];
            raw.send(RUNTIME, &[&both.concat()]).await;
            assert_eq!((raw.answer().await, raw.answer().await), ((1, 0), (3, 0)));
            for _ in ["Configure", "Synchronize"] {
                let (stream, _) = raw.call().await;
                raw.reply(stream, &Empty::new()).await;
            }
        },
    )
    .await;
    assert!(result.is_ok());
}

#[tokio::test]
async fn a_rest_together_with_the_start_of_the_next_message_cannot_be_read() {
    let (result, _, runtime) = outcome(
        FakeRuntime::builder(RuntimeProfile::containerd_2_1())
            .registration_timeout(Duration::from_millis(300)),
        async |raw| {
            let both = [
                registration_of(10_000),
                request(3, "UpdateContainers", &Empty::new()),
            ]
            .concat();
            raw.send(RUNTIME, &[&both[..10], &both[10..]]).await;
        },
    )
    .await;
    drop(runtime);
    let Err(AcceptError::RegistrationTimeout {
        unreadable: Some(end),
        ..
    }) = result
    else {
        panic!("{:?}", result.err());
    };
    assert!(
        matches!(end, ConnectionEnd::FrameTooLong { limit: 9_990, .. }),
        "{end}"
    );
}

#[tokio::test]
async fn more_than_256_unread_frames_close_the_connection() {
    for connection in [PLUGIN, RUNTIME] {
        let (result, ..) = outcome(
            FakeRuntime::builder(RuntimeProfile::containerd_2_1()),
            async |raw| {
                let mut frame = connection.to_be_bytes().to_vec();
                frame.extend([0, 0, 0, 1, 0]);
                raw.write(&frame.repeat(600)).await;
                raw.closed().await;
            },
        )
        .await;
        let Err(AcceptError::ClosedBeforeRegistration(end)) = result else {
            panic!("{:?}", result.err())
        };
        assert_eq!(end, ConnectionEnd::QueueFull { connection });
    }
}

#[tokio::test]
async fn frames_for_unknown_connections_are_dropped() {
    for profile in RuntimeProfile::all() {
        let (result, ..) = outcome(FakeRuntime::builder(profile), async |raw| {
            for connection in [0, 3, u32::MAX] {
                raw.send(connection, &[&[7; 9_000]]).await;
            }
            raw.introduce(0x668).await;
        })
        .await;
        assert!(result.is_ok());
    }
}

#[tokio::test]
async fn an_even_stream_is_refused_with_status_3_and_registers_nothing() {
    for profile in RuntimeProfile::all() {
        let builder = FakeRuntime::builder(profile).registration_timeout(Duration::from_millis(300));
        let (result, ..) = outcome(builder, async |raw| {
            raw.send(RUNTIME, &[&request(2, "RegisterPlugin", &registration())])
                .await;
            assert_eq!(raw.answer().await, (2, 3));
        })
        .await;
        assert!(matches!(
            result,
            Err(AcceptError::RegistrationTimeout { unreadable: None, .. })
        ));
    }
}

#[tokio::test]
async fn a_message_of_over_4_mib_is_refused_alone() {
    let (_plugin, mut raw, _runtime, _directory) = introduced(RuntimeProfile::containerd_main()).await;
    let mut update = ContainerUpdate::new();
    update.container_id = "x".repeat(4 << 20);
    let message = request(
        3,
        "UpdateContainers",
        &UpdateContainersRequest {
            update: vec![update],
            ..Default::default()
        },
    );
    raw.send(RUNTIME, &message.chunks(4096).collect::<Vec<_>>()[..200])
        .await;
    raw.send(RUNTIME, &[]).await;
    for chunk in message.chunks(4096).skip(200) {
        raw.send(RUNTIME, &[chunk]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.answer().await, (3, 8));
    raw.is_alive(5).await;
}

#[tokio::test]
async fn an_unknown_method_is_refused_with_status_12_and_leaves_the_connection_usable() {
    for profile in RuntimeProfile::all() {
        let (_plugin, mut raw, _runtime, _directory) = introduced(profile).await;
        raw.is_alive(3).await;
        raw.is_alive(5).await;
    }
}

#[test]
fn the_messages_of_this_suite_are_as_long_as_they_say() {
    assert_eq!(registration_of(4096).len(), 4096);
    assert!(adjustment_of(5_000).write_to_bytes().unwrap().len() >= 5_000);
}
