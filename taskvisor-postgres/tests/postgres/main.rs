//! The store on real servers, which these tests start from the programs of the distribution.
//!
//! `TASKVISOR_POSTGRES_URL` names a server to use instead, for the tests that neither end it nor go past it.

mod clock;
mod faults;
mod fence;
mod hints;
mod laws;
mod read_committed;
mod schema;
mod support;
