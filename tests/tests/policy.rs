//! The policy of hooks on a real runtime: rules, hooks.d, reload, and one bad pod among many.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use e2e::plugin::ANNOTATION;
use e2e::{Container, Containerd, Pod, Version, on_each_containerd};
use futures::future::try_join_all;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

async fn one_bad_pod_among_a_hundred_good_ones_fails_alone(version: Version) -> Result<()> {
    const PODS: usize = 101;
    const AT_ONCE: usize = 8;
    let containerd = Containerd::start(version).await?;
    let hooks = containerd.hooks();
    let default = hooks.recording_spec("default")?;
    hooks.recording_spec("gpu")?;
    hooks.raw_spec("bad", r#"{"prestart":[{"path":"gpu"}]}"#)?;
    let _plugin = containerd.plugin().hook_spec(&default).start().await?;

    let make = async |number: usize| -> Result<(bool, Result<Container, String>)> {
        let is_bad = number == PODS / 2;
        let selection = if is_bad { "bad" } else { "gpu" };
        let pod = containerd.pod(&format!("pod-{number}"));
        let pod = pod.annotation(ANNOTATION, selection).run().await?;
        let started = pod.start("app").await;
        Ok((is_bad, started.map_err(|error| error.message().to_owned())))
    };
    let numbers: Vec<usize> = (0..PODS).collect();
    let mut outcomes = Vec::new();
    for together in numbers.chunks(AT_ONCE) {
        outcomes.extend(try_join_all(together.iter().map(|number| make(*number))).await?);
    }
    let mut good = 0;
    for (is_bad, outcome) in outcomes {
        match outcome {
            Ok(container) => {
                assert!(!is_bad, "the bad pod was made");
                let before = hooks.ran(container.id())?;
                assert_eq!(before[..2], ["default-prestart", "gpu-prestart"]);
                good += 1;
            }
            Err(message) => {
                assert!(is_bad, "a good pod was refused: {message}");
                assert!(message.contains("bad.json:1:22: prestart[0].path"), "{message}");
            }
        }
    }
    assert_eq!(good, PODS - 1);
    assert_eq!(containerd.client().containers().await?.len(), good);
    Ok(())
}

async fn a_rule_keeps_a_hook_spec_for_the_namespaces_that_it_names(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    for name in ["gpu", "gpu-debug", "net"] {
        containerd.hooks().recording_spec(name)?;
    }
    let rules = r#"annotation.rules = [
        { effect = "allow", namespaces = ["ml-*"], specs = ["gpu*"] },
        { effect = "allow", specs = ["net"] },
        { effect = "deny", specs = ["*-debug"] },
    ]"#;
    let _plugin = containerd.plugin().configuration(rules).start().await?;

    for (namespace, selection, refused) in [
        ("ml-train", "gpu", None),
        ("ml-train", "net,gpu", None),
        ("default", "net", None),
        ("default", "gpu", Some("no rule of annotation.rules")),
        ("default", "net,gpu", Some("no rule of annotation.rules")),
        ("ml-train", "gpu-debug", Some("annotation.rules[2]")),
        ("html-x", "gpu", Some("no rule of annotation.rules")),
    ] {
        let name = format!("{}-{namespace}", selection.replace(',', "-"));
        let pod = containerd.pod(&name).namespace(namespace);
        let pod = pod.annotation(ANNOTATION, selection).run().await?;
        match (refused, pod.container("app").create().await) {
            (None, Ok(container)) => {
                container.start().await?;
                let expected: Vec<String> = selection
                    .split(',')
                    .map(|name| format!("{name}-prestart"))
                    .collect();
                assert_eq!(
                    containerd.hooks().ran(container.id())?[..expected.len()],
                    expected
                );
            }
            (Some(reason), Err(error)) => assert!(error.message().contains(reason), "{error}"),
            (_, outcome) => anyhow::bail!("{namespace} selects {selection}: {outcome:?}"),
        }
    }
    Ok(())
}

/// A file of hooks.d that runs the recorder `name` at `stages` under the conditions `when`.
fn hooks_d(
    containerd: &Containerd,
    directory: &Path,
    name: &str,
    when: Value,
    stages: &[&str],
) -> Result<()> {
    let hook = serde_json::to_value(containerd.hooks().recorder(name)?)?;
    let file = json!({"version": "1.0.0", "hook": hook, "when": when, "stages": stages});
    Ok(fs::write(
        directory.join(format!("{name}.json")),
        file.to_string(),
    )?)
}

async fn files_of_hooks_d_count_where_their_conditions_hold(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let directory = containerd.node().make_directory("hooks.d")?;
    let file =
        |name: &str, when: Value| hooks_d(&containerd, &directory, name, when, &["prestart", "poststop"]);
    file("30-always", json!({"always": true}))?;
    file("10-shell", json!({"commands": ["/sh$"]}))?;
    file(
        "20-team",
        json!({"annotations": {"^example\\.com/team$": "^fluid"}}),
    )?;
    file(
        "40-mounts",
        json!({"hasBindMounts": true, "commands": ["^/bin/"]}),
    )?;
    file("50-never", json!({"always": false}))?;
    fs::write(directory.join("60-broken.json"), "{")?;
    let mut plugin = containerd
        .plugin()
        .configuration(&format!("hooks_dirs = [{directory:?}]"))
        .start()
        .await?;
    plugin.process().log().wait_for("60-broken.json", 1).await?;

    let of_team = containerd.pod("team");
    let of_team = of_team.annotation("example.com/team", "fluids").run().await?;
    let container = of_team.start("app").await?;
    container.stop(10).await?;
    let once = ["10-shell", "20-team", "30-always", "40-mounts"];
    assert_eq!(
        containerd.hooks().ran(container.id())?,
        [once, once].concat(),
        "prestart, then poststop"
    );

    let other = containerd.pod("other").run().await?;
    assert_eq!(
        at_start(&containerd, &other, "one").await?,
        ["10-shell", "30-always", "40-mounts"]
    );
    fs::remove_file(directory.join("30-always.json"))?;
    fs::write(directory.join("10-shell.json"), "{}")?;
    assert_eq!(
        at_start(&containerd, &other, "two").await?,
        ["10-shell", "40-mounts"],
        "what is removed is gone, what turns bad stays as it was"
    );
    Ok(())
}

async fn no_string_of_a_pod_reaches_a_hook_but_as_the_state_of_its_container(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let hooks = containerd.hooks();
    let default = hooks.recording_spec("default")?;
    let mut plugin = containerd.plugin().hook_spec(&default).start().await?;
    let trap = containerd.node().directory().join("trap");
    let trap = trap.to_str().context("a path is text")?;

    let pod = containerd
        .pod("hostile")
        .annotation("run.oci.hooks.stdout", trap)
        .annotation("run.oci.hooks.stderr", trap)
        .annotation("x\u{1b}[2J", "\u{1b}[2J\n$(touch trap)")
        .run()
        .await?;
    let container = pod
        .container("app")
        .env("LD_PRELOAD", trap)
        .env("GLIBC_TUNABLES", "glibc.malloc.check=3")
        .env("PATH", trap)
        .annotation("run.oci.hooks.stderr", trap)
        .start()
        .await?;
    container.stop(10).await?;
    let records = hooks.records(container.id())?;
    assert_eq!(records.len(), 3);
    for record in records {
        let variables: Vec<&String> = record.env.keys().collect();
        assert_eq!(variables, ["PATH"], "{}", record.program);
        assert!(record.env["PATH"].starts_with("/usr/local/sbin:"));
        let program = hooks.program(&record.program);
        assert_eq!(record.args, [program.to_str().context("a path is text")?]);
    }
    assert!(!Path::new(trap).exists());
    let log = plugin.process().log().text()?;
    assert!(log.chars().all(|c| c == '\n' || !c.is_control()), "{log:?}");
    Ok(())
}

async fn a_changed_configuration_is_active_for_the_next_container(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let hooks = containerd.hooks();
    let first = hooks.recording_spec("first")?;
    let second = hooks.recording_spec("second")?;
    let with = |spec: &Path| format!("hook_spec = {spec:?}\n");
    let mut plugin = containerd.plugin().configuration(&with(&first)).start().await?;
    let pod = containerd.pod("web").run().await?;
    assert_eq!(at_start(&containerd, &pod, "one").await?, ["first-prestart"]);

    plugin.configure(&containerd, &with(&second))?;
    assert_eq!(at_start(&containerd, &pod, "two").await?, ["second-prestart"]);

    plugin.configure(&containerd, &format!("{}hook_specs = 1\n", with(&first)))?;
    plugin.process().signal(Signal::SIGHUP)?;
    let log = plugin.process().log().clone();
    log.wait_for("unknown key hook_specs; did you mean hook_spec?", 1)
        .await?;
    log.wait_for("the last good one stays active", 1).await?;
    assert_eq!(at_start(&containerd, &pod, "three").await?, ["second-prestart"]);

    plugin.configure(&containerd, &with(&first))?;
    plugin.process().signal(Signal::SIGHUP)?;
    log.wait_for("reloaded: every file is active as it is now", 1)
        .await?;
    assert_eq!(at_start(&containerd, &pod, "four").await?, ["first-prestart"]);
    assert_eq!(
        containerd.connections(plugin.name())?,
        1,
        "and the runtime has noticed nothing"
    );
    Ok(())
}

/// The hooks that ran until a container had started, in order, but for those of poststart.
async fn at_start(containerd: &Containerd, pod: &Pod, name: &str) -> Result<Vec<String>> {
    let container = pod.start(name).await.context("start")?;
    let mut ran = containerd.hooks().ran(container.id())?;
    ran.retain(|program| !program.ends_with("-poststart"));
    Ok(ran)
}

on_each_containerd!(
    one_bad_pod_among_a_hundred_good_ones_fails_alone,
    a_rule_keeps_a_hook_spec_for_the_namespaces_that_it_names,
    files_of_hooks_d_count_where_their_conditions_hold,
    no_string_of_a_pod_reaches_a_hook_but_as_the_state_of_its_container,
    a_changed_configuration_is_active_for_the_next_container,
);
