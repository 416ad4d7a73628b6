//! The tests that the examples have in their own files. Here rather than as tests of the examples, so that the package
//! has none that need the testkit.

#![allow(dead_code, reason = "the main of each example")]

#[path = "../examples/device_injector.rs"]
mod device_injector;
#[path = "../examples/topology.rs"]
mod topology;
#[path = "../examples/ulimit_adjuster.rs"]
mod ulimit_adjuster;
#[path = "../examples/validator.rs"]
mod validator;
