//! On a real containerd, which takes silence for consent: whatever does not answer, no container is created without
//! its hooks.

mod cases;
mod daemon;
mod hanging;
mod logs;
mod many;
mod starts;
