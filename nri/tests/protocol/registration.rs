//! The rules of registration, Configure and the event mask, by the version of the runtime.

use std::time::{Duration, Instant};

use containerd_nri::api::{ConfigureRequest, RegisterPluginRequest, SynchronizeRequest};
use containerd_nri::{Adjustment, Code, Context, EventMask, Plugin, Status, event};
use containerd_nri_testkit::{
    AcceptError, ConnectionEnd, FakeRuntime, NoAnswer, PodBuilder, RuntimeProfile, Unfinished,
};

use crate::plugins::serve;
use crate::raw_plugin::{
    PLUGIN, RUNTIME, RawPlugin, error, events, introduced, listen, outcome, registration, request, socket,
};

/// A runtime that is impatient with the registration.
fn impatient(profile: RuntimeProfile) -> containerd_nri_testkit::Builder {
    FakeRuntime::builder(profile).registration_timeout(Duration::from_millis(300))
}

/// Registers under a name and index, and returns the code of the answer and what the runtime made of it.
async fn registers_as(
    profile: RuntimeProfile,
    index: &str,
    name: &str,
) -> (i32, Result<(), AcceptError>, RawPlugin, FakeRuntime) {
    let mut code = 0;
    let (result, raw, runtime) = outcome(FakeRuntime::builder(profile), async |raw| {
        let request_message = RegisterPluginRequest {
            plugin_name: name.to_owned(),
            plugin_idx: index.to_owned(),
            ..Default::default()
        };
        raw.send(RUNTIME, &[&request(1, "RegisterPlugin", &request_message)])
            .await;
        code = raw.answer().await.1;
        if code == 0 {
            for _ in ["Configure", "Synchronize"] {
                let (stream, _) = raw.call().await;
                raw.reply(stream, &events(0)).await;
            }
        }
    })
    .await;
    (code, result.map(drop), raw, runtime)
}

#[tokio::test]
async fn a_bad_index_gets_status_2_and_the_socket_stays_open() {
    for profile in RuntimeProfile::all() {
        for index in ["1", "", "100", "a1"] {
            let (code, result, mut raw, _runtime) = registers_as(profile.clone(), index, "raw").await;
            assert_eq!(code, 2, "{index}");
            assert!(matches!(result, Err(AcceptError::InvalidIdentity(_))), "{index}");
            raw.is_alive(3).await;
        }
    }
}

#[tokio::test]
async fn a_name_with_a_comma_is_refused_since_nri_0_12() {
    for profile in RuntimeProfile::all() {
        let expected = if profile.nri.minor < 12 { 0 } else { 2 };
        let (code, ..) = registers_as(profile, "10", "a,b").await;
        assert_eq!(code, expected);
    }
}

#[tokio::test]
async fn an_empty_name_is_refused_by_every_version() {
    for profile in RuntimeProfile::all() {
        assert_eq!(registers_as(profile, "10", "").await.0, 2);
    }
}

#[tokio::test]
async fn a_plugin_that_does_not_register_is_disconnected_after_the_registration_timeout() {
    let started = Instant::now();
    let (result, mut raw, _runtime) =
        outcome(impatient(RuntimeProfile::containerd_2_1()), async |_| {}).await;
    assert!(matches!(
        result,
        Err(AcceptError::RegistrationTimeout { unreadable: None, .. })
    ));
    assert!(started.elapsed() >= Duration::from_millis(300));
    raw.closed().await;
}

#[tokio::test]
async fn a_plugin_that_goes_away_before_it_registers_is_distinguished() {
    let (mut runtime, directory) = listen(impatient(RuntimeProfile::containerd_2_1()));
    drop(RawPlugin::connect(&socket(&directory)).await);
    let result = runtime.accept().await;
    assert!(matches!(
        result,
        Err(AcceptError::ClosedBeforeRegistration(ConnectionEnd::ByPlugin))
    ));
}

/// The content of Configure for a plugin.
async fn configured(profile: RuntimeProfile) -> ConfigureRequest {
    let mut configuration = None;
    let (result, ..) = outcome(FakeRuntime::builder(profile), async |raw| {
        raw.register().await;
        let (stream, request) = raw.called::<ConfigureRequest>("Configure").await;
        configuration = Some(request);
        raw.reply(stream, &events(0x668)).await;
        let (stream, _) = raw.called::<SynchronizeRequest>("Synchronize").await;
        raw.reply(stream, &events(0)).await;
    })
    .await;
    assert!(result.is_ok());
    configuration.unwrap()
}

#[tokio::test]
async fn configure_reports_the_fields_of_the_runtimes_version() {
    let configure = |runtime_version: &str, timeouts: (i64, i64), nri: &str| ConfigureRequest {
        runtime_name: "containerd".to_owned(),
        runtime_version: runtime_version.to_owned(),
        registration_timeout: timeouts.0,
        request_timeout: timeouts.1,
        NRI_version: nri.to_owned(),
        ..Default::default()
    };
    let expected = [
        configure("1.7.24~ds1", (0, 0), ""),
        configure("2.1.9+unknown", (5_000, 2_000), ""),
        configure("2.2.7+unknown", (5_000, 2_000), ""),
        configure("2.4.0-beta+unknown", (5_000, 2_000), "v0.12.2"),
    ];
    let profiles = [
        RuntimeProfile::containerd_1_7(),
        RuntimeProfile::containerd_2_1(),
        RuntimeProfile::containerd_2_2(),
        RuntimeProfile::containerd_main(),
    ];
    for (profile, expected) in profiles.into_iter().zip(expected) {
        assert_eq!(configured(profile).await, expected);
    }
}

/// Answers Configure with a mask, and Synchronize.
async fn subscribes(profile: RuntimeProfile, mask: i32) -> Result<EventMask, AcceptError> {
    let (result, ..) = outcome(FakeRuntime::builder(profile), async |raw| {
        raw.register().await;
        let (stream, _) = raw.call().await;
        raw.reply(stream, &events(mask)).await;
        if let Some((header, _)) = raw.receive(PLUGIN).await {
            raw.reply(header.stream_id, &events(0)).await;
        }
    })
    .await;
    result.map(|plugin| plugin.events())
}

#[tokio::test]
async fn one_event_unknown_to_the_runtime_makes_it_refuse_the_plugin() {
    for profile in RuntimeProfile::all() {
        let unknown = if profile.nri.minor < 10 { 0x800 } else { 0x4000 };
        let error = subscribes(profile, 0x668 | unknown).await.unwrap_err();
        assert_eq!(error.to_string(), format!("invalid plugin events: {unknown:#x}"));
    }
}

#[tokio::test]
async fn no_event_means_all_that_the_runtime_knows() {
    for profile in RuntimeProfile::all() {
        let all = if profile.nri.minor < 10 { 0x7FF } else { 0x3FFF };
        assert_eq!(subscribes(profile.clone(), 0).await.unwrap().bits(), all);
        assert_eq!(subscribes(profile.clone(), all).await.unwrap().bits(), all);
        assert_eq!(subscribes(profile, 0x668).await.unwrap().bits(), 0x668);
    }
}

#[tokio::test]
async fn an_error_answer_to_configure_ends_the_connection() {
    let builder = FakeRuntime::builder(RuntimeProfile::containerd_2_1());
    let (result, mut raw, _runtime) = outcome(builder, async |raw| {
        raw.register().await;
        let (stream, _) = raw.call().await;
        raw.send(PLUGIN, &[&error(stream, ttrpc::Code::INTERNAL, "no")])
            .await;
    })
    .await;
    let Err(AcceptError::Configure(Unfinished::Refused(status))) = result else {
        panic!("{:?}", result.err());
    };
    assert_eq!(status.code, Code::Internal);
    raw.closed().await;
}

#[tokio::test]
async fn no_answer_to_configure_ends_the_connection_after_the_request_timeout() {
    let limit = Duration::from_millis(200);
    let builder = FakeRuntime::builder(RuntimeProfile::containerd_2_1()).request_timeout(limit);
    let (result, mut raw, _runtime) = outcome(builder, async |raw| raw.register().await).await;
    assert!(matches!(
        result,
        Err(AcceptError::Configure(Unfinished::NoAnswer(NoAnswer::Timeout(passed)))) if passed == limit
    ));
    raw.closed().await;
}

#[tokio::test]
async fn plugins_with_the_same_name_and_index_are_both_accepted() {
    let (mut first, mut raw, mut runtime, directory) = introduced(RuntimeProfile::containerd_2_1()).await;
    let mut twin = RawPlugin::connect(&socket(&directory)).await;
    let (second, ()) = tokio::join!(runtime.accept(), twin.introduce(0));
    let mut second = second.unwrap();
    assert_eq!((first.index(), first.name()), (second.index(), second.name()));
    let pod = PodBuilder::new("pod").build();
    for (plugin, raw) in [(&mut first, &mut raw), (&mut second, &mut twin)] {
        let (outcome, ()) = tokio::join!(plugin.run_pod_sandbox(&pod), async {
            let (stream, _) = raw.call().await;
            raw.reply(stream, &events(0)).await;
        });
        outcome.into_answer().unwrap();
    }
}

#[tokio::test]
async fn every_request_says_how_long_it_may_take() {
    for profile in RuntimeProfile::all() {
        let (result, ..) = outcome(FakeRuntime::builder(profile), async |raw| {
            raw.send(RUNTIME, &[&request(1, "RegisterPlugin", &registration())])
                .await;
            for _ in ["Configure", "Synchronize"] {
                let (stream, request) = raw.call().await;
                assert!((1_900_000_000..=2_000_000_000).contains(&request.timeout_nano));
                raw.reply(stream, &events(0)).await;
            }
        })
        .await;
        assert!(result.is_ok());
    }
}

/// A plugin that implements two events and says nothing about its subscription.
struct TwoEvents;

impl Plugin for TwoEvents {
    async fn create_container(&self, _: &Context, _: event::CreateContainer) -> Result<Adjustment, Status> {
        Ok(Adjustment::new())
    }

    async fn remove_container(&self, _: &Context, _: event::RemoveContainer) -> Result<(), Status> {
        Ok(())
    }
}

#[tokio::test]
async fn a_plugin_without_configure_subscribes_to_what_it_implements() {
    let (mut runtime, directory) = listen(FakeRuntime::builder(RuntimeProfile::containerd_1_7()));
    let _running = serve(TwoEvents, &directory);
    let plugin = runtime.accept().await.unwrap();
    assert_eq!(
        plugin.events(),
        EventMask::CREATE_CONTAINER | EventMask::REMOVE_CONTAINER
    );
}
