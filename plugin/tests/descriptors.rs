//! The limit of open descriptors. It is the process's, so this test has a program of its own.

use nri_oci_hooks::process::raise_descriptor_limit;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn a_limit_of_a_service_becomes_that_of_the_largest_nodes_and_no_higher_than_allowed() {
    let allowed = getrlimit(Resource::Nofile).maximum;
    for maximum in [allowed, Some(4096)] {
        let low = Rlimit {
            current: Some(1024),
            maximum,
        };
        setrlimit(Resource::Nofile, low).unwrap();
        raise_descriptor_limit();
        let raised = getrlimit(Resource::Nofile);
        assert_eq!(raised.current, Some(maximum.unwrap_or(u64::MAX).min(65_536)));
        assert_eq!(raised.maximum, maximum);
    }
}
