//! Metrics, in the text format of Prometheus. They name no pod or container, because a node has any number of these
//! over time.

mod families;
mod labels;

pub(super) use families::{Gauges, Metrics};
pub(super) use labels::EventResult;
