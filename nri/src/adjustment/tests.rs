//! Setters, and the message that they make.

use super::*;

#[test]
fn removals_are_marked_with_a_dash() {
    let mut adjustment = Adjustment::new()
        .remove_env("A")
        .remove_annotation("b")
        .remove_mount("/c")
        .remove_device("/dev/d");
    let raw = adjustment.raw_mut();
    assert_eq!((raw.env[0].key.as_str(), raw.env[0].value.as_str()), ("-A", ""));
    assert_eq!(raw.annotations.get("-b").map(String::as_str), Some(""));
    assert_eq!(raw.mounts[0].destination, "-/c");
    assert_eq!(raw.linux.devices[0].path, "-/dev/d");
}

#[test]
fn hooks_keep_their_order_within_their_stage() {
    let hook = |path: &str| api::Hook {
        path: path.into(),
        ..Default::default()
    };
    let adjustment = Adjustment::new()
        .hook(HookStage::Poststop, hook("/a"))
        .hook(HookStage::Prestart, hook("/b"))
        .hook(HookStage::Poststop, hook("/c"));
    let hooks = &adjustment.raw().hooks;
    assert_eq!(hooks.prestart, [hook("/b")]);
    assert_eq!(hooks.poststop, [hook("/a"), hook("/c")]);
}

#[test]
fn limits_are_present_even_when_zero() {
    let adjustment = Adjustment::new().cpu_shares(0).pids_limit(0).oom_score_adj(0);
    let linux = &adjustment.raw().linux;
    assert!(linux.resources.cpu.shares.is_some());
    assert!(linux.resources.pids.is_some());
    assert!(linux.oom_score_adj.is_some());
}

#[test]
fn every_field_of_an_adjustment_has_a_setter() {
    let hook = api::Hook {
        path: "/h".into(),
        ..Default::default()
    };
    let adjustment = Adjustment::new()
        .annotation("a", "b")
        .env("A", "b")
        .mount(api::Mount::default())
        .hook(HookStage::Prestart, hook)
        .rlimit(api::POSIXRlimit::default())
        .cdi_device("vendor/class=name")
        .replace_args(["sh"])
        .device(api::LinuxDevice::default())
        .oom_score_adj(1)
        .cgroups_path("/a")
        .namespace("network", "/n")
        .remove_namespace("ipc")
        .sysctl("a", "b")
        .remove_sysctl("c")
        .net_device("eth1", api::LinuxNetDevice::default())
        .remove_net_device("eth2")
        .io_priority(api::IOPrioClass::IOPRIO_CLASS_BE, 3)
        .seccomp_policy(api::LinuxSeccomp::default())
        .scheduler(api::LinuxScheduler::default())
        .rdt_clos_id("a")
        .rdt_schemata(["L3:0=f"])
        .rdt_enable_monitoring(true)
        .remove_rdt()
        .memory_policy(
            api::MpolMode::MPOL_BIND,
            "0",
            [api::MpolFlag::MPOL_F_STATIC_NODES],
        )
        .memory_limit(1)
        .update(crate::Update::new("other").cpu_shares(1));
    let api::ContainerAdjustment {
        annotations,
        mounts,
        env,
        hooks,
        linux,
        rlimits,
        CDI_devices,
        args,
        ..
    } = adjustment.raw().clone();
    assert!(!annotations.is_empty() && !mounts.is_empty() && !env.is_empty() && hooks.is_some());
    assert!(!rlimits.is_empty() && !CDI_devices.is_empty());
    assert_eq!(args, ["", "sh"]);
    let api::LinuxContainerAdjustment {
        devices,
        resources,
        cgroups_path,
        oom_score_adj,
        io_priority,
        seccomp_policy,
        namespaces,
        sysctl,
        net_devices,
        scheduler,
        rdt,
        memory_policy,
        ..
    } = linux.unwrap();
    assert!(!devices.is_empty() && resources.is_some() && !cgroups_path.is_empty());
    assert!(oom_score_adj.is_some() && io_priority.is_some() && seccomp_policy.is_some());
    let namespaces: Vec<_> = namespaces.iter().map(|n| (&*n.type_, &*n.path)).collect();
    assert_eq!(namespaces, [("network", "/n"), ("-ipc", "")]);
    assert!(sysctl.contains_key("a") && sysctl.contains_key("-c"));
    assert!(net_devices.contains_key("eth1") && net_devices.contains_key("-eth2"));
    assert!(scheduler.is_some() && memory_policy.is_some());
    let rdt = rdt.unwrap();
    assert!(rdt.clos_id.is_some() && rdt.schemata.is_some() && rdt.enable_monitoring.is_some() && rdt.remove);
}

#[test]
fn no_change_takes_no_bytes() {
    assert_eq!(Adjustment::new().encoded_len(), 0);
    assert!(Adjustment::new().env("A", "b").encoded_len() > 0);
}
