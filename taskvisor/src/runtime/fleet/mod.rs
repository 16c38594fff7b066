//! The runtime of leases: `engine` drives the pure machine of `crate::fleet` on a thread of its own, `seat` is the
//! participation of a task or group in the fleet, and `clock` the clock by which a lease ends.
//!
//! The engine writes into cells as commands do. A cell, its actor and a group only call their seat.

mod admission;
mod calls;
mod clock;
mod engine;
mod seat;

pub(in crate::runtime) use admission::check_alone;
pub(in crate::runtime) use clock::StoreClock;
pub(in crate::runtime) use engine::Engine;
pub(in crate::runtime) use seat::{Hold, Seat};
