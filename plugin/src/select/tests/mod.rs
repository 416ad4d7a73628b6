//! Which container gets which hooks, and which requests are refused.

mod annotation;
mod default;
mod load;
mod merge;
mod node;
mod policy;
