//! A runtime that sends what no runtime should: the plugin neither panics nor hangs, and comes back.

use std::time::Duration;

use containerd_nri::api::{ConfigureRequest, Empty, Message};
use containerd_nri_testkit::{FakeRuntime, RawConnection, RuntimeProfile};
use tempfile::TempDir;
use tokio::time::timeout;
use ttrpc::proto::MessageHeader;

use crate::plugins::{Recorder, Running, Seen, create, serve};
use crate::raw_plugin::{PLUGIN, RUNTIME, introduced, listen_as, message, response};

/// Far more than anything here needs.
const LONG: Duration = Duration::from_secs(30);

struct Victim {
    runtime: FakeRuntime,
    service: Running,
    _seen: Seen,
    _directory: TempDir,
}

impl Victim {
    fn new() -> Self {
        let (runtime, directory) = listen_as(RuntimeProfile::containerd_main());
        let (recorder, seen) = Recorder::new();
        let service = serve(recorder, &directory);
        Self {
            runtime,
            service,
            _seen: seen,
            _directory: directory,
        }
    }

    /// A connection on which the plugin has sent its registration.
    async fn connection(&mut self) -> RawConnection {
        let mut connection = self.runtime.accept_raw().await.unwrap();
        assert_eq!(connection.read_frame().await.unwrap().connection, RUNTIME);
        connection
    }

    /// Sees that the plugin works as if nothing had happened.
    async fn is_well(&mut self) {
        let taken_in = timeout(LONG, async {
            loop {
                // Connections that the plugin gave up while nobody accepted them come first.
                if let Ok(plugin) = self.runtime.accept().await {
                    return plugin;
                }
            }
        });
        let mut plugin = taken_in.await.expect("the plugin comes back");
        create(&mut plugin).await.into_answer().unwrap();
        assert!(!self.service.has_ended());
    }
}

/// Sends bytes to a plugin, closes, and sees that it comes back.
async fn survives(bytes: &[u8]) {
    let mut victim = Victim::new();
    let mut connection = victim.connection().await;
    // The plugin may close before all is written.
    let _ = connection.write(bytes).await;
    drop(connection);
    victim.is_well().await;
}

/// A frame on a connection.
fn frame(connection: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    [&connection.to_be_bytes()[..], &length.to_be_bytes(), payload].concat()
}

#[tokio::test]
async fn truncated_frames_are_survived() {
    let whole = frame(PLUGIN, &[0, 0, 0, 4, 0, 0, 0, 1, 1, 0, 1, 2, 3, 4]);
    for length in 0..whole.len() {
        survives(&whole[..length]).await;
    }
}

#[tokio::test]
async fn a_frame_that_claims_up_to_4_gib_ends_the_connection_at_once() {
    for length in [u32::MAX, u32::MAX - 7, 1 << 31, (4 << 20) + 11] {
        let mut victim = Victim::new();
        let mut connection = victim.connection().await;
        connection
            .write(&[PLUGIN.to_be_bytes(), length.to_be_bytes()].concat())
            .await
            .unwrap();
        // The other end closes; it does not wait for all those bytes.
        assert_eq!(timeout(LONG, connection.read_frame()).await.unwrap(), None);
        victim.is_well().await;
    }
}

#[tokio::test]
async fn a_ttrpc_message_that_claims_more_than_4_mib_is_survived() {
    for length in [u32::MAX, (4 << 20) + 1] {
        let header = [&length.to_be_bytes()[..], &[0, 0, 0, 1, 1, 0]].concat();
        for connection in [PLUGIN, RUNTIME] {
            survives(&[frame(connection, &header), frame(connection, &[0; 4096])].concat()).await;
        }
    }
}

#[tokio::test]
async fn messages_of_unknown_kinds_and_flags_are_survived() {
    for kind in [0, 2, 3, 4, 255] {
        for flags in [0, 1, 2, 4, 255] {
            let message = [0, 0, 0, 2, 0, 0, 0, 1, kind, flags, 8, 1];
            survives(&[frame(PLUGIN, &message), frame(RUNTIME, &message)].concat()).await;
        }
    }
}

#[tokio::test]
async fn requests_that_cannot_be_decoded_are_survived() {
    let message = [0, 0, 0, 3, 0, 0, 0, 1, 1, 0, 0xFF, 0xFF, 0xFF];
    survives(&frame(PLUGIN, &message)).await;
}

#[tokio::test]
async fn a_group_which_no_message_of_nri_has_is_refused() {
    // A group that ends, and one with a text that is longer than the message.
    for payload in [&[0x0B, 0x0C][..], &[0x0B, 0x12, 0x7F]] {
        let mut victim = Victim::new();
        let mut connection = victim.connection().await;
        let request = ttrpc::Request {
            service: "nri.pkg.api.v1alpha1.Plugin".to_owned(),
            method: "Configure".to_owned(),
            payload: payload.to_vec(),
            ..Default::default()
        };
        let request = message(MessageHeader::new_request(1, 0), &request);
        connection.write_frame(PLUGIN, &request).await.unwrap();
        let answer = timeout(LONG, connection.read_frame()).await.expect("an answer");
        let answer = ttrpc::Response::parse_from_bytes(&answer.unwrap().payload[10..]).unwrap();
        assert_eq!(answer.status().code(), ttrpc::Code::INVALID_ARGUMENT);
    }
}

#[tokio::test]
async fn frames_of_unknown_connections_change_nothing() {
    let mut victim = Victim::new();
    let mut connection = victim.connection().await;
    for id in [0, 3, 1 << 31, u32::MAX] {
        connection.write_frame(id, &[7; 10_000]).await.unwrap();
    }
    connection
        .write_request(1, "Configure", &ConfigureRequest::new())
        .await
        .unwrap();
    assert_eq!(connection.read_frame().await.unwrap().connection, PLUGIN);
}

#[tokio::test]
async fn answers_to_calls_that_nobody_made_change_nothing() {
    let mut victim = Victim::new();
    let mut connection = victim.connection().await;
    for stream in [0, 2, 3, 99, u32::MAX] {
        for id in [PLUGIN, RUNTIME] {
            let answer = response(stream, &Empty::new());
            connection.write_frame(id, &answer).await.unwrap();
        }
    }
    connection
        .write_request(1, "Configure", &ConfigureRequest::new())
        .await
        .unwrap();
    let answer = timeout(LONG, connection.read_frame()).await.unwrap();
    assert_eq!(answer.unwrap().connection, PLUGIN);
}

#[tokio::test]
async fn a_registration_that_is_answered_twice_and_calls_on_one_stream_are_survived() {
    let mut victim = Victim::new();
    let mut connection = victim.connection().await;
    for _ in 0..3 {
        let registered = response(1, &Empty::new());
        connection.write_frame(RUNTIME, &registered).await.unwrap();
        for method in ["Configure", "Synchronize", "CreateContainer", "Nothing"] {
            // The plugin may close at any of them.
            let _ = connection.write_request(7, method, &Empty::new()).await;
        }
    }
    drop(connection);
    victim.is_well().await;
}

#[tokio::test]
async fn requests_in_frames_of_one_byte_are_answered() {
    let (_plugin, mut raw, _runtime, _directory) = introduced(RuntimeProfile::containerd_main()).await;
    raw.is_alive(3).await;
    let mut victim = Victim::new();
    let mut connection = victim.connection().await;
    let request = crate::raw_plugin::request(1, "Shutdown", &Empty::new());
    for byte in &request {
        connection.write_frame(PLUGIN, &[*byte]).await.unwrap();
    }
    // A call of the wrong service has some answer.
    assert_eq!(
        timeout(LONG, connection.read_frame())
            .await
            .unwrap()
            .unwrap()
            .connection,
        PLUGIN
    );
}

#[tokio::test]
async fn a_flood_of_requests_whose_answers_nobody_reads_is_survived() {
    let mut victim = Victim::new();
    let mut connection = victim.connection().await;
    let flood = async {
        for stream in (1..100_000).step_by(2) {
            let sent = connection.write_request(stream, "Shutdown", &Empty::new()).await;
            if sent.is_err() {
                return;
            }
        }
    };
    // The plugin stops reading when its answers pile up, or closes: both end the flood.
    let _ = timeout(Duration::from_secs(2), flood).await;
    drop(connection);
    victim.is_well().await;
}

#[tokio::test]
async fn noise_is_survived() {
    let mut victim = Victim::new();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..200 {
        let mut connection = victim.connection().await;
        let noise: Vec<u8> = (0..random() % 300).map(|_| (random() >> 56) as u8).collect();
        // Framed noise gets further than bare noise.
        let _ = connection.write_frame(1 + (random() % 2) as u32, &noise).await;
        let _ = connection.write(&noise).await;
    }
    victim.is_well().await;
}

#[tokio::test]
async fn bytes_between_the_frames_of_a_registered_plugin_end_that_connection_only() {
    let mut victim = Victim::new();
    let plugin = victim.runtime.accept().await.unwrap();
    plugin.write_raw(&[0xFF; 64]).await.unwrap();
    timeout(LONG, plugin.closed())
        .await
        .expect("the plugin gives up the connection");
    victim.is_well().await;
}
