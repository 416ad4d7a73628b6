//! Every fault is named, with a remedy.

mod image;
mod live;
mod planted;
