//! Prints an explanation for people.

use std::io::{self, Write};

use super::explanation::{ContainerExplanation, Explanation, HookExplanation};
use crate::config::{Delivery, MissedAction};
use crate::manifest::ContainerKind;
use crate::model::{counted, escaped, one_line};

/// Prints `explanation`. Text from other sources is escaped and bounded. Hook-specs that could apply and do
/// not are left out unless they resemble the request, or `all` is to be printed.
pub(super) fn print(explanation: &Explanation, all: bool, out: &mut impl Write) -> io::Result<()> {
    for pod in &explanation.pods {
        writeln!(
            out,
            "{}, namespace {}",
            label(&pod.object),
            escaped(&pod.namespace)
        )?;
        print_list("warning", &pod.warnings, out)?;
        for container in &pod.containers {
            print_container(container, all, out)?;
        }
        if pod.missed != explanation.missed {
            writeln!(
                out,
                "  if missed: containers of this pod are reported, and not restarted"
            )?;
        }
        if pod.delivery != explanation.delivery {
            writeln!(out, "  delivery of this pod: {}", delivered(pod.delivery))?;
        }
        writeln!(out)?;
    }
    for other in &explanation.others {
        writeln!(out, "{}: has no pod\n", label(other))?;
    }
    for error in &explanation.errors {
        writeln!(out, "error: {}", one_line(&error.to_string()))?;
    }
    match &explanation.config {
        Some(file) => writeln!(out, "configuration: {}", escaped(file))?,
        None => writeln!(out, "configuration: none; the defaults apply")?,
    }
    writeln!(out, "delivery: {}", delivered(explanation.delivery))?;
    let missed = match explanation.missed {
        MissedAction::Report => "report: a container that was created without the daemon is reported",
        MissedAction::Restart => {
            "restart: a container that was created without the daemon is reported, and its init is ended"
        }
    };
    writeln!(out, "if missed: {missed}")
}

/// The label of an object. Its name needs no escapes in any manifest that Kubernetes accepts.
fn label(object: &str) -> String {
    match object {
        "the pod described" => object.to_owned(),
        object => escaped(object).to_string(),
    }
}

fn print_container(container: &ContainerExplanation, all: bool, out: &mut impl Write) -> io::Result<()> {
    let kind = match container.kind {
        ContainerKind::Init => "init container",
        ContainerKind::Main => "container",
        ContainerKind::Ephemeral => "ephemeral container",
    };
    let name = escaped(&container.container);
    match (&container.refused, container.hooks()) {
        (Some(reason), _) => {
            writeln!(out, "  {kind} {name}: would not be created")?;
            writeln!(out, "    {}", one_line(reason))?;
        }
        (None, 0) => writeln!(out, "  {kind} {name}: no hooks")?,
        (None, hooks) => writeln!(out, "  {kind} {name}: {}", counted(hooks, "hook"))?,
    }
    for (stage, hooks) in &container.stages {
        match stage.is_in_container() {
            true => writeln!(
                out,
                "    {stage} (by the OCI runtime, in the container's namespaces)"
            )?,
            false => writeln!(out, "    {stage}")?,
        }
        for (index, hook) in hooks.iter().enumerate() {
            print_hook(index + 1, hook, out)?;
        }
    }
    print_list(
        "left out, because failure_policy is ignore",
        &container.ignored,
        out,
    )?;
    print_list("warning", &container.warnings, out)?;
    let unused = container.unused.iter();
    let unused = unused.filter(|unused| all || unused.what.is_near());
    let unused: Vec<&String> = unused.map(|unused| &unused.text).collect();
    print_list("does not apply", &unused, out)?;
    match container.unused.len() - unused.len() {
        0 => Ok(()),
        1 => writeln!(out, "    1 more hook-spec does not apply: see --all"),
        more => writeln!(out, "    {more} more hook-specs do not apply: see --all"),
    }
}

fn print_hook(number: usize, hook: &HookExplanation, out: &mut impl Write) -> io::Result<()> {
    let args: Vec<String> = hook.args.iter().map(|arg| escaped(arg).to_string()).collect();
    let env: Vec<String> = hook.env.iter().map(|name| escaped(name).to_string()).collect();
    writeln!(out, "      {number}. {}", escaped(&hook.path))?;
    if let Some(image) = &hook.image {
        writeln!(out, "         {image}")?;
    }
    writeln!(
        out,
        "         argv [{}], env {}, at most {} s",
        args.join(", "),
        env.join(" "),
        hook.timeout
    )?;
    writeln!(
        out,
        "         {}:{}, {}",
        escaped(&hook.file),
        hook.line,
        one_line(&hook.by.to_string())
    )
}

fn print_list<T: AsRef<str>>(title: &str, items: &[T], out: &mut impl Write) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "    {title}")?;
    for item in items {
        writeln!(out, "      - {}", one_line(item.as_ref()))?;
    }
    Ok(())
}

fn delivered(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Runner => {
            "runner: the container's OCI spec gets one hook per stage, which runs the stage's hooks; the daemon runs stages that the OCI runtime leaves out"
        }
        Delivery::Direct => {
            "direct: the hooks go into the container's OCI spec, and the OCI runtime runs them by its own rules"
        }
        Delivery::Events => {
            "events: the daemon runs the hooks at events of NRI; nothing goes into the container's OCI spec"
        }
    }
}
