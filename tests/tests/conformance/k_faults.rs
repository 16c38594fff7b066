//! K: faults that were found by pressing on what stood, by kind.

mod answers;
mod groups;
mod last_turn;
mod slots;
mod tasks;
