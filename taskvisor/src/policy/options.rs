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

/// Makes a method of [`TaskSpec`] for an option.
///
/// - `get name() -> Type` returns the value under the default config.
/// - `get name() -> Type = read` returns what `read` makes of the value that is set.
/// - `set name(argument: Type) = value` sets the option, and `unset name()` lets it be inherited.
macro_rules! method {
    ($option:ident: $(#[$doc:meta])* get $name:ident() -> $type:ty) => {
        $(#[$doc])*
        pub fn $name(&self) -> $type {
            self.policy().$option
        }
    };
    ($option:ident: $(#[$doc:meta])* get $name:ident() -> $type:ty = $read:expr) => {
        $(#[$doc])*
        pub fn $name(&self) -> $type {
            $read(self.overrides().$option.as_ref())
        }
    };
    ($option:ident: $(#[$doc:meta])* set $name:ident($($argument:ident: $type:ty)?) = $value:expr) => {
        $(#[$doc])*
        pub fn $name(self $(, $argument: $type)?) -> Self {
            self.set(|set| set.$option = Some($value))
        }
    };
    ($option:ident: $(#[$doc:meta])* unset $name:ident()) => {
        $(#[$doc])*
        pub fn $name(self) -> Self {
            self.unset(|set| set.$option = None)
        }
    };
}

/// Makes [`Overrides`], [`ResolvedPolicy`] and the methods of [`TaskSpec`] from the rows.
///
/// A row is `name: Type = default => { methods }`. `Type` is the type of the resolved value. `default` is the value
/// where the spec sets none; it may use `config`, and the resolved values of the rows above. `methods` are the getter
/// and the setters of `TaskSpec`; [`method`] lists their forms.
macro_rules! options {
    (under $config:ident; $($name:ident: $type:ty = $default:expr => {
        $($(#[$doc:meta])* $kind:ident $method:ident($($argument:ident: $given:ty)?) $(-> $read:ty)? $(= $by:expr)?;)*
    })*) => {
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
            $($(method! {
                $name: $(#[$doc])* $kind $method($($argument: $given)?) $(-> $read)? $(= $by)?
            })*)*
        }
    };
}

options! {
    under config;

    restart: RestartPolicy = config.restart => {
        /// Returns the restart policy. Default: [`RestartPolicy::OnFailure`].
        get restart() -> RestartPolicy;

        /// Sets the restart policy.
        set with_restart(restart: RestartPolicy) = restart;
    }

    every: Option<Duration> = None => {
        /// Returns the period of the fixed rate. Default: `None`.
        get every() -> Option<Duration>;

        /// Runs the task at a fixed rate, from start to start. Missed ticks are skipped. Needs
        /// [`RestartPolicy::Always`] without an interval, and must not be zero. After a failure, the task waits for its
        /// backoff instead; the ticks stay where they were.
        set with_every(every: Duration) = Some(every);
    }

    initial_delay: Duration = Duration::ZERO => {
        /// Returns the delay before the first attempt. Default: zero.
        get initial_delay() -> Duration;

        /// Sets the delay before the first attempt.
        set with_initial_delay(delay: Duration) = delay;
    }

    backoff: BackoffPolicy = config.backoff => {
        /// Returns the backoff after a failure. Default: 100 ms, constant, no jitter.
        get backoff() -> BackoffPolicy;

        /// Sets the backoff after a failure.
        set with_backoff(backoff: BackoffPolicy) = backoff;
    }

    reset_after: Duration = config.reset_after.unwrap_or(backoff.max.max(RESET_AFTER)) => {
        /// Returns the time that an attempt must have run for its failure to count as the first again. Default: the
        /// larger of `backoff.max` and 10 s.
        get reset_after() -> Duration;

        /// Sets the time that an attempt must have run for its failure to count as the first again.
        set with_reset_after(lived: Duration) = lived;
    }

    max_retries: Option<u32> = config.max_retries => {
        /// Returns the number of consecutive failures that are retried. Default: `None`, no limit.
        get max_retries() -> Option<u32>;

        /// Sets the number of consecutive failures that are retried. After one more failure the task ends as exhausted.
        set with_max_retries(retries: u32) = Some(retries);
    }

    timeout: Option<Duration> = unless_zero(config.timeout) => {
        /// Returns the timeout of an attempt. Default: `None`, no timeout.
        get timeout() -> Option<Duration>;

        /// Sets the timeout of an attempt. `None` and zero mean no timeout. After the timeout, an attempt without a
        /// context is dropped; an attempt with a context or token is requested to stop, and has the time of
        /// [`with_cleanup`](Self::with_cleanup).
        set with_timeout(timeout: impl Into<Option<Duration>>) = timeout.into().and_then(unless_zero);
    }

    stop_timeout: Option<Duration> = config.stop_timeout => {
        /// Returns the time that the task has to end after a stop request. Default: `None`, its share of the
        /// supervisor's grace.
        get stop_timeout() -> Option<Duration>;

        /// Sets the time that the task has to end after a stop request. After that the attempt is aborted; zero aborts
        /// at once. During a shutdown the task has this time even if the [share](SupervisorConfig::grace) of its layer
        /// is smaller, as long as the grace lasts. It also limits the clean-up after a timeout, unless
        /// [`with_cleanup`](Self::with_cleanup) does.
        set with_stop_timeout(timeout: Duration) = Some(timeout);
    }

    cleanup: Option<Duration> = config.cleanup => {
        /// Returns the time of the clean-up after a timeout. Default: `None`, the stop timeout, or the smaller of 5 s
        /// and the supervisor's grace if there is none.
        get cleanup() -> Option<Duration>;

        /// Sets the time of the clean-up after a timeout, an exceeded watchdog or start timeout, or the panic of a
        /// helper. After that the attempt is dropped; zero drops it at once. Default: the `stop_timeout`, or the
        /// smaller of 5 s and the supervisor's grace if there is none.
        set with_cleanup(time: Duration) = Some(time);
    }

    ready: Ready = Ready::Start => {
        /// Returns the condition of readiness. Default: [`Ready::Start`].
        get ready() -> Ready;

        /// Sets the condition of readiness. If the task ends for good in failure before it is ready, and other children
        /// are after it, its group fails, also without [`critical`](Self::critical).
        set with_ready(ready: Ready) = ready;
    }

    start_timeout: Duration = config.start_timeout => {
        /// Returns the time that a start may take. Default: 60 s.
        get start_timeout() -> Duration;

        /// Sets how long a start may take, from when it is due until the task is ready, the wait for a permit included;
        /// past it that start has failed with [`TaskError::Timeout`](crate::TaskError::Timeout). Applies to tasks that
        /// are ready by [`Ready::Signal`], and to those that others are after. Must not be zero.
        set with_start_timeout(timeout: Duration) = timeout;
    }

    watchdog: Option<Duration> = None => {
        /// Returns the longest time between two heartbeats. Default: `None`, no watchdog.
        get watchdog() -> Option<Duration>;

        /// Sets the longest time between two calls of [`heartbeat`](crate::TaskContext::heartbeat). An attempt that
        /// exceeds it is treated like an attempt that exceeds its timeout. Must not be zero.
        set with_watchdog(silence: Duration) = Some(silence);
    }

    critical: bool = false => {
        /// Returns `true` if the end of the task in failure fails its group. Default: `false`.
        get is_critical() -> bool = |set| set == Some(&true);

        /// Fails the group if the task ends for good in failure: neither completed nor canceled.
        set critical() = true;

        /// Keeps the group running if the task ends for good in failure. This is the default. If the task has never
        /// been [ready](crate::Ready), and other children are after it, the group fails all the same: they could not
        /// start.
        unset not_critical();
    }

    significant: bool = false => {
        /// Returns `true` if the end of the task in success stops its group. Default: `false`.
        get is_significant() -> bool = |set| set == Some(&true);

        /// Stops the group, without a failure, when the task ends for good in success. Not with the restart policy
        /// `Always`.
        set significant() = true;

        /// Keeps the group running if the task ends for good in success. This is the default.
        unset not_significant();
    }

    final_attempt: bool = false => {
        /// Returns `true` if a stop request during a wait begins a final attempt. Default: `false`.
        get has_final_attempt() -> bool = |set| set == Some(&true);

        /// Begins a final attempt if a stop is requested while the task waits for its backoff, its interval or its
        /// initial delay. A task that drains a queue gets a last turn this way. The attempt finds the reason of the
        /// stop in its context, and has the same deadline as any other attempt after a stop request. Not with the
        /// restart policy `Never`.
        set with_final_attempt() = true;

        /// Begins no final attempt if a stop is requested while the task waits. This is the default.
        unset without_final_attempt();
    }

    readiness: bool = true => {
        /// Returns `true` if the state of the task counts for the readiness of the service. Default: `true`.
        get has_readiness() -> bool = |set| set != Some(&false);

        /// Counts the state of the task for the readiness of the service. This is the default.
        unset with_readiness();

        /// Excludes the state of the task from the readiness of the service: while it waits for its backoff, or after
        /// it ended in failure, [`Health`](crate::Health) reports it and stays ready. For tasks that the service can do
        /// without for a while.
        set without_readiness() = false;
    }

    named_limit: Option<Arc<str>> = None => {
        /// Returns the name of the limit whose permits the attempts need. Default: `None`.
        get named_limit() -> Option<&str> = label;

        /// Makes each attempt need a permit of the limit of that name, which
        /// [`TreeBuilder::with_named_limit`](crate::TreeBuilder::with_named_limit) declares, beside those of the groups
        /// around the task and of [`max_concurrent`](SupervisorConfig::max_concurrent). While it waits for one, the task
        /// is `Pending`.
        set with_named_limit(name: impl Into<Arc<str>>) = Some(name.into());
    }

    metric_label: Option<Arc<str>> = None => {
        /// Returns the value of the label `task` in metrics. Default: `None`, which is the path of a declared task; for
        /// a task that was added at run time it is the path of its group, or `dynamic`.
        get metric_label() -> Option<&str> = label;

        /// Sets the value of the label `task` in metrics, for tasks that are added at run time. By default they share
        /// the path of their group, or `dynamic`. Each label is a series, so set one for each kind of task and not for
        /// each task. Must not be empty. No effect without the feature `metrics`.
        set with_metric_label(label: impl Into<Arc<str>>) = Some(label.into());
    }
}

/// Reads an option that is a text.
fn label(set: Option<&Option<Arc<str>>>) -> Option<&str> {
    set?.as_deref()
}

/// Converts zero to `None`.
fn unless_zero(time: Duration) -> Option<Duration> {
    (!time.is_zero()).then_some(time)
}
