//! K. Faults that probes found in what stood.

mod answers;
mod readiness;
