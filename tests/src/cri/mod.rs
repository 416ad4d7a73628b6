//! A small client of the CRI: pods and containers as a kubelet makes them.

mod client;
mod container;
mod messages;
mod pod;

pub use client::Client;
pub use container::{Access, Confinement, Container, ContainerBuilder, State, Status};
pub use pod::{Pod, PodBuilder};
