//! The Runtime service, which plugins call to register and to update containers, as ttrpc-go serves it.

use std::collections::HashSet;
use std::sync::Arc;

use containerd_nri::api::{Empty, RegisterPluginRequest, UpdateContainersRequest, UpdateContainersResponse};
use containerd_nri::{PluginIndex, PluginName};
use protobuf::Message as _;
use tokio::sync::{Mutex, mpsc};
use ttrpc::proto::{MESSAGE_LENGTH_MAX, MESSAGE_TYPE_REQUEST};
use ttrpc::{Code, Response};

use crate::buffered_reader::{BufferedReader, ReadError};
use crate::channel::{self, Received};
use crate::error::ConnectionEnd;
use crate::frame::RUNTIME_CONNECTION;
use crate::profile::RuntimeProfile;
use crate::trunk::Trunk;

const SERVICE: &str = "nri.pkg.api.v1alpha1.Runtime";

/// The registration of a plugin.
#[derive(Debug)]
pub(crate) enum Registration {
    /// The plugin registered.
    Accepted(RegisterPluginRequest),
    /// The plugin registered with an invalid name or index.
    Invalid(String),
    /// The plugin sent unreadable data; nothing more will be read from it.
    Unreadable(ConnectionEnd),
}

/// The source of the name and index that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The plugin connected by itself: those of its registration.
    External,
    /// The runtime launched the plugin: those of its file name.
    Launched,
}

/// The service for one plugin.
pub(crate) struct RuntimeService {
    pub(crate) trunk: Arc<Trunk>,
    pub(crate) profile: RuntimeProfile,
    pub(crate) origin: Origin,
    /// Held during every event on the node.
    pub(crate) node: Arc<Mutex<()>>,
    /// Containers whose update fails.
    pub(crate) failing_updates: Arc<HashSet<String>>,
    pub(crate) registrations: mpsc::Sender<Registration>,
    pub(crate) updates: mpsc::UnboundedSender<UpdateContainersRequest>,
}

impl RuntimeService {
    /// Serves until the trunk closes.
    pub(crate) async fn serve(self, mut reader: BufferedReader) {
        let mut last_stream = 0;
        loop {
            match channel::receive(&mut reader).await {
                Ok(message) => {
                    let stream = message.header.stream_id;
                    let Some(response) = self.respond(message, &mut last_stream).await else {
                        continue;
                    };
                    if channel::send_response(&self.trunk, RUNTIME_CONNECTION, stream, &response)
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
                Err(ReadError::End) => return,
                Err(error) => {
                    // ttrpc-go logs this and reads no more, but leaves the connection open.
                    let _ = self
                        .registrations
                        .try_send(Registration::Unreadable(error.into()));
                    self.trunk.closed().await;
                    return;
                }
            }
        }
    }

    /// The answer to a message; none for kinds that are reserved for future versions.
    async fn respond(&self, message: Received, last_stream: &mut u32) -> Option<Response> {
        let Received { header, body } = message;
        let Some(body) = body else {
            let length = header.length;
            let text = format!("message length {length} exceed maximum message size of {MESSAGE_LENGTH_MAX}");
            return Some(error(Code::RESOURCE_EXHAUSTED, text));
        };
        if header.stream_id % 2 != 1 {
            return Some(error(
                Code::INVALID_ARGUMENT,
                "StreamID must be odd for client initiated streams",
            ));
        }
        if header.type_ != MESSAGE_TYPE_REQUEST {
            return None;
        }
        if header.stream_id <= *last_stream {
            return Some(error(
                Code::INVALID_ARGUMENT,
                "StreamID cannot be re-used and must increment",
            ));
        }
        *last_stream = header.stream_id;
        Some(match ttrpc::Request::parse_from_bytes(&body) {
            Ok(request) => self.dispatch(&request).await,
            Err(cause) => error(
                Code::INVALID_ARGUMENT,
                format!("unmarshal request error: {cause}"),
            ),
        })
    }

    async fn dispatch(&self, request: &ttrpc::Request) -> Response {
        let payload = &request.payload;
        let undecodable = |cause| error(Code::INVALID_ARGUMENT, format!("undecodable request: {cause}"));
        match (request.service.as_str(), request.method.as_str()) {
            (SERVICE, "RegisterPlugin") => RegisterPluginRequest::parse_from_bytes(payload)
                .map_or_else(undecodable, |r| self.register(r)),
            (SERVICE, "UpdateContainers") => match UpdateContainersRequest::parse_from_bytes(payload) {
                Ok(request) => self.update(request).await,
                Err(cause) => undecodable(cause),
            },
            (SERVICE, method) => error(Code::UNIMPLEMENTED, format!("method {method}")),
            (service, _) => error(Code::UNIMPLEMENTED, format!("service {service}")),
        }
    }

    fn register(&self, request: RegisterPluginRequest) -> Response {
        let checked = match self.origin {
            Origin::External => check_identity(&self.profile, &request),
            Origin::Launched => Ok(()),
        };
        let (registration, response) = match checked {
            Ok(()) => (Registration::Accepted(request), answer(&Empty::new())),
            Err(text) => (Registration::Invalid(text.clone()), error(Code::UNKNOWN, text)),
        };
        // Only the first registration counts.
        let _ = self.registrations.try_send(registration);
        response
    }

    async fn update(&self, request: UpdateContainersRequest) -> Response {
        let _event = match self.profile.updates_wait_for_events() {
            true => Some(self.node.lock().await),
            false => None,
        };
        let failed = request
            .update
            .iter()
            .filter(|update| self.failing_updates.contains(&update.container_id));
        let failed = failed.cloned().collect();
        // The handle, which receives it, may be gone.
        let _ = self.updates.send(request);
        answer(&UpdateContainersResponse {
            failed,
            ..Default::default()
        })
    }
}

fn check_identity(profile: &RuntimeProfile, request: &RegisterPluginRequest) -> Result<(), String> {
    let name = &request.plugin_name;
    if profile.has_rpc_per_event() {
        name.parse::<PluginName>()
            .map_err(|e| format!("invalid plugin name: {e}"))?;
    } else if name.is_empty() {
        return Err("invalid (empty) plugin name".to_owned());
    }
    request
        .plugin_idx
        .parse::<PluginIndex>()
        .map_err(|e| format!("invalid plugin index: {e}"))?;
    Ok(())
}

fn answer(message: &impl protobuf::Message) -> Response {
    Response {
        payload: message.write_to_bytes().unwrap_or_default(),
        ..Default::default()
    }
}

fn error(code: Code, text: impl Into<String>) -> Response {
    Response {
        status: Some(ttrpc::get_status(code, text.into())).into(),
        ..Default::default()
    }
}
