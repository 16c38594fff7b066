//! The store on real servers, which these tests start from the programs of the distribution.
//!
//! `TASKVISOR_REDIS_URL` names a server that has to keep the laws, too.

mod clock;
mod hints;
mod laws;
mod model;
mod network;
mod refusals;
mod replicas;
mod restarts;
mod support;
#[cfg(feature = "rustls")]
mod tls;
