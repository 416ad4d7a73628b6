//! Plugin code that blocks its thread: the connection still answers in time, and goes on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use containerd_nri::{
    Adjustment, Code, Configuration, Context, Error, EventMask, Identity, Plugin, Service, Status,
    Subscription, Updates, event,
};
use containerd_nri_testkit::{
    AcceptError, ContainerBuilder, FakeRuntime, Outcome, PluginHandle, PodBuilder, RuntimeProfile, Unfinished,
};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::plugins::{OnCreate, create, pod_and_container, serve};
use crate::raw_plugin::{listen, socket};

/// Far more than anything here needs.
const LONG: Duration = Duration::from_secs(30);

/// How many handlers may be stuck at once.
const MAX: usize = 4;

/// Blocks a thread as a hung file system does. It opens when the test is over, so that no thread outlives it.
#[derive(Clone)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn closed() -> (Self, Opener) {
        let gate = Self(Arc::default());
        (gate.clone(), Opener(gate))
    }

    /// Blocks the thread until the gate is open.
    fn pass(&self) {
        let (is_open, opened) = &*self.0;
        let guard = is_open.lock().unwrap();
        drop(opened.wait_while(guard, |is_open| !*is_open).unwrap());
    }
}

/// Opens a gate when dropped.
struct Opener(Gate);

impl Drop for Opener {
    fn drop(&mut self) {
        let (is_open, opened) = &*self.0.0;
        *is_open.lock().unwrap() = true;
        opened.notify_all();
    }
}

/// A plugin that passes the gate in every call whose name is one of these. At CreateContainer that goes for the
/// containers called `stuck`.
struct Gated {
    gate: Gate,
    calls: &'static [&'static str],
    begun: mpsc::UnboundedSender<&'static str>,
}

impl Gated {
    fn new(calls: &'static [&'static str]) -> (Self, Opener, mpsc::UnboundedReceiver<&'static str>) {
        let (gate, opener) = Gate::closed();
        let (begun, calls_begun) = mpsc::unbounded_channel();
        let plugin = Self { gate, calls, begun };
        (plugin, opener, calls_begun)
    }

    fn enter(&self, call: &'static str) {
        // A test that is over listens no more.
        let _ = self.begun.send(call);
        if self.calls.contains(&call) {
            self.gate.pass();
        }
    }
}

impl Plugin for Gated {
    async fn configure(&self, _: &Context, _: Configuration) -> Result<Subscription, Status> {
        self.enter("configure");
        Ok(Subscription::new(
            EventMask::CREATE_CONTAINER | EventMask::REMOVE_CONTAINER,
        ))
    }

    fn filter_synchronize(&self, _: &mut event::Synchronize) {
        self.enter("filter_synchronize");
    }

    async fn synchronize(&self, _: &Context, _: event::Synchronize) -> Result<Updates, Status> {
        self.enter("synchronize");
        Ok(Updates::new())
    }

    async fn create_container(
        &self,
        _: &Context,
        event: event::CreateContainer,
    ) -> Result<Adjustment, Status> {
        let event::CreateContainer { container: c, .. } = event;
        if c.name == "stuck" {
            self.enter("create_container");
        }
        Ok(Adjustment::new())
    }

    async fn remove_container(&self, _: &Context, _: event::RemoveContainer) -> Result<(), Status> {
        self.enter("remove_container");
        Ok(())
    }

    fn disconnected(&self, _: &Error) {
        self.enter("disconnected");
    }
}

/// A runtime that gives plugins little time.
fn hurried() -> (FakeRuntime, TempDir) {
    let profile = RuntimeProfile::containerd_main();
    listen(FakeRuntime::builder(profile).request_timeout(Duration::from_millis(200)))
}

/// Creates the container for which the plugin is stuck.
async fn create_stuck(plugin: &mut PluginHandle) -> Status {
    let pod = PodBuilder::new("pod").build();
    let container = ContainerBuilder::new(&pod, "stuck").build();
    match plugin.create_container(&pod, &container).await {
        Outcome::Refused(status) => status,
        other => panic!("{other:?}"),
    }
}

/// Creates a container for which the plugin is not stuck, as often as it takes until there is a thread for it.
async fn create_at_last(plugin: &mut PluginHandle) {
    timeout(LONG, async {
        while create(plugin).await.into_answer().is_err() {}
    })
    .await
    .expect("the plugin recovers");
}

#[tokio::test]
async fn a_handler_that_blocks_its_thread_is_answered_for_in_time_and_the_next_event_is_handled() {
    let (mut runtime, directory) = hurried();
    let (gated, opener, mut begun) = Gated::new(&["create_container", "remove_container"]);
    let _service = serve(gated, &directory);
    let mut plugin = runtime.accept().await.unwrap();
    assert_eq!(create_stuck(&mut plugin).await.code, Code::DeadlineExceeded);
    create(&mut plugin).await.into_answer().unwrap();

    let (pod, container) = pod_and_container();
    let removed = plugin.remove_container(&pod, &container).await;
    assert!(
        matches!(&removed, Outcome::Refused(status) if status.code == Code::DeadlineExceeded),
        "{removed:?}"
    );
    create(&mut plugin).await.into_answer().unwrap();
    assert_eq!(plugin.end(), None);

    drop(opener);
    let (pod, container) = pod_and_container();
    plugin
        .remove_container(&pod, &container)
        .await
        .into_answer()
        .unwrap();
    let mut calls = Vec::new();
    while let Ok(call) = begun.try_recv() {
        calls.push(call);
    }
    let expected = [
        "configure",
        "filter_synchronize",
        "synchronize",
        "create_container",
        "remove_container",
        "remove_container",
    ];
    assert_eq!(calls, expected);
}

#[tokio::test]
async fn of_a_hundred_handlers_in_a_row_that_block_four_are_kept_and_the_others_refused_at_once() {
    let (mut runtime, directory) = hurried();
    let (gated, opener, mut begun) = Gated::new(&["create_container"]);
    let _service = serve(gated, &directory);
    let mut plugin = runtime.accept().await.unwrap();
    for number in 0..100 {
        let status = create_stuck(&mut plugin).await;
        if number < MAX {
            assert_eq!(status.code, Code::DeadlineExceeded, "{status}");
        } else {
            assert_eq!(status.code, Code::ResourceExhausted, "{status}");
            let expected = "the plugin cannot handle CreateContainer: 4 earlier calls have not ended, CreateContainer for ";
            assert!(status.message.starts_with(expected), "{status}");
        }
    }
    let mut kept = 0;
    while let Ok(call) = begun.try_recv() {
        kept += usize::from(call == "create_container");
    }
    assert_eq!(kept, MAX, "every request that reaches the plugin is kept by it");
    // A request that needs no stuck thread is refused as well, rather than left without an answer.
    assert!(
        matches!(create(&mut plugin).await, Outcome::Refused(status) if status.code == Code::ResourceExhausted)
    );
    assert_eq!(plugin.end(), None);

    drop(opener);
    create_at_last(&mut plugin).await;
}

#[tokio::test]
async fn a_plugin_that_is_stuck_in_the_handshake_refuses_it_and_is_taken_in_when_it_is_let_go() {
    for call in ["configure", "filter_synchronize", "synchronize"] {
        let (mut runtime, directory) = hurried();
        let (gated, opener, _entered) = Gated::new(match call {
            "configure" => &["configure"],
            "filter_synchronize" => &["filter_synchronize"],
            _ => &["synchronize"],
        });
        let _service = serve(gated, &directory);
        let refused = runtime.accept().await.map(|_| ()).unwrap_err();
        let (AcceptError::Configure(unfinished) | AcceptError::Synchronize(unfinished)) = &refused else {
            panic!("{call}: {refused}")
        };
        assert!(
            matches!(unfinished, Unfinished::Refused(status) if status.code == Code::DeadlineExceeded),
            "{call}: {refused}"
        );
        drop(opener);
        let taken_in = timeout(LONG, async {
            loop {
                if let Ok(plugin) = runtime.accept().await {
                    return plugin;
                }
            }
        });
        let mut plugin = taken_in.await.expect("the plugin comes back");
        create_at_last(&mut plugin).await;
    }
}

#[tokio::test]
async fn a_plugin_comes_back_to_a_runtime_that_restarts_while_a_handler_is_stuck() {
    let (mut runtime, directory) = hurried();
    let (gated, _opener, _entered) = Gated::new(&["create_container"]);
    let _service = serve(gated, &directory);
    let mut plugin = runtime.accept().await.unwrap();
    create_stuck(&mut plugin).await;
    runtime.restart().unwrap();
    let mut plugin = timeout(LONG, runtime.accept()).await.unwrap().unwrap();
    create(&mut plugin).await.into_answer().unwrap();
}

#[tokio::test]
async fn a_plugin_that_is_stuck_in_disconnected_connects_again() {
    let (mut runtime, directory) = hurried();
    let (gated, _opener, mut begun) = Gated::new(&["create_container", "disconnected"]);
    let _service = serve(gated, &directory);
    let mut plugin = runtime.accept().await.unwrap();
    // There is a thread for it even if all handlers are stuck.
    for _ in 0..MAX {
        create_stuck(&mut plugin).await;
    }
    runtime.restart().unwrap();
    let notified = timeout(LONG, async {
        while begun.recv().await != Some("disconnected") {}
    });
    notified.await.expect("the plugin is notified");
    let refused = timeout(LONG, runtime.accept()).await.unwrap().map(|_| ());
    assert!(matches!(refused, Err(AcceptError::Configure(_))), "{refused:?}");
}

#[tokio::test]
async fn a_handler_that_waits_without_blocking_is_dropped_at_its_deadline() {
    let (mut runtime, directory) = hurried();
    let (sender, dropped) = oneshot::channel::<()>();
    let sender = Mutex::new(Some(sender));
    let _service = serve(
        OnCreate(move |_, _| {
            let sender = sender.lock().unwrap().take();
            async move {
                let _sender = sender;
                std::future::pending().await
            }
        }),
        &directory,
    );
    let mut plugin = runtime.accept().await.unwrap();
    assert!(
        matches!(create(&mut plugin).await, Outcome::Refused(status) if status.code == Code::DeadlineExceeded)
    );
    assert!(timeout(LONG, dropped).await.unwrap().is_err());
}

#[tokio::test]
async fn handlers_that_wait_without_blocking_leave_their_threads_however_many_they_are() {
    let (mut runtime, directory) = hurried();
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let _service = serve(
        OnCreate(move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
            std::future::pending()
        }),
        &directory,
    );
    let mut plugin = runtime.accept().await.unwrap();
    for number in 1..=3 * MAX {
        let refused = create(&mut plugin).await;
        assert!(
            matches!(&refused, Outcome::Refused(status) if status.code == Code::DeadlineExceeded),
            "{refused:?}"
        );
        assert_eq!(begun.load(Ordering::Relaxed), number);
    }
}

#[test]
fn neither_a_stop_nor_the_end_of_the_tokio_runtime_waits_for_a_handler_that_is_stuck() {
    let tokio_runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (gated, opener, _entered) = Gated::new(&["create_container"]);
    tokio_runtime.block_on(async {
        let (mut runtime, directory) = hurried();
        let (stop, stopped) = oneshot::channel::<()>();
        let service = Service::new(gated, Identity::new("10", "tested").unwrap())
            .socket(socket(&directory))
            .run_until(async { stopped.await.unwrap_or_default() });
        let service = tokio::spawn(service);
        let mut plugin = runtime.accept().await.unwrap();
        create_stuck(&mut plugin).await;
        stop.send(()).unwrap();
        timeout(LONG, service).await.expect("the service stops").unwrap();
    });
    // Otherwise both would wait forever: the gate opens after them.
    drop(tokio_runtime);
    drop(opener);
}
