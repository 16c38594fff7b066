//! The kinds of events, and their typed data.

use std::sync::OnceLock;
use std::time::Duration;

use super::{Event, Reason};
use crate::task::StopReason;

/// Generates [`EventKind`] and [`EventData`]: each row is a variant of both.
///
/// A row is `Kind: Level { fields }`. `Level` is the usual level of the kind in the log. A field is `name: Type`, whose
/// value is the local variable of that name, or `name: Type = value`. The docs of a row are put on both variants.
macro_rules! events {
    (@value $field:ident) => { $field };
    (@value $field:ident $value:expr) => { $value };
    (
        $(#[$kinds:meta])* pub enum EventKind;

        $(#[$data:meta])* pub enum EventData = |$event:ident| { $(let $local:ident = $read:expr;)* };

        $($(#[$doc:meta])* $kind:ident: $level:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty $(= $value:expr)?,)*
        })*
    ) => {
        labels! {
            $(#[$kinds])*
            pub enum EventKind: Display {
                $($(#[$doc])* $kind = stringify!($kind),)*
            }
        }

        impl EventKind {
            pub(super) const ALL: &[Self] = &[$(Self::$kind,)*];
        }

        #[cfg(feature = "logging")]
        impl EventKind {
            /// Returns the level of an event of this kind, if nothing about the event raises or lowers it.
            pub(super) const fn usual_level(self) -> super::LogLevel {
                match self {
                    $(Self::$kind => super::LogLevel::$level,)*
                }
            }
        }

        $(#[$data])*
        pub enum EventData<'a> {
            $($(#[$doc])* #[non_exhaustive] $kind { $($(#[$field_doc])* $field: $type,)* },)*
        }

        fn data_of($event: &Event) -> EventData<'_> {
            $(let $local = $read;)*
            match $event.kind {
                $(EventKind::$kind => EventData::$kind { $($field: events!(@value $field $($value)?),)* },)*
            }
        }
    };
}

events! {
    /// The kind of an event.
    ///
    /// Every event has its `kind`, its number `seq` and its time `at`. The table lists the other fields of [`Event`]
    /// that events of a kind have. [`Event::data`] returns the same as a variant for each kind. The guide lists the
    /// [order of events](crate::guide::outcomes_and_events) in common cases.
    ///
    /// | kind | when it is published | fields |
    /// |---|---|---|
    /// | [`TaskStarting`](Self::TaskStarting) | An attempt begins. | `task`, `id`, `attempt` |
    /// | [`TaskStopped`](Self::TaskStopped) | An attempt ended in success, or after a stop request, or with [`TaskError::Canceled`]. | `task`, `id`, `attempt`; unless it succeeded, `stop`, and `reason`: the error of the attempt, or `stop` as text |
    /// | [`TaskFailed`](Self::TaskFailed) | An attempt failed, or was aborted. | `task`, `id`, `attempt`, `reason` |
    /// | [`TimeoutHit`](Self::TimeoutHit) | An attempt exceeded its timeout, its start timeout or its watchdog. `TaskFailed` follows when it has ended, or `TaskStopped` after a stop request. A start that times out before its attempt begins has `TaskFailed` only. | `task`, `id`, `attempt`, `timeout_ms` |
    /// | [`BackoffScheduled`](Self::BackoffScheduled) | After the end of an attempt, the next one waits. Not published for a wait of zero. | `task`, `id`, `attempt`, `delay_ms`; `reason`: the error, or `interval`, `throttled` or `schedule` after a success; `schedule` also after a run of a schedule that is given up |
    /// | [`ActorExhausted`](Self::ActorExhausted) | The task completed, or failed with no retry left. | `task`, `id`, `attempt`; `reason` unless it completed |
    /// | [`ActorDead`](Self::ActorDead) | A fatal error ended the task. | `task`, `id`, `attempt`, `reason` |
    /// | [`TaskAdded`](Self::TaskAdded) | A task is registered; a submission to a slot is when its turn comes. | `task`, `id` |
    /// | [`TaskRemoved`](Self::TaskRemoved) | A registration has ended: the task has terminated, and its name is free. | `task`, `id`; if no event of an attempt says why: `reason`, and `stop` after a stop request between attempts |
    /// | [`TaskReady`](Self::TaskReady) | A task became ready by [`TaskContext::ready`](crate::TaskContext::ready), or by its first success, or by the first after it was not ready any more ([`Ready::FirstSuccess`](crate::Ready::FirstSuccess)). With other values of `Ready` there is no such event: the task is ready from `TaskStarting`, or from its end. | `task`, `id`, `attempt` |
    /// | [`GroupFailed`](Self::GroupFailed) | A group other than the root failed: it exceeded its limit, a critical child failed, or its children could not be made. | `task`: the path of the group; `reason`: the chain of failures, which is the [error](Event::error): a [`FailureChain`](crate::FailureChain); `count`: the number of consecutive failures; `delay_ms`: the time until it starts again; not set if it does not |
    /// | [`GroupRestarted`](Self::GroupRestarted) | A further run of a group begins: the group failed, has ended in success and repeats, was restarted, or restarts with its siblings. | `task`: the path of the group; `count`: the number of runs after the first |
    /// | [`GroupEnded`](Self::GroupEnded) | A group other than the root has ended for good: all its children have ended. | `task`: the path of the group; unless it completed, `reason`: the failure, or `stop` as text; `stop` after a stop request |
    /// | [`TaskAddRequested`](Self::TaskAddRequested) | Just before `TaskAdded`. | `task`, `id` |
    /// | [`TaskRemoveRequested`](Self::TaskRemoveRequested) | A task was requested to stop for the first time: by name, through its handle, by `reconcile` or `replace`, or by a replacement in its slot. Not by a shutdown or by its group. | `task`, `id` |
    /// | [`TaskPaused`](Self::TaskPaused) | A task, a group or a slot was paused: no attempt begins in it. Once for each call that pauses it, and where it is declared as paused. | of a task: `task`, `id` while it is registered; of a group: `task`, its path, which is empty for the root; of a slot: `slot` |
    /// | [`TaskResumed`](Self::TaskResumed) | The pause of a task, a group or a slot has ended by a call. | as for `TaskPaused` |
    /// | [`ShutdownRequested`](Self::ShutdownRequested) | A shutdown begins, once for each supervisor. | `reason`: the cause, such as `SIGTERM`, `shutdown()` or the failure of the tree, which is its [error](Event::error): a [`FailureChain`](crate::FailureChain) |
    /// | [`ShutdownWaiting`](Self::ShutdownWaiting) | Tasks have been stopping for 1 s in a shutdown, and again after 2 s, 4 s, 8 s and so on. | `task`: the one that has been stopping for the longest time; `delay_ms`: for how long; `timeout_ms`: the time until the end of the grace, unless it has none; `count`: the number of tasks that have not stopped; `reason`: the same as text, and how many helpers run if the function of the task has returned |
    /// | [`ShutdownForced`](Self::ShutdownForced) | A shutdown is forced for the first time, by a second signal or `shutdown_now`. | `reason`: the cause |
    /// | [`AllStoppedWithinGrace`](Self::AllStoppedWithinGrace) | A shutdown is over, and no task was aborted. | `reason` if the tree failed |
    /// | [`GraceExceeded`](Self::GraceExceeded) | A shutdown is over, and tasks were aborted: at the end of the grace, or of a layer's share, or by a forced shutdown. | `reason`: the tasks, and the failure of the tree if it failed |
    /// | [`ControllerSubmitted`](Self::ControllerSubmitted) | A slot accepted a submission. | `task`, `id`, `slot`, `count` |
    /// | [`ControllerRejected`](Self::ControllerRejected) | A submission will not run. | `task`, `id`, `slot`, `count`; `reason`: a label of [`RejectReason`], or `canceled` |
    /// | [`ControllerSlotTransition`](Self::ControllerSlotTransition) | A slot changed its state or its owner. | `slot`, `count`; `reason`: the change, as in `idle -> running`; `task` and `id` of the owner, unless it is idle or waiting |
    /// | [`RunsMissed`](Self::RunsMissed) | Runs of a schedule did not begin on time: another attempt was running or waited for a permit, the host was suspended, the clock was set, they were due since `last_run`, or a later one takes the place of one that was interrupted. | `task`, `id`, `count`, `reason`; `attempt`: the one that makes up for them, or else the last |
    /// | [`LeaseAcquired`](Self::LeaseAcquired) | A [singleton](crate::guide::fleets) has its lease: its attempts may begin. | `task`: the path of the task or group; `id` of a task; `count`: the fencing token; `reason`: the key |
    /// | [`LeaseLost`](Self::LeaseLost) | A singleton has to stop, because its lease could not be renewed. | `task`, `id`, `reason` |
    /// | [`LeaseReleased`](Self::LeaseReleased) | The store has confirmed the release of a lease, or the end of its session, after the end of its work: another replica can acquire it at once. | `task`, `count`: the fencing token; `reason`: the key |
    /// | [`LeaseOverrun`](Self::LeaseOverrun) | The work of a singleton still runs after the end of its lease, because it blocks its thread. Another replica may have begun. | `task`, `id`, `reason`: the key |
    /// | [`FleetUnreachable`](Self::FleetUnreachable) | The store of the fleet does not answer, or refuses; once more at the end of a shutdown that has waited for it in vain, unless that is known. | `reason` |
    /// | [`FleetReachable`](Self::FleetReachable) | The store of the fleet answers again. | |
    /// | [`Warning`](Self::Warning) | A task waits for a permit for 10 s; a `critical` task or group without `max_retries` has failed 10 times in a row; a task without an interval has succeeded at once 10 times in a row, and pauses from then on; a run of a schedule is given up; a `splay` is longer than the period of `every`; a timer has fired so late that a limit is granted once more, once a minute; the store of the fleet has a tick that is 3 h or more ahead of its clock; and other conditions that can lead to a failure. | `task`: the path of the task or group; `reason`; `id` of a task; `attempt` after an attempt of a task |
    /// | [`SubscriberPanicked`](Self::SubscriberPanicked) | A subscriber panicked. | `task`: the name of the subscriber; `count`, `reason` |
    /// | [`SubscriberOverflow`](Self::SubscriberOverflow) | A subscriber lost events. | `task`: the name of the subscriber; `count`, `reason` |
    ///
    /// A submission that never runs has no `TaskAdded` and no `TaskRemoved`: its last event is `ControllerRejected`.
    /// With no subscriber and no stream, no event is created.
    ///
    /// [`RejectReason`]: crate::RejectReason
    /// [`TaskError::Canceled`]: crate::TaskError::Canceled
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum EventKind;

    /// The typed data of an event: a variant for each [`EventKind`], with the fields of that kind.
    ///
    /// [`Event::data`] returns it. It borrows from the event, and costs nothing unless it is called. The fields that
    /// every event can have stay in [`Event`]: the [`id`](Event::id) of the registration, [`seq`](Event::seq) and
    /// [`at`](Event::at).
    ///
    /// Events of a supervisor have all fields of their kind. For an event from [`Event::new`], a text that is not set
    /// is empty, and a number or duration is zero.
    ///
    /// # Examples
    /// ```
    /// use taskvisor::{Event, EventData, Subscribe};
    ///
    /// struct Alerts;
    ///
    /// #[async_trait::async_trait]
    /// impl Subscribe for Alerts {
    ///     async fn on_event(&self, event: &Event) {
    ///         match event.data() {
    ///             EventData::TaskFailed { task, reason, .. } => println!("{task} failed: {reason}"),
    ///             EventData::BackoffScheduled { task, delay, .. } => println!("{task}: next attempt in {delay:?}"),
    ///             EventData::ActorDead { task, reason, .. } => println!("{task} is not retried: {reason}"),
    ///             _ => {}
    ///         }
    ///     }
    /// }
    /// ```
    #[derive(Debug, Clone, Copy)]
    #[non_exhaustive]
    pub enum EventData = |event| {
        let task = event.task.as_deref().unwrap_or_default();
        let slot = event.slot.as_deref().unwrap_or_default();
        let attempt = event.attempt.unwrap_or_default();
        let count = event.count.unwrap_or_default();
        let because = event.reason.as_ref();
        let reason = because.unwrap_or(&NO_REASON);
    };

    /// An attempt begins.
    TaskStarting: Info {
        /// The path of the task.
        task: &'a str,
        /// The attempt, counted from 1.
        attempt: u32,
    }

    /// An attempt ended in success, without a `reason`; or after a stop request or as canceled, with a `reason`.
    TaskStopped: Info {
        /// The path of the task.
        task: &'a str,
        /// The attempt, counted from 1; 0 if its start was stopped before any attempt began.
        attempt: u32,
        /// `None` after a success; otherwise the error of the attempt, or the text of `stop`.
        reason: Option<&'a Reason> = because,
        /// The reason of the stop request. `None` after a success.
        stop: Option<&'a StopReason> = event.stop.as_ref(),
    }

    /// An attempt failed, or was aborted.
    TaskFailed: Warn {
        /// The path of the task.
        task: &'a str,
        /// The attempt, counted from 1; 0 if the start failed before any attempt began.
        attempt: u32,
        /// The failure. An aborted attempt has no [`error`](Reason::error).
        reason: &'a Reason,
    }

    /// An attempt exceeded its timeout, its start timeout or its watchdog.
    TimeoutHit: Info {
        /// The path of the task.
        task: &'a str,
        /// The attempt, counted from 1.
        attempt: u32,
        /// The timeout, rounded down to milliseconds.
        timeout: Duration = event.timeout().unwrap_or_default(),
    }

    /// The next attempt waits, after a failure or a success.
    BackoffScheduled: Debug {
        /// The path of the task.
        task: &'a str,
        /// The attempt that ended, counted from 1; 0 if the start failed before any attempt began.
        attempt: u32,
        /// The time until the next attempt, rounded down to milliseconds.
        delay: Duration = event.delay().unwrap_or_default(),
        /// The failure that caused the backoff. A wait for an interval, after a success, has no
        /// [`error`](Reason::error).
        reason: &'a Reason,
    }

    /// No other attempt follows: the task completed, or it failed with `reason` and no retry is left.
    ActorExhausted: Info {
        /// The path of the task.
        task: &'a str,
        /// The last attempt, counted from 1; 0 if the start failed before any attempt began.
        attempt: u32,
        /// `None` if the task completed; otherwise the failure.
        reason: Option<&'a Reason> = because,
    }

    /// A fatal error ended the task; `reason` is the error.
    ActorDead: Error {
        /// The path of the task.
        task: &'a str,
        /// The last attempt, counted from 1.
        attempt: u32,
        /// The error.
        reason: &'a Reason,
    }

    /// A task is registered.
    TaskAdded: Debug {
        /// The path of the task.
        task: &'a str,
    }

    /// A registration has ended and its name is free.
    TaskRemoved: Debug {
        /// The path of the task.
        task: &'a str,
        /// Why it has ended, if no event of an attempt says so: it was stopped between attempts, or before the first, or
        /// its runtime ended.
        reason: Option<&'a Reason> = because,
        /// The reason of the stop request. `None` if an event of an attempt has it, or without one.
        stop: Option<&'a StopReason> = event.stop.as_ref(),
    }

    /// A task became ready during an attempt, by a call of `ready`, or by its first success.
    TaskReady: Info {
        /// The path of the task.
        task: &'a str,
        /// The attempt, counted from 1.
        attempt: u32,
    }

    /// A group other than the root failed.
    GroupFailed: Warn {
        /// The path of the group.
        task: &'a str,
        /// The number of its consecutive failures; 0 if it does not start again.
        failures: u64 = count,
        /// The time until its next run, rounded down to milliseconds. `None` if it does not start again.
        delay: Option<Duration> = event.delay(),
        /// The failure. Its [`error`](Reason::error) wraps a [`FailureChain`](crate::FailureChain).
        reason: &'a Reason,
    }

    /// A run of a group begins, after its first.
    GroupRestarted: Info {
        /// The path of the group.
        task: &'a str,
        /// The number of runs after the first.
        restarts: u64 = count,
    }

    /// A group other than the root has ended for good: its children have ended.
    GroupEnded: Info {
        /// The path of the group.
        task: &'a str,
        /// The failure, or the text of `stop`. `None` if it completed.
        reason: Option<&'a Reason> = because,
        /// The reason of the stop request. `None` without one.
        stop: Option<&'a StopReason> = event.stop.as_ref(),
    }

    /// A task is about to be registered.
    TaskAddRequested: Debug {
        /// The path of the task.
        task: &'a str,
    }

    /// A task was requested to stop, by name, through its handle, or by a submission that replaces it in its slot.
    TaskRemoveRequested: Debug {
        /// The path of the task.
        task: &'a str,
    }

    /// A task, a group or a slot was paused: no attempt begins in it.
    TaskPaused: Info {
        /// The path of the task or group; empty for the root, and for a slot.
        task: &'a str,
        /// The name of the slot. `None` for a task or group.
        slot: Option<&'a str> = event.slot.as_deref(),
    }

    /// The pause of a task, a group or a slot has ended.
    TaskResumed: Info {
        /// The path of the task or group; empty for the root, and for a slot.
        task: &'a str,
        /// The name of the slot. `None` for a task or group.
        slot: Option<&'a str> = event.slot.as_deref(),
    }

    /// A shutdown was requested; `reason` names the cause. If the tree failed, the reason has the error.
    ShutdownRequested: Info {
        /// The cause. If the tree failed, its [`error`](Reason::error) wraps a [`FailureChain`](crate::FailureChain);
        /// other causes have no error.
        reason: &'a Reason,
    }

    /// A shutdown takes longer than 1 s.
    ShutdownWaiting: Info {
        /// The path of the task that has been stopping for the longest time.
        task: &'a str,
        /// The time since its stop request, rounded down to milliseconds.
        since: Duration = event.delay().unwrap_or_default(),
        /// The time until the end of the grace, rounded down to milliseconds; `None` if it has no end.
        left: Option<Duration> = event.timeout(),
        /// The number of tasks that have not stopped.
        waiting: u64 = count,
        /// The same as text. If the function of the task has returned, also how many of its helpers run.
        reason: &'a Reason,
    }

    /// A shutdown was forced by a second signal or by `shutdown_now`; `reason` names it. Tasks that have not stopped
    /// are aborted.
    ShutdownForced: Warn {
        /// The cause.
        reason: &'a Reason,
    }

    /// Every task stopped in time; `reason` is the failure of the tree, if there is one.
    AllStoppedWithinGrace: Info {
        /// The failure of the tree, if there is one.
        reason: Option<&'a Reason> = because,
    }

    /// Some tasks had to be aborted; `reason` names them, and the failure of the tree if there is one.
    GraceExceeded: Error {
        /// The tasks, and the failure of the tree if there is one.
        reason: &'a Reason,
    }

    /// A submission was accepted: its task starts at once, or waits.
    ControllerSubmitted: Debug {
        /// The path of the task.
        task: &'a str,
        /// The name of the slot.
        slot: &'a str,
        /// The number of waiting submissions in the slot.
        waiting: u64 = count,
    }

    /// A submission will not run. The `reason` is `busy`, `paused`, `full`, `superseded`, `shutting_down`, `refused`, or
    /// `canceled` after a stop request while it waited.
    ControllerRejected: Warn {
        /// The path of the task.
        task: &'a str,
        /// The name of the slot.
        slot: &'a str,
        /// The number of waiting submissions in the slot.
        waiting: u64 = count,
        /// The label of a [`RejectReason`](crate::RejectReason::as_label), or `canceled`.
        reason: &'a Reason,
    }

    /// The state of a slot changed. A slot is `stopping` when its owner is requested to make way, and not when the
    /// owner is canceled. It is `waiting` when no task owns it, and submissions wait for a time or a place. A change from
    /// `running` or `stopping` to `running` is a change of the owner.
    ControllerSlotTransition: Debug {
        /// The name of the slot.
        slot: &'a str,
        /// The path of the task that owns the slot now. `None` if it is idle or waiting.
        owner: Option<&'a str> = event.task.as_deref(),
        /// The previous state.
        from: &'a str = change(reason).0,
        /// The new state.
        to: &'a str = change(reason).1,
        /// The number of waiting submissions in the slot.
        waiting: u64 = count,
    }

    /// Runs of a [schedule](crate::Schedule) did not begin on time; `reason` has the time of the latest one, and
    /// whether an attempt makes up for them. See [`Missed`](crate::Missed).
    RunsMissed: Warn {
        /// The path of the task.
        task: &'a str,
        /// The last attempt, counted from 1; 0 before the first.
        attempt: u32,
        /// The number of runs; 1,000 means at least that many.
        count: u64,
        /// The time of the latest one, and whether an attempt makes up for them.
        reason: &'a Reason,
    }

    /// A singleton has its lease.
    LeaseAcquired: Info {
        /// The path of the task or group.
        task: &'a str,
        /// The key of the lease.
        key: &'a Reason = reason,
        /// The number of the fencing token.
        token: u64 = count,
    }

    /// A singleton has to stop, because its lease could not be renewed. A lease that is handed over is only released.
    LeaseLost: Warn {
        /// The path of the task or group.
        task: &'a str,
        /// The cause.
        reason: &'a Reason,
    }

    /// A lease was given back.
    LeaseReleased: Info {
        /// The path of the task or group.
        task: &'a str,
        /// The key of the lease.
        key: &'a Reason = reason,
        /// The number of the fencing token.
        token: u64 = count,
    }

    /// The work of a singleton still runs after the end of its lease.
    LeaseOverrun: Error {
        /// The path of the task or group.
        task: &'a str,
        /// The key of the lease.
        key: &'a Reason = reason,
    }

    /// The store of the fleet does not answer, or refuses.
    FleetUnreachable: Warn {
        /// The error.
        reason: &'a Reason,
    }

    /// The store of the fleet answers again.
    FleetReachable: Info {}

    /// A condition that can lead to a failure; `reason` describes it, and what is missing.
    Warning: Warn {
        /// The path of the task or group; that of the root is empty.
        task: &'a str,
        /// A description of the condition, and of what is missing.
        reason: &'a Reason,
    }

    /// A subscriber panicked.
    SubscriberPanicked: Warn {
        /// The name of the subscriber.
        subscriber: &'a str = task,
        /// The number of panics in this burst.
        count: u64,
        /// The message of a panic.
        reason: &'a Reason,
    }

    /// The queue of a subscriber was full.
    SubscriberOverflow: Warn {
        /// The name of the subscriber.
        subscriber: &'a str = task,
        /// The number of lost events in this burst.
        lost: u64 = count,
    }
}

impl EventKind {
    /// Returns the name of the variant.
    pub const fn as_str(self) -> &'static str {
        self.label()
    }

    /// Returns `true` for a report about a subscriber, which never causes another report.
    pub(crate) const fn is_diagnostic(self) -> bool {
        matches!(self, Self::SubscriberPanicked | Self::SubscriberOverflow)
    }
}

impl Event {
    /// Returns the typed data: a variant for each kind, with the fields of that kind.
    ///
    /// ```
    /// use std::time::Duration;
    /// use taskvisor::{Event, EventData, EventKind};
    ///
    /// let mut event = Event::new(EventKind::TimeoutHit);
    /// event.task = Some("sync".into());
    /// event.attempt = Some(2);
    /// event.timeout_ms = Some(500);
    ///
    /// let EventData::TimeoutHit { task, attempt, timeout, .. } = event.data() else { panic!() };
    /// assert_eq!((task, attempt, timeout), ("sync", 2, Duration::from_millis(500)));
    /// ```
    pub fn data(&self) -> EventData<'_> {
        data_of(self)
    }
}

/// Splits the reason of a slot transition, as in `idle -> running`.
fn change(reason: &Reason) -> (&str, &str) {
    reason.split_once(" -> ").unwrap_or_default()
}

/// Replaces a missing reason of an event that was created by hand.
static NO_REASON: Reason = Reason { error: None, text: OnceLock::new() };

#[cfg(test)]
#[path = "data_test.rs"]
mod tests;
