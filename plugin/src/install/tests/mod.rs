//! What is put in place, what is kept, and what is taken away.

mod image;
mod put;
mod take;
