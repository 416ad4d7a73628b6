//! Adjustments of all kinds, applied to an OCI spec.

use containerd_nri::api::{IOPrioClass, LinuxDevice, LinuxNetDevice, MpolMode, POSIXRlimit};
use containerd_nri::{Adjustment, HookStage};

use super::*;

fn applied(mut spec: Value, adjustment: Adjustment) -> Value {
    apply(&mut spec, adjustment.raw());
    spec
}

#[test]
fn no_change_leaves_the_spec_as_it_is() {
    let spec = json!({"process": {"args": ["sh"]}, "linux": {}});
    assert_eq!(applied(spec.clone(), Adjustment::new()), spec);
}

#[test]
fn existing_elements_are_replaced_in_their_place_or_removed() {
    let spec = json!({
        "annotations": {"a": "1", "b": "2"},
        "process": {"env": ["A=1", "B=2"], "rlimits": [{"type": "RLIMIT_CORE", "hard": 1, "soft": 1}]},
        "linux": {"namespaces": [{"type": "ipc"}, {"type": "network"}], "sysctl": {"x": "1"}},
    });
    let limit = POSIXRlimit {
        type_: "RLIMIT_CORE".into(),
        hard: 3,
        soft: 2,
        ..Default::default()
    };
    let adjustment = Adjustment::new()
        .annotation("a", "3")
        .remove_annotation("b")
        .env("A", "3")
        .remove_env("B")
        .rlimit(limit)
        .remove_namespace("ipc")
        .namespace("network", "/run/netns/a")
        .remove_sysctl("x");
    assert_eq!(
        applied(spec, adjustment),
        json!({
            "annotations": {"a": "3"},
            "process": {"env": ["A=3"], "rlimits": [{"type": "RLIMIT_CORE", "hard": 3, "soft": 2}]},
            "linux": {"namespaces": [{"type": "network", "path": "/run/netns/a"}], "sysctl": {}},
        })
    );
}

#[test]
fn mounts_come_after_those_that_they_may_lie_in() {
    let mount = |destination: &str| Mount {
        destination: destination.into(),
        ..Default::default()
    };
    let spec = json!({"mounts": [{"destination": "/data/a"}, {"destination": "/old"}]});
    let spec = applied(spec, Adjustment::new().mount(mount("/data")).remove_mount("/old"));
    let destinations: Vec<_> = spec["mounts"].as_array().unwrap().iter().collect();
    assert_eq!(destinations[0]["destination"], "/data");
    assert_eq!(destinations[1]["destination"], "/data/a");
    assert_eq!(destinations.len(), 2);
}

#[test]
fn all_other_changes_reach_their_place() {
    let hook = Hook {
        path: "/bin/true".into(),
        timeout: OptionalValue::of(5),
        ..Default::default()
    };
    let device = LinuxDevice {
        path: "/dev/a".into(),
        type_: "c".into(),
        major: 1,
        minor: 3,
        ..Default::default()
    };
    let renamed = LinuxNetDevice {
        name: "net1".into(),
        ..Default::default()
    };
    let adjustment = Adjustment::new()
        .hook(HookStage::CreateRuntime, hook)
        .device(device)
        .replace_args(["sh", "-c", "true"])
        .oom_score_adj(5)
        .cgroups_path("/a")
        .io_priority(IOPrioClass::IOPRIO_CLASS_BE, 3)
        .memory_policy(MpolMode::MPOL_BIND, "0", [])
        .net_device("eth1", renamed)
        .memory_limit(1)
        .cpuset_cpus("0-1")
        .pids_limit(7)
        .hugepage_limit("2MB", 8)
        .unified("memory.high", "9");
    assert_eq!(
        applied(json!({}), adjustment),
        json!({
            "hooks": {"createRuntime": [{"path": "/bin/true", "timeout": 5}]},
            "process": {
                "args": ["sh", "-c", "true"], "oomScoreAdj": 5,
                "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 3},
            },
            "linux": {
                "devices": [{"path": "/dev/a", "type": "c", "major": 1, "minor": 3}],
                "cgroupsPath": "/a",
                "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": []},
                "netDevices": {"eth1": {"name": "net1"}},
                "resources": {
                    "devices": [{"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"}],
                    "memory": {"limit": 1}, "cpu": {"cpus": "0-1"}, "pids": {"limit": 7},
                    "hugepageLimits": [{"pageSize": "2MB", "limit": 8}],
                    "unified": {"memory.high": "9"},
                },
            },
        })
    );
}
