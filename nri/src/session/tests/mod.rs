//! Tests of a session against a runtime's half that is driven by hand.

mod answers;
mod life;
mod stage;
