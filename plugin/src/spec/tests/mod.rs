//! Reading a hook-spec: which texts are accepted or refused, and with which errors.

mod brief;
mod hooks_d;
mod reading;
mod refused;
mod writing;
