//! Events, and their way to subscribers and streams.
//!
//! `event` and `data` describe one event, and `line` its text; `subscribe` and `stream` are the two ways to receive events.
//! `bus` is the entrance for the runtime; `exchange`, `open`, `lane`, `crew` and `duty` move events without a runtime, and
//! `models/` checks them with loom. Other modules publish through `Bus`. Nothing in the runtime reads events back.

mod bus;
mod crew;
mod data;
mod delivery;
mod duty;
mod event;
mod exchange;
mod lane;
#[cfg(feature = "logging")]
mod level;
mod line;
#[cfg(feature = "logging")]
mod log_repeats;
#[cfg(feature = "logging")]
mod log_sieve;
#[cfg(feature = "logging")]
mod log_writer;
#[cfg(any(feature = "logging", feature = "tracing"))]
mod often;
mod open;
#[cfg(any(feature = "logging", feature = "tracing"))]
mod repeats;
mod sieve;
mod stream;
mod subscribe;
#[cfg_attr(not(feature = "test-util"), path = "tap_off.rs")]
mod tap;

pub(crate) use bus::{Bus, Introduced};
pub use data::{EventData, EventKind};
#[cfg(feature = "history")]
pub(crate) use event::cut;
pub(crate) use event::millis;
pub use event::{Event, Reason};
#[cfg(feature = "logging")]
pub use level::LogLevel;
#[cfg(feature = "serde")]
pub(crate) use line::Words;
#[cfg(feature = "logging")]
pub use log_writer::LogWriter;
#[cfg(any(feature = "logging", feature = "tracing"))]
pub(crate) use often::Often;
#[cfg(feature = "tracing")]
pub(crate) use repeats::Repeated;
#[cfg(any(feature = "logging", feature = "tracing"))]
pub(crate) use repeats::{Repeats, Tell};
pub use stream::{EventStream, Lagged};
pub use subscribe::{IntoSubscriber, Subscribe, SubscriberState};
#[cfg(feature = "test-util")]
pub(crate) use tap::Tap;
