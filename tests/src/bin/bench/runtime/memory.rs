//! The memory of a runner, seen by the hooks that it runs.

use std::fs;

use anyhow::{Context as _, Result};
use e2e::{Containerd, HookSpec, Runtime};

/// What a hook runs: appends the peak memory of its supervisor and of that one's runner to `$FILE`, and what each is.
const LOOK: &str = r#"
runner=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$PPID/status")
for process in "$PPID" "$runner"; do
    [ "$(readlink "/proc/$process/exe")" = "$(readlink "/proc/$PPID/exe")" ] || continue
    sed -n 's/^VmHWM:[[:space:]]*//p' "/proc/$process/status" >>"$FILE"
done
"#;

/// The peak resident memory in kB that any process of the runner had during the life of a container with three
/// hooks.
pub(crate) async fn peak(runtime: Runtime) -> Result<u64> {
    let containerd = runtime.start().await?;
    let peak = measure(&containerd).await?;
    containerd.remove_silently();
    Ok(peak)
}

async fn measure(containerd: &Containerd) -> Result<u64> {
    let hooks = containerd.hooks();
    let file = containerd.node().directory().join("peaks");
    let variable = format!("FILE={}", file.display());
    let look = |stage: &str| -> Result<_> {
        let hook = hooks.script(stage, LOOK)?.args([stage, "--verbose"]).timeout(5);
        Ok(hook.env(["PATH=/usr/bin:/bin", &variable]))
    };
    let spec = HookSpec::new()
        .prestart(look("prestart")?)
        .poststart(look("poststart")?)
        .poststop(look("poststop")?);
    let spec = hooks.spec("default", &spec)?;
    let _plugin = containerd
        .plugin()
        .delivery("runner")
        .hook_spec(&spec)
        .start()
        .await?;
    let container = containerd.pod("memory").run().await?.start("app").await?;
    container.stop(10).await?;

    let text = fs::read_to_string(&file).context("the hooks did not run")?;
    let peaks = text.lines().map(|line| {
        let number = line
            .split_whitespace()
            .next()
            .and_then(|number| number.parse::<u64>().ok());
        number.with_context(|| format!("{line:?} is no amount of memory"))
    });
    let peaks = peaks.collect::<Result<Vec<_>>>()?;
    anyhow::ensure!(
        peaks.len() >= 6,
        "not all hooks saw supervisor and runner: {text}"
    );
    peaks.into_iter().max().context("no hook has seen anything")
}
