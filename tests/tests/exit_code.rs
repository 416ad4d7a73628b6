//! Poststop finds the exit code of init, on kernels that report it.

use anyhow::Result;
use e2e::{Container, Containerd, HookSpec, Version, on_each_containerd};
use nri_oci_hooks::system::knows_exit_codes;
use serde_json::Value;

const KEY: &str = "nri-oci-hooks.noderesource.dev/exit-code";

async fn poststop_gets_the_exit_code_of_init(version: Version) -> Result<()> {
    for delivery in ["runner", "events"] {
        let containerd = Containerd::start(version).await?;
        let hooks = containerd.hooks();
        // Poststop alone: nothing else would have the daemon know init.
        let spec = hooks.spec("default", &HookSpec::new().poststop(hooks.recorder("last")?))?;
        let plugin = containerd.plugin().hook_spec(&spec).delivery(delivery);
        let _plugin = plugin.start().await?;
        let pod = containerd.pod("web").annotation(KEY, "0").run().await?;
        let code = async |container: &Container| -> Result<Value> {
            let record = hooks.await_record(container.id(), "last").await?;
            Ok(record.state["annotations"][KEY].clone())
        };
        let expected = |code: &str| match knows_exit_codes() {
            true => Value::from(code),
            false => Value::Null,
        };
        let seven = pod
            .container("seven")
            .command(["/bin/sh", "-c", "sleep 0.2; exit 7"]);
        let seven = seven.start().await?;
        assert_eq!(code(&seven).await?, expected("7"), "{delivery}");
        let killed = pod
            .container("killed")
            .command(["/bin/sleep", "1000"])
            .start()
            .await?;
        killed.stop(0).await?;
        assert_eq!(code(&killed).await?, expected("137"), "{delivery}");
        let good = pod.start("good").await?;
        good.stop(10).await?;
        assert_eq!(code(&good).await?, expected("0"), "{delivery}");
    }
    Ok(())
}

on_each_containerd!(poststop_gets_the_exit_code_of_init);
