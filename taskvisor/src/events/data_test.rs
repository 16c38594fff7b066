//! Tests of the data of events.

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
        (EventKind::TaskRemoved, r#"TaskRemoved { task: "a/b", reason: Some("refused"), stop: Some(Shutdown) }"#),
        (EventKind::TaskReady, r#"TaskReady { task: "a/b", attempt: 3 }"#),
        (EventKind::GroupFailed, r#"GroupFailed { task: "a/b", failures: 7, delay: Some(400ms), reason: "refused" }"#),
        (EventKind::GroupRestarted, r#"GroupRestarted { task: "a/b", restarts: 7 }"#),
        (EventKind::GroupEnded, r#"GroupEnded { task: "a/b", reason: Some("refused"), stop: Some(Shutdown) }"#),
        (EventKind::TaskAddRequested, r#"TaskAddRequested { task: "a/b" }"#),
        (EventKind::TaskRemoveRequested, r#"TaskRemoveRequested { task: "a/b" }"#),
        (EventKind::TaskPaused, r#"TaskPaused { task: "a/b", slot: Some("s") }"#),
        (EventKind::TaskResumed, r#"TaskResumed { task: "a/b", slot: Some("s") }"#),
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
        (EventKind::RunsMissed, r#"RunsMissed { task: "a/b", attempt: 3, count: 7, reason: "refused" }"#),
        (EventKind::LeaseAcquired, r#"LeaseAcquired { task: "a/b", key: "refused", token: 7 }"#),
        (EventKind::LeaseLost, r#"LeaseLost { task: "a/b", reason: "refused" }"#),
        (EventKind::LeaseReleased, r#"LeaseReleased { task: "a/b", key: "refused", token: 7 }"#),
        (EventKind::LeaseOverrun, r#"LeaseOverrun { task: "a/b", key: "refused" }"#),
        (EventKind::FleetUnreachable, r#"FleetUnreachable { reason: "refused" }"#),
        (EventKind::FleetReachable, "FleetReachable"),
        (EventKind::Warning, r#"Warning { task: "a/b", reason: "refused" }"#),
        (EventKind::SubscriberPanicked, r#"SubscriberPanicked { subscriber: "a/b", count: 7, reason: "refused" }"#),
        (EventKind::SubscriberOverflow, r#"SubscriberOverflow { subscriber: "a/b", lost: 7 }"#),
    ];
    for (kind, data) in expected {
        assert_eq!(format!("{:?}", full(kind).data()), data);
        crate::events::line::tests::check(kind, data);
    }
    for (kind, _) in expected {
        let row = format!("/// | [`{kind}`](Self::{kind}) | ");
        assert_eq!(include_str!("data.rs").matches(&row).count(), 1, "the table at `EventKind`: {kind}");
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
