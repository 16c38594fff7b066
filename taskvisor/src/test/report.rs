//! The report of a simulation.

use std::fmt;
use std::time::Duration;

use super::{Fault, RecordedEvent};

/// The report of a simulation: its faults and events. Two reports of the same seed and tree are equal. `Display` shows
/// the seed and the faults, for the message of an assertion.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationReport {
    pub(super) seed: u64,
    pub(super) lasted: Duration,
    pub(super) faults: Vec<Fault>,
    pub(super) events: Vec<RecordedEvent>,
}

impl SimulationReport {
    /// The seed, to repeat the simulation.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The duration: the requested one, unless a shutdown ended it.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        self.lasted
    }

    /// The faults that struck, in order.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The events during the simulation, in order.
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
