//! Leases in PostgreSQL.
mod connect;
mod error;
mod fence;
mod listen;
mod schema;
mod store;

pub use fence::{Fence, FenceError};
pub use store::PostgresStore;
