//! Sets resource limits that a pod asks for with an annotation, for all its containers or for one:
//!
//! ```yaml
//! annotations:
//!   ulimits.example.com/pod: "RLIMIT_NOFILE=1024:4096"
//!   ulimits.example.com/container.app: "RLIMIT_MEMLOCK=65536:65536, RLIMIT_CORE=0:0"
//! ```
//!
//! `cargo run --example ulimit_adjuster -- [SOCKET]`, or link the binary as `/opt/nri/plugins/20-ulimit-adjuster`.

use containerd_nri::api::POSIXRlimit;
use containerd_nri::{Adjustment, Context, DEFAULT_SOCKET, Launched, Plugin, Service, Status, event};

/// The beginning of the annotations of this plugin.
const KEY: &str = "ulimits.example.com";

/// The plugin.
struct UlimitAdjuster;

impl Plugin for UlimitAdjuster {
    async fn create_container(
        &self,
        _: &Context,
        event: event::CreateContainer,
    ) -> Result<Adjustment, Status> {
        let annotations = &event.pod.annotations;
        let own = format!("{KEY}/container.{}", event.container.name);
        let limits = annotations
            .get(&own)
            .or_else(|| annotations.get(&format!("{KEY}/pod")));
        limits.map_or_else(|| Ok(Adjustment::new()), |limits| adjustment(limits))
    }
}

/// The limits of an annotation: `NAME=SOFT:HARD`, with commas between them.
fn adjustment(limits: &str) -> Result<Adjustment, Status> {
    let mut adjustment = Adjustment::new();
    for limit in limits.split(',').map(str::trim) {
        let invalid = || Status::invalid_argument(format!("{limit:?} is no limit: expected NAME=SOFT:HARD"));
        let (name, values) = limit.split_once('=').ok_or_else(invalid)?;
        let (soft, hard) = values.split_once(':').ok_or_else(invalid)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| invalid());
        let (soft, hard) = (number(soft)?, number(hard)?);
        if soft > hard || !name.starts_with("RLIMIT_") {
            return Err(invalid());
        }
        adjustment = adjustment.rlimit(POSIXRlimit {
            type_: name.to_owned(),
            soft,
            hard,
            ..Default::default()
        });
    }
    Ok(adjustment)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(launched) = Launched::from_env()? {
        return Ok(launched.run(UlimitAdjuster).await?);
    }
    let socket = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_SOCKET.into());
    let service = Service::new(UlimitAdjuster, "20-ulimit-adjuster".parse()?).socket(socket);
    service.run().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use containerd_nri::api::CreateContainerResponse;
    use containerd_nri_testkit::{ContainerBuilder, Outcome, PodBuilder, apply, run};
    use serde_json::json;

    use super::*;

    /// Creates the container `app` of a pod that asks for limits.
    async fn create(whose: &str, limits: &str) -> Outcome<CreateContainerResponse> {
        let pod = PodBuilder::new("pod").annotation(format!("{KEY}/{whose}"), limits);
        let pod = pod.build();
        let container = ContainerBuilder::new(&pod, "app").build();
        let mut plugin = run(UlimitAdjuster).await.unwrap();
        plugin.create_container(&pod, &container).await
    }

    #[tokio::test]
    async fn a_container_gets_the_limits_of_its_pod() {
        let created = create("pod", "RLIMIT_NOFILE=1024:4096").await;
        let mut spec = json!({});
        apply(&mut spec, &created.into_answer().unwrap().adjust);
        let expected = json!([{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 4096}]);
        assert_eq!(spec["process"]["rlimits"], expected);
    }

    #[tokio::test]
    async fn limits_of_another_container_are_not_its_own() {
        let created = create("container.other", "RLIMIT_NOFILE=1024:4096").await;
        assert!(created.into_answer().unwrap().adjust.rlimits.is_empty());
    }

    #[tokio::test]
    async fn an_invalid_limit_fails_the_creation() {
        for limits in [
            "",
            "RLIMIT_NOFILE",
            "RLIMIT_NOFILE=1",
            "RLIMIT_NOFILE=2:1",
            "NOFILE=1:2",
            "RLIMIT_A=x:1",
        ] {
            let outcome = create("pod", limits).await;
            assert!(matches!(outcome, Outcome::Refused(_)), "{limits:?}: {outcome:?}");
        }
    }
}
