//! The listening sockets: the daemon takes none from other processes, and no client blocks another.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::timeout;

use super::node::Node;
use crate::config::Listen;
use crate::observe::listener::{Listener, Place, Task, accept};
use crate::observe::{Endpoint, STATUS_SOCKET};
use crate::trust::access;

impl Node {
    /// The address of the socket `name` of a daemon with the state directory `state_dir`.
    fn place(&self, name: &str, state_dir: &Path) -> (PathBuf, Place) {
        let path = self.root.path().join(name);
        let place = Place {
            listen: Listen::Unix(path.to_str().unwrap().into()),
            state_dir: state_dir.to_str().unwrap().into(),
        };
        (path, place)
    }

    fn state_dir(&self) -> PathBuf {
        self.root.path().join("state")
    }

    /// A daemon that serves at a free address.
    async fn serves(&self, place: &Place) -> Task {
        let (listener, observer) = (place.open().await.unwrap(), self.observer.clone());
        Task::spawn(accept(listener, observer))
    }
}

/// The beginning of the answer.
async fn response(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, path: &str) -> String {
    let mut answer = String::new();
    let response = async {
        let request = format!("GET {path} HTTP/1.1\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_to_string(&mut answer).await.unwrap();
    };
    // Less than the timeout of a request that does not come.
    timeout(Duration::from_millis(900), response)
        .await
        .expect("it answers at once");
    answer
}

#[tokio::test]
async fn a_hundred_idle_connections_block_no_probe() {
    let node = Node::new("");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let _serving = Task::spawn(accept(Listener::Tcp(listener), node.observer.clone()));
    for round in 0..3 {
        let mut idle = Vec::new();
        for _ in 0..100 {
            idle.push(TcpStream::connect(address).await.unwrap());
        }
        let probe = TcpStream::connect(address).await.unwrap();
        let answer = response(probe, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "round {round}: {answer}");
        // Half a request is as idle.
        for stream in &mut idle {
            let _ = stream.write_all(b"GET /met").await;
        }
    }
}

#[tokio::test]
async fn a_client_without_a_request_is_disconnected_after_a_second() {
    let node = Node::new("");
    let (path, place) = node.place("x.sock", &node.state_dir());
    let _serving = node.serves(&place).await;
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let begin = std::time::Instant::now();
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn an_unused_socket_is_replaced_and_is_for_root_alone() {
    let node = Node::new("");
    let (path, place) = node.place("x.sock", &node.state_dir());
    drop(StdListener::bind(&path).unwrap());
    let _serving = node.serves(&place).await;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let answer = response(UnixStream::connect(&path).await.unwrap(), "/status").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn a_daemon_with_the_same_state_directory_is_replaced_and_another_is_not() {
    let node = Node::new("");
    let (path, place) = node.place("x.sock", &node.state_dir());
    let _first = node.serves(&place).await;
    let inode = || fs::metadata(&path).unwrap().ino();
    let first = inode();
    let stranger = Place {
        state_dir: "/elsewhere".into(),
        ..place.clone()
    };
    let refused = stranger.open().await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::AddrInUse, "{refused}");
    assert_eq!(inode(), first);
    let _second = node.serves(&place).await;
    assert_ne!(inode(), first);
}

#[tokio::test]
async fn a_client_is_never_refused_while_a_daemon_is_replaced() {
    let node = Node::new("");
    let (path, place) = node.place("x.sock", &node.state_dir());
    let mut daemons = vec![node.serves(&place).await];
    let is_over = Arc::new(AtomicBool::new(false));
    let client = thread::spawn({
        let is_over = is_over.clone();
        move || {
            while !is_over.load(Ordering::Relaxed) {
                StdStream::connect(&path).expect("a daemon accepts");
            }
        }
    });
    for _ in 0..100 {
        daemons.push(node.serves(&place).await);
    }
    is_over.store(true, Ordering::Relaxed);
    client.join().unwrap();
}

#[tokio::test]
async fn a_socket_that_is_not_a_daemons_is_never_removed() {
    let node = Node::new("");
    let (path, place) = node.place("x.sock", &node.state_dir());
    let others = tokio::net::UnixListener::bind(&path).unwrap();
    let _answers = Task::spawn(async move {
        while let Ok((mut stream, _)) = others.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").await;
        }
    });
    let refused = place.open().await.err().unwrap();
    assert_eq!(
        refused.to_string(),
        "another process listens there, and it is not a daemon with this state directory"
    );
    let (path, place) = node.place("file", &node.state_dir());
    fs::write(&path, "precious").unwrap();
    let refused = place.open().await.err().unwrap();
    assert_eq!(
        refused.to_string(),
        "the file there is not a socket: remove it, or set another address"
    );
    assert_eq!(fs::read_to_string(path).unwrap(), "precious");
}

#[tokio::test]
async fn an_owner_that_is_silent_is_not_mistaken_for_a_file_system_that_is() {
    let node = Node::new("");
    let (path, place) = node.place("x.sock", &node.state_dir());
    let _silent = tokio::net::UnixListener::bind(&path).unwrap();
    let mut opening = pin!(place.open());
    let refused = loop {
        tokio::select! {
            opened = &mut opening => break opened.err().unwrap(),
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        let unanswered = access::unanswered();
        assert!(
            unanswered.iter().all(|access| access.path != path),
            "{unanswered:?}"
        );
    };
    assert_eq!(refused.kind(), ErrorKind::AddrInUse, "{refused}");
}

#[tokio::test]
async fn a_daemon_whose_successor_or_socket_is_gone_is_reached_again() {
    let node = Node::new("");
    let (path, place) = node.place("x.sock", &node.state_dir());
    let inode = || fs::metadata(&path).map(|file| file.ino()).ok();
    let until = async |is_so: &dyn Fn() -> bool| {
        let waiting = async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(10), waiting)
            .await
            .expect("it comes to be so");
    };
    let _first = place.clone().serve(node.observer.clone());
    until(&|| inode().is_some()).await;
    let of_first = inode();
    let second = place.clone().serve(node.observer.clone());
    until(&|| inode().is_some_and(|inode| Some(inode) != of_first)).await;
    let of_second = inode();
    drop(second);
    until(&|| StdStream::connect(&path).is_err() || inode() != of_second).await;
    let healthy = async || {
        let waiting = async {
            loop {
                match UnixStream::connect(&path).await {
                    Ok(stream) => return response(stream, "/healthz").await,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        timeout(Duration::from_secs(10), waiting)
            .await
            .expect("it answers again")
    };
    assert!(healthy().await.starts_with("HTTP/1.1 200 OK"));
    fs::remove_file(&path).unwrap();
    assert!(healthy().await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn an_address_in_use_is_opened_when_it_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let node = Node::new(&format!("listen = \"{address}\""));
    let endpoint = Endpoint::default();
    endpoint.refresh(&node.observer);
    // The socket for root is opened after it, so it has been tried.
    let status = node.state_dir().join(STATUS_SOCKET);
    while !status.exists() {
        tokio::task::yield_now().await;
    }
    drop(taken);
    let answer = timeout(Duration::from_secs(10), async {
        loop {
            match TcpStream::connect(address).await {
                Ok(stream) => return response(stream, "/healthz").await,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    });
    assert!(answer.await.unwrap().starts_with("HTTP/1.1 200 OK"));
    drop(endpoint);
}
