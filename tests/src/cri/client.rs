//! The connection to a CRI socket, and the calls on it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use prost::Message;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{IntoRequest, Status};
use tonic_prost::ProstCodec;

use super::messages::{
    Empty, ImageSpec, ImageStatusRequest, ImageStatusResponse, ListContainersResponse, StatusResponse,
};

/// The time limit of a call, which is kubelet's: some runtimes wait forever for a container that they have lost.
const LIMIT: Duration = Duration::from_secs(120);

/// A client of one runtime.
#[derive(Debug, Clone)]
pub struct Client {
    channel: Channel,
}

impl Client {
    /// Connects to the socket of a runtime.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn connect(socket: &Path) -> Result<Client> {
        let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display()))?;
        let channel = endpoint
            .timeout(LIMIT)
            .connect()
            .await
            .with_context(|| format!("connect to {}", socket.display()))?;
        Ok(Client { channel })
    }

    /// Whether the runtime can make pods (its condition `RuntimeReady`).
    pub async fn is_ready(&self) -> bool {
        let answer: Result<StatusResponse, Status> = self.runtime("Status", Empty {}).await;
        let status = answer.ok().and_then(|answer| answer.status).unwrap_or_default();
        status
            .conditions
            .iter()
            .any(|condition| condition.r#type == "RuntimeReady" && condition.status)
    }

    /// The ids of all containers, running or not.
    ///
    /// # Errors
    /// The runtime's.
    pub async fn containers(&self) -> Result<Vec<String>, Status> {
        let answer: ListContainersResponse = self.runtime("ListContainers", Empty {}).await?;
        Ok(answer
            .containers
            .into_iter()
            .map(|container| container.id)
            .collect())
    }

    /// Whether the runtime has this image.
    ///
    /// # Errors
    /// The runtime's.
    pub async fn has_image(&self, name: &str) -> Result<bool, Status> {
        let request = ImageStatusRequest {
            image: Some(ImageSpec { image: name.into() }),
        };
        let answer: ImageStatusResponse = self.call("ImageService", "ImageStatus", request).await?;
        Ok(answer.image.is_some_and(|image| !image.id.is_empty()))
    }

    /// Calls a method of the RuntimeService.
    pub(super) async fn runtime<Q, A>(&self, method: &str, request: Q) -> Result<A, Status>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        self.call("RuntimeService", method, request).await
    }

    async fn call<Q, A>(&self, service: &str, method: &str, request: Q) -> Result<A, Status>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let path = PathAndQuery::try_from(format!("/runtime.v1.{service}/{method}"))
            .map_err(|error| Status::internal(error.to_string()))?;
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let answer = grpc
            .unary(request.into_request(), path, ProstCodec::<Q, A>::default())
            .await?;
        Ok(answer.into_inner())
    }
}
