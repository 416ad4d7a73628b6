//! The two logical connections of an NRI socket: bytes of ttrpc on one side, frames on the other.

mod connection;
mod in_flight;
mod incoming;
mod message;
mod outgoing;
mod state;
#[cfg(test)]
mod tests;
mod trunk;

pub(crate) use trunk::Trunk;
