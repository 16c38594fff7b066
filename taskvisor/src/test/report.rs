//! What a simulation did, and what came of it.

use std::fmt;
use std::time::Duration;

use super::{Fault, RecordedEvent};

/// What a simulation did, and what came of it. Two of one seed and tree are equal. `Display` has the seed and the
/// faults, for the message of an assertion.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationReport {
    pub(super) seed: u64,
    pub(super) lasted: Duration,
    pub(super) faults: Vec<Fault>,
    pub(super) events: Vec<RecordedEvent>,
}

impl SimulationReport {
    /// The seed, to repeat it with.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How long it went on: as long as it was to, unless a shutdown ended it.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        self.lasted
    }

    /// The faults that struck, in order.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What happened meanwhile, in order.
    #[must_use]
    pub fn events(&self) -> &[RecordedEvent] {
        &self.events
    }
}

impl fmt::Display for SimulationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seed, count) = (self.seed, self.faults.len());
        write!(f, "simulation with seed {seed}: {count} faults in {:?}", self.lasted)?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n    {fault}"))
    }
}
