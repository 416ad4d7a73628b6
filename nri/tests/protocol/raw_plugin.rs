//! A plugin that frames its bytes however a test wants, to try the rules of the fake runtime.

use std::io::ErrorKind;
use std::path::Path;

use containerd_nri::api::{ConfigureResponse, Empty, Message, RegisterPluginRequest, SynchronizeResponse};
use containerd_nri_testkit::{
    AcceptError, Builder, FakeRuntime, PluginHandle, RawConnection, RuntimeProfile,
};
use tempfile::TempDir;
use tokio::net::UnixStream;
use ttrpc::proto::MessageHeader;

/// The connection on which the runtime calls the plugin.
pub(crate) const PLUGIN: u32 = 1;

/// The connection on which the plugin calls the runtime.
pub(crate) const RUNTIME: u32 = 2;

pub(crate) const RUNTIME_SERVICE: &str = "nri.pkg.api.v1alpha1.Runtime";

/// A runtime that listens in a directory of its own.
pub(crate) fn listen(builder: Builder) -> (FakeRuntime, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let runtime = builder.listen(socket(&directory)).unwrap();
    (runtime, directory)
}

/// A runtime with this profile that listens in a directory of its own.
pub(crate) fn listen_as(profile: RuntimeProfile) -> (FakeRuntime, TempDir) {
    listen(FakeRuntime::builder(profile))
}

/// The socket in the directory of a runtime.
pub(crate) fn socket(directory: &TempDir) -> std::path::PathBuf {
    directory.path().join("nri.sock")
}

/// A whole ttrpc response: header and body.
pub(crate) fn response(stream: u32, answer: &impl Message) -> Vec<u8> {
    let payload = answer.write_to_bytes().unwrap();
    message(
        MessageHeader::new_response(stream, 0),
        &ttrpc::Response {
            payload,
            ..Default::default()
        },
    )
}

/// A whole ttrpc response that is an error.
pub(crate) fn error(stream: u32, code: ttrpc::Code, text: &str) -> Vec<u8> {
    let status = Some(ttrpc::get_status(code, text.to_owned())).into();
    message(
        MessageHeader::new_response(stream, 0),
        &ttrpc::Response {
            status,
            ..Default::default()
        },
    )
}

/// A whole ttrpc request of the Runtime service.
pub(crate) fn request(stream: u32, method: &str, request: &impl Message) -> Vec<u8> {
    let request = ttrpc::Request {
        service: RUNTIME_SERVICE.to_owned(),
        method: method.to_owned(),
        payload: request.write_to_bytes().unwrap(),
        ..Default::default()
    };
    message(MessageHeader::new_request(stream, 0), &request)
}

/// A whole ttrpc message: header and body.
pub(crate) fn message(mut header: MessageHeader, body: &impl Message) -> Vec<u8> {
    let body = body.write_to_bytes().unwrap();
    header.length = body.len().try_into().unwrap();
    let mut bytes = Vec::from(header);
    bytes.extend(body);
    bytes
}

/// A registration as `10-raw`.
pub(crate) fn registration() -> RegisterPluginRequest {
    RegisterPluginRequest {
        plugin_name: "raw".to_owned(),
        plugin_idx: "10".to_owned(),
        ..Default::default()
    }
}

/// An answer to Configure.
pub(crate) fn events(mask: i32) -> ConfigureResponse {
    ConfigureResponse {
        events: mask,
        ..Default::default()
    }
}

/// A plugin that does nothing by itself.
pub(crate) struct RawPlugin {
    connection: RawConnection,
    /// Bytes of the two logical connections that are not read yet.
    unread: [Vec<u8>; 2],
}

impl RawPlugin {
    pub(crate) async fn connect(socket: &Path) -> Self {
        Self::new(UnixStream::connect(socket).await.unwrap())
    }

    pub(crate) fn new(stream: UnixStream) -> Self {
        Self {
            connection: RawConnection::new(stream),
            unread: Default::default(),
        }
    }

    /// Sends bytes as they are.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.connection.write(bytes).await.unwrap();
    }

    /// Sends frames on a connection. A runtime that has closed meanwhile takes none; then `receive` fails.
    pub(crate) async fn send(&mut self, connection: u32, payloads: &[&[u8]]) {
        for payload in payloads {
            match self.connection.write_frame(connection, payload).await {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return,
                sent => sent.unwrap(),
            }
        }
    }

    /// Waits for the next message on a connection. None when the runtime has closed.
    pub(crate) async fn receive(&mut self, connection: u32) -> Option<(MessageHeader, Vec<u8>)> {
        let wanted = usize::from(connection == RUNTIME);
        loop {
            let unread = &mut self.unread[wanted];
            if unread.len() >= 10 {
                let header = MessageHeader::from(&unread[..10]);
                let end = 10 + header.length as usize;
                if unread.len() >= end {
                    let body = unread[10..end].to_vec();
                    unread.drain(..end);
                    return Some((header, body));
                }
            }
            let frame = self.connection.read_frame().await?;
            self.unread[usize::from(frame.connection == RUNTIME)].extend(frame.payload);
        }
    }

    /// Waits for the next call of the runtime: its stream and its request.
    pub(crate) async fn call(&mut self) -> (u32, ttrpc::Request) {
        let (header, body) = self.receive(PLUGIN).await.expect("a call");
        (header.stream_id, ttrpc::Request::parse_from_bytes(&body).unwrap())
    }

    /// Waits for a call of this method; its stream and the message.
    pub(crate) async fn called<M: Message>(&mut self, method: &str) -> (u32, M) {
        let (stream, request) = self.call().await;
        assert_eq!(request.method, method);
        (stream, M::parse_from_bytes(&request.payload).unwrap())
    }

    /// Waits for the runtime's answer: its stream and the code of its status.
    pub(crate) async fn answer(&mut self) -> (u32, i32) {
        let (header, body) = self.receive(RUNTIME).await.expect("an answer");
        let response = ttrpc::Response::parse_from_bytes(&body).unwrap();
        (header.stream_id, response.status.code.value())
    }

    /// Answers a call.
    pub(crate) async fn reply(&mut self, stream: u32, answer: &impl Message) {
        self.send(PLUGIN, &[&response(stream, answer)]).await;
    }

    /// Registers as `10-raw`.
    pub(crate) async fn register(&mut self) {
        self.send(RUNTIME, &[&request(1, "RegisterPlugin", &registration())])
            .await;
        assert_eq!(self.answer().await, (1, 0));
    }

    /// Registers, subscribes to events, and takes whatever it is synchronized with.
    pub(crate) async fn introduce(&mut self, mask: i32) {
        self.introduce_with(events(mask)).await;
    }

    /// Registers, answers Configure so, and takes whatever it is synchronized with.
    pub(crate) async fn introduce_with(&mut self, configured: ConfigureResponse) {
        self.register().await;
        let (stream, _) = self.call().await;
        self.reply(stream, &configured).await;
        loop {
            let (stream, request) = self
                .called::<containerd_nri::api::SynchronizeRequest>("Synchronize")
                .await;
            let more = request.more;
            self.reply(
                stream,
                &SynchronizeResponse {
                    more,
                    ..Default::default()
                },
            )
            .await;
            if !more {
                return;
            }
        }
    }

    /// Waits until the runtime has closed the connection.
    pub(crate) async fn closed(&mut self) {
        while self.connection.read_frame().await.is_some() {}
    }

    /// Sees that the connection still works: a method that does not exist is answered as such.
    pub(crate) async fn is_alive(&mut self, stream: u32) {
        self.send(RUNTIME, &[&request(stream, "NoSuchMethod", &Empty::new())])
            .await;
        assert_eq!(self.answer().await, (stream, 12));
    }
}

/// A runtime with a raw plugin that subscribes to all events and is ready for them.
pub(crate) async fn introduced(profile: RuntimeProfile) -> (PluginHandle, RawPlugin, FakeRuntime, TempDir) {
    let (mut runtime, directory) = listen_as(profile);
    let mut raw = RawPlugin::connect(&socket(&directory)).await;
    let (plugin, ()) = tokio::join!(runtime.accept(), raw.introduce(0));
    (plugin.unwrap(), raw, runtime, directory)
}

/// The runtime's result for a plugin that does `script` once it is connected.
pub(crate) async fn outcome<F: AsyncFnOnce(&mut RawPlugin)>(
    builder: Builder,
    script: F,
) -> (Result<PluginHandle, AcceptError>, RawPlugin, FakeRuntime) {
    let (mut runtime, directory) = listen(builder);
    let mut raw = RawPlugin::connect(&socket(&directory)).await;
    let (result, ()) = tokio::join!(runtime.accept(), script(&mut raw));
    (result, raw, runtime)
}
