//! Which hooks a container gets: the default spec, the annotation, both, and refusals.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use e2e::plugin::ANNOTATION;
use e2e::{Container, Containerd, Delivery, HookSpec, Pod, Version, on_each_containerd};

async fn a_default_spec_is_for_every_container(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let _plugin = containerd.deliver(Delivery::Direct, &spec).await?;

    let web = containerd.pod("web").run().await?;
    let dns = containerd.pod("dns").namespace("kube-system").run().await?;
    for container in [
        web.start("app").await?,
        web.start("side").await?,
        dns.start("app").await?,
    ] {
        assert_eq!(prestart(&container).await?, ["default-prestart"]);
        container.stop(10).await?;
        let all = ["default-prestart", "default-poststart", "default-poststop"];
        assert_eq!(containerd.hooks().ran(container.id())?, all);
    }
    Ok(())
}

async fn an_annotation_selects_a_spec_without_a_default(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let path = containerd.hooks().recording_spec("gpu")?;
    let _plugin = containerd.plugin().delivery("direct").start().await?;

    let path = path.to_str().context("a path is text")?;
    for (pod, selection) in [("by-name", "gpu"), ("by-path", path)] {
        let pod = containerd
            .pod(pod)
            .annotation(ANNOTATION, selection)
            .run()
            .await?;
        let container = pod.start("app").await?;
        container.stop(10).await?;
        let all = ["gpu-prestart", "gpu-poststart", "gpu-poststop"];
        assert_eq!(containerd.hooks().ran(container.id())?, all);
    }
    let pod = containerd.pod("plain").run().await?;
    let container = pod.start("app").await?;
    container.stop(10).await?;
    assert!(containerd.hooks().ran(container.id())?.is_empty());
    Ok(())
}

async fn default_hooks_run_before_those_of_the_annotation_in_listed_order(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let hooks = containerd.hooks();
    let default = HookSpec::new()
        .prestart(hooks.recorder("default-1")?)
        .prestart(hooks.recorder("default-2")?)
        .poststop(hooks.recorder("default-end")?);
    let default = hooks.spec("default", &default)?;
    let zoo = HookSpec::new()
        .prestart(hooks.recorder("zoo-1")?)
        .prestart(hooks.recorder("zoo-2")?);
    hooks.spec("zoo", &zoo)?;
    let ape = HookSpec::new()
        .prestart(hooks.recorder("ape-1")?)
        .poststop(hooks.recorder("ape-end")?);
    hooks.spec("ape", &ape)?;
    let _plugin = containerd.deliver(Delivery::Direct, &default).await?;

    let pod = containerd
        .pod("web")
        .annotation(ANNOTATION, "zoo,ape")
        .run()
        .await?;
    let container = pod.start("app").await?;
    let before = ["default-1", "default-2", "zoo-1", "zoo-2", "ape-1"];
    assert_eq!(prestart(&container).await?, before);
    container.stop(10).await?;
    let all = [
        "default-1",
        "default-2",
        "zoo-1",
        "zoo-2",
        "ape-1",
        "default-end",
        "ape-end",
    ];
    assert_eq!(hooks.ran(container.id())?, all);
    Ok(())
}

async fn a_bad_annotation_fails_that_create_alone(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let hooks = containerd.hooks();
    let default = hooks.recording_spec("default")?;
    hooks.raw_spec("broken", r#"{ "prestart": [ }"#)?;
    hooks.raw_spec("typo", r#"{ "prestrat": [] }"#)?;
    hooks.spec(
        "gone",
        &HookSpec::new().prestart(hooks.spec_directory().join("no-such-program")),
    )?;
    let loose = hooks.recording_spec("loose")?;
    fs::set_permissions(&loose, fs::Permissions::from_mode(0o666))?;
    let _plugin = containerd.deliver(Delivery::Direct, &default).await?;
    let good = containerd.pod("good").run().await?;

    let up = hooks.spec_directory().join("../specs/default.json");
    let up = up.to_str().context("a path is text")?;
    let bad = [
        ("relative", "gpu/fast.json", "gpu/fast.json"),
        ("outside", "/etc/passwd", "/etc/passwd"),
        ("dots", up, ".."),
        ("missing", "no-such-spec", "no-such-spec"),
        ("not-json", "broken", "broken.json"),
        ("unknown-stage", "typo", "prestrat"),
        ("no-program", "gone", "no-such-program"),
        ("writable", "loose", "loose.json"),
        ("empty-element", "default,,default", "element 2"),
    ];
    for (name, value, expected) in bad {
        let pod = containerd.pod(name).annotation(ANNOTATION, value).run().await?;
        let message = refusal(&pod).await?;
        assert!(
            message.contains(expected),
            "{name}: {message:?} does not tell {expected:?}"
        );
        assert_eq!(prestart(&good.start(name).await?).await?, ["default-prestart"]);
    }
    assert_eq!(containerd.client().containers().await?.len(), bad.len());
    Ok(())
}

async fn a_default_spec_that_turns_invalid_leaves_the_last_good_one_active(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let default = containerd.hooks().recording_spec("default")?;
    let _plugin = containerd.deliver(Delivery::Direct, &default).await?;
    let pod = containerd.pod("web").run().await?;
    assert_eq!(prestart(&pod.start("before").await?).await?, ["default-prestart"]);

    containerd.hooks().raw_spec("default", "{")?;
    assert_eq!(
        prestart(&pod.start("meanwhile").await?).await?,
        ["default-prestart"]
    );

    let valid = HookSpec::new().prestart(containerd.hooks().recorder("valid")?);
    containerd.hooks().spec("default", &valid)?;
    assert_eq!(prestart(&pod.start("after").await?).await?, ["valid"]);
    Ok(())
}

/// The names of the prestart hooks in a container's OCI spec, in order.
async fn prestart(container: &Container) -> Result<Vec<String>> {
    let status = container.status().await?;
    let paths = status
        .hooks("prestart")
        .iter()
        .map(|hook| hook["path"].as_str().unwrap_or_default());
    Ok(paths
        .map(|path| path.rsplit('/').next().unwrap_or_default().to_owned())
        .collect())
}

/// Why container `app` of a pod cannot be created.
async fn refusal(pod: &Pod) -> Result<String> {
    let created = pod.container("app").create().await;
    Ok(created
        .err()
        .context("the container was created")?
        .message()
        .to_owned())
}

on_each_containerd!(
    a_default_spec_is_for_every_container,
    an_annotation_selects_a_spec_without_a_default,
    default_hooks_run_before_those_of_the_annotation_in_listed_order,
    a_bad_annotation_fails_that_create_alone,
    a_default_spec_that_turns_invalid_leaves_the_last_good_one_active,
);
