//! The daemon's reports besides its log on stderr: a port, a socket, the journal.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use e2e::plugin::{ANNOTATION, NAME};
use e2e::{Containerd, HookSpec, Version, on_each_containerd, wait, workspace};
use nri_oci_hooks::observe::request_status;

/// Less than the default timeout of a probe of Kubernetes.
const PROBE: Duration = Duration::from_millis(900);

async fn a_port_serves_metrics_and_health_and_no_client_keeps_a_probe_waiting(
    version: Version,
) -> Result<()> {
    let mut containerd = Containerd::start(version).await?;
    let port = free_port()?;
    let _plugin = containerd
        .plugin()
        .delivery("direct")
        .configuration(&format!("listen = \"{port}\""))
        .start()
        .await?;
    let get = |path: &str| exchange(TcpStream::connect(port)?, path);
    wait::until("it to be ready", async || Ok(get("/readyz")?.is("200", "ok\n"))).await?;
    let metrics = get("/metrics")?;
    ensure!(metrics.status == "200", "{metrics:?}");
    for line in ["nri_oci_hooks_registered 1\n", "nri_oci_hooks_ready 1\n"] {
        ensure!(metrics.body.contains(line), "{metrics:?}");
    }
    ensure!(metrics.body.ends_with("# EOF\n"), "{metrics:?}");
    ensure!(
        get("/status")?.status == "404",
        "what files are called is not for anyone"
    );

    // Idle ones, and some that send a byte now and then.
    let mut others = Vec::new();
    for round in 0..5 {
        for _ in 0..100 {
            others.push(TcpStream::connect(port)?);
        }
        for other in others.iter_mut().step_by(3) {
            // The daemon may have let it go.
            let _ = other.write_all(b"G");
        }
        for path in ["/healthz", "/readyz", "/metrics"] {
            let begin = Instant::now();
            let answer = get(path)?;
            ensure!(answer.status == "200", "{path}, round {round}: {answer:?}");
            ensure!(
                begin.elapsed() < PROBE,
                "{path}, round {round}: after {:?}",
                begin.elapsed()
            );
        }
    }
    drop(others);

    containerd.stop().await?;
    let not_ready = || Ok(get("/readyz")?.is("503", "not ready\n"));
    wait::until("it to be ready no more", async || not_ready()).await?;
    ensure!(get("/healthz")?.status == "200", "it lives");
    Ok(())
}

async fn a_socket_serves_the_same_and_is_roots_alone(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let socket = containerd.node().directory().join("metrics.sock");
    let _plugin = containerd
        .plugin()
        .delivery("direct")
        .configuration(&format!("listen = {socket:?}"))
        .start()
        .await?;
    let get = |path: &str| exchange(UnixStream::connect(&socket)?, path);
    wait::until("it to be ready", async || Ok(get("/readyz")?.is("200", "ok\n"))).await?;
    ensure!(get("/healthz")?.status == "200");
    ensure!(get("/metrics")?.body.contains("nri_oci_hooks_registered 1\n"));
    ensure!(get("/status")?.status == "200", "root may know");
    let file = fs::metadata(&socket)?;
    assert_eq!((file.permissions().mode() & 0o777, file.uid()), (0o600, 0));
    let _idle: Vec<UnixStream> = (0..100)
        .map(|_| UnixStream::connect(&socket))
        .collect::<Result<_, _>>()?;
    let begin = Instant::now();
    ensure!(get("/healthz")?.status == "200");
    ensure!(begin.elapsed() < PROBE, "after {:?}", begin.elapsed());
    Ok(())
}

async fn a_daemon_takes_over_from_the_one_that_it_replaces(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let port = free_port()?;
    let daemon = || {
        let listen = format!("listen = \"{port}\"");
        containerd
            .plugin()
            .delivery("runner")
            .configuration(&listen)
            .start()
    };
    let mut old = daemon().await?;
    let state = containerd.ledger().directory().to_owned();
    let pid = || Ok::<_, anyhow::Error>(request_status(&state)?.pid);
    let before = pid()?;
    let new = daemon().await?;
    let of_new = wait::until("the new one to be asked", async || {
        Ok(Some(pid()?).filter(|pid| *pid != before))
    })
    .await?;
    let get = |path: &str| exchange(TcpStream::connect(port)?, path);
    ensure!(
        get("/healthz")?.status == "200",
        "the port is the old one's as yet"
    );
    old.kill().await?;
    wait::until("the new one to have the port", async || {
        Ok(get("/readyz").ok().filter(|answer| answer.status == "200"))
    })
    .await?;
    assert_eq!(pid()?, of_new);
    drop(new);
    Ok(())
}

async fn the_journal_has_each_line_with_its_fields(version: Version) -> Result<()> {
    let mut containerd = Containerd::start(version).await?;
    let journal = Journal::of(&containerd)?;
    let hooks = containerd.hooks();
    let failing = hooks.script("failing", "echo no device >&2; exit 3")?;
    hooks.spec("fail", &HookSpec::new().prestart(failing))?;
    let mut plugin = containerd
        .plugin()
        .argument("--log-to")
        .argument("journald")
        .start()
        .await?;
    let pod = containerd.pod("web").annotation(ANNOTATION, "fail").run().await?;
    ensure!(pod.start("app").await.is_err(), "its prestart hook fails");
    let entry = journal.receive_until(|entry| entry.has("MESSAGE", "no device"))?;
    for (field, value) in [
        ("POD", "web"),
        ("NAMESPACE", "default"),
        ("CONTAINER", "app"),
        ("PRIORITY", "4"),
    ] {
        ensure!(
            entry.0.get(field).is_some_and(|it| it == value),
            "{field} in {entry:?}"
        );
    }
    ensure!(
        entry.has("ID", "") && entry.has("SYSLOG_IDENTIFIER", "nri-oci-hooks"),
        "{entry:?}"
    );
    ensure!(plugin.process().log().text()?.is_empty(), "nothing is told twice");
    plugin.kill().await?;

    // A launched daemon has no stderr.
    let state = containerd.node().make_directory("state")?;
    containerd.install_plugin(
        NAME,
        &workspace::nri_oci_hooks()?,
        &format!("state_dir = {state:?}\n"),
    )?;
    containerd.restart().await?;
    journal.receive_until(|entry| {
        entry.has("SYSLOG_IDENTIFIER", "nri-oci-hooks") && entry.has("MESSAGE", "registered")
    })?;
    Ok(())
}

/// An answer of the daemon.
#[derive(Debug)]
struct Answer {
    status: String,
    body: String,
}

impl Answer {
    fn is(&self, status: &str, body: &str) -> Option<()> {
        (self.status == status && self.body == body).then_some(())
    }
}

/// Asks for `path` on a new connection.
fn exchange(mut stream: impl Read + Write, path: &str) -> Result<Answer> {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: node\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("it does not speak HTTP")?;
    let status = head.split(' ').nth(1).context("it has no status")?;
    Ok(Answer {
        status: status.into(),
        body: body.into(),
    })
}

/// A port of this machine that nobody has: a node has the machine's network.
fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// The other end of journald's protocol, in a node that has no journald.
struct Journal(UnixDatagram);

/// One entry of the journal.
#[derive(Debug)]
struct Entry(HashMap<String, String>);

impl Entry {
    fn has(&self, field: &str, text: &str) -> bool {
        self.0.get(field).is_some_and(|value| value.contains(text))
    }

    /// As `KEY=VALUE` and a line break. A value of several lines has another form: the key and a line break, the length
    /// of the value in 8 bytes, the value and a line break.
    fn parse(mut message: &[u8]) -> Result<Entry> {
        let mut fields = HashMap::new();
        while !message.is_empty() {
            let end = message
                .iter()
                .position(|byte| *byte == b'\n')
                .context("a line does not end")?;
            let (line, rest) = (&message[..end], &message[end + 1..]);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            if let Some(equals) = line.iter().position(|byte| *byte == b'=') {
                fields.insert(text(&line[..equals]), text(&line[equals + 1..]));
                message = rest;
                continue;
            }
            let (length, rest) = rest.split_first_chunk().context("a length is cut off")?;
            let length: usize = u64::from_le_bytes(*length).try_into()?;
            let value = rest.get(..length).context("a value is cut off")?;
            fields.insert(text(line), text(value));
            message = rest.get(length + 1..).unwrap_or_default();
        }
        Ok(Entry(fields))
    }
}

impl Journal {
    fn of(containerd: &Containerd) -> Result<Journal> {
        let root = PathBuf::from(format!("/proc/{}/root", containerd.node().init()));
        let directory = root.join("run/systemd/journal");
        fs::create_dir_all(&directory)?;
        let socket = UnixDatagram::bind(directory.join("socket"))?;
        socket.set_read_timeout(Some(wait::LIMIT))?;
        Ok(Journal(socket))
    }

    fn receive_until(&self, is_it: impl Fn(&Entry) -> bool) -> Result<Entry> {
        let (mut received, begin) = (Vec::new(), Instant::now());
        let mut message = vec![0; 256 * 1024];
        while begin.elapsed() < wait::LIMIT {
            let Ok(length) = self.0.recv(&mut message) else {
                break;
            };
            let entry = Entry::parse(&message[..length])?;
            if is_it(&entry) {
                return Ok(entry);
            }
            received.push(entry);
        }
        bail!("it was not received, but {received:?}");
    }
}

on_each_containerd!(
    a_port_serves_metrics_and_health_and_no_client_keeps_a_probe_waiting,
    a_socket_serves_the_same_and_is_roots_alone,
    a_daemon_takes_over_from_the_one_that_it_replaces,
    the_journal_has_each_line_with_its_fields,
);
