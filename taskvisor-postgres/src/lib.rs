#![doc = include_str!("../README.md")]
//!
//! # What lives here
//! `store` has the calls, `schema.sql` the functions in the database that they call, `migrate` makes those, `repeat` runs calls again, `marks`
//! collects those of ticks, `release` leaves out what is locked, `connect` and `listen` have the connections, `attempts`
//! makes those for calls, `error` has the meaning of errors, and `fence` the check of tokens.

mod attempts;
mod connect;
mod error;
mod fence;
mod listen;
mod marks;
mod migrate;
mod release;
mod repeat;
mod schema;
mod store;

pub use fence::{Fence, FenceError};
pub use store::PostgresStore;
