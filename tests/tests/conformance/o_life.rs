//! No silent death, no false health.

mod o10_hanging;
