#![doc = include_str!("../README.md")]
//!
//! # What lives here
//! `store` has the calls, `schema.sql` the functions in the database that they call, `connect` and `listen` the two
//! connections, `error` the meaning of errors, and `fence` the check of tokens.

mod connect;
mod error;
mod fence;
mod listen;
mod schema;
mod store;

pub use fence::{Fence, FenceError};
pub use store::PostgresStore;
