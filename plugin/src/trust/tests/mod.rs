//! Who gets past the trust rules, and who does not. Made to run as root: only root can make files
//! that belong to others.

mod attacks;
mod mounts;
mod path_cache;
mod paths;
mod positions;
mod tree;
mod use_of_files;
