//! Refuses containers to which other plugins add OCI hooks, unless the pod allows it: such hooks run as root on the
//! host. Validation needs NRI 0.10.
//!
//! `cargo run --example validator -- [SOCKET]`, or link the binary as `/opt/nri/plugins/99-validator`.

use containerd_nri::{Context, DEFAULT_SOCKET, Launched, Plugin, Service, Status, Verdict, event};

/// The annotation of a pod whose containers may have hooks.
const ALLOW: &str = "hooks.example.com/allow";

/// The plugin.
struct Validator;

impl Plugin for Validator {
    async fn validate_container_adjustment(
        &self,
        _: &Context,
        event: event::ValidateContainerAdjustment,
    ) -> Result<Verdict, Status> {
        if event.adjustment.hooks.is_none() || event.pod.annotations.contains_key(ALLOW) {
            return Ok(Verdict::Accept);
        }
        Ok(Verdict::reject(format!(
            "container {} may have no OCI hooks: its pod lacks the annotation {ALLOW}",
            event.container.name
        )))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(launched) = Launched::from_env()? {
        return Ok(launched.run(Validator).await?);
    }
    let socket = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_SOCKET.into());
    let service = Service::new(Validator, "99-validator".parse()?).socket(socket);
    service.run().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use containerd_nri::api::{Hook, ValidateContainerAdjustmentRequest};
    use containerd_nri::{Adjustment, HookStage};
    use containerd_nri_testkit::{ContainerBuilder, PodBuilder, run};

    use super::*;

    /// Whether the plugin rejects an adjustment of a container of this pod.
    async fn rejects(pod: PodBuilder, adjustment: Adjustment) -> bool {
        let mut plugin = run(Validator).await.unwrap();
        let pod = pod.build();
        let request = ValidateContainerAdjustmentRequest {
            container: Some(ContainerBuilder::new(&pod, "app").build()).into(),
            pod: Some(pod).into(),
            adjust: Some(adjustment.raw().clone()).into(),
            ..Default::default()
        };
        let answer = plugin.validate_container_adjustment(&request).await;
        answer.into_answer().unwrap().reject
    }

    #[tokio::test]
    async fn only_a_pod_that_allows_hooks_gets_them() {
        let hook = || Adjustment::new().hook(HookStage::Prestart, Hook::default());
        assert!(rejects(PodBuilder::new("pod"), hook()).await);
        assert!(!rejects(PodBuilder::new("pod").annotation(ALLOW, "yes"), hook()).await);
        assert!(!rejects(PodBuilder::new("pod"), Adjustment::new().env("A", "b")).await);
    }
}
