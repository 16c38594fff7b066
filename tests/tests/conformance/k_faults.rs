//! K: faults that were found by pressing on what stood, by kind.

mod answers;
mod last_turn;
mod tasks;
