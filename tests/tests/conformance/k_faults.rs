//! K: faults that were found by pressing on what stood, by kind.

mod answers;
mod bus;
mod events;
mod groups;
mod last_turn;
mod readiness;
mod slots;
mod stop;
mod tasks;
