//! The store on real servers, which these tests start from the programs of the distribution.
//!
//! `TASKVISOR_POSTGRES_URL` names a server to use instead, in the form `host=.. user=..`, for the tests that neither
//! end it nor go past it. They make the database `taskvisor_tests` there, and need a superuser.

mod clock;
mod faults;
mod fence;
mod hints;
mod laws;
mod marks;
mod outlived;
mod random;
mod read_committed;
mod replicas;
mod schema;
mod support;
mod tls;
