//! The last attempts of each path, collected from events (feature `history`).
//!
//! `handle` is the subscriber and the handle that reads it. `record` has what it returns. `store` is the pure part: it
//! takes what events say, and decides what is kept; `ring` has the attempts of one path. Nothing outside of this folder
//! knows of it, and it knows nothing of the runtime but its public events.

mod handle;
mod record;
mod ring;
mod store;
#[cfg(test)]
mod store_test;

pub use handle::{Histories, History};
pub use record::{AttemptOutcome, AttemptRecord, HistoryEntry, HistoryGap, PathHistory};
