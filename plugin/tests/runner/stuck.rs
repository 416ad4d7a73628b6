//! A hook whose program lies on a file system that answers no more: its supervisor cannot be killed either.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nri_oci_hooks::ledger::Outcome;
use nri_oci_hooks::model::{Stage, Timeout};

use crate::fixture::Fixture;

/// FUSE_INIT, the first request of the kernel's.
const INIT: u32 = 26;

/// Mounts a file system at `path`, in a mount namespace of this thread's, that takes every request and answers
/// none. It ends with the descriptor that is returned.
fn mount_stuck(path: &Path) -> File {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    let mut device = File::options().read(true).write(true).open("/dev/fuse").unwrap();
    let options = format!("fd={},rootmode=40755,user_id=0,group_id=0", device.as_raw_fd());
    mount(
        Some("stuck"),
        path,
        Some("fuse"),
        MsFlags::empty(),
        Some(options.as_str()),
    )
    .unwrap();

    let mut request = [0; 1 << 17];
    let length = device.read(&mut request).unwrap();
    assert!(length >= 40 && request[4..8] == INIT.to_ne_bytes());
    // fuse_out_header: length, error, unique; fuse_init_out of version 7.12, which is short.
    let mut answer = Vec::new();
    answer.extend(40_u32.to_ne_bytes());
    answer.extend(0_i32.to_ne_bytes());
    answer.extend(&request[8..16]);
    for number in [7_u32, 12, 0, 0, 0, 4096] {
        answer.extend(number.to_ne_bytes());
    }
    device.write_all(&answer).unwrap();
    device
}

#[test]
fn a_stage_ends_at_the_timeout_of_a_hook_whose_supervisor_cannot_be_killed() {
    let fixture = Fixture::new();
    let stuck = fixture.path("stuck");
    fs::create_dir(&stuck).unwrap();
    let program = stuck.join("hook");
    let fixture = fixture.hook_with(Stage::Prestart, "", |hook| {
        hook.path = program.to_str().unwrap().into();
        hook.timeout = Timeout::from_seconds(1).unwrap();
    });
    let fixture = fixture.registered();
    let (ended, end) = channel();
    let (mounted, device) = channel();
    let over = std::thread::spawn(move || {
        mounted.send(mount_stuck(&stuck)).unwrap();
        // The caller waits until nobody holds its pipes, as an OCI runtime does.
        ended.send(fixture.run(Stage::Prestart)).unwrap();
        fixture.outcomes(Stage::Prestart)
    });
    let mut device: File = device.recv().unwrap();
    // A process can be killed while nobody has read its request, and not afterwards.
    assert!(device.read(&mut [0; 1 << 17]).unwrap() > 0);
    let output = end.recv_timeout(Duration::from_secs(60));
    // Ends the file system, and so the supervisor.
    drop(device);
    assert_eq!(
        output.expect("the caller's pipes stay open").status.code(),
        Some(1)
    );
    let outcome = Outcome::TimedOut { seconds: 1, left: 0 };
    assert_eq!(over.join().unwrap(), [outcome]);
}
