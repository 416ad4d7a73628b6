//! How hooks run once a container has them.

use anyhow::{Context, Result};
use e2e::{Containerd, Delivery, HookSpec, Version, on_each_containerd};
use serde_json::json;

async fn hooks_are_visible_in_the_spec_of_the_container(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let hooks = containerd.hooks();
    let full = hooks
        .recorder("full")?
        .args(["first", "--second"])
        .env(["KEY=value"])
        .timeout(7);
    let spec = HookSpec::new().prestart(full).poststop(hooks.recorder("bare")?);
    let spec = hooks.spec("default", &spec)?;
    let _plugin = containerd.deliver(Delivery::Direct, &spec).await?;

    let pod = containerd.pod("web").run().await?;
    let status = pod.start("app").await?.status().await?;
    let [full] = status.hooks("prestart") else {
        anyhow::bail!("{status:?}")
    };
    assert_eq!(full["args"], json!(["first", "--second"]));
    assert_eq!(full["env"], json!(["KEY=value"]));
    assert_eq!(full["timeout"], json!(7));
    let [bare] = status.hooks("poststop") else {
        anyhow::bail!("{status:?}")
    };
    assert_eq!(bare["args"], json!([bare["path"]]), "argv is never empty");
    assert_eq!(bare["timeout"], json!(30), "a hook never runs without limit");
    let env = bare["env"].as_array().context("env is never empty")?;
    assert!(matches!(env.as_slice(), [path] if path.as_str().is_some_and(|it| it.starts_with("PATH=/"))));
    assert!(status.hooks("poststart").is_empty());
    Ok(())
}

async fn hooks_get_their_argv_their_environment_and_the_state_of_the_container(
    version: Version,
) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let hooks = containerd.hooks();
    let full = hooks
        .recorder("full")?
        .args(["first", "two words", ""])
        .env(["KEY=value", "EMPTY="]);
    let spec = HookSpec::new()
        .prestart(full)
        .poststart(hooks.recorder("poststart")?)
        .poststop(hooks.recorder("poststop")?);
    let spec = hooks.spec("default", &spec)?;
    let _plugin = containerd.deliver(Delivery::Direct, &spec).await?;

    let pod = containerd.pod("web").run().await?;
    let container = pod
        .container("app")
        .env("SECRET", "of the container")
        .create()
        .await?;
    assert!(
        hooks.ran(container.id())?.is_empty(),
        "hooks ran before the start"
    );
    container.start().await?;
    let init = container.status().await?.pid();
    container.stop(10).await?;

    let records = hooks.records(container.id())?;
    let [full, poststart, poststop] = records.as_slice() else {
        anyhow::bail!("{records:?}")
    };
    assert_eq!(full.args, ["first", "two words", ""]);
    let env: Vec<_> = full
        .env
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(env, [("EMPTY", ""), ("KEY", "value")]);
    assert_eq!(full.state["pid"], json!(init));
    for record in [full, poststart, poststop] {
        let bundle = record.state["bundle"]
            .as_str()
            .context("the state has a bundle")?;
        assert!(bundle.ends_with(container.id()));
        assert_eq!(
            record.state["annotations"]["io.kubernetes.cri.container-name"],
            json!("app")
        );
    }
    for record in [poststart, poststop] {
        assert!(record.args[0].ends_with(&format!("/hooks/{}", record.program)));
        assert_eq!(record.env.keys().collect::<Vec<_>>(), ["PATH"]);
    }
    assert_eq!(poststop.state["status"], json!("stopped"));
    assert!(full.began < poststart.began && poststart.began < poststop.began);
    Ok(())
}

on_each_containerd!(
    hooks_are_visible_in_the_spec_of_the_container,
    hooks_get_their_argv_their_environment_and_the_state_of_the_container,
);
