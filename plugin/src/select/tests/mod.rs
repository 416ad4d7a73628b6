//! The hooks of each container, and the refused requests.

mod annotation;
mod conditions;
mod default;
mod delivery;
mod hooks_d;
mod load;
mod merge;
mod node;
mod policy;
mod unused;
