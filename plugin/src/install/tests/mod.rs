//! What is put in place, what is kept, and what is taken away.

mod drop_in;
mod image;
mod put;
mod take;
