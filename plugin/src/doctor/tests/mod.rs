//! Every fault is named, with a remedy.

mod image;
mod planted;
mod running;
