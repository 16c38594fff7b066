//! The bus without its subscribers, from the shipped files.

#[path = "../../taskvisor/src/events/crew.rs"]
pub(crate) mod crew;
#[path = "../../taskvisor/src/events/duty.rs"]
pub(crate) mod duty;
#[path = "../../taskvisor/src/events/exchange.rs"]
pub(crate) mod exchange;
#[path = "../../taskvisor/src/events/lane.rs"]
pub(crate) mod lane;
#[path = "../../taskvisor/src/events/open.rs"]
pub(crate) mod open;
#[path = "../../taskvisor/src/events/sieve.rs"]
pub(crate) mod sieve;

#[path = "bus_model.rs"]
pub mod model;

/// The fields of an event that the bus uses.
#[derive(Debug, Clone)]
pub struct Event {
    pub seq: u64,
    pub kind: EventKind,
}

#[derive(Debug, Clone, Copy)]
pub struct EventKind;

impl EventKind {
    pub(crate) fn is_diagnostic(self) -> bool {
        false
    }
}
