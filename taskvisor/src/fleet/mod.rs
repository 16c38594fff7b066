//! Leases over many machines: what runs once in a fleet of replicas.
//!
//! A [`LeaseStore`] keeps who owns which key: an engine that a service runs already, such as a database. A [`Fleet`] is a
//! store with a name and a time to live, and is given to a supervisor; what is a
//! [singleton](crate::TaskSpec::with_singleton) then runs in one replica at a time.
//!
//! The guide explains [fleets](crate::guide::fleets), and what they guarantee.
// What stands here knows no supervisor: the public API, and the pure machine of the leases of a process. Its driver is
// `runtime/fleet`.

mod config;
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
