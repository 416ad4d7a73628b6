//! Limits the memory for a runtime's messages: a request that would need too much is refused before it is
//! decoded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ttrpc::asynchronous::{MethodHandler, Service, TtrpcContext};
use ttrpc::{Request, Response};

use crate::estimate::Layout;
use crate::generated::layouts;
use crate::status::Status;

/// The approximate maximum memory, in bytes, of one request together with the gathered part of a
/// synchronization. A message is at most 4 MiB long; one full of realistic containers needs a quarter of
/// this.
const MAX_MEMORY: u64 = 40 << 20;

/// The memory that is still in use after its request was answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget(Arc<AtomicU64>);

impl Budget {
    /// Records that this many bytes stay in use.
    pub(crate) fn keep(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Records that no bytes stay in use.
    pub(crate) fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Refuses each request of `service` for which there is not enough memory.
    pub(crate) fn guard(&self, service: Service) -> Service {
        let guarded = service.methods.into_iter().map(|(method, handler)| {
            let guarded = Guarded {
                layout: layouts::of_request(&method),
                budget: self.clone(),
                handler,
            };
            (method, Box::new(guarded) as Box<dyn MethodHandler + Send + Sync>)
        });
        Service {
            methods: guarded.collect(),
            streams: service.streams,
        }
    }
}

struct Guarded {
    layout: &'static Layout,
    budget: Budget,
    handler: Box<dyn MethodHandler + Send + Sync>,
}

#[async_trait]
impl MethodHandler for Guarded {
    async fn handler(&self, ctx: TtrpcContext, request: Request) -> ttrpc::Result<Response> {
        let bytes = request.payload.len();
        let status = match self.layout.estimate(&request.payload) {
            Some(estimate) if self.budget.0.load(Ordering::Relaxed) + estimate <= MAX_MEMORY => {
                return self.handler.handler(ctx, request).await;
            }
            Some(estimate) => Status::resource_exhausted(format!(
                "a request of {bytes} bytes would take about {estimate} bytes of memory, which the plugin's requests may not"
            )),
            None => Status::invalid_argument(format!("a request of {bytes} bytes cannot be decoded")),
        };
        tracing::warn!(method = %request.method.escape_default(), "request refused: {}", status.message);
        Ok(Response {
            status: Some(status.into_wire()).into(),
            ..Default::default()
        })
    }
}
