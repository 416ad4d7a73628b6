//! Configurations, and the reports of their errors.

mod brief;
mod policy;
mod reading;
