//! The configuration of a supervisor.

#[cfg(feature = "cron")]
use std::sync::Arc;
use std::time::Duration;

use super::error::InvalidOption;
use super::signals::Signals;
use crate::policy::{BackoffPolicy, RestartPolicy, check_backoff};

/// The configuration of a supervisor, and the defaults of its tasks.
///
/// A task inherits each option that its [`TaskSpec`](crate::TaskSpec) does not set. A `grace`, `stop_timeout` or
/// `cleanup` of zero aborts at once. The guide explains [restarts and backoff](crate::guide::restarts) and
/// [stopping](crate::guide::stopping), and how to [choose limits](crate::guide::limits).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use taskvisor::SupervisorConfig;
///
/// let config = SupervisorConfig { grace: Duration::from_secs(30), ..SupervisorConfig::default() };
/// assert_eq!(config.bus_capacity, 1024);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SupervisorConfig {
    /// The time that all tasks together have to stop on shutdown. Default: 60 s.
    ///
    /// Layers that stop one after another share it. A layer may use the time that is left, minus a reserve for each
    /// layer after it: the smaller of 1 s and a tenth of the grace. The reserves take at most half of the time that is
    /// left. A task with a [`stop_timeout`](Self::stop_timeout) has that time as long as the grace lasts. A task that
    /// exceeds its share is aborted, and the next layer is requested to stop.
    pub grace: Duration,
    /// The time between the request of a shutdown and the stop requests to tasks, so that load balancers can stop
    /// sending requests. Default: zero.
    pub drain: Duration,
    /// The time that `run` waits for subscribers to receive the last events. Default: 5 s.
    pub drain_timeout: Duration,
    /// The timeout of an attempt, for tasks that set none. Zero means no timeout. Default: zero.
    pub timeout: Duration,
    /// The time that a task has to end after a stop request, for tasks that set none. Default: `None`, the share of its
    /// layer of the [`grace`](Self::grace).
    pub stop_timeout: Option<Duration>,
    /// The time of the clean-up after a timeout, for tasks that set none: see [`TaskSpec::with_cleanup`]. Default:
    /// `None`, which is the stop timeout of the task, or the smaller of 5 s and [`grace`](Self::grace) if it has none.
    ///
    /// [`TaskSpec::with_cleanup`]: crate::TaskSpec::with_cleanup
    pub cleanup: Option<Duration>,
    /// The time that a start may take, for tasks that set none: see [`TaskSpec::with_start_timeout`]. Default: 60 s.
    /// Tasks with [`Ready::Completed`](crate::Ready::Completed) or [`Ready::FirstSuccess`](crate::Ready::FirstSuccess)
    /// have none unless they set it.
    ///
    /// [`TaskSpec::with_start_timeout`]: crate::TaskSpec::with_start_timeout
    pub start_timeout: Duration,
    /// The largest number of attempts that run at once. Zero means no limit. Default: zero.
    pub max_concurrent: usize,
    /// The number of events that may wait to be moved to the queues of the subscribers. The start of an attempt is
    /// delayed by up to 1 ms while half of that number waits. Default: 1024.
    pub bus_capacity: usize,
    /// The restart policy of tasks that set none. Default: [`RestartPolicy::OnFailure`].
    pub restart: RestartPolicy,
    /// The backoff of tasks that set none. Default: 100 ms, constant, no jitter.
    pub backoff: BackoffPolicy,
    /// The time that an attempt must have run for its failure to count as the first again, for tasks that set none.
    /// Default: `None`, the larger of the task's `backoff.max` and 10 s.
    pub reset_after: Option<Duration>,
    /// The number of consecutive failures that are retried, for tasks that set none. Default: `None`, no limit.
    pub max_retries: Option<u32>,
    /// The name of this instance of the program, which [shifts](crate::TaskSpec::with_splay) periodic tasks, so that
    /// replicas do not start their runs at the same time. Default: `None`, the name of the host or container.
    pub instance: Option<String>,
    /// The time zone of [schedules](crate::Schedule) that set none: a name of the IANA database, or `local` for the zone
    /// of the system. Default: `None`, which is UTC.
    #[cfg(feature = "cron")]
    pub zone: Option<Arc<str>>,
    /// The response to SIGINT and SIGTERM (Ctrl+C and Ctrl+Break on Windows). Default: [`Signals::default`].
    pub signals: Signals,
}

impl Default for SupervisorConfig {
    #[inline]
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(60),
            drain: Duration::ZERO,
            drain_timeout: Duration::from_secs(5),
            timeout: Duration::ZERO,
            stop_timeout: None,
            cleanup: None,
            start_timeout: Duration::from_secs(60),
            max_concurrent: 0,
            bus_capacity: 1024,
            restart: RestartPolicy::OnFailure,
            backoff: BackoffPolicy::default(),
            reset_after: None,
            max_retries: None,
            instance: None,
            #[cfg(feature = "cron")]
            zone: None,
            signals: Signals::default(),
        }
    }
}

impl SupervisorConfig {
    pub(crate) fn check(&self) -> Result<(), InvalidOption> {
        let invalid = |option, value, expected| Err(InvalidOption::new("config", option, value, expected));
        if self.bus_capacity == 0 {
            return invalid("bus_capacity", "0", "at least 1");
        }
        if self.start_timeout.is_zero() {
            return invalid("start_timeout", "0ns", "a time longer than zero");
        }
        #[cfg(feature = "cron")]
        if let (Some(zone), Err(expected)) = (&self.zone, crate::policy::TimeZone::find(self.zone.as_deref())) {
            return Err(InvalidOption::new("config", "zone", format!("{zone:?}"), expected));
        }
        check_backoff(&self.backoff, &|| "config".into())
    }
}
