//! Leases in Redis for taskvisor.

mod error;
mod hints;
mod link;
mod memory;
mod names;
mod nodes;
mod script;
mod store;

pub use store::RedisStore;
