//! The files that pass the trust rules, and those that do not. The tests run as root: only root can create
//! files of other users.

mod attacks;
mod mounts;
mod path_cache;
mod paths;
mod positions;
mod tree;
mod use_of_files;
