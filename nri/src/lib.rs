//! The Node Resource Interface (NRI) of containerd and CRI-O, for plugins written in Rust.
