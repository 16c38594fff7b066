//! The typed data of an event.

use std::sync::OnceLock;
use std::time::Duration;

use super::{Event, EventKind, Reason};
use crate::task::StopReason;

/// The typed data of an event: a variant for each [`EventKind`], with the fields of that kind.
///
/// [`Event::data`] returns it. It borrows from the event, and costs nothing unless it is called. The fields that every
/// event can have stay in [`Event`]: the [`id`](Event::id) of the registration, [`seq`](Event::seq) and
/// [`at`](Event::at).
///
/// Events of a supervisor have all fields of their kind. For an event from [`Event::new`], a text that is not set is
/// empty, and a number or duration is zero.
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
///             EventData::TaskFailed { task, attempt, reason, .. } => println!("{task}: attempt {attempt}: {reason}"),
///             EventData::BackoffScheduled { task, delay, .. } => println!("{task}: next attempt in {delay:?}"),
///             EventData::ActorDead { task, reason, .. } => println!("{task} is not retried: {reason}"),
///             _ => {}
///         }
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum EventData<'a> {
    /// An attempt begins.
    #[non_exhaustive]
    TaskStarting {
        /// The path of the task.
        task: &'a str,
        /// The attempt, counted from 1.
        attempt: u32,
    },
    /// An attempt ended in success, was requested to stop, or gave up.
    #[non_exhaustive]
    TaskStopped {
        /// The path of the task.
        task: &'a str,
        /// The attempt, counted from 1.
        attempt: u32,
        /// `None` after a success; otherwise the error of the attempt, or the text of `stop`.
        reason: Option<&'a Reason>,
        /// The reason of the stop request. `None` after a success.
        stop: Option<&'a StopReason>,
    },
    /// An attempt failed, or was aborted.
    #[non_exhaustive]
    TaskFailed {
        /// The path of the task.
        task: &'a str,
        /// The attempt, counted from 1; 0 if the start failed before any attempt began.
        attempt: u32,
        /// The failure. An aborted attempt has no [`error`](Reason::error).
        reason: &'a Reason,
    },
    /// An attempt exceeded its timeout, its start timeout or its watchdog.
    #[non_exhaustive]
    TimeoutHit {
        /// The path of the task.
        task: &'a str,
        /// The attempt, counted from 1.
        attempt: u32,
        /// The timeout, rounded down to milliseconds.
        timeout: Duration,
    },
    /// The next attempt waits.
    #[non_exhaustive]
    BackoffScheduled {
        /// The path of the task.
        task: &'a str,
        /// The attempt that ended, counted from 1; 0 if the start failed before any attempt began.
        attempt: u32,
        /// The time until the next attempt, rounded down to milliseconds.
        delay: Duration,
        /// The failure that caused the backoff. A wait for an interval, after a success, has no
        /// [`error`](Reason::error).
        reason: &'a Reason,
    },
    /// No other attempt follows.
    #[non_exhaustive]
    ActorExhausted {
        /// The path of the task.
        task: &'a str,
        /// The last attempt, counted from 1; 0 if the start failed before any attempt began.
        attempt: u32,
        /// `None` if the task completed; otherwise the failure.
        reason: Option<&'a Reason>,
    },
    /// A fatal error ended the task.
    #[non_exhaustive]
    ActorDead {
        /// The path of the task.
        task: &'a str,
        /// The last attempt, counted from 1.
        attempt: u32,
        /// The error.
        reason: &'a Reason,
    },
    /// A task is registered.
    #[non_exhaustive]
    TaskAdded {
        /// The path of the task.
        task: &'a str,
    },
    /// A registration has ended and its name is free.
    #[non_exhaustive]
    TaskRemoved {
        /// The path of the task.
        task: &'a str,
    },
    /// A task is about to be registered.
    #[non_exhaustive]
    TaskAddRequested {
        /// The path of the task.
        task: &'a str,
    },
    /// A task was requested to stop, by name, through its handle, or by a submission that replaces it in its slot.
    #[non_exhaustive]
    TaskRemoveRequested {
        /// The path of the task.
        task: &'a str,
    },
    /// A shutdown was requested.
    #[non_exhaustive]
    ShutdownRequested {
        /// The cause. If the tree failed, its [`error`](Reason::error) wraps a [`FailureChain`](crate::FailureChain);
        /// other causes have no error.
        reason: &'a Reason,
    },
    /// A shutdown takes longer than 1 s.
    #[non_exhaustive]
    ShutdownWaiting {
        /// The path of the task that has been stopping for the longest time.
        task: &'a str,
        /// The time since its stop request, rounded down to milliseconds.
        since: Duration,
        /// The time until the end of the grace, rounded down to milliseconds; `None` if it has no end.
        left: Option<Duration>,
        /// The number of tasks that have not stopped.
        waiting: u64,
        /// The same as text.
        reason: &'a Reason,
    },
    /// A shutdown was forced.
    #[non_exhaustive]
    ShutdownForced {
        /// The cause.
        reason: &'a Reason,
    },
    /// Every task stopped in time.
    #[non_exhaustive]
    AllStoppedWithinGrace {
        /// The failure of the tree, if there is one.
        reason: Option<&'a Reason>,
    },
    /// Some tasks had to be aborted.
    #[non_exhaustive]
    GraceExceeded {
        /// The tasks, and the failure of the tree if there is one.
        reason: &'a Reason,
    },
    /// A submission was accepted.
    #[non_exhaustive]
    ControllerSubmitted {
        /// The path of the task.
        task: &'a str,
        /// The name of the slot.
        slot: &'a str,
        /// The number of waiting submissions in the slot.
        waiting: u64,
    },
    /// A submission will not run.
    #[non_exhaustive]
    ControllerRejected {
        /// The path of the task.
        task: &'a str,
        /// The name of the slot.
        slot: &'a str,
        /// The number of waiting submissions in the slot.
        waiting: u64,
        /// The label of a [`RejectReason`](crate::RejectReason::as_label), or `canceled`.
        reason: &'a Reason,
    },
    /// The state of a slot changed: `idle`, `running` or `stopping`.
    #[non_exhaustive]
    ControllerSlotTransition {
        /// The name of the slot.
        slot: &'a str,
        /// The path of the task that owns the slot now. `None` if it is idle.
        owner: Option<&'a str>,
        /// The previous state.
        from: &'a str,
        /// The new state.
        to: &'a str,
        /// The number of waiting submissions in the slot.
        waiting: u64,
    },
    /// A condition that can lead to a failure, or the failure of a group.
    #[non_exhaustive]
    Warning {
        /// The path of the task or group; that of the root is empty.
        task: &'a str,
        /// A description of the condition, and of what is missing; or the chain of failures, and what follows.
        reason: &'a Reason,
    },
    /// A subscriber panicked.
    #[non_exhaustive]
    SubscriberPanicked {
        /// The name of the subscriber.
        subscriber: &'a str,
        /// The number of panics in this burst.
        count: u64,
        /// The message of a panic.
        reason: &'a Reason,
    },
    /// A subscriber's queue was full.
    #[non_exhaustive]
    SubscriberOverflow {
        /// The name of the subscriber.
        subscriber: &'a str,
        /// The number of lost events in this burst.
        lost: u64,
    },
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
        let task = self.task.as_deref().unwrap_or_default();
        let slot = self.slot.as_deref().unwrap_or_default();
        let attempt = self.attempt.unwrap_or_default();
        let count = self.count.unwrap_or_default();
        let because = self.reason.as_ref();
        let reason = because.unwrap_or(&NO_REASON);
        match self.kind {
            EventKind::TaskStarting => EventData::TaskStarting { task, attempt },
            EventKind::TaskStopped => {
                EventData::TaskStopped { task, attempt, reason: because, stop: self.stop.as_ref() }
            }
            EventKind::TaskFailed => EventData::TaskFailed { task, attempt, reason },
            EventKind::TimeoutHit => {
                EventData::TimeoutHit { task, attempt, timeout: self.timeout().unwrap_or_default() }
            }
            EventKind::BackoffScheduled => {
                EventData::BackoffScheduled { task, attempt, delay: self.delay().unwrap_or_default(), reason }
            }
            EventKind::ActorExhausted => EventData::ActorExhausted { task, attempt, reason: because },
            EventKind::ActorDead => EventData::ActorDead { task, attempt, reason },
            EventKind::TaskAdded => EventData::TaskAdded { task },
            EventKind::TaskRemoved => EventData::TaskRemoved { task },
            EventKind::TaskAddRequested => EventData::TaskAddRequested { task },
            EventKind::TaskRemoveRequested => EventData::TaskRemoveRequested { task },
            EventKind::ShutdownRequested => EventData::ShutdownRequested { reason },
            EventKind::ShutdownWaiting => EventData::ShutdownWaiting {
                task,
                since: self.delay().unwrap_or_default(),
                left: self.timeout(),
                waiting: count,
                reason,
            },
            EventKind::ShutdownForced => EventData::ShutdownForced { reason },
            EventKind::AllStoppedWithinGrace => EventData::AllStoppedWithinGrace { reason: because },
            EventKind::GraceExceeded => EventData::GraceExceeded { reason },
            EventKind::ControllerSubmitted => EventData::ControllerSubmitted { task, slot, waiting: count },
            EventKind::ControllerRejected => EventData::ControllerRejected { task, slot, waiting: count, reason },
            EventKind::ControllerSlotTransition => {
                let (from, to) = reason.split_once(" -> ").unwrap_or_default();
                EventData::ControllerSlotTransition { slot, owner: self.task.as_deref(), from, to, waiting: count }
            }
            EventKind::Warning => EventData::Warning { task, reason },
            EventKind::SubscriberPanicked => EventData::SubscriberPanicked { subscriber: task, count, reason },
            EventKind::SubscriberOverflow => EventData::SubscriberOverflow { subscriber: task, lost: count },
        }
    }
}

/// Replaces a missing reason of an event that was created by hand.
static NO_REASON: Reason = Reason { error: None, text: OnceLock::new() };

#[cfg(test)]
mod tests {
    use super::*;

    /// An event of this kind with every field set.
    fn full(kind: EventKind) -> Event {
        let reason = if kind == EventKind::ControllerSlotTransition { "idle -> running" } else { "refused" };
        Event {
            task: Some("a/b".into()),
            slot: Some("s".into()),
            attempt: Some(3),
            stop: Some(StopReason::Shutdown),
            delay_ms: Some(400),
            timeout_ms: Some(5000),
            count: Some(7),
            ..Event::new(kind).because(reason)
        }
    }

    #[test]
    fn each_kind_has_its_own_fields_and_no_others() {
        let expected = [
            (EventKind::TaskStarting, r#"TaskStarting { task: "a/b", attempt: 3 }"#),
            (
                EventKind::TaskStopped,
                r#"TaskStopped { task: "a/b", attempt: 3, reason: Some("refused"), stop: Some(Shutdown) }"#,
            ),
            (EventKind::TaskFailed, r#"TaskFailed { task: "a/b", attempt: 3, reason: "refused" }"#),
            (EventKind::TimeoutHit, r#"TimeoutHit { task: "a/b", attempt: 3, timeout: 5s }"#),
            (
                EventKind::BackoffScheduled,
                r#"BackoffScheduled { task: "a/b", attempt: 3, delay: 400ms, reason: "refused" }"#,
            ),
            (EventKind::ActorExhausted, r#"ActorExhausted { task: "a/b", attempt: 3, reason: Some("refused") }"#),
            (EventKind::ActorDead, r#"ActorDead { task: "a/b", attempt: 3, reason: "refused" }"#),
            (EventKind::TaskAdded, r#"TaskAdded { task: "a/b" }"#),
            (EventKind::TaskRemoved, r#"TaskRemoved { task: "a/b" }"#),
            (EventKind::TaskAddRequested, r#"TaskAddRequested { task: "a/b" }"#),
            (EventKind::TaskRemoveRequested, r#"TaskRemoveRequested { task: "a/b" }"#),
            (EventKind::ShutdownRequested, r#"ShutdownRequested { reason: "refused" }"#),
            (
                EventKind::ShutdownWaiting,
                r#"ShutdownWaiting { task: "a/b", since: 400ms, left: Some(5s), waiting: 7, reason: "refused" }"#,
            ),
            (EventKind::ShutdownForced, r#"ShutdownForced { reason: "refused" }"#),
            (EventKind::AllStoppedWithinGrace, r#"AllStoppedWithinGrace { reason: Some("refused") }"#),
            (EventKind::GraceExceeded, r#"GraceExceeded { reason: "refused" }"#),
            (EventKind::ControllerSubmitted, r#"ControllerSubmitted { task: "a/b", slot: "s", waiting: 7 }"#),
            (
                EventKind::ControllerRejected,
                r#"ControllerRejected { task: "a/b", slot: "s", waiting: 7, reason: "refused" }"#,
            ),
            (
                EventKind::ControllerSlotTransition,
                r#"ControllerSlotTransition { slot: "s", owner: Some("a/b"), from: "idle", to: "running", waiting: 7 }"#,
            ),
            (EventKind::Warning, r#"Warning { task: "a/b", reason: "refused" }"#),
            (EventKind::SubscriberPanicked, r#"SubscriberPanicked { subscriber: "a/b", count: 7, reason: "refused" }"#),
            (EventKind::SubscriberOverflow, r#"SubscriberOverflow { subscriber: "a/b", lost: 7 }"#),
        ];
        for (kind, data) in expected {
            assert_eq!(format!("{:?}", full(kind).data()), data);
        }
        for (kind, _) in expected {
            let row = format!("/// | [`{kind}`](Self::{kind}) | ");
            assert_eq!(include_str!("event.rs").matches(&row).count(), 1, "the table at `EventKind`: {kind}");
        }
        // No kind is left out: they are numbered from 0, and `SubscriberOverflow` is the last.
        assert_eq!(expected.len() as u64, EventKind::SubscriberOverflow as u64 + 1);
    }

    #[test]
    fn what_was_not_set_is_empty() {
        let event = Event::new(EventKind::ControllerSlotTransition);
        let empty = r#"ControllerSlotTransition { slot: "", owner: None, from: "", to: "", waiting: 0 }"#;
        assert_eq!(format!("{:?}", event.data()), empty);
        let event = Event::new(EventKind::TaskFailed);
        assert_eq!(format!("{:?}", event.data()), r#"TaskFailed { task: "", attempt: 0, reason: "" }"#);
        let event = Event::new(EventKind::TimeoutHit);
        assert_eq!((event.timeout(), event.delay()), (None, None));
    }
}
