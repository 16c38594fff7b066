//! Policies: plain values that say when a task runs again, when it is ready, and how long it may take.
//!
//! `restart`, `backoff` and `ready` are public values. `timeout` is the argument type of timeout setters, and
//! `critical` has setters only. `options` is the table of a task's options: as a spec sets them, and as they resolve
//! under a supervisor's config. `checks` rejects invalid values and combinations. `schedule` computes the ticks of a
//! fixed rate. `calendar` has calendar schedules, and `zone` their time zones. `value` parses and formats values. All
//! of it is pure: time is passed in.

mod backoff;
#[cfg(feature = "cron")]
mod calendar;
mod checks;
mod critical;
mod options;
mod phase;
mod ready;
mod restart;
mod schedule;
mod timeout;
mod value;
#[cfg(feature = "cron")]
mod zone;

pub use backoff::{BackoffPolicy, JitterPolicy};
#[cfg(feature = "cron")]
pub(crate) use calendar::Times;
#[cfg(feature = "cron")]
pub use calendar::{Missed, Schedule};
pub(crate) use checks::{check_backoff, check_group};
pub(crate) use critical::Critical;
pub(crate) use options::{Overrides, ResolvedPolicy, Row, Rows};
pub use phase::SpanScope;
pub(crate) use phase::shift_of;
pub use ready::Ready;
pub use restart::RestartPolicy;
pub(crate) use schedule::Ticks;
pub use timeout::IntoTimeout;
pub(crate) use value::{NONE, Of, Value, is_at_most_zero, refuse_zero};
#[cfg(feature = "cron")]
pub(crate) use zone::{TimeZone, seconds};

use crate::supervisor::SupervisorConfig;

impl Overrides {
    /// Resolves the options of a group, which takes its backoff from the config. The limits of failures there are for
    /// tasks.
    pub(crate) fn resolve_group(&self, config: &SupervisorConfig) -> ResolvedPolicy {
        self.resolve(&SupervisorConfig { max_retries: None, reset_after: None, ..config.clone() })
    }
}
