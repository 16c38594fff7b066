//! The parts of the bus that threads share.

#[path = "../../taskvisor/src/events/bell.rs"]
pub(crate) mod bell;
#[path = "../../taskvisor/src/events/crew.rs"]
pub(crate) mod crew;
#[path = "../../taskvisor/src/events/queue.rs"]
pub(crate) mod queue;

#[cfg(test)]
#[path = "events_model.rs"]
mod model;
