//! Leases across machines, for singletons: tasks and groups that run once in a fleet of replicas.
//!
//! A [`LeaseStore`] keeps the owner of each key, in a database or another service that all replicas reach. A [`Fleet`]
//! is a store with a name and a time to live. In a supervisor with a fleet, each
//! [singleton](crate::TaskSpec::with_singleton) runs in one replica at a time.
//!
//! The guide explains [fleets](crate::guide::fleets) and their guarantees.
// This folder has the public API, and the pure machine of the leases of a process. It does not depend on the
// supervisor. The driver of the machine is `runtime/fleet`.

mod config;
mod entries;
mod error;
mod into_singleton;
mod leases;
mod local;
mod machine;
mod singleton;
mod snapshot;
mod store;
mod text;
mod times;

pub use config::Fleet;
pub use error::LeaseError;
pub use into_singleton::{IntoSingleton, SingletonKey};
pub use leases::Leases;
pub use local::LocalStore;
pub(crate) use machine::{Call, Failed, Machine, Order, Reply, Say, Why};
pub(crate) use singleton::Singleton;
pub use singleton::{Overrun, Standby, Ticks};
pub use snapshot::{FleetSnapshot, LeaseSnapshot};
pub use store::{Claim, FencingToken, InvalidLeaseKey, LeaseKey, LeaseStore, SessionId, SessionSpec, StoreTime};
pub use text::InvalidLeases;
