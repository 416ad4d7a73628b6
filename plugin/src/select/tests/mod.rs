//! Which container gets which hooks, and which requests are refused.

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
