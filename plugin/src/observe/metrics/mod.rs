//! Metrics, in the text form that Prometheus reads. No pod or container is named in them: a
//! node has any number of these over time.

mod families;
mod labels;

pub(super) use families::{Gauges, Metrics};
pub(super) use labels::EventResult;
