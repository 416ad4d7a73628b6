//! One session of a plugin of this crate, from the runtime's point of view.

use containerd_nri::api::{ConfigureRequest, ConfigureResponse, Message, RegisterPluginRequest};
use containerd_nri_testkit::{RawConnection, RuntimeProfile};

use crate::plugins::{Recorder, serve};
use crate::raw_plugin::{PLUGIN, RUNTIME, listen_as};

/// Waits for a small message: those of the handshake fit into one frame.
async fn message(connection: &mut RawConnection, on: u32) -> Vec<u8> {
    let frame = connection.read_frame().await.unwrap();
    assert_eq!(frame.connection, on);
    frame.payload[10..].to_vec()
}

#[tokio::test]
async fn a_plugin_registers_with_its_identity_and_the_nri_version_it_speaks() {
    let (mut runtime, directory) = listen_as(RuntimeProfile::containerd_main());
    let _service = serve(Recorder::new().0, &directory);
    let mut connection = runtime.accept_raw().await.unwrap();
    let request = ttrpc::Request::parse_from_bytes(&message(&mut connection, RUNTIME).await).unwrap();
    assert_eq!(request.method, "RegisterPlugin");
    assert_eq!(
        RegisterPluginRequest::parse_from_bytes(&request.payload).unwrap(),
        RegisterPluginRequest {
            plugin_name: "tested".to_owned(),
            plugin_idx: "10".to_owned(),
            NRI_version: "v0.12.5".to_owned(),
            ..Default::default()
        }
    );
}

#[tokio::test]
async fn configure_is_served_before_the_registration_is_answered() {
    let (mut runtime, directory) = listen_as(RuntimeProfile::containerd_main());
    let _service = serve(Recorder::new().0, &directory);
    let mut connection = runtime.accept_raw().await.unwrap();
    message(&mut connection, RUNTIME).await;
    let request = ConfigureRequest {
        NRI_version: "v0.12.2".to_owned(),
        ..Default::default()
    };
    connection.write_request(1, "Configure", &request).await.unwrap();
    let response = ttrpc::Response::parse_from_bytes(&message(&mut connection, PLUGIN).await).unwrap();
    let answer = ConfigureResponse::parse_from_bytes(&response.payload).unwrap();
    assert_eq!(answer.events, 0x3FFF);
}

#[tokio::test]
async fn only_a_method_that_does_not_exist_is_answered_with_unimplemented() {
    let (mut runtime, directory) = listen_as(RuntimeProfile::containerd_main());
    let _service = serve(Recorder::new().0, &directory);
    let mut connection = runtime.accept_raw().await.unwrap();
    message(&mut connection, RUNTIME).await;
    let nothing = containerd_nri::api::Empty::new();
    let methods = [
        ("Shutdown", 0),
        ("Synchronize", 0),
        ("RunPodSandbox", 0),
        ("UpdatePodSandbox", 0),
        ("PostUpdatePodSandbox", 0),
        ("StopPodSandbox", 0),
        ("RemovePodSandbox", 0),
        ("CreateContainer", 0),
        ("PostCreateContainer", 0),
        ("StartContainer", 0),
        ("PostStartContainer", 0),
        ("UpdateContainer", 0),
        ("PostUpdateContainer", 0),
        ("StopContainer", 0),
        ("RemoveContainer", 0),
        ("StateChange", 0),
        ("ValidateContainerAdjustment", 0),
        ("NoSuchMethod", 12),
    ];
    for (stream, (method, code)) in (1..).step_by(2).zip(methods) {
        connection.write_request(stream, method, &nothing).await.unwrap();
        let response = ttrpc::Response::parse_from_bytes(&message(&mut connection, PLUGIN).await).unwrap();
        assert_eq!(
            response.status.code.value(),
            code,
            "{method}: {}",
            response.status.message
        );
    }
}
