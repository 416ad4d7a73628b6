//! The health of the unit's daemon, and its metrics, at the pod's own address.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::config::{Config, ConfigSource};
use crate::observe::{STATUS_SOCKET, exchange_with, read_request, text_response};

/// The maximum time for one request, with its answer.
const LIMIT: Duration = Duration::from_secs(4);

/// The time until an unavailable port is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Serves at `place`, forever. `source` names the daemon's state directory.
pub(super) async fn serve(place: SocketAddr, source: ConfigSource) {
    let mut reported = String::new();
    loop {
        let error = match TcpListener::bind(place).await {
            Ok(listener) => accept(&listener, &source).await,
            Err(error) => error,
        };
        if error.to_string() != reported {
            reported = error.to_string();
            tracing::error!(%place, %error, "cannot serve the pod's health; trying again");
        }
        sleep(RETRY_INTERVAL).await;
    }
}

/// Answers clients one after the other, each within the limit. Returns why no client can connect.
async fn accept(listener: &TcpListener, source: &ConfigSource) -> io::Error {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => return error,
        };
        let source = source.clone();
        tokio::spawn(async move {
            // A failure of the answer concerns only the client.
            let _ = timeout(LIMIT, answer(stream, source)).await;
        });
    }
}

async fn answer(mut stream: TcpStream, source: ConfigSource) -> io::Result<()> {
    let request = read_request(&mut stream).await?;
    let answer = match path(&request) {
        // The health of this process, not of the daemon: systemd replaces that one, and the kubelet only has
        // to report it.
        Some("/healthz") => text_response("200 OK", "ok\n"),
        Some(path @ ("/readyz" | "/metrics")) => match daemon_answer(path, source).await {
            // The names of files on this node are not for every client.
            Ok(answer) if path == "/readyz" && !is_good(&answer) => {
                text_response("503 Service Unavailable", "not ready\n")
            }
            Ok(answer) => answer,
            Err(_) => text_response(
                "503 Service Unavailable",
                "the daemon of this node does not answer\n",
            ),
        },
        _ => text_response("404 Not Found", "/metrics, /healthz or /readyz\n"),
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// The requested path.
fn path(request: &[u8]) -> Option<&str> {
    let line = str::from_utf8(request.split(|byte| *byte == b'\r').next()?).ok()?;
    let target = line.strip_prefix("GET ")?.split(' ').next()?;
    target.split('?').next()
}

fn is_good(answer: &str) -> bool {
    answer.split(' ').nth(1) == Some("200")
}

/// The answer of the daemon.
async fn daemon_answer(path: &str, source: ConfigSource) -> io::Result<String> {
    let socket = spawn_blocking(move || {
        let config = Config::from_file(source.path(), source.overrides());
        let config = config.unwrap_or_else(|_| source.overridden_defaults());
        Path::new(&*config.state_dir).join(STATUS_SOCKET)
    });
    let stream = UnixStream::connect(socket.await.map_err(io::Error::other)?).await?;
    let answer = exchange_with(stream, path).await?;
    match answer.is_empty() {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::sync::Arc;

    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::config::Overrides;

    #[test]
    fn only_the_path_of_a_get_is_asked_for() {
        assert_eq!(
            path(b"GET /readyz?verbose HTTP/1.1\r\nHost: a\r\n\r\n"),
            Some("/readyz")
        );
        for request in ["POST /readyz HTTP/1.1\r\n", "", "\r\n", "GET"] {
            assert_eq!(path(request.as_bytes()), None, "{request:?}");
        }
    }

    /// The answer to `request` if the daemon answers `daemon`; without a daemon if that is `None`.
    async fn answered(request: &str, daemon: Option<&'static str>) -> String {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        std::fs::create_dir(&state).unwrap();
        let overrides = Overrides {
            state_dir: Some(state.to_str().unwrap().to_owned()),
            ..Overrides::default()
        };
        if let Some(answer) = daemon {
            let listener = UnixListener::bind(state.join(STATUS_SOCKET)).unwrap();
            std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                let _ = std::io::Read::read(&mut stream, &mut request);
                std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
            });
        }
        let config: Arc<str> = directory.path().join("none.toml").to_str().unwrap().into();
        let source = ConfigSource::file(&config, overrides);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let answering = tokio::spawn(answer(stream, source));
        client.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        answering.await.unwrap().unwrap();
        text
    }

    #[tokio::test]
    async fn readiness_is_the_daemons_and_reports_no_names_of_files() {
        let ready = "HTTP/1.1 200 OK\r\n\r\nok\n";
        assert_eq!(answered("GET /readyz HTTP/1.1\r\n\r\n", Some(ready)).await, ready);
        let not = "HTTP/1.1 503 Service Unavailable\r\n\r\n/etc/secret\n";
        let answer = answered("GET /readyz HTTP/1.1\r\n\r\n", Some(not)).await;
        assert!(
            answer.starts_with("HTTP/1.1 503 ") && !answer.contains("secret"),
            "{answer}"
        );
        let answer = answered("GET /readyz HTTP/1.1\r\n\r\n", None).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }

    #[tokio::test]
    async fn the_pod_is_alive_without_the_daemon_and_its_status_is_for_root_alone() {
        let answer = answered("GET /healthz HTTP/1.1\r\n\r\n", None).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let answer = answered("GET /status HTTP/1.1\r\n\r\n", Some("HTTP/1.1 200 OK\r\n\r\n{}")).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
}
