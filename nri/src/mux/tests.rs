//! The two connections over one socket: their frames, their limits, and their end.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::Trunk;
use super::connection::Connection;
use super::state::MAX_WAITING;
use crate::error::Error;
use crate::frame::{FrameHeader, MAX_BODY, MAX_PAYLOAD, MessageHeader};

/// Long enough for an event that a test must not see.
const QUIET: Duration = Duration::from_millis(50);

fn open() -> (UnixStream, Trunk, Connection, Connection) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (trunk, plugin, runtime) = Trunk::open(ours);
    (theirs, trunk, plugin, runtime)
}

fn frame(connection: u32, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        connection,
        length: payload.len() as u32,
    };
    [&header.encode(), payload].concat()
}

fn message(stream: u32, kind: u8, body: usize) -> Vec<u8> {
    let mut bytes = (body as u32).to_be_bytes().to_vec();
    bytes.extend(stream.to_be_bytes());
    bytes.extend([kind, 0]);
    bytes.extend((0..body).map(|at| (at % 251) as u8));
    bytes
}

async fn read_frame(socket: &mut UnixStream) -> (u32, Vec<u8>) {
    let mut header = [0; FrameHeader::LEN];
    socket.read_exact(&mut header).await.unwrap();
    let header = FrameHeader::decode(header);
    let mut payload = vec![0; header.length as usize];
    socket.read_exact(&mut payload).await.unwrap();
    (header.connection, payload)
}

async fn read_message(connection: &mut Connection, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    connection.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// Writes until the other side accepts nothing more; returns the number of written bytes.
async fn flood(socket: &mut UnixStream, bytes: &[u8], limit: usize) -> usize {
    let mut written = 0;
    while written < limit {
        match timeout(QUIET, socket.write(bytes)).await {
            Ok(count) => written += count.unwrap(),
            Err(_) => break,
        }
    }
    written
}

#[tokio::test]
async fn each_connection_reads_its_own_bytes_and_unknown_ones_are_dropped() {
    let (mut socket, mut trunk, mut plugin, mut runtime) = open();
    let to_plugin = message(1, MessageHeader::REQUEST, 3);
    let to_runtime = message(1, MessageHeader::RESPONSE, 4);
    for sent in [
        frame(1, &to_plugin[..7]),
        frame(0, b"?"),
        frame(77, b"?"),
        frame(2, &to_runtime),
    ] {
        socket.write_all(&sent).await.unwrap();
    }
    socket.write_all(&frame(1, &to_plugin[7..])).await.unwrap();
    tokio::select! {
        end = trunk.drive() => panic!("{end}"),
        read = async {
            (read_message(&mut plugin, 13).await, read_message(&mut runtime, 14).await)
        } => assert_eq!(read, (to_plugin, to_runtime)),
    }
}

#[tokio::test]
async fn long_messages_on_both_connections_arrive_whole_as_two_frames_each() {
    let (mut socket, mut trunk, mut plugin, mut runtime) = open();
    let answer = message(1, MessageHeader::RESPONSE, MAX_BODY);
    let call = message(1, MessageHeader::REQUEST, 100_000);
    let writes = async { tokio::join!(plugin.write_all(&answer), runtime.write_all(&call)) };
    let reads = async {
        let mut frames = Vec::new();
        for _ in 0..4 {
            frames.push(read_frame(&mut socket).await);
        }
        frames
    };
    let frames = tokio::select! {
        end = trunk.drive() => panic!("{end}"),
        (_, frames) = async { tokio::join!(writes, reads) } => frames,
    };
    for (connection, sent) in [(1, &answer), (2, &call)] {
        let got: Vec<_> = frames
            .iter()
            .filter(|(to, _)| *to == connection)
            .map(|(_, got)| got)
            .collect();
        assert_eq!(got, [&sent[..10], &sent[10..]]);
    }
}

#[tokio::test]
async fn a_frame_longer_than_a_message_can_be_ends_the_trunk() {
    for length in [MAX_PAYLOAD as u32 + 1, u32::MAX] {
        let (mut socket, mut trunk, mut plugin, _runtime) = open();
        socket
            .write_all(
                &FrameHeader {
                    connection: 1,
                    length,
                }
                .encode(),
            )
            .await
            .unwrap();
        let end = trunk.drive().await;
        assert!(
            matches!(end, Error::FrameTooLong { connection: 1, length: l } if l == length),
            "{end}"
        );
        let text = end.to_string();
        assert!(
            text.contains(&length.to_string()) && text.contains(&MAX_PAYLOAD.to_string()),
            "{text}"
        );
        assert_eq!(plugin.read(&mut [0; 10]).await.unwrap(), 0);
        assert!(plugin.write(b"x").await.is_err());
        assert_eq!(
            socket.read(&mut [0; 10]).await.unwrap(),
            0,
            "the socket is closed at once"
        );
    }
}

#[tokio::test]
async fn the_end_of_the_trunk_shows_whether_a_frame_was_truncated() {
    let (socket, mut trunk, _plugin, _runtime) = open();
    drop(socket);
    assert!(matches!(trunk.drive().await, Error::Closed));

    let (mut socket, mut trunk, _plugin, _runtime) = open();
    socket.write_all(&frame(1, b"abc")[..9]).await.unwrap();
    drop(socket);
    assert!(matches!(trunk.drive().await, Error::ClosedMidFrame));
}

#[tokio::test]
async fn a_dropped_connection_ends_the_trunk() {
    let (_socket, mut trunk, plugin, _runtime) = open();
    let (end, ()) = tokio::join!(trunk.drive(), async { drop(plugin) });
    assert!(matches!(end, Error::RpcEnded));
}

#[tokio::test]
async fn bytes_that_ttrpc_does_not_read_stay_in_the_socket() {
    let (mut socket, mut trunk, _plugin, _runtime) = open();
    let call = frame(2, &message(1, MessageHeader::RESPONSE, 4000));
    let written = tokio::select! {
        end = trunk.drive() => panic!("{end}"),
        written = flood(&mut socket, &call, 64 << 20) => written,
    };
    assert!(written < 4 << 20, "{written} bytes were taken");
}

#[tokio::test]
async fn unanswered_requests_are_limited_and_an_answer_lets_the_next_in() {
    let (mut socket, mut trunk, mut plugin, _runtime) = open();
    let body = 1000;
    let calls: Vec<u8> = (0..40)
        .flat_map(|n| frame(1, &message(2 * n + 1, MessageHeader::REQUEST, body)))
        .collect();
    assert!(calls.len() > MAX_WAITING);
    let exchange = async {
        socket.write_all(&calls).await.unwrap();
        for _ in 0..16 {
            read_message(&mut plugin, 10 + body).await;
        }
        assert!(
            timeout(QUIET, plugin.read_u8()).await.is_err(),
            "a request too many was taken in"
        );
        plugin
            .write_all(&message(7, MessageHeader::RESPONSE, 0))
            .await
            .unwrap();
        let next = read_message(&mut plugin, 10 + body).await;
        assert_eq!(next, message(33, MessageHeader::REQUEST, body));
    };
    tokio::select! {
        end = trunk.drive() => panic!("{end}"),
        () = exchange => {}
    }
}

#[tokio::test]
async fn a_flood_of_empty_frames_does_not_block_others() {
    let (mut socket, mut trunk, _plugin, _runtime) = open();
    let nothing = frame(1, b"").repeat(4096);
    let written = tokio::select! {
        end = trunk.drive() => panic!("{end}"),
        written = flood(&mut socket, &nothing, 8 << 20) => written,
    };
    assert!(written >= 8 << 20);
}

#[tokio::test]
async fn draining_waits_for_the_answer_to_be_sent_and_takes_no_further_request() {
    let (mut socket, mut trunk, mut plugin, _runtime) = open();
    let first = message(1, MessageHeader::REQUEST, 5);
    socket.write_all(&frame(1, &first)).await.unwrap();
    tokio::select! {
        end = trunk.drive() => panic!("{end}"),
        read = read_message(&mut plugin, 15) => assert_eq!(read, first),
    }
    socket
        .write_all(&frame(1, &message(3, MessageHeader::REQUEST, 5)))
        .await
        .unwrap();
    assert!(
        timeout(QUIET, trunk.drain()).await.is_err(),
        "drained with a request unanswered"
    );
    let answer = message(1, MessageHeader::RESPONSE, 6);
    let (written, ()) = tokio::join!(plugin.write_all(&answer), trunk.drain());
    written.unwrap();
    assert_eq!(read_frame(&mut socket).await, (1, answer));
    assert!(
        timeout(QUIET, plugin.read_u8()).await.is_err(),
        "took a request while draining"
    );
}
