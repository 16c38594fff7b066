//! What a supervisor is configured with.

use std::time::Duration;

use super::error::InvalidOption;
use crate::policy::{BackoffPolicy, RestartPolicy, check_backoff};

/// The settings of a supervisor, and what its tasks inherit where their spec says nothing.
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
    /// How long all tasks together may take to stop on shutdown. Layers that stop one after another share it: a layer
    /// may use all that is left but a reserve for each layer after it, of the smaller of 1 s and a tenth of the grace;
    /// the reserves are at most half of what is left. A task with a [`stop_timeout`](Self::stop_timeout) has that, as
    /// long as the grace lasts. What is past its share is aborted, and the next layer is requested to stop. Default: 60
    /// s.
    pub grace: Duration,
    /// How long tasks go on after a shutdown was requested, so that load balancers notice. Default: zero.
    pub drain: Duration,
    /// How long `run` waits for subscribers to take the last events. Default: 5 s.
    pub drain_timeout: Duration,
    /// The timeout of an attempt, for tasks that set none; zero is none. Default: zero.
    pub timeout: Duration,
    /// How long a task may take to end once it is requested to, for tasks that set nothing. Default: `None`, the share
    /// of its layer of the [`grace`](Self::grace).
    pub stop_timeout: Option<Duration>,
    /// How long the clean-up after a timeout may take, for tasks that set nothing: see [`TaskSpec::with_cleanup`].
    /// Default: `None`, the task's stop timeout, or the smaller of 5 s and [`grace`](Self::grace) where it has none.
    ///
    /// [`TaskSpec::with_cleanup`]: crate::TaskSpec::with_cleanup
    pub cleanup: Option<Duration>,
    /// How long a start may take, for tasks that set nothing: see [`TaskSpec::with_start_timeout`]. Default: 60 s.
    ///
    /// [`TaskSpec::with_start_timeout`]: crate::TaskSpec::with_start_timeout
    pub start_timeout: Duration,
    /// How many attempts may run at once; zero is no limit. Default: zero.
    pub max_concurrent: usize,
    /// How many events may wait to be handed to the subscribers' own queues: attempts begin to give way when it is half
    /// of that. Default: 1024.
    pub bus_capacity: usize,
    /// The restart policy of tasks that set none. Default: [`RestartPolicy::OnFailure`].
    pub restart: RestartPolicy,
    /// The backoff of tasks that set none. Default: 100 ms, constant, no jitter.
    pub backoff: BackoffPolicy,
    /// How long an attempt must have lived for its failure to count as the first again, for tasks that set nothing.
    /// Default: `None`, the larger of the task's `backoff.max` and 10 s.
    pub reset_after: Option<Duration>,
    /// How many failures in a row may be retried, for tasks that set nothing. Default: `None`, any number.
    pub max_retries: Option<u32>,
    /// Whether `run` listens for SIGINT and SIGTERM (Ctrl+C and Ctrl+Break on Windows). Default: true.
    pub signals: bool,
}

impl Default for SupervisorConfig {
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
            signals: true,
        }
    }
}

impl SupervisorConfig {
    pub(crate) fn check(&self) -> Result<(), InvalidOption> {
        if self.bus_capacity == 0 {
            return Err(InvalidOption {
                subject: "config".into(),
                option: "bus_capacity",
                value: "0".into(),
                expected: "at least 1",
            });
        }
        if self.start_timeout.is_zero() {
            return Err(InvalidOption {
                subject: "config".into(),
                option: "start_timeout",
                value: "0ns".into(),
                expected: "a time longer than zero",
            });
        }
        check_backoff(&self.backoff, &|| "config".into())
    }
}
