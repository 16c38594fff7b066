//! K: regression tests for faults found by review and stress, by kind.

mod answers;
mod bus;
mod claims;
mod elsewhere;
mod events;
mod fences;
mod groups;
mod last_turn;
mod last_turn_cases;
mod readiness;
mod same_turn;
mod slots;
mod stop;
mod tasks;
