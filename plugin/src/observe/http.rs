//! The part of HTTP that a scraper, a probe and our own `status` need: one GET, one answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::Observer;

/// The maximum time for a client to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);

/// The maximum time for a client to receive the answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

const TEXT: &str = "text/plain; charset=utf-8";

/// The maximum length of a request, in bytes.
const MAX_REQUEST: usize = 8 * 1024;

/// The client of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// Root on this node, who may see everything.
    Root,
    /// Any process that can connect.
    Anyone,
}

/// Answers one request on `stream`.
///
/// # Errors
/// The client is slow, gone, or does not use HTTP.
pub(super) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    client: Client,
    observer: &Arc<Observer>,
) -> io::Result<()> {
    let request = timeout(REQUEST_TIMEOUT, read_request(&mut stream)).await??;
    let answer = answer(&request, client, observer).await;
    timeout(ANSWER_TIMEOUT, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    })
    .await?
}

/// The request up to the blank line at the end of its head; no request has a body.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < MAX_REQUEST {
        match stream.read(&mut part).await? {
            0 => break,
            length => request.extend_from_slice(&part[..length]),
        }
    }
    Ok(request)
}

async fn answer(request: &[u8], client: Client, observer: &Arc<Observer>) -> String {
    const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = str::from_utf8(line).unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if !words.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
        return response("400 Bad Request", TEXT, "no HTTP\n", method);
    }
    if method != "GET" && method != "HEAD" {
        return response("405 Method Not Allowed", TEXT, "only GET\n", method);
    }
    let path = target.split('?').next().unwrap_or_default();
    match path {
        "/metrics" => response("200 OK", METRICS, &observer.metrics_now().await, method),
        // This answer comes from the thread that answers the runtime: it is alive, even if decisions wait.
        "/healthz" => response("200 OK", TEXT, "ok\n", method),
        "/readyz" => match observer.not_ready() {
            reasons if reasons.is_empty() => match observer.degraded() {
                degraded if degraded.is_empty() => response("200 OK", TEXT, "ok\n", method),
                _ if client == Client::Anyone => response("200 OK", TEXT, "degraded\n", method),
                degraded => response(
                    "200 OK",
                    TEXT,
                    &format!("degraded\n{}\n", degraded.join("\n")),
                    method,
                ),
            },
            // Only root may see file names of this node.
            _ if client == Client::Anyone => response("503 Service Unavailable", TEXT, "not ready\n", method),
            reasons => response(
                "503 Service Unavailable",
                TEXT,
                &(reasons.join("\n") + "\n"),
                method,
            ),
        },
        "/status" if client == Client::Root => match serde_json::to_string(&observer.status()) {
            Ok(status) => response("200 OK", "application/json", &status, method),
            Err(error) => response("500 Internal Server Error", TEXT, &error.to_string(), method),
        },
        _ => response("404 Not Found", TEXT, "/metrics, /healthz or /readyz\n", method),
    }
}

/// An answer to a GET.
pub(crate) fn text_response(status: &str, body: &str) -> String {
    response(status, TEXT, body, "GET")
}

fn response(status: &str, kind: &str, body: &str, method: &str) -> String {
    let length = body.len();
    let body = if method == "HEAD" { "" } else { body };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
