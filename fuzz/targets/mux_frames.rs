//! Any bytes from a runtime: the plugin neither panics nor hangs, and connects again.
//!
//! The bytes are what the runtime's end of the socket sends, from the moment that the plugin connects. The corpus has
//! whole conversations, so that what is made of them reaches past the registration.
#![no_main]

use std::cell::RefCell;
use std::time::Duration;

use containerd_nri::{
    Adjustment, Backoff, Configuration, Context, EventMask, Identity, Plugin, Service, Status, Subscription,
    event,
};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// Far more than anything here needs.
const LONG: Duration = Duration::from_secs(20);

struct Idle;

impl Plugin for Idle {
    async fn configure(&self, _: &Context, _: Configuration) -> Result<Subscription, Status> {
        Ok(EventMask::ALL.into())
    }

    async fn create_container(&self, _: &Context, _: event::CreateContainer) -> Result<Adjustment, Status> {
        Ok(Adjustment::new())
    }
}

/// A runtime that listens, and a plugin that connects to it again and again.
struct Node {
    runtime: Runtime,
    listener: UnixListener,
    _directory: TempDir,
}

impl Node {
    fn new() -> Node {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("nri.sock");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let guard = runtime.enter();
        let listener = UnixListener::bind(&socket).unwrap();
        let service = Service::new(Idle, Identity::new("10", "idle").unwrap())
            .socket(socket)
            .backoff(Backoff::new(Duration::ZERO, Duration::ZERO));
        drop(runtime.spawn(service.run()));
        drop(guard);
        Node {
            runtime,
            listener,
            _directory: directory,
        }
    }

    fn send(&self, bytes: &[u8]) {
        self.runtime.block_on(async {
            let accepted = timeout(LONG, self.listener.accept())
                .await
                .expect("the plugin connects");
            let (socket, _) = accepted.unwrap();
            let (mut from_plugin, mut to_plugin) = socket.into_split();
            // The plugin may close before it has taken all.
            let send = async {
                let _ = to_plugin.write_all(bytes).await;
                let _ = to_plugin.shutdown().await;
            };
            let mut answers = Vec::new();
            let receive = async {
                let _ = from_plugin.read_to_end(&mut answers).await;
            };
            timeout(LONG, async { tokio::join!(send, receive) })
                .await
                .expect("the plugin ends a connection that the runtime has closed");
        });
    }
}

thread_local! {
    static NODE: RefCell<Option<Node>> = const { RefCell::new(None) };
}

fuzz_target!(|bytes: &[u8]| {
    NODE.with_borrow_mut(|node| node.get_or_insert_with(Node::new).send(bytes));
});
