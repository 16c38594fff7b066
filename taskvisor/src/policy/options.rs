//! The options of a task, one row for each.
//!
//! A new option is a row here, and a row of the table in `taskvisor-macros/src/options/table.rs` if `#[task]` and
//! `task(..)` accept it. The runtime reads it from the [`ResolvedPolicy`] of a registration. `policy` checks values and
//! combinations.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{BackoffPolicy, Ready, RestartPolicy};
use crate::supervisor::SupervisorConfig;
use crate::task::TaskSpec;

/// The shortest healthy life that makes a failure count as the first again, unless it is set.
const RESET_AFTER: Duration = Duration::from_secs(10);

/// Makes [`Overrides`], [`ResolvedPolicy`] and the methods of [`TaskSpec`] from the rows.
///
/// A row is `name: Type = default => { methods }`. `Type` is the type of the resolved value. `default` is the value
/// where the spec sets none; it may use `config`, and the resolved values of the rows above. `methods` are the getter
/// and the setters of `TaskSpec`.
macro_rules! options {
    (under $config:ident; $($name:ident: $type:ty = $default:expr => { $($method:tt)* })*) => {
        /// The options that a spec sets. Other options are inherited at registration. An option that is set to none is
        /// not inherited.
        #[derive(Clone, Default, PartialEq)]
        pub(crate) struct Overrides {
            $(pub(crate) $name: Option<$type>,)*
        }

        /// The policy that a registration runs by. Equal ones are shared between registrations.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) struct ResolvedPolicy {
            $(pub(crate) $name: $type,)*
        }

        impl Overrides {
            /// Nothing is set.
            pub(crate) const NONE: Self = Self { $($name: None,)* };

            pub(crate) fn resolve(&self, $config: &SupervisorConfig) -> ResolvedPolicy {
                $(let $name = match &self.$name {
                    Some(set) => set.clone(),
                    None => $default,
                };)*
                ResolvedPolicy { $($name,)* }
            }

            /// The same policy as a spec that sets them all.
            pub(crate) fn of(policy: &ResolvedPolicy) -> Self {
                Self { $($name: Some(policy.$name.clone()),)* }
            }
        }

        /// Shows what is set.
        impl fmt::Debug for Overrides {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut set = f.debug_struct("Overrides");
                $(if let Some(value) = &self.$name {
                    set.field(stringify!($name), value);
                })*
                set.finish()
            }
        }

        impl TaskSpec {
            $($($method)*)*
        }
    };
}

options! {
    under config;

    restart: RestartPolicy = config.restart => {
        /// Returns the restart policy. Default: [`RestartPolicy::OnFailure`].
        pub fn restart(&self) -> RestartPolicy {
            self.policy().restart
        }

        /// Sets the restart policy.
        #[must_use]
        pub fn with_restart(self, restart: RestartPolicy) -> Self {
            self.set(|set| set.restart = Some(restart))
        }
    }

    every: Option<Duration> = None => {
        /// Returns the period of the fixed rate. Default: `None`.
        pub fn every(&self) -> Option<Duration> {
            self.policy().every
        }

        /// Runs the task at a fixed rate, from start to start. Missed ticks are skipped. Needs
        /// [`RestartPolicy::Always`] without an interval, and must not be zero. After a failure, the task waits for its
        /// backoff instead; the ticks stay where they were.
        #[must_use]
        pub fn with_every(self, every: Duration) -> Self {
            self.set(|set| set.every = Some(Some(every)))
        }
    }

    initial_delay: Duration = Duration::ZERO => {
        /// Returns the delay before the first attempt. Default: zero.
        pub fn initial_delay(&self) -> Duration {
            self.policy().initial_delay
        }

        /// Sets the delay before the first attempt.
        #[must_use]
        pub fn with_initial_delay(self, delay: Duration) -> Self {
            self.set(|set| set.initial_delay = Some(delay))
        }
    }

    backoff: BackoffPolicy = config.backoff => {
        /// Returns the backoff after a failure. Default: 100 ms, constant, no jitter.
        pub fn backoff(&self) -> BackoffPolicy {
            self.policy().backoff
        }

        /// Sets the backoff after a failure.
        #[must_use]
        pub fn with_backoff(self, backoff: BackoffPolicy) -> Self {
            self.set(|set| set.backoff = Some(backoff))
        }
    }

    reset_after: Duration = config.reset_after.unwrap_or(backoff.max.max(RESET_AFTER)) => {
        /// Returns the time that an attempt must have run for its failure to count as the first again. Default: the
        /// larger of `backoff.max` and 10 s.
        pub fn reset_after(&self) -> Duration {
            self.policy().reset_after
        }

        /// Sets the time that an attempt must have run for its failure to count as the first again.
        #[must_use]
        pub fn with_reset_after(self, lived: Duration) -> Self {
            self.set(|set| set.reset_after = Some(lived))
        }
    }

    max_retries: Option<u32> = config.max_retries => {
        /// Returns the number of consecutive failures that are retried. Default: `None`, no limit.
        pub fn max_retries(&self) -> Option<u32> {
            self.policy().max_retries
        }

        /// Sets the number of consecutive failures that are retried. After one more failure the task ends as exhausted.
        #[must_use]
        pub fn with_max_retries(self, retries: u32) -> Self {
            self.set(|set| set.max_retries = Some(Some(retries)))
        }
    }

    timeout: Option<Duration> = unless_zero(config.timeout) => {
        /// Returns the timeout of an attempt. Default: `None`, no timeout.
        pub fn timeout(&self) -> Option<Duration> {
            self.policy().timeout
        }

        /// Sets the timeout of an attempt. `None` and zero mean no timeout. After the timeout, an attempt without a
        /// context is dropped; an attempt with a context or token is requested to stop, and has the time of
        /// [`with_cleanup`](Self::with_cleanup).
        #[must_use]
        pub fn with_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
            self.set(|set| set.timeout = Some(timeout.into().and_then(unless_zero)))
        }
    }

    stop_timeout: Option<Duration> = config.stop_timeout => {
        /// Returns the time that the task has to end after a stop request. Default: `None`, its share of the
        /// supervisor's grace.
        pub fn stop_timeout(&self) -> Option<Duration> {
            self.policy().stop_timeout
        }

        /// Sets the time that the task has to end after a stop request. After that the attempt is aborted; zero aborts
        /// at once. During a shutdown the task has this time even if the [share](SupervisorConfig::grace) of its layer
        /// is smaller, as long as the grace lasts. It also limits the clean-up after a timeout, unless
        /// [`with_cleanup`](Self::with_cleanup) does.
        #[must_use]
        pub fn with_stop_timeout(self, timeout: Duration) -> Self {
            self.set(|set| set.stop_timeout = Some(Some(timeout)))
        }
    }

    cleanup: Option<Duration> = config.cleanup => {
        /// Returns the time of the clean-up after a timeout. Default: `None`, the stop timeout, or the smaller of 5 s
        /// and the supervisor's grace if there is none.
        pub fn cleanup(&self) -> Option<Duration> {
            self.policy().cleanup
        }

        /// Sets the time of the clean-up after a timeout, an exceeded watchdog or start timeout, or the panic of a
        /// helper. After that the attempt is dropped; zero drops it at once. Default: the `stop_timeout`, or the
        /// smaller of 5 s and the supervisor's grace if there is none.
        #[must_use]
        pub fn with_cleanup(self, time: Duration) -> Self {
            self.set(|set| set.cleanup = Some(Some(time)))
        }
    }

    ready: Ready = Ready::Start => {
        /// Returns the condition of readiness. Default: [`Ready::Start`].
        pub fn ready(&self) -> Ready {
            self.policy().ready
        }

        /// Sets the condition of readiness. If the task ends for good in failure before it is ready, and other children
        /// are after it, its group fails, also without [`critical`](Self::critical).
        #[must_use]
        pub fn with_ready(self, ready: Ready) -> Self {
            self.set(|set| set.ready = Some(ready))
        }
    }

    start_timeout: Duration = config.start_timeout => {
        /// Returns the time that a start may take. Default: 60 s.
        pub fn start_timeout(&self) -> Duration {
            self.policy().start_timeout
        }

        /// Sets how long a start may take, from when it is due until the task is ready, the wait for a permit included;
        /// past it that start has failed with [`TaskError::Timeout`](crate::TaskError::Timeout). Applies to tasks that
        /// are ready by [`Ready::Signal`], and to those that others are after. Must not be zero.
        #[must_use]
        pub fn with_start_timeout(self, timeout: Duration) -> Self {
            self.set(|set| set.start_timeout = Some(timeout))
        }
    }

    watchdog: Option<Duration> = None => {
        /// Returns the longest time between two heartbeats. Default: `None`, no watchdog.
        pub fn watchdog(&self) -> Option<Duration> {
            self.policy().watchdog
        }

        /// Sets the longest time between two calls of [`heartbeat`](crate::TaskContext::heartbeat). An attempt that
        /// exceeds it is treated like an attempt that exceeds its timeout. Must not be zero.
        #[must_use]
        pub fn with_watchdog(self, silence: Duration) -> Self {
            self.set(|set| set.watchdog = Some(Some(silence)))
        }
    }

    critical: bool = false => {
        /// Returns `true` if the end of the task in failure fails its group. Default: `false`.
        pub fn is_critical(&self) -> bool {
            self.overrides().critical == Some(true)
        }

        /// Fails the group if the task ends for good in failure: neither completed nor canceled.
        #[must_use]
        pub fn critical(self) -> Self {
            self.set(|set| set.critical = Some(true))
        }

        /// Keeps the group running if the task ends for good in failure. This is the default. If the task has never
        /// been [ready](crate::Ready), and other children are after it, the group fails all the same: they could not
        /// start.
        #[must_use]
        pub fn not_critical(self) -> Self {
            self.unset(|set| set.critical = None)
        }
    }

    significant: bool = false => {
        /// Returns `true` if the end of the task in success stops its group. Default: `false`.
        pub fn is_significant(&self) -> bool {
            self.overrides().significant == Some(true)
        }

        /// Stops the group, without a failure, when the task ends for good in success. Not with the restart policy
        /// `Always`.
        #[must_use]
        pub fn significant(self) -> Self {
            self.set(|set| set.significant = Some(true))
        }

        /// Keeps the group running if the task ends for good in success. This is the default.
        #[must_use]
        pub fn not_significant(self) -> Self {
            self.unset(|set| set.significant = None)
        }
    }

    final_attempt: bool = false => {
        /// Returns `true` if a stop request during a wait begins a final attempt. Default: `false`.
        pub fn has_final_attempt(&self) -> bool {
            self.overrides().final_attempt == Some(true)
        }

        /// Begins a final attempt if a stop is requested while the task waits for its backoff, its interval or its
        /// initial delay. A task that drains a queue gets a last turn this way. The attempt finds the reason of the
        /// stop in its context, and has the same deadline as any other attempt after a stop request. Not with the
        /// restart policy `Never`.
        #[must_use]
        pub fn with_final_attempt(self) -> Self {
            self.set(|set| set.final_attempt = Some(true))
        }

        /// Begins no final attempt if a stop is requested while the task waits. This is the default.
        #[must_use]
        pub fn without_final_attempt(self) -> Self {
            self.unset(|set| set.final_attempt = None)
        }
    }

    readiness: bool = true => {
        /// Returns `true` if the state of the task counts for the readiness of the service. Default: `true`.
        pub fn has_readiness(&self) -> bool {
            self.overrides().readiness != Some(false)
        }

        /// Counts the state of the task for the readiness of the service. This is the default.
        #[must_use]
        pub fn with_readiness(self) -> Self {
            self.unset(|set| set.readiness = None)
        }

        /// Excludes the state of the task from the readiness of the service: while it waits for its backoff, or after
        /// it ended in failure, [`Health`](crate::Health) reports it and stays ready. For tasks that the service can do
        /// without for a while.
        #[must_use]
        pub fn without_readiness(self) -> Self {
            self.set(|set| set.readiness = Some(false))
        }
    }

    metric_label: Option<Arc<str>> = None => {
        /// Returns the value of the label `task` in metrics. Default: `None`, which is the path of a declared task; for
        /// a task that was added at run time it is the path of its group, or `dynamic`.
        pub fn metric_label(&self) -> Option<&str> {
            self.overrides().metric_label.as_ref()?.as_deref()
        }

        /// Sets the value of the label `task` in metrics, for tasks that are added at run time. By default they share
        /// the path of their group, or `dynamic`. Each label is a series, so set one for each kind of task and not for
        /// each task. Must not be empty. No effect without the feature `metrics`.
        #[must_use]
        pub fn with_metric_label(self, label: impl Into<Arc<str>>) -> Self {
            self.set(|set| set.metric_label = Some(Some(label.into())))
        }
    }
}

/// Converts zero to `None`.
fn unless_zero(time: Duration) -> Option<Duration> {
    (!time.is_zero()).then_some(time)
}
