//! Answers: of every size, after the deadline, none, and the errors that stand for them.

use std::time::Duration;

use containerd_nri::api::Message;
use containerd_nri::{Adjustment, Code, MAX_MESSAGE, Status};
use containerd_nri_testkit::{ConnectionEnd, FakeRuntime, NoAnswer, Outcome, PluginHandle, RuntimeProfile};

use crate::plugins::{OnCreate, Running, create, pod_and_container, serve};
use crate::raw_plugin::{introduced, listen};

/// A plugin that answers with one variable, as long as the container's first argument says.
fn padding() -> OnCreate<impl Fn(containerd_nri::Context, containerd_nri::api::Container) -> Answer> {
    OnCreate(|_, container: containerd_nri::api::Container| {
        let length = container.args[0].parse().unwrap();
        std::future::ready(Ok(Adjustment::new().env("PADDING", "x".repeat(length))))
    })
}

type Answer = std::future::Ready<Result<Adjustment, Status>>;

/// Asks [`padding`] for a variable of this length.
async fn padded(plugin: &mut PluginHandle, length: usize) -> Outcome<usize> {
    let (pod, mut container) = pod_and_container();
    container.args = vec![length.to_string()];
    plugin.create_container(&pod, &container).await.map(|answer| {
        assert_eq!(answer.adjust.env[0].value.len(), length);
        usize::try_from(answer.compute_size()).unwrap()
    })
}

#[tokio::test]
async fn an_answer_of_any_length_around_4096_bytes_arrives() {
    for profile in RuntimeProfile::all() {
        let (mut runtime, directory) = listen(FakeRuntime::builder(profile));
        let _service = serve(padding(), &directory);
        let mut plugin = runtime.accept().await.unwrap();
        for length in 4_000..4_200 {
            padded(&mut plugin, length).await.into_answer().unwrap();
        }
    }
}

#[tokio::test]
async fn answers_of_5_kb_and_1_mb_arrive() {
    let (mut runtime, directory) = listen(FakeRuntime::builder(RuntimeProfile::containerd_main()));
    let _service = serve(padding(), &directory);
    let mut plugin = runtime.accept().await.unwrap();
    for length in [5_000, 1 << 20, 5_000] {
        padded(&mut plugin, length).await.into_answer().unwrap();
    }
}

#[tokio::test]
async fn the_longest_answer_arrives_and_one_byte_more_is_an_error() {
    let (mut runtime, directory) = listen(FakeRuntime::builder(RuntimeProfile::containerd_main()));
    let _service = serve(padding(), &directory);
    let mut plugin = runtime.accept().await.unwrap();
    let probe = 3 << 20;
    let overhead = padded(&mut plugin, probe).await.into_answer().unwrap() - probe;
    let longest = MAX_MESSAGE - overhead;
    assert_eq!(
        padded(&mut plugin, longest).await.into_answer().unwrap(),
        MAX_MESSAGE
    );
    let refused = padded(&mut plugin, longest + 1).await;
    assert!(
        matches!(&refused, Outcome::Refused(status) if status.code == Code::ResourceExhausted),
        "{refused:?}"
    );
    padded(&mut plugin, 1).await.into_answer().unwrap();
}

/// A plugin in a runtime that gives it little time.
async fn hurried<P: containerd_nri::Plugin>(
    plugin: P,
) -> (PluginHandle, Running, FakeRuntime, tempfile::TempDir) {
    let builder = FakeRuntime::builder(RuntimeProfile::containerd_2_1());
    let (mut runtime, directory) = listen(builder.request_timeout(Duration::from_millis(500)));
    let service = serve(plugin, &directory);
    (runtime.accept().await.unwrap(), service, runtime, directory)
}

#[tokio::test]
async fn an_error_of_the_plugin_reaches_the_runtime_with_its_code_and_text() {
    let (mut plugin, _service, _runtime, _directory) = hurried(OnCreate(async |_, _| {
        Err(Status::failed_precondition("no such hook-spec: gpu"))
    }))
    .await;
    assert_eq!(
        create(&mut plugin).await,
        Outcome::Refused(Status::failed_precondition("no such hook-spec: gpu"))
    );
    assert_eq!(plugin.end(), None);
}

#[tokio::test]
async fn a_panic_of_the_plugin_is_an_error_answer_and_the_plugin_lives() {
    let (mut plugin, _service, _runtime, _directory) =
        hurried(OnCreate(async |_, container: containerd_nri::api::Container| {
            assert!(container.name != "app", "a bug");
            Ok(Adjustment::new())
        }))
        .await;
    let (pod, mut container) = pod_and_container();
    for _ in 0..2 {
        let refused = plugin.create_container(&pod, &container).await;
        assert!(
            matches!(&refused, Outcome::Refused(status) if status.code == Code::Internal && status.message.contains("a bug")),
            "{refused:?}"
        );
    }
    container.name = "other".to_owned();
    plugin
        .create_container(&pod, &container)
        .await
        .into_answer()
        .unwrap();
}

#[tokio::test]
async fn a_handler_that_hangs_is_an_error_answer_before_the_runtime_gives_up() {
    let (mut plugin, _service, _runtime, _directory) =
        hurried(OnCreate(async |_, _| std::future::pending().await)).await;
    for _ in 0..2 {
        let refused = create(&mut plugin).await;
        assert!(
            matches!(&refused, Outcome::Refused(status) if status.code == Code::DeadlineExceeded),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_handler_knows_its_deadline_also_when_configure_names_none() {
    let profile = RuntimeProfile::containerd_1_7();
    let builder = FakeRuntime::builder(profile).request_timeout(Duration::from_millis(500));
    let (mut runtime, directory) = listen(builder);
    let _service = serve(
        OnCreate(async |ctx: containerd_nri::Context, _| {
            let remaining = ctx.remaining();
            assert_eq!(ctx.runtime().request_timeout, None);
            assert!(
                remaining > Duration::ZERO && remaining < Duration::from_millis(500),
                "{remaining:?}"
            );
            Ok(Adjustment::new())
        }),
        &directory,
    );
    let mut plugin = runtime.accept().await.unwrap();
    create(&mut plugin).await.into_answer().unwrap();
}

#[tokio::test]
async fn silence_ends_the_connection_after_the_request_timeout_and_counts_as_no_answer() {
    let limit = Duration::from_millis(200);
    let mut profile = RuntimeProfile::containerd_2_1();
    profile.request_timeout = limit;
    let (mut plugin, mut raw, _runtime, _directory) = introduced(profile).await;
    let outcome = create(&mut plugin).await;
    assert_eq!(outcome, Outcome::NoAnswer(NoAnswer::Timeout(limit)));
    raw.closed().await;
    let outcome = create(&mut plugin).await;
    assert_eq!(
        outcome,
        Outcome::NoAnswer(NoAnswer::Closed(ConnectionEnd::ByRuntime))
    );
}

#[tokio::test]
async fn a_plugin_that_dies_in_an_event_counts_as_no_answer() {
    let (mut plugin, mut raw, _runtime, _directory) = introduced(RuntimeProfile::containerd_main()).await;
    let (outcome, ()) = tokio::join!(create(&mut plugin), async {
        raw.call().await;
        drop(raw);
    });
    assert_eq!(
        outcome,
        Outcome::NoAnswer(NoAnswer::Closed(ConnectionEnd::ByPlugin))
    );
}
