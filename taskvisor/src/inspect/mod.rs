//! The state of a running supervisor as data: statuses, outcomes, health and snapshots, and their forms for other
//! systems.
//!
//! Everything here is plain data that `runtime::inspect` creates on request. `json`, `probe` and `systemd` are forms of
//! that data for other systems. Nothing in the runtime reads it back.

mod causes;
mod detail;
mod health;
#[cfg(feature = "serde")]
pub mod json;
mod outcome;
mod probe;
mod snapshot;
mod status;
#[cfg(all(feature = "systemd", unix))]
pub mod systemd;
mod timestamp;
mod waiting;

#[cfg(feature = "tracing")]
pub(crate) use causes::text_of;
pub(crate) use causes::{escaped, into_line, messages, one_line};
pub use detail::{NodeDetail, NodeError};
pub use health::{Health, Phase, Problem, Unhealthy};
pub use outcome::{OutcomeKind, RejectReason, TaskOutcome};
pub use probe::Probe;
pub(crate) use snapshot::shortened;
pub use snapshot::{NodeKind, NodeSnapshot, TreeSnapshot};
pub use status::{TaskId, TaskState, TaskStatus};
#[cfg(any(feature = "cron", feature = "history"))]
pub(crate) use timestamp::Rfc3339;
#[cfg(feature = "logging")]
pub(crate) use timestamp::TimeOfDay;
pub(crate) use timestamp::now;
pub use waiting::WaitingFor;
