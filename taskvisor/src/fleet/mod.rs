//! Leases over many machines: what runs once in a fleet of replicas.
//!
//! A [`LeaseStore`] keeps who owns which key. A store is an engine that a service runs already, such as a database. What
//! stands here knows no supervisor: the trait with its laws, and the store within one process.

mod error;
mod leases;
mod local;
mod machine;
mod store;
mod times;

pub use error::LeaseError;
pub use local::LocalStore;
pub use store::{Claim, FencingToken, InvalidLeaseKey, LeaseKey, LeaseStore, SessionId, SessionSpec, StoreTime};
