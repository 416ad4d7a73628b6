//! The stages of a hook-spec in NRI's messages.

use containerd_nri::{HookStage, api};

use crate::model::Stage;

/// NRI's name of `stage`.
pub(super) fn to_nri_stage(stage: Stage) -> HookStage {
    match stage {
        Stage::Prestart => HookStage::Prestart,
        Stage::CreateRuntime => HookStage::CreateRuntime,
        Stage::CreateContainer => HookStage::CreateContainer,
        Stage::StartContainer => HookStage::StartContainer,
        Stage::Poststart => HookStage::Poststart,
        Stage::Poststop => HookStage::Poststop,
    }
}

/// The hooks that a container carries at `stage`.
pub(super) fn list(hooks: &api::Hooks, stage: Stage) -> &[api::Hook] {
    match stage {
        Stage::Prestart => &hooks.prestart,
        Stage::CreateRuntime => &hooks.create_runtime,
        Stage::CreateContainer => &hooks.create_container,
        Stage::StartContainer => &hooks.start_container,
        Stage::Poststart => &hooks.poststart,
        Stage::Poststop => &hooks.poststop,
    }
}
