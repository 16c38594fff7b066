//! The runtime of leases: `engine` drives the pure machine of `crate::fleet` on a thread of its own, `seat` is the
//! participation of a task or group in the fleet, `marks` decides which of its ticks are marked in the store, and `clock`
//! is the clock by which a lease ends.
//!
//! The engine writes into cells as commands do. A cell, its actor and a group only call their seat.

mod admission;
mod calls;
mod clock;
mod engine;
mod marks;
mod seat;

pub(in crate::runtime) use admission::{check_added, check_alone, singleton_around};
pub(in crate::runtime) use clock::StoreClock;
pub(in crate::runtime) use engine::Engine;
pub(in crate::runtime) use seat::{Hold, Seat};
