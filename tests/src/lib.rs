//! A private real containerd, a CRI client, and what the cases share.
//!
//! A case starts a [`Containerd`], connects plugins to it, makes pods over the CRI and reads what their hooks recorded.
//! Everything lives in one [`Node`](node::Node), a directory and namespaces of its own. So nothing of the machine is
//! touched and nothing remains, however the case ends.

pub mod adaptation;
pub mod cache;
pub mod containerd;
pub mod cri;
pub mod explain;
pub mod frozen;
pub mod hanging;
pub mod hooks;
pub mod image;
pub mod ledger;
mod matrix;
pub mod node;
pub mod plugin;
pub mod realistic;
pub mod soak;
pub mod wait;
pub mod workspace;

pub use containerd::{Containerd, OciRuntime, Version};
pub use cri::{Container, Pod};
pub use hooks::{Hook, HookSpec, Hooks};
pub use matrix::{Delivery, Runtime};
pub use plugin::Plugin;

/// Runs each named `async fn(Version) -> anyhow::Result<()>` as one test per containerd of Debian.
#[macro_export]
macro_rules! on_each_containerd {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            $crate::on_runtime!($case, containerd_1_7, V1_7, Runc);
            $crate::on_runtime!($case, containerd_2, V2_1, Runc);
        }
    )+};
}

/// As [`on_each_containerd`], and on the newest containerd too.
#[macro_export]
macro_rules! on_each_containerd_and_the_newest {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            $crate::on_runtime!($case, containerd_1_7, V1_7, Runc);
            $crate::on_runtime!($case, containerd_2, V2_1, Runc);
            $crate::on_built_runtime!($case, containerd_2_4, V2_4, Runc1_5);
        }
    )+};
}
