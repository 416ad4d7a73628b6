//! Registration, Configure and the subscription.

use std::time::Duration;

use containerd_nri::api::{ConfigureRequest, RegisterPluginRequest, SynchronizeRequest};
use containerd_nri_testkit::RuntimeProfile;

use crate::raw_plugin::{PLUGIN, RUNTIME, RawPlugin, error, events, request};
use crate::side::{Kind, Side, alike};

/// Whether the runtime has closed the connection, or answers on it; `stream` is one that was not used yet.
async fn is_closed(raw: &mut RawPlugin, stream: u32) -> bool {
    raw.send(
        RUNTIME,
        &[&request(
            stream,
            "NoSuchMethod",
            &containerd_nri::api::Empty::new(),
        )],
    )
    .await;
    raw.receive(RUNTIME).await.is_none()
}

async fn answers_to_identities(
    kind: Kind,
    profile: RuntimeProfile,
) -> Vec<(&'static str, &'static str, i32)> {
    let identities = [
        ("10", "raw"),
        ("00", "with-dash_and.dots+plus"),
        ("1", "raw"),
        ("100", "raw"),
        ("ab", "raw"),
        ("", "raw"),
        ("10", ""),
        ("10", "a,b"),
        ("10", "a b"),
        ("10", "ä"),
    ];
    let mut answers = Vec::new();
    for (index, name) in identities {
        let mut side = Side::start(kind, profile.clone()).await;
        let mut raw = RawPlugin::connect(&side.socket()).await;
        let registration = RegisterPluginRequest {
            plugin_idx: index.to_owned(),
            plugin_name: name.to_owned(),
            ..Default::default()
        };
        let answered = async {
            raw.send(RUNTIME, &[&request(1, "RegisterPlugin", &registration)])
                .await;
            raw.answer().await.1
        };
        tokio::select! {
            code = answered => answers.push((index, name, code)),
            _ = async { side.accept().await; std::future::pending::<()>().await } => {}
        }
    }
    answers
}

#[tokio::test]
async fn names_and_indexes_are_taken_and_refused_alike() {
    alike!(answers_to_identities);
}

async fn after_an_invalid_registration(kind: Kind, profile: RuntimeProfile) -> (bool, bool) {
    let mut side = Side::start(kind, profile).await;
    let mut raw = RawPlugin::connect(&side.socket()).await;
    let registration = RegisterPluginRequest {
        plugin_idx: "1".to_owned(),
        plugin_name: "raw".to_owned(),
        ..Default::default()
    };
    let (accepted, ()) = tokio::join!(side.accept(), async {
        raw.send(RUNTIME, &[&request(1, "RegisterPlugin", &registration)])
            .await;
        raw.answer().await;
    });
    (accepted, is_closed(&mut raw, 3).await)
}

#[tokio::test]
async fn a_plugin_with_an_invalid_index_keeps_its_connection_alike() {
    alike!(after_an_invalid_registration);
}

async fn without_registration(kind: Kind, mut profile: RuntimeProfile) -> (bool, bool) {
    profile.registration_timeout = Duration::from_millis(300);
    let mut side = Side::start(kind, profile).await;
    let mut raw = RawPlugin::connect(&side.socket()).await;
    let accepted = side.accept().await;
    (accepted, is_closed(&mut raw, 1).await)
}

#[tokio::test]
async fn a_plugin_that_does_not_register_is_disconnected_alike() {
    alike!(without_registration);
}

async fn configuration(kind: Kind, profile: RuntimeProfile) -> ConfigureRequest {
    let mut side = Side::start(kind, profile).await;
    let mut raw = RawPlugin::connect(&side.socket()).await;
    let (accepted, configuration) = tokio::join!(side.accept(), async {
        raw.register().await;
        let (stream, configuration) = raw.called::<ConfigureRequest>("Configure").await;
        raw.reply(stream, &events(0)).await;
        let (stream, _) = raw.called::<SynchronizeRequest>("Synchronize").await;
        raw.reply(stream, &events(0)).await;
        configuration
    });
    assert!(accepted);
    configuration
}

#[tokio::test]
async fn configure_says_the_same() {
    alike!(configuration);
}

/// Whether each of these subscriptions is taken.
async fn subscriptions(kind: Kind, profile: RuntimeProfile) -> Vec<(i32, bool)> {
    let mut taken = Vec::new();
    for mask in [
        0, 0x668, 0x66f, 0x7ff, 0x800, 0xfff, 0x2008, 0x3fff, 0x4000, 0x7fff, -1,
    ] {
        let mut side = Side::start(kind, profile.clone()).await;
        let mut raw = RawPlugin::connect(&side.socket()).await;
        let (accepted, ()) = tokio::join!(side.accept(), async {
            raw.register().await;
            let (stream, _) = raw.called::<ConfigureRequest>("Configure").await;
            raw.reply(stream, &events(mask)).await;
            if let Some((header, _)) = raw.receive(PLUGIN).await {
                raw.reply(header.stream_id, &events(0)).await;
            }
        });
        taken.push((mask, accepted));
    }
    taken
}

#[tokio::test]
async fn subscriptions_are_taken_and_refused_alike() {
    alike!(subscriptions);
}

/// Whether the plugin is taken in and disconnected when it answers Configure with an error, or not at all.
async fn failed_configure(kind: Kind, mut profile: RuntimeProfile) -> Vec<(bool, bool)> {
    profile.request_timeout = Duration::from_millis(500);
    let mut ends = Vec::new();
    for answers in [true, false] {
        let mut side = Side::start(kind, profile.clone()).await;
        let mut raw = RawPlugin::connect(&side.socket()).await;
        let (accepted, ()) = tokio::join!(side.accept(), async {
            raw.register().await;
            let (stream, _) = raw.called::<ConfigureRequest>("Configure").await;
            if answers {
                let error = error(stream, ttrpc::Code::INTERNAL, "not today");
                raw.send(PLUGIN, &[&error]).await;
            }
        });
        ends.push((accepted, is_closed(&mut raw, 3).await));
    }
    ends
}

#[tokio::test]
async fn a_configure_that_fails_ends_the_connection_alike() {
    alike!(failed_configure);
}
