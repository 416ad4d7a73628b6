//! The effect of an adjustment on the OCI spec of a container.

use std::collections::BTreeMap;

use containerd_nri::api::{
    ContainerAdjustment, Enum, EnumOrUnknown, Hook, Hooks, LinuxContainerAdjustment, LinuxResources,
    LinuxSeccomp, Mount, OptionalValue,
};
use serde_json::{Map, Value, json};

/// Applies an adjustment to the OCI spec of a container, in the way of the runtimes. CDI devices, block I/O
/// classes and RDT classes are left out: their effect depends on the configuration of the node.
///
/// ```
/// use containerd_nri::Adjustment;
/// use containerd_nri_testkit::apply;
/// use serde_json::json;
///
/// let mut spec = json!({"process": {"env": ["PATH=/bin", "DEBUG=1"]}});
/// apply(&mut spec, Adjustment::new().env("GREETING", "hello").remove_env("DEBUG").raw());
/// assert_eq!(spec, json!({"process": {"env": ["PATH=/bin", "GREETING=hello"]}}));
/// ```
pub fn apply(spec: &mut Value, adjustment: &ContainerAdjustment) {
    for (key, value) in sorted(&adjustment.annotations) {
        entry(spec, &["annotations"], key, json!(value));
    }
    env(spec, adjustment);
    mounts(spec, &adjustment.mounts);
    hooks(spec, &adjustment.hooks);
    match &adjustment.args[..] {
        [] => {}
        [first, rest @ ..] if first.is_empty() => set(spec, &["process", "args"], json!(rest)),
        args => set(spec, &["process", "args"], json!(args)),
    }
    for limit in &adjustment.rlimits {
        let value = json!({"type": limit.type_, "hard": limit.hard, "soft": limit.soft});
        replace(spec, &["process", "rlimits"], "type", &limit.type_, Some(value));
    }
    if let Some(linux) = adjustment.linux.as_ref() {
        linux_adjustment(spec, linux);
    }
}

fn env(spec: &mut Value, adjustment: &ContainerAdjustment) {
    for variable in &adjustment.env {
        let (name, is_removed) = mark(&variable.key);
        let prefix = format!("{name}=");
        let list = list(spec, &["process", "env"]);
        let place = list
            .iter()
            .position(|set| set.as_str().is_some_and(|set| set.starts_with(&prefix)));
        let value = json!(format!("{prefix}{}", variable.value));
        match (place, is_removed) {
            (Some(place), false) => list[place] = value,
            (None, false) => list.push(value),
            (Some(place), true) => drop(list.remove(place)),
            (None, true) => {}
        }
    }
}

fn mounts(spec: &mut Value, mounts: &[Mount]) {
    for mount in mounts {
        let (destination, is_removed) = mark(&mount.destination);
        let value = json!({
            "destination": destination, "type": mount.type_, "source": mount.source, "options": mount.options,
        });
        list(spec, &["mounts"]).retain(|mount| mount["destination"] != destination);
        if !is_removed {
            list(spec, &["mounts"]).push(value);
        }
    }
    if !mounts.is_empty() {
        // A mount comes after those that it may lie in.
        let depth = |mount: &Value| {
            let destination = mount["destination"].as_str().unwrap_or_default();
            destination.split('/').filter(|part| !part.is_empty()).count()
        };
        list(spec, &["mounts"]).sort_by_key(depth);
    }
}

fn hooks(spec: &mut Value, hooks: &Hooks) {
    let stages: [(&str, &[Hook]); 6] = [
        ("prestart", &hooks.prestart),
        ("createRuntime", &hooks.create_runtime),
        ("createContainer", &hooks.create_container),
        ("startContainer", &hooks.start_container),
        ("poststart", &hooks.poststart),
        ("poststop", &hooks.poststop),
    ];
    for (stage, hooks) in stages {
        for hook in hooks {
            let mut value = json!({"path": hook.path});
            insert_unless_empty(&mut value, "args", &hook.args);
            insert_unless_empty(&mut value, "env", &hook.env);
            if let Some(timeout) = hook.timeout.to_option() {
                value["timeout"] = json!(timeout);
            }
            list(spec, &["hooks", stage]).push(value);
        }
    }
}

fn linux_adjustment(spec: &mut Value, linux: &LinuxContainerAdjustment) {
    for device in &linux.devices {
        let (path, is_removed) = mark(&device.path);
        let mut value = json!({
            "path": path, "type": device.type_, "major": device.major, "minor": device.minor,
        });
        insert_some(&mut value, "fileMode", device.file_mode.to_option());
        insert_some(&mut value, "uid", device.uid.to_option());
        insert_some(&mut value, "gid", device.gid.to_option());
        let value = (!is_removed).then_some(value);
        replace(spec, &["linux", "devices"], "path", path, value);
        if !is_removed {
            list(spec, &["linux", "resources", "devices"]).push(json!({
                "allow": true, "type": device.type_, "major": device.major, "minor": device.minor, "access": "rwm",
            }));
        }
    }
    for namespace in &linux.namespaces {
        let (kind, is_removed) = mark(&namespace.type_);
        let mut value = json!({"type": kind});
        if !namespace.path.is_empty() {
            value["path"] = json!(namespace.path);
        }
        replace(
            spec,
            &["linux", "namespaces"],
            "type",
            kind,
            (!is_removed).then_some(value),
        );
    }
    for (name, value) in sorted(&linux.sysctl) {
        entry(spec, &["linux", "sysctl"], name, json!(value));
    }
    for (host_name, device) in sorted(&linux.net_devices) {
        entry(
            spec,
            &["linux", "netDevices"],
            host_name,
            json!({"name": device.name}),
        );
    }
    if !linux.cgroups_path.is_empty() {
        set(spec, &["linux", "cgroupsPath"], json!(linux.cgroups_path));
    }
    if let Some(score) = linux.oom_score_adj.to_option() {
        set(spec, &["process", "oomScoreAdj"], json!(score));
    }
    if let Some(priority) = linux.io_priority.as_ref() {
        let value = json!({"class": name_of(priority.class), "priority": priority.priority});
        set(spec, &["process", "ioPriority"], value);
    }
    if let Some(scheduler) = linux.scheduler.as_ref() {
        let flags: Vec<_> = scheduler.flags.iter().map(|flag| name_of(*flag)).collect();
        let mut value = json!({"policy": name_of(scheduler.policy)});
        for (key, number) in [
            ("nice", json!(scheduler.nice)),
            ("priority", json!(scheduler.priority)),
            ("runtime", json!(scheduler.runtime)),
            ("deadline", json!(scheduler.deadline)),
            ("period", json!(scheduler.period)),
        ] {
            if number != 0 {
                value[key] = number;
            }
        }
        insert_unless_empty(&mut value, "flags", &flags);
        set(spec, &["process", "scheduler"], value);
    }
    if let Some(policy) = linux.seccomp_policy.as_ref() {
        set(spec, &["linux", "seccomp"], seccomp(policy));
    }
    if let Some(policy) = linux.memory_policy.as_ref() {
        let flags: Vec<_> = policy.flags.iter().map(|flag| name_of(*flag)).collect();
        let value = json!({"mode": name_of(policy.mode), "nodes": policy.nodes, "flags": flags});
        set(spec, &["linux", "memoryPolicy"], value);
    }
    if let Some(rdt) = linux.rdt.as_ref() {
        if rdt.remove {
            entry(spec, &["linux"], "-intelRdt", Value::Null);
        }
        if let Some(id) = rdt.clos_id.to_option() {
            set(spec, &["linux", "intelRdt", "closID"], json!(id));
        }
        if let Some(lines) = rdt.schemata.to_option() {
            set(spec, &["linux", "intelRdt", "schemata"], json!(lines));
        }
        if let Some(enable) = rdt.enable_monitoring.to_option() {
            set(spec, &["linux", "intelRdt", "enableMonitoring"], json!(enable));
        }
    }
    if let Some(resources) = linux.resources.as_ref() {
        apply_resources(spec, resources);
    }
}

/// Applies new resources to the OCI spec of a container, in the way of the runtimes: those of an adjustment, or of an
/// update. Block I/O classes and RDT classes are left out.
pub fn apply_resources(spec: &mut Value, resources: &LinuxResources) {
    let (memory, cpu) = (&resources.memory, &resources.cpu);
    let numbers = [
        ("memory", "limit", number(&memory.limit)),
        ("memory", "reservation", number(&memory.reservation)),
        ("memory", "swap", number(&memory.swap)),
        ("memory", "kernel", number(&memory.kernel)),
        ("memory", "kernelTCP", number(&memory.kernel_tcp)),
        ("memory", "swappiness", number(&memory.swappiness)),
        ("memory", "disableOOMKiller", number(&memory.disable_oom_killer)),
        ("memory", "useHierarchy", number(&memory.use_hierarchy)),
        ("cpu", "shares", number(&cpu.shares)),
        ("cpu", "quota", number(&cpu.quota)),
        ("cpu", "period", number(&cpu.period)),
        ("cpu", "realtimeRuntime", number(&cpu.realtime_runtime)),
        ("cpu", "realtimePeriod", number(&cpu.realtime_period)),
        ("cpu", "cpus", Some(json!(cpu.cpus)).filter(|cpus| cpus != "")),
        ("cpu", "mems", Some(json!(cpu.mems)).filter(|mems| mems != "")),
        (
            "pids",
            "limit",
            resources.pids.as_ref().map(|pids| json!(pids.limit)),
        ),
    ];
    for (controller, key, value) in numbers {
        if let Some(value) = value {
            set(spec, &["linux", "resources", controller, key], value);
        }
    }
    for limit in &resources.hugepage_limits {
        let value = json!({"pageSize": limit.page_size, "limit": limit.limit});
        let path = ["linux", "resources", "hugepageLimits"];
        replace(spec, &path, "pageSize", &limit.page_size, Some(value));
    }
    for (file, value) in sorted(&resources.unified) {
        set(spec, &["linux", "resources", "unified", file], json!(value));
    }
    for rule in &resources.devices {
        let mut value = json!({"allow": rule.allow, "type": rule.type_, "access": rule.access});
        insert_some(&mut value, "major", rule.major.to_option());
        insert_some(&mut value, "minor", rule.minor.to_option());
        list(spec, &["linux", "resources", "devices"]).push(value);
    }
}

fn seccomp(policy: &LinuxSeccomp) -> Value {
    let syscalls = policy.syscalls.iter().map(|rule| {
        let mut value = json!({"names": rule.names, "action": rule.action});
        insert_some(&mut value, "errnoRet", rule.errno_ret.to_option());
        let args: Vec<_> = rule
            .args
            .iter()
            .map(|arg| json!({"index": arg.index, "value": arg.value, "valueTwo": arg.value_two, "op": arg.op}))
            .collect();
        insert_unless_empty(&mut value, "args", &args);
        value
    });
    let syscalls: Vec<_> = syscalls.collect();
    let mut value = json!({"defaultAction": policy.default_action});
    insert_some(&mut value, "defaultErrnoRet", policy.default_errno.to_option());
    insert_unless_empty(&mut value, "architectures", &policy.architectures);
    insert_unless_empty(&mut value, "flags", &policy.flags);
    for (key, text) in [
        ("listenerPath", &policy.listener_path),
        ("listenerMetadata", &policy.listener_metadata),
    ] {
        if !text.is_empty() {
            value[key] = json!(text);
        }
    }
    insert_unless_empty(&mut value, "syscalls", &syscalls);
    value
}

/// A key without the mark that removes it, and whether it has one.
fn mark(key: &str) -> (&str, bool) {
    key.strip_prefix('-').map_or((key, false), |key| (key, true))
}

fn sorted<V>(map: &std::collections::HashMap<String, V>) -> BTreeMap<&str, &V> {
    map.iter().map(|(key, value)| (key.as_str(), value)).collect()
}

fn number<T: Into<Value>, W: OptionalValue<Value = T>>(field: &W) -> Option<Value> {
    field.to_option().map(Into::into)
}

/// The name of a value in the OCI runtime-spec.
fn name_of<E: Enum + std::fmt::Debug>(value: EnumOrUnknown<E>) -> String {
    value
        .enum_value()
        .map_or_else(|number| number.to_string(), |value| format!("{value:?}"))
}

fn insert_some<T: Into<Value>>(value: &mut Value, key: &str, content: Option<T>) {
    if let Some(content) = content {
        value[key] = content.into();
    }
}

fn insert_unless_empty<T: Clone + Into<Value>>(value: &mut Value, key: &str, content: &[T]) {
    if !content.is_empty() {
        value[key] = content.to_vec().into();
    }
}

/// The value at a path, which is created if it does not exist.
fn at<'a>(mut value: &'a mut Value, path: &[&str]) -> &'a mut Value {
    for key in path {
        if !value.is_object() {
            *value = Value::Object(Map::new());
        }
        value = &mut value[*key];
    }
    value
}

fn set(spec: &mut Value, path: &[&str], content: Value) {
    *at(spec, path) = content;
}

/// The list at a path, which is created if it does not exist.
fn list<'a>(spec: &'a mut Value, path: &[&str]) -> &'a mut Vec<Value> {
    let value = at(spec, path);
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    match value {
        Value::Array(list) => list,
        _ => unreachable!("it was just made one"),
    }
}

/// Sets or, by the mark of its key, removes an entry of an object.
fn entry(spec: &mut Value, path: &[&str], key: &str, content: Value) {
    let (key, is_removed) = mark(key);
    let object = at(spec, path);
    match object.as_object_mut() {
        Some(object) if is_removed => drop(object.remove(key)),
        None if is_removed => {}
        _ => set(object, &[key], content),
    }
}

/// Replaces, adds or removes the element of a list whose `key` is `name`.
fn replace(spec: &mut Value, path: &[&str], key: &str, name: &str, content: Option<Value>) {
    let list = list(spec, path);
    let place = list.iter().position(|element| element[key] == name);
    match (place, content) {
        (Some(place), Some(content)) => list[place] = content,
        (None, Some(content)) => list.push(content),
        (Some(place), None) => drop(list.remove(place)),
        (None, None) => {}
    }
}

#[cfg(test)]
mod tests;
