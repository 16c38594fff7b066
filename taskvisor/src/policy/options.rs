//! The options of a task, one row for each.
//!
//! A new option is a row here, and a row of the table in `taskvisor-macros/src/options/table.rs` if `#[task]` and
//! `task(..)` accept it. The runtime reads it from the [`ResolvedPolicy`] of a registration. `policy` checks values and
//! combinations.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::Arc;
use std::time::Duration;
#[cfg(feature = "cron")]
use std::time::SystemTime;

#[cfg(feature = "cron")]
use super::Missed;
use super::value::{Of, Value};
use super::{BackoffPolicy, Critical, IntoTimeout, Ready, RestartPolicy, SpanScope};
#[cfg(feature = "fleet")]
use crate::fleet::Singleton;
use crate::supervisor::SupervisorConfig;
use crate::task::TaskSpec;

/// The smallest default of `reset_after`: the run time after which a failure counts as the first again.
const RESET_AFTER: Duration = Duration::from_secs(10);

/// Makes a method of [`TaskSpec`] for an option.
///
/// - `get name() -> Type` returns the value under the default config.
/// - `get name() -> Type = read` applies `read` to the value that is set.
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
    ($option:ident: $(#[$doc:meta])* set $name:ident($($argument:ident: $type:ty),*) = $value:expr) => {
        $(#[$doc])*
        pub fn $name(self $(, $argument: $type)*) -> Self {
            self.set(Row::$option, |set| set.$option = Some($value))
        }
    };
    ($option:ident: $(#[$doc:meta])* unset $name:ident()) => {
        $(#[$doc])*
        pub fn $name(self) -> Self {
            self.unset(Row::$option, |set| set.$option = None)
        }
    };
}

/// Returns the value of a row, if overrides can change it for this kind of child.
macro_rules! overridden {
    ($of:ident, $value:expr) => {
        None
    };
    ($of:ident, $value:expr, $($known:ident),+) => {
        matches!($of, $(Of::$known)|+).then_some($value as &mut dyn Value)
    };
}

/// A set of rows of the table.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Rows(u64);

impl Rows {
    /// Adds a row.
    #[inline]
    pub(crate) fn add(&mut self, row: Row) {
        self.0 |= 1 << row as u32;
    }
}

/// Makes [`Overrides`], [`ResolvedPolicy`] and the methods of [`TaskSpec`] from the rows.
///
/// A row is `name: Type = default, override(Of) => { methods }`, after a `#[cfg]` if it needs a feature. `Type` is the
/// type of the resolved value. `default` is the value that a spec inherits; it may use `config` and the values of the
/// rows above. `override(Of)` lists the kinds of children whose value overrides can change; none without it. `methods`
/// are the getter and the setters of `TaskSpec`; [`method`] lists their forms.
macro_rules! options {
    (under $config:ident; $($(#[$when:meta])? $name:ident: $type:ty = $default:expr $(, override($($of:ident),+))? => {
        $($(#[$doc:meta])* $kind:ident $method:ident($($argument:ident: $given:ty),*) $(-> $read:ty)? $(= $by:expr)?;)*
    })*) => {
        /// The options that a spec sets. Other options are inherited at registration. An option that is set to `None`
        /// is not inherited.
        #[derive(Clone, Default)]
        pub(crate) struct Overrides {
            $($(#[$when])? pub(crate) $name: Option<$type>,)*
        }

        /// The rows of the table.
        #[derive(Clone, Copy)]
        #[expect(non_camel_case_types, reason = "a row is named after its option")]
        pub(crate) enum Row {
            $($(#[$when])? $name,)*
        }

        /// The policy of a registration. Registrations share equal policies.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) struct ResolvedPolicy {
            $($(#[$when])? pub(crate) $name: $type,)*
        }

        impl Row {
            /// The rows in their order.
            pub(crate) const ALL: &[Self] = &[$($(#[$when])? Self::$name),*];

            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $($(#[$when])? Self::$name => stringify!($name),)*
                }
            }
        }

        impl ResolvedPolicy {
            /// Returns the value of a row, if overrides can change it.
            pub(crate) fn value(&mut self, row: Row, of: Of) -> Option<&mut dyn Value> {
                match row {
                    $($(#[$when])? Row::$name => overridden!(of, &mut self.$name $(, $($of),+)?),)*
                }
            }
        }

        impl Rows {
            /// Every row.
            pub(crate) const ALL: Self = Self((1 << Row::ALL.len()) - 1);
        }

        impl Overrides {
            /// Overrides that set nothing.
            pub(crate) const NONE: Self = Self { $($(#[$when])? $name: None,)* };

            pub(crate) fn resolve(&self, $config: &SupervisorConfig) -> ResolvedPolicy {
                $($(#[$when])? let $name = match &self.$name {
                    Some(set) => set.clone(),
                    None => $default,
                };)*
                ResolvedPolicy { $($(#[$when])? $name,)* }
            }

            /// Returns `true` if both have equal values in these rows.
            #[inline]
            pub(crate) fn are_equal(&self, other: &Self, Rows(mut left): Rows) -> bool {
                while left != 0 {
                    if !self.is_equal(other, Row::ALL[left.trailing_zeros() as usize]) {
                        return false;
                    }
                    left &= left - 1;
                }
                true
            }

            /// Returns `true` if this row is equal in both. Inlined, it would compare every row before the loop.
            #[inline(never)]
            pub(crate) fn is_equal(&self, other: &Self, row: Row) -> bool {
                match row {
                    $($(#[$when])? Row::$name => self.$name == other.$name,)*
                }
            }

            /// Returns `true` if the row is set.
            pub(crate) fn is_set(&self, row: Row) -> bool {
                match row {
                    $($(#[$when])? Row::$name => self.$name.is_some(),)*
                }
            }

            /// Sets the row to the value of the policy.
            pub(crate) fn set_as(&mut self, policy: &ResolvedPolicy, row: Row) {
                match row {
                    $($(#[$when])? Row::$name => self.$name = Some(policy.$name.clone()),)*
                }
            }

            /// Returns overrides that set every option to its value in the policy.
            pub(crate) fn of(policy: &ResolvedPolicy) -> Self {
                Self { $($(#[$when])? $name: Some(policy.$name.clone()),)* }
            }
        }

        /// Shows the options that are set.
        impl fmt::Debug for Overrides {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut set = f.debug_struct("Overrides");
                $($(#[$when])? {
                    if let Some(value) = &self.$name {
                        set.field(stringify!($name), value);
                    }
                })*
                set.finish()
            }
        }

        impl TaskSpec {
            $($(method! {
                $name: $(#[$doc])* $kind $method($($argument: $given),*) $(-> $read)? $(= $by)?
            })*)*
        }
    };
}

options! {
    under config;

    restart: RestartPolicy = config.restart, override(Task, Group) => {
        /// Returns the restart policy. Default: [`RestartPolicy::OnFailure`].
        get restart() -> RestartPolicy;

        /// Sets the restart policy.
        set with_restart(restart: RestartPolicy) = restart;
    }

    every: Option<Duration> = None, override(Task) => {
        /// Returns the period of the fixed rate. Default: `None`.
        get every() -> Option<Duration>;

        /// Runs the task at a fixed rate, from start to start. Missed ticks are skipped. Needs
        /// [`RestartPolicy::Always`] without an interval, and must not be zero. After a failure, the task waits for its
        /// backoff instead; the ticks do not move.
        set with_every(every: Duration) = Some(every);
    }

    splay: Duration = Duration::ZERO, override(Task) => {
        /// Returns the largest shift of a periodic task. Default: zero.
        get splay() -> Duration;

        /// Shifts a periodic task by up to this time, so that tasks of equal periods do not run at the same times. It
        /// delays the first attempt, and a fixed rate ([`with_every`](Self::with_every)) keeps it. The shift follows
        /// from the path of the task and from the [`instance`](SupervisorConfig::instance) of the program, and is the
        /// same in each run. Needs a period, an interval or a schedule. Each run of a schedule is shifted;
        /// [`scheduled_for`](crate::TaskContext::scheduled_for) returns the time without the shift. A splay longer than
        /// the period of a fixed rate only delays the first attempt, with a [`Warning`](crate::EventKind::Warning).
        set with_splay(splay: Duration) = splay;
    }

    #[cfg(feature = "cron")]
    cron: Option<Arc<str>> = None, override(Task) => {
        #[cfg(feature = "cron")]
        #[doc(hidden)]
        set with_cron(pattern: impl Into<Arc<str>>) = Some(pattern.into());
    }

    #[cfg(feature = "cron")]
    zone: Option<Arc<str>> = config.zone.clone(), override(Task) => {
        #[cfg(feature = "cron")]
        #[doc(hidden)]
        set with_zone(zone: impl Into<Arc<str>>) = Some(zone.into());
    }

    #[cfg(feature = "cron")]
    missed: Missed = Missed::Once, override(Task) => {
        /// Sets what happens to the missed runs of a [schedule](Self::with_schedule), or to the missed ticks of a
        /// [singleton](crate::guide::fleets) with a [period](Self::with_every). Default: [`Missed::Once`].
        #[cfg(feature = "cron")]
        set with_missed(missed: Missed) = missed;
    }

    #[cfg(feature = "cron")]
    late: Option<Duration> = None, override(Task) => {
        /// Sets how late a missed run may begin; at least 1 s. Default: no limit. Needs a
        /// [schedule](Self::with_schedule), or a [singleton](crate::guide::fleets) with a [period](Self::with_every).
        #[cfg(feature = "cron")]
        set with_late(late: Duration) = Some(late);
    }

    #[cfg(feature = "cron")]
    last_run: Option<SystemTime> = None => {
        /// Returns the time of the last run before this registration. Default: `None`, no run was missed.
        #[cfg(feature = "cron")]
        get last_run() -> Option<SystemTime>;

        /// Sets the time of the last run before this registration, such as a time that the program has stored. Runs
        /// that were due since then count as [missed](crate::Missed). Store
        /// [`scheduled_for`](crate::TaskContext::scheduled_for) of a run that succeeded, and not the time of its start:
        /// with a `splay`, or after a delay, that can be later than the time of the run after it. With
        /// `None`, no run was missed. A time 3 h or more ahead counts as now: the clock was set back. It is used once:
        /// after a restart with its group or by [`ChildHandle::restart`](crate::ChildHandle::restart), the task
        /// continues its schedule. Needs a [schedule](Self::with_schedule).
        #[cfg(feature = "cron")]
        set with_last_run(last_run: impl Into<Option<SystemTime>>) = last_run.into();
    }

    #[cfg(feature = "fleet")]
    singleton: Option<Arc<Singleton>> = None => {
        /// Returns `true` if the task runs in one replica of the fleet at a time. Default: `false`.
        #[cfg(feature = "fleet")]
        get is_singleton() -> bool = |set: Option<&Option<Arc<Singleton>>>| set.is_some_and(Option::is_some);

        /// Runs the task in every replica: clears [`with_singleton`](Self::with_singleton) and its options.
        #[cfg(feature = "fleet")]
        unset without_singleton();
    }

    initial_delay: Duration = Duration::ZERO, override(Task) => {
        /// Returns the delay before the first attempt. Default: zero.
        get initial_delay() -> Duration;

        /// Sets the delay before the first attempt.
        set with_initial_delay(delay: Duration) = delay;
    }

    backoff: BackoffPolicy = config.backoff, override(Task, Group) => {
        /// Returns the backoff after a failure. Default: 100 ms, constant, no jitter.
        get backoff() -> BackoffPolicy;

        /// Sets the backoff after a failure.
        set with_backoff(backoff: BackoffPolicy) = backoff;
    }

    reset_after: Duration = config.reset_after.unwrap_or(backoff.max.max(RESET_AFTER)), override(Task, Group) => {
        /// Returns the time that an attempt must have run for its failure to count as the first again. Default: the
        /// larger of `backoff.max` and 10 s.
        get reset_after() -> Duration;

        /// Sets the time that an attempt must have run for its failure to count as the first again. An attempt that
        /// exceeded its timeout, its start timeout or its watchdog never resets the count, however long it ran. Nor
        /// does one that never waits: an attempt runs from its first wait on.
        set with_reset_after(lived: Duration) = lived;
    }

    max_retries: Option<u32> = config.max_retries, override(Task, Group) => {
        /// Returns the number of consecutive failures that are retried. Default: `None`, no limit.
        get max_retries() -> Option<u32>;

        /// Sets the number of consecutive failures that are retried. After one more failure the task ends as exhausted.
        set with_max_retries(retries: u32) = Some(retries);
    }

    timeout: Option<Duration> = unless_zero(config.timeout), override(Task) => {
        /// Returns the timeout of an attempt. Default: `None`, no timeout.
        get timeout() -> Option<Duration>;

        /// Sets the timeout of an attempt. `None` and zero mean no timeout. After the timeout, an attempt without a
        /// context is dropped. An attempt with a context or token is requested to stop, and has the time of
        /// [`with_cleanup`](Self::with_cleanup) to end.
        set with_timeout(timeout: impl IntoTimeout) = timeout.into_timeout().and_then(unless_zero);
    }

    stop_timeout: Option<Duration> = config.stop_timeout, override(Task) => {
        /// Returns the time that the task has to end after a stop request. Default: `None`, its share of the
        /// supervisor's grace.
        get stop_timeout() -> Option<Duration>;

        /// Sets the time that the task has to end after a stop request. After that the attempt is aborted; zero aborts
        /// at once. During a shutdown the task has this time even if the [share](SupervisorConfig::grace) of its layer
        /// is smaller, as long as the grace lasts. It also limits the clean-up after a timeout, unless
        /// [`with_cleanup`](Self::with_cleanup) does.
        set with_stop_timeout(timeout: Duration) = Some(timeout);
    }

    cleanup: Option<Duration> = config.cleanup, override(Task) => {
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

    unready_after: Option<u32> = None, override(Task) => {
        /// Returns the number of failures in a row after which the task is no longer ready. Default: `None`, never.
        get unready_after() -> Option<u32>;

        /// Sets the number of failures in a row after which a task with [`Ready::FirstSuccess`] is no longer ready,
        /// until it succeeds again. Tasks that are after it continue. Must not be zero, and needs
        /// [`Ready::FirstSuccess`].
        set with_unready_after(failures: u32) = Some(failures);
    }

    start_timeout: Option<Duration> = (!ready.comes_with_an_end()).then_some(config.start_timeout), override(Task, Group) => {
        /// Returns the time that a start may take. Default: 60 s; `None` with [`Ready::Completed`] and
        /// [`Ready::FirstSuccess`].
        get start_timeout() -> Option<Duration>;

        /// Sets how long a start may take, from when it is due until the task is ready, including the wait for a
        /// permit. After that the start fails with [`TaskError::StartTimeout`](crate::TaskError::StartTimeout), and is
        /// retried like any failure. Applies to tasks with another condition than [`Ready::Start`], and to tasks that others
        /// are after. Must not be zero.
        ///
        /// Default: the [`start_timeout`](SupervisorConfig::start_timeout) of the config. With [`Ready::Completed`] and
        /// [`Ready::FirstSuccess`], where the start is the whole attempt, there is no default: the tasks that are after
        /// it stay pending, and [`Health`](crate::Health) reports for which task they wait.
        set with_start_timeout(timeout: Duration) = Some(timeout);
    }

    watchdog: Option<Duration> = None, override(Task) => {
        /// Returns the longest time between two heartbeats. Default: `None`, no watchdog.
        get watchdog() -> Option<Duration>;

        /// Sets the longest time between two calls of [`heartbeat`](crate::TaskContext::heartbeat). An attempt that
        /// exceeds it is ended like an attempt that exceeds its timeout, and has failed with
        /// [`TaskError::Silent`](crate::TaskError::Silent). Must not be zero. Send heartbeats at least twice as often:
        /// after three quarters of this time without one, the task is not [ready](crate::Problem::Quiet).
        /// [`heartbeat_while`](crate::TaskContext::heartbeat_while) sends them as long as a probe succeeds.
        set with_watchdog(silence: Duration) = Some(silence);
    }

    limit: Option<(u32, Duration)> = None, override(Task) => {
        /// Returns the limit of failures: their number, and the time. Default: `None`, no limit.
        get limit() -> Option<(u32, Duration)>;

        /// Limits the failures of the task to `max_restarts` within any span of `within`. One more failure ends the
        /// task as [`Exhausted`](crate::TaskOutcome::Exhausted). Its siblings and its group go on, unless the task is
        /// [`critical`](Self::critical). Successes and stops by request do not count, and an attempt that ran for long
        /// does not reset the count: a failure counts until it is older than `within`. A new registration of the task
        /// starts from zero. The limit of a group is [`Group::with_limit`](crate::Group::with_limit). `within` must not
        /// be zero.
        set with_limit(max_restarts: u32, within: Duration) = Some((max_restarts, within));
    }

    critical: Critical = Critical::No => {
        /// Returns `true` if the end of the task in failure fails its group, by [`critical`](Self::critical) or
        /// [`critical_at_any_end`](Self::critical_at_any_end). Default: `false`.
        get is_critical() -> bool = |set: Option<&Critical>| set.is_some_and(|set| set.is_set());

        /// Returns `true` if any end of the task fails its group. Default: `false`.
        get is_critical_at_any_end() -> bool = |set| set == Some(&Critical::AnyEnd);

        /// Fails the group if the task ends for good in failure: neither completed nor canceled.
        set critical() = Critical::Failure;

        /// Fails the group at any end of the task for good: in failure, in success, or with
        /// [`TaskError::Canceled`](crate::TaskError::Canceled). For a task that must not end, such as a server. An end
        /// after a stop request is not a failure. Not allowed with [`significant`](Self::significant) and
        /// [`Ready::Completed`]. A function under `#[task]` that returns `Infallible` or `Result<Infallible, E>` never
        /// ends in success, and needs [`critical`](Self::critical) only.
        ///
        /// ```
        /// use taskvisor::{SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
        ///
        /// # #[tokio::main(flavor = "current_thread")]
        /// # async fn main() {
        /// let serve = TaskFn::arc("serve", |_: TaskContext| async { Ok(()) });
        /// let serve = TaskSpec::inherit(serve).critical_at_any_end();
        /// let error = Tree::builder(SupervisorConfig::default()).task(serve).build().run().await.unwrap_err();
        /// assert_eq!(error.to_string(), "`serve` ended although it must not, which `root` needs");
        /// # }
        /// ```
        set critical_at_any_end() = Critical::AnyEnd;

        /// Keeps the group running if the task ends for good in failure. This is the default. If the task has never
        /// been [ready](crate::Ready) and other children are after it, the group still fails, because they could not
        /// start.
        unset not_critical();
    }

    significant: bool = false => {
        /// Returns `true` if the end of the task in success stops its group. Default: `false`.
        get is_significant() -> bool = |set| set == Some(&true);

        /// Stops the group, without a failure, when the task ends for good in success. Not allowed with the restart
        /// policy `Always` and [`critical_at_any_end`](Self::critical_at_any_end).
        set significant() = true;

        /// Keeps the group running if the task ends for good in success. This is the default.
        unset not_significant();
    }

    final_attempt: bool = false => {
        /// Returns `true` if a stop request during a wait begins a final attempt. Default: `false`.
        get has_final_attempt() -> bool = |set| set == Some(&true);

        /// Begins a final attempt if a stop is requested while the task waits for its backoff, its interval or its
        /// initial delay. A task that drains a queue can so drain it a last time. The context of the attempt has the
        /// reason of the stop. The deadline is that of any attempt after a stop request. Not allowed with the restart
        /// policy `Never`.
        ///
        /// It also follows an attempt that ended at the moment of the request or whose helpers were joined then, unless
        /// its result ends the task. The time to join the helpers counts against the final attempt.
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

    paused: bool = false, override(Task, Group) => {
        /// Returns `true` if the task is paused when it is first registered. Default: `false`.
        get is_paused() -> bool;

        /// Sets whether the task is paused when it is first registered: no attempt begins until
        /// [`resume`](crate::TaskHandle::resume) is called. After that, handles decide: a restart does not pause it
        /// again. Default: `false`. The guide explains [pausing](crate::guide::pausing).
        ///
        /// ```
        /// use taskvisor::{SupervisorConfig, TaskContext, TaskFn, TaskSpec, TaskState, Tree};
        ///
        /// # #[tokio::main(flavor = "current_thread")]
        /// # async fn main() -> Result<(), taskvisor::RuntimeError> {
        /// let import = TaskFn::arc("import", |_: TaskContext| async { Ok(()) });
        /// let import = TaskSpec::inherit(import).with_paused(true);
        /// let tree = Tree::builder(SupervisorConfig::default()).task(import).build();
        /// tree.start().await?;
        /// let import = tree.child("import");
        /// assert_eq!(import.status().map(|status| status.state), Some(TaskState::Paused));
        ///
        /// assert!(import.resume());
        /// assert!(import.outcome().await.is_some_and(|outcome| outcome.is_completed()));
        /// # tree.shutdown().await
        /// # }
        /// ```
        set with_paused(paused: bool) = paused;
    }

    revision: Option<u64> = None => {
        /// Returns the hash of the revision. Default: `None`, no revision.
        get revision() -> Option<u64>;

        /// Sets the revision of the spec: any value that differs if the task or its options differ, such as a version,
        /// or the configuration that the task was made from. [`GroupHandle::reconcile`](crate::GroupHandle::reconcile)
        /// and [`SupervisorHandle::reconcile`](crate::SupervisorHandle::reconcile) keep a task whose name and revision
        /// are equal, and replace one whose revision differs. No other effect.
        set with_revision(revision: impl Hash) = Some(hash(&revision));
    }

    span: SpanScope = SpanScope::Attempt => {
        /// Returns the scope of the spans of the task. Default: [`SpanScope::Attempt`].
        get span() -> SpanScope;

        /// Sets the scope of the spans of the task. No effect without the feature `tracing`.
        set with_span(span: SpanScope) = span;
    }

    named_limit: Option<Arc<str>> = None => {
        /// Returns the name of the limit whose permits the attempts need. Default: `None`.
        get named_limit() -> Option<&str> = label;

        /// Makes each attempt need a permit of the limit of that name, which
        /// [`TreeBuilder::with_named_limit`](crate::TreeBuilder::with_named_limit) declares. It also needs permits of
        /// the groups around the task and of [`max_concurrent`](SupervisorConfig::max_concurrent). While the task waits
        /// for a permit, it is `Pending`.
        set with_named_limit(name: impl Into<Arc<str>>) = Some(name.into());
    }

    metric_label: Option<Arc<str>> = None => {
        /// Returns the value of the label `task` in metrics. Default: `None`, which stands for the path of a declared
        /// task. A task that was added at run time has the path of its group, or `dynamic`.
        get metric_label() -> Option<&str> = label;

        /// Sets the value of the label `task` in metrics, for tasks that are added at run time. By default they share
        /// the path of their group, or `dynamic`. Each label is a time series, so set one label for each kind of task
        /// and not for each task. Must not be empty. No effect without the feature `metrics`.
        set with_metric_label(label: impl Into<Arc<str>>) = Some(label.into());
    }
}

/// Returns a hash that is the same for equal values in one process.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Returns the value of an option of type text.
fn label(set: Option<&Option<Arc<str>>>) -> Option<&str> {
    set?.as_deref()
}

/// Converts zero to `None`.
fn unless_zero(time: Duration) -> Option<Duration> {
    (!time.is_zero()).then_some(time)
}
