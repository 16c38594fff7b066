//! The last attempts of each path, collected from events (feature `history`).
//!
//! `handle` is the subscriber and the handle that reads it. `record` has the returned types. `store` is the pure part:
//! it takes the data of events, and decides which attempts are kept; `ring` has the attempts of one path. No other
//! module uses this folder, and it uses only the public events of the runtime.

mod handle;
#[cfg(test)]
mod handle_test;
mod record;
mod ring;
mod store;
#[cfg(test)]
mod store_test;

pub use handle::{Histories, History};
pub use record::{AttemptOutcome, AttemptRecord, HistoryEntry, HistoryGap, PathHistory};
