//! What carries out the leases of a supervisor: `engine` drives the pure machine of `crate::fleet` on a thread of its own,
//! `seat` is the place of a task or group in it, and `clock` the time by which a lease ends.
//!
//! The engine writes into cells like any command. A cell, its actor and a group only speak to their seat.

mod admission;
mod calls;
mod clock;
mod engine;
mod seat;

pub(in crate::runtime) use admission::check_alone;
pub(in crate::runtime) use clock::StoreClock;
pub(in crate::runtime) use engine::Engine;
pub(in crate::runtime) use seat::{Hold, Seat};
