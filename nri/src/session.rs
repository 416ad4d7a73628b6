//! One connection to a runtime, from registration to its end.

use std::future::{Future, ready};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use tokio::net::UnixStream;
use tokio::time::timeout;
use ttrpc::asynchronous::transport::{Listener, Socket};
use ttrpc::asynchronous::{Client, Server};

use crate::adapter::Adapter;
use crate::answer::{Called, Handlers, call};
use crate::api::RegisterPluginRequest;
use crate::budget::Budget;
use crate::context::ASSUMED_REQUEST_TIMEOUT;
use crate::error::Error;
use crate::identity::Identity;
use crate::mux::Trunk;
use crate::plugin::Plugin;
use crate::rpc::{RuntimeClient, create_plugin};
use crate::runtime::{ConnectionState, RuntimeHandle};
use crate::status::Status;
use crate::version::NRI_VERSION;
use crate::workers::{MAX_HANDLERS, Workers};

/// The time limit for the answer to the registration: twice the default of runtimes for a plugin. They accept
/// one plugin at a time, so a silent plugin before this one delays it by that default.
const REGISTRATION_LIMIT: Duration = Duration::from_secs(10);

/// The time at the end of a connection that handlers which are not stuck have to end.
const HANDLERS_LIMIT: Duration = Duration::from_millis(100);

/// How a session ended.
pub(crate) enum End {
    /// It ended on request, with every accepted request answered.
    Stopped,
    /// It ended by itself.
    Failed {
        /// The reason.
        reason: Error,
        /// Whether the plugin was synchronized, so that it could get events.
        was_synchronized: bool,
    },
}

/// Registers a plugin on a connected socket and serves it, until the connection ends or `shutdown` is ready.
///
/// Dropping the future closes the socket and drops the handlers; one that is stuck keeps its thread of `workers`.
pub(crate) async fn run<P: Plugin>(
    plugin: Arc<P>,
    workers: &Workers,
    identity: &Identity,
    handle: &RuntimeHandle,
    socket: UnixStream,
    mut shutdown: Pin<&mut impl Future<Output = ()>>,
) -> End {
    let (mut trunk, plugin_connection, runtime_connection) = Trunk::open(socket);
    let client = RuntimeClient::new(Client::new(Socket::new(runtime_connection)));
    let budget = Budget::default();
    let connected = handle.connect(client.clone());
    let (handlers, mut handlers_gone) = Handlers::new(Arc::clone(&plugin), workers.clone());
    let adapter = Arc::new(Adapter::new(handlers, handle.clone(), budget.clone()));
    let services = create_plugin(adapter.clone());
    let services = services
        .into_iter()
        .map(|(name, service)| (name, budget.guard(service)));

    // The server comes first: the runtime may call Configure before it answers the registration. Its listener never
    // ends, since `Server::shutdown` panics after one that did.
    let connections = stream::once(ready(Ok(plugin_connection))).chain(stream::pending());
    let mut server = Server::new()
        .add_listener(Listener::new(connections))
        .register_service(services.collect());
    if let Err(error) = server.start().await {
        return End::Failed {
            reason: Error::Io(io::Error::other(error)),
            was_synchronized: false,
        };
    }

    let mut registration = pin!(register(&client, identity));
    let mut is_registered = false;
    let reason = loop {
        tokio::select! {
            biased;
            // A runtime that refuses may answer and close the connection at once.
            end = trunk.drive() => break match is_registered {
                false => Some(registration.await.err().filter(Error::is_refusal).unwrap_or(end)),
                true => Some(end),
            },
            registered = registration.as_mut(), if !is_registered => match registered {
                Ok(()) => {
                    is_registered = true;
                    if handle.state() < ConnectionState::Registered {
                        handle.reached(ConnectionState::Registered);
                    }
                }
                Err(reason) => break Some(reason),
            },
            () = shutdown.as_mut() => break None,
        }
    };
    if reason.is_none() && timeout(ASSUMED_REQUEST_TIMEOUT, trunk.drain()).await.is_err() {
        tracing::warn!(plugin = %identity, "stopping although requests are unanswered");
    }
    drop(trunk);
    // Waits for the handlers to end, so that none outlives its connection unless it is stuck.
    if let Err(error) = server.shutdown().await {
        tracing::debug!(%error, "the ttrpc server did not end cleanly");
    }
    let (was_configured, was_synchronized) = (adapter.was_configured(), adapter.was_synchronized());
    drop((server, adapter, connected));
    if timeout(HANDLERS_LIMIT, handlers_gone.recv()).await.is_err() {
        tracing::warn!(plugin = %identity, "a handler still runs after the end of its connection");
    }
    let Some(reason) = reason else {
        return End::Stopped;
    };
    let reason = Arc::new(reason);
    if was_configured {
        tokio::select! {
            () = report_disconnected(plugin, workers, Arc::clone(&reason)) => {}
            () = shutdown => return End::Stopped,
        }
    }
    // The plugin still has it only if it is stuck.
    let reason =
        Arc::try_unwrap(reason).unwrap_or_else(|reason| Error::Io(io::Error::other(reason.to_string())));
    End::Failed {
        reason,
        was_synchronized,
    }
}

/// Calls the plugin's `disconnected`, and waits for it unless it is stuck. There is a thread for it even if
/// all handlers are stuck.
async fn report_disconnected<P: Plugin>(plugin: Arc<P>, workers: &Workers, reason: Arc<Error>) {
    const METHOD: &str = "disconnected";
    let limit = MAX_HANDLERS + 1;
    let deadline = Instant::now() + ASSUMED_REQUEST_TIMEOUT;
    let disconnected = async move |plugin: Arc<P>| plugin.disconnected(&reason);
    let problem = match call(workers, limit, plugin, METHOD, deadline, disconnected).await {
        Called::Ended(()) => return,
        Called::Panicked(text) => format!("it panicked: {text}"),
        Called::TimedOut => format!("it has not returned for {ASSUMED_REQUEST_TIMEOUT:?}"),
        Called::Refused(refusal) => refusal.to_string(),
    };
    tracing::warn!(
        method = METHOD,
        problem,
        "the plugin may not know that its connection has ended"
    );
}

async fn register(client: &RuntimeClient, identity: &Identity) -> Result<(), Error> {
    let request = RegisterPluginRequest {
        plugin_name: identity.name.to_string(),
        plugin_idx: identity.index.to_string(),
        NRI_version: NRI_VERSION.to_string(),
        ..Default::default()
    };
    let call = client.register_plugin(ttrpc::context::Context::default(), &request);
    match timeout(REGISTRATION_LIMIT, call).await {
        Ok(Ok(_)) => {
            tracing::info!(plugin = %identity, "registered with the runtime");
            Ok(())
        }
        Ok(Err(error @ ttrpc::Error::RpcStatus(_))) => Err(Error::Refused {
            plugin: identity.to_string(),
            status: Status::received(error),
        }),
        Ok(Err(_)) => Err(Error::RpcEnded),
        Err(_) => Err(Error::RegistrationTimeout {
            plugin: identity.to_string(),
            limit: REGISTRATION_LIMIT,
        }),
    }
}

#[cfg(test)]
mod tests;
