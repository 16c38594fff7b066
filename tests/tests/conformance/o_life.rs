//! No silent death, no false health.

mod o10_hanging;
mod o11_must_not_end;
