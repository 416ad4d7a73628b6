//! Gives each container that asks for it a CPU of its own, and keeps all others off these CPUs:
//!
//! ```yaml
//! annotations:
//!   cpus.example.com/exclusive: "yes"
//! ```
//!
//! It shows a plugin with state. Each synchronization shows it again which container has which CPU. Whenever that
//! changes, it updates the other containers. It takes the number of CPUs as an argument; a real plugin would ask the
//! kernel.
//!
//! `cargo run --example topology -- [SOCKET [CPUS]]`

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use containerd_nri::api::PodSandbox;
use containerd_nri::{Adjustment, Context, DEFAULT_SOCKET, Plugin, Service, Status, Update, Updates, event};

/// The annotation of a pod whose containers want CPUs of their own.
const EXCLUSIVE: &str = "cpus.example.com/exclusive";

/// The containers of a node and their CPUs.
#[derive(Debug, Default)]
struct Node {
    /// The CPU of each container that has one of its own.
    exclusive: BTreeMap<String, usize>,
    /// The containers that share the rest.
    shared: BTreeSet<String>,
}

/// The plugin.
struct Topology {
    cpus: usize,
    node: Mutex<Node>,
}

impl Topology {
    fn new(cpus: usize) -> Self {
        let node = Mutex::default();
        Self { cpus, node }
    }

    fn node(&self) -> MutexGuard<'_, Node> {
        self.node.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The CPUs that nobody has for itself.
    fn free(&self, node: &Node) -> Vec<usize> {
        (0..self.cpus)
            .filter(|cpu| !node.exclusive.values().any(|taken| taken == cpu))
            .collect()
    }

    /// The CPUs of the containers that share.
    fn shared_cpus(&self, node: &Node) -> String {
        let free = self.free(node);
        let free: Vec<_> = free.iter().map(ToString::to_string).collect();
        free.join(",")
    }

    /// Updates of the containers that share, to the CPUs that are left.
    fn updates(&self, node: &Node) -> Updates {
        let cpus = self.shared_cpus(node);
        let update = |id: &String| Update::new(id).cpuset_cpus(&cpus).ignore_failure();
        node.shared.iter().map(update).collect()
    }
}

fn wants_exclusive(pod: &PodSandbox) -> bool {
    pod.annotations.contains_key(EXCLUSIVE)
}

impl Plugin for Topology {
    async fn synchronize(&self, _: &Context, event: event::Synchronize) -> Result<Updates, Status> {
        let mut node = self.node();
        *node = Node::default();
        let exclusive: BTreeSet<_> = event
            .pods
            .iter()
            .filter(|pod| wants_exclusive(pod))
            .map(|pod| &pod.id)
            .collect();
        for container in event.containers {
            let cpu = container.linux.resources.cpu.cpus.parse();
            match cpu {
                Ok(cpu) if exclusive.contains(&container.pod_sandbox_id) => {
                    node.exclusive.insert(container.id, cpu);
                }
                _ => {
                    node.shared.insert(container.id);
                }
            }
        }
        Ok(self.updates(&node))
    }

    async fn create_container(
        &self,
        _: &Context,
        event: event::CreateContainer,
    ) -> Result<Adjustment, Status> {
        let mut node = self.node();
        if !wants_exclusive(&event.pod) {
            let cpus = self.shared_cpus(&node);
            node.shared.insert(event.container.id);
            return Ok(Adjustment::new().cpuset_cpus(cpus));
        }
        // One is left for those that share.
        let [cpu, _, ..] = self.free(&node)[..] else {
            return Err(Status::resource_exhausted(
                "no CPU is left for a container of its own",
            ));
        };
        node.exclusive.insert(event.container.id, cpu);
        let mut adjustment = Adjustment::new().cpuset_cpus(cpu.to_string());
        for update in Vec::from(self.updates(&node)) {
            adjustment = adjustment.update(update);
        }
        Ok(adjustment)
    }

    async fn stop_container(&self, _: &Context, event: event::StopContainer) -> Result<Updates, Status> {
        let mut node = self.node();
        node.shared.remove(&event.container.id);
        Ok(match node.exclusive.remove(&event.container.id) {
            Some(_) => self.updates(&node),
            None => Updates::new(),
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let socket = arguments.next().unwrap_or_else(|| DEFAULT_SOCKET.into());
    let cpus = match arguments.next() {
        Some(cpus) => cpus.parse()?,
        None => std::thread::available_parallelism()?.get(),
    };
    let service = Service::new(Topology::new(cpus), "30-topology".parse()?).socket(socket);
    service.run().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use containerd_nri_testkit::{ContainerBuilder, FakeRuntime, Outcome, PodBuilder, RuntimeProfile, run};

    use super::*;

    fn cpus(update: &containerd_nri::api::ContainerUpdate) -> (&str, &str) {
        (&update.container_id, &update.linux.resources.cpu.cpus)
    }

    #[tokio::test]
    async fn a_container_of_its_own_takes_a_cpu_from_the_others_until_it_stops() {
        let mut plugin = run(Topology::new(2)).await.unwrap();
        let (plain, own) = (
            PodBuilder::new("plain").build(),
            PodBuilder::new("own").annotation(EXCLUSIVE, "yes").build(),
        );
        let (shared, exclusive) = (
            ContainerBuilder::new(&plain, "app").build(),
            ContainerBuilder::new(&own, "app").build(),
        );
        let answer = plugin
            .create_container(&plain, &shared)
            .await
            .into_answer()
            .unwrap();
        assert_eq!(answer.adjust.linux.resources.cpu.cpus, "0,1");

        let answer = plugin
            .create_container(&own, &exclusive)
            .await
            .into_answer()
            .unwrap();
        assert_eq!(answer.adjust.linux.resources.cpu.cpus, "0");
        assert_eq!(cpus(&answer.update[0]), (&*shared.id, "1"));

        let another = ContainerBuilder::new(&own, "another").build();
        let outcome = plugin.create_container(&own, &another).await;
        assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");

        let answer = plugin
            .stop_container(&own, &exclusive)
            .await
            .into_answer()
            .unwrap();
        assert_eq!(cpus(&answer.update[0]), (&*shared.id, "0,1"));
    }

    #[tokio::test]
    async fn the_cpus_in_use_are_learned_from_the_runtime() {
        let own = PodBuilder::new("own").annotation(EXCLUSIVE, "yes").build();
        let plain = PodBuilder::new("plain").build();
        let mut exclusive = ContainerBuilder::new(&own, "app").build();
        let resources = exclusive
            .linux
            .mut_or_insert_default()
            .resources
            .mut_or_insert_default();
        resources.cpu.mut_or_insert_default().cpus = "1".into();
        let shared = ContainerBuilder::new(&plain, "app").build();
        let shared_id = shared.id.clone();
        let plugin = FakeRuntime::builder(RuntimeProfile::newest())
            .state(vec![own, plain], vec![exclusive, shared])
            .run(Topology::new(3))
            .await
            .unwrap();
        assert_eq!(cpus(&plugin.synchronize_updates()[0]), (&*shared_id, "0,2"));
    }
}
