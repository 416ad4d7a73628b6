//! A daemon with files of its own.

use std::fs;
use std::sync::Arc;

use containerd_nri::{Identity, Service};
use containerd_nri_testkit::{FakeRuntime, RuntimeProfile};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::task::JoinHandle;

use crate::config::{ConfigSource, Overrides};
use crate::daemon::{OciHooks, RunnerProgram};
use crate::ledger::Ledger;
use crate::observe::http::{Client, serve};
use crate::observe::{Observed, Observer};

/// A node with a default hook-spec, and the daemon's observer.
pub(super) struct Node {
    pub(super) root: TempDir,
    pub(super) observer: Arc<Observer>,
}

impl Node {
    pub(super) fn new(more: &str) -> Node {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("default.json"), r#"{"prestart":[{"path":"/bin/true"}]}"#).unwrap();
        let config = format!(
            "hook_spec = {:?}\nstate_dir = {:?}\nannotation.spec_dirs = [{:?}]\n{more}",
            path("default.json"),
            path("state"),
            path("specs")
        );
        fs::write(path("config.toml"), config).unwrap();
        let source = ConfigSource::file(&path("config.toml"), Overrides::default());
        let observer = Arc::new(Observer::new(
            Arc::new(OciHooks::new(source, RunnerProgram::this().unwrap())),
            || Some(true),
        ));
        observer.plugin().reload();
        Node { root, observer }
    }

    pub(super) fn ledger(&self) -> Ledger {
        Ledger::open(&self.root.path().join("state")).unwrap()
    }

    /// The value of a series, by its name and labels as they are written.
    pub(super) fn metric(&self, series: &str) -> f64 {
        self.observer.gather();
        let text = self.observer.metrics();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in {text}"))
            .parse()
            .unwrap()
    }

    /// The answer to a client's request.
    pub(super) async fn response(&self, client: Client, request: &str) -> String {
        let (ours, mut theirs) = duplex(64 * 1024);
        theirs.write_all(request.as_bytes()).await.unwrap();
        let served = serve(ours, client, &self.observer);
        let (served, mut answer) = (served.await, String::new());
        served.unwrap();
        theirs.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Connects the daemon to a runtime.
    pub(super) async fn connected(
        &self,
    ) -> (FakeRuntime, containerd_nri_testkit::PluginHandle, JoinHandle<()>) {
        self.connected_to(RuntimeProfile::containerd_main()).await
    }

    /// Connects the daemon to such a runtime.
    pub(super) async fn connected_to(
        &self,
        profile: RuntimeProfile,
    ) -> (FakeRuntime, containerd_nri_testkit::PluginHandle, JoinHandle<()>) {
        let socket = self.root.path().join("nri.sock");
        let mut runtime = FakeRuntime::builder(profile).listen(&socket).unwrap();
        let plugin = Observed::new(self.observer.clone(), Arc::default());
        let service = Service::new(plugin, Identity::new("10", "hooks").unwrap()).socket(socket);
        let serving = tokio::spawn(async move {
            service.run().await;
        });
        let handle = runtime.accept().await.unwrap();
        (runtime, handle, serving)
    }
}
