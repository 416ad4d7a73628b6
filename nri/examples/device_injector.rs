//! Adds device nodes that a pod asks for with an annotation, for all its containers or for one:
//!
//! ```yaml
//! annotations:
//!   devices.example.com/container.app: "/dev/fuse c 10:229 0666"
//! ```
//!
//! `cargo run --example device_injector -- [SOCKET]`, or link the binary as `/opt/nri/plugins/10-device-injector`.

use containerd_nri::api::{LinuxDevice, OptionalValue};
use containerd_nri::{Adjustment, Context, DEFAULT_SOCKET, Launched, Plugin, Service, Status, event};

/// The beginning of the annotations of this plugin.
const KEY: &str = "devices.example.com";

/// The plugin.
struct DeviceInjector;

impl Plugin for DeviceInjector {
    async fn create_container(
        &self,
        _: &Context,
        event: event::CreateContainer,
    ) -> Result<Adjustment, Status> {
        let annotations = &event.pod.annotations;
        let own = format!("{KEY}/container.{}", event.container.name);
        let devices = annotations
            .get(&own)
            .or_else(|| annotations.get(&format!("{KEY}/pod")));
        let mut adjustment = Adjustment::new();
        for line in devices.into_iter().flat_map(|devices| devices.lines()) {
            adjustment = adjustment.device(device(line)?);
        }
        Ok(adjustment)
    }
}

/// The device of a line: `PATH TYPE MAJOR:MINOR MODE`, the mode in octal.
fn device(line: &str) -> Result<LinuxDevice, Status> {
    let invalid = || {
        Status::invalid_argument(format!(
            "{line:?} is no device: expected PATH TYPE MAJOR:MINOR MODE"
        ))
    };
    let words: Vec<_> = line.split_whitespace().collect();
    let [path, kind @ ("b" | "c"), numbers, mode] = words[..] else {
        return Err(invalid());
    };
    let (major, minor) = numbers.split_once(':').ok_or_else(invalid)?;
    if !path.starts_with("/dev/") {
        return Err(invalid());
    }
    Ok(LinuxDevice {
        path: path.to_owned(),
        type_: kind.to_owned(),
        major: major.parse().map_err(|_| invalid())?,
        minor: minor.parse().map_err(|_| invalid())?,
        file_mode: OptionalValue::of(u32::from_str_radix(mode, 8).map_err(|_| invalid())?),
        ..Default::default()
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(launched) = Launched::from_env()? {
        return Ok(launched.run(DeviceInjector).await?);
    }
    let socket = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_SOCKET.into());
    let service = Service::new(DeviceInjector, "10-device-injector".parse()?).socket(socket);
    service.run().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use containerd_nri::api::CreateContainerResponse;
    use containerd_nri_testkit::{ContainerBuilder, Outcome, PodBuilder, apply, run};
    use serde_json::json;

    use super::*;

    /// Creates the container `app` of a pod that asks for devices.
    async fn create(whose: &str, devices: &str) -> Outcome<CreateContainerResponse> {
        let pod = PodBuilder::new("pod").annotation(format!("{KEY}/{whose}"), devices);
        let pod = pod.build();
        let container = ContainerBuilder::new(&pod, "app").build();
        let mut plugin = run(DeviceInjector).await.unwrap();
        plugin.create_container(&pod, &container).await
    }

    #[tokio::test]
    async fn a_container_gets_its_devices_and_may_use_them() {
        let created = create("container.app", "/dev/fuse c 10:229 0666").await;
        let answer = created.into_answer().unwrap();
        let mut spec = json!({});
        apply(&mut spec, &answer.adjust);
        let device = json!({"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666});
        assert_eq!(spec["linux"]["devices"], json!([device]));
        let rule = json!({"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rwm"});
        assert_eq!(spec["linux"]["resources"]["devices"], json!([rule]));
    }

    #[tokio::test]
    async fn an_invalid_device_fails_the_creation() {
        for device in [
            "/dev/a",
            "/dev/a c 1:2",
            "/dev/a x 1:2 0666",
            "/dev/a c 1 0666",
            "/a c 1:2 0666",
            "/dev/a c 1:2 9",
        ] {
            let outcome = create("pod", device).await;
            assert!(matches!(outcome, Outcome::Refused(_)), "{device:?}: {outcome:?}");
        }
    }
}
