//! Log lines: which of them say what they are about.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use containerd_nri::{Adjustment, Status};
use containerd_nri_testkit::{FakeRuntime, Outcome, RuntimeProfile};
use tokio::time::timeout;
use tracing_subscriber::fmt::MakeWriter;

use crate::plugins::{OnCreate, create, pod_and_container, serve};
use crate::raw_plugin::listen;

/// Far more than anything here needs.
const LONG: Duration = Duration::from_secs(30);

/// The logged lines.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}

/// The lines at the default level while a plugin with this answer creates a container.
async fn logged<F>(on_create: F) -> Vec<String>
where
    F: Fn() -> Result<Adjustment, Status> + Send + Sync + 'static,
{
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    // The tests run on a runtime of one thread, this one.
    let _guard = tracing::subscriber::set_default(subscriber);
    let (mut runtime, directory) = listen(FakeRuntime::builder(RuntimeProfile::containerd_main()));
    let _service = serve(OnCreate(move |_, _| std::future::ready(on_create())), &directory);
    let mut plugin = runtime.accept().await.unwrap();
    let _ = create(&mut plugin).await;
    let mut lines = log.lines();
    lines.retain(|line| !line.contains("registered with the runtime"));
    lines
}

#[tokio::test]
async fn what_is_logged_while_a_container_is_handled_says_which_it_is() {
    let lines = logged(|| {
        tracing::warn!("from the plugin");
        Ok(Adjustment::new())
    })
    .await;
    let (pod, container) = pod_and_container();
    let about = format!(
        "container{{namespace=\"{}\" pod=\"{}\" container=\"{}\" id=\"{}\"}}",
        pod.namespace, pod.name, container.name, container.id
    );
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains(&about) && lines[0].ends_with("from the plugin"),
        "{lines:?}"
    );

    let lines = logged(|| panic!("on purpose")).await;
    let reported: Vec<&String> = lines.iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(reported.len(), 1, "{lines:?}");
    assert!(
        reported[0].contains(&about) && reported[0].contains("the plugin panicked"),
        "{reported:?}"
    );
}

#[tokio::test]
async fn an_error_of_the_plugins_own_is_left_to_the_plugin_to_log() {
    let lines = logged(|| Err(Status::failed_precondition("refused"))).await;
    assert_eq!(lines, [""; 0]);
}

#[tokio::test]
async fn nothing_is_logged_of_a_container_when_all_is_well() {
    let lines = logged(|| Ok(Adjustment::new())).await;
    assert_eq!(lines, [""; 0]);
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_dropped_with_a_line_that_says_so() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let builder = FakeRuntime::builder(RuntimeProfile::containerd_main());
    let (mut runtime, directory) = listen(builder.request_timeout(Duration::from_millis(200)));
    let (go_on, held) = std::sync::mpsc::channel::<()>();
    let held = Mutex::new(held);
    let on_create = move |_, _| {
        // Ends when the test lets go of the other end.
        let _ = held.lock().unwrap().recv();
        std::future::ready(Ok(Adjustment::new()))
    };
    let _service = serve(OnCreate(on_create), &directory);
    let mut plugin = runtime.accept().await.unwrap();
    assert!(matches!(create(&mut plugin).await, Outcome::Refused(_)));
    drop(go_on);
    let logged = timeout(LONG, async {
        loop {
            let lines = log.lines();
            if let Some(line) = lines.iter().find(|line| line.contains("after the deadline")) {
                return line.clone();
            }
            tokio::task::yield_now().await;
        }
    });
    let line = logged.await.expect("it is logged");
    let (pod, _) = pod_and_container();
    assert!(
        line.contains("WARN") && line.contains("CreateContainer") && line.contains(&pod.name),
        "{line}"
    );
}
