//! Tests of what a log leaves out.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::tree::{FailureChain, Leaf};

fn event(kind: EventKind, path: &str) -> Event {
    Event { at: UNIX_EPOCH + Duration::from_secs(1), ..Event::about(kind, &Arc::from(path)) }
}

/// An attempt of `path` that is stopped to restart with `a`.
fn restarts_with_a(path: &str) -> Event {
    let stop = Some(StopReason::SiblingRestart { failed: Arc::new("a".to_owned()) });
    Event { stop, ..event(EventKind::TaskStopped, path).because("sibling restart") }
}

fn with_its_group(kind: EventKind, path: &str) -> Event {
    let chain = Arc::new(FailureChain::leaf("g/a", None, Leaf::Failed));
    Event { stop: Some(StopReason::GroupFailed { chain }), ..event(kind, path).because("group failed") }
}

/// A log of a tree in which a task or group has failed this many times with the same text.
fn after(failures: u32, kind: EventKind, path: &str) -> LogRepeats {
    let mut repeats = LogRepeats::default();
    for _ in 0..failures {
        repeats.tell(&event(kind, path).because("refused"), "log");
    }
    repeats
}

/// Returns those events that are written after three equal failures.
fn written(failed: EventKind, events: &[Event]) -> Vec<(EventKind, String)> {
    let path = if failed == EventKind::GroupFailed { "g" } else { "a" };
    let is_written = |event: &&Event| after(3, failed, path).tell(event, "log").is_some();
    let shown = |event: &Event| (event.kind, event.task.as_deref().unwrap_or_default().to_owned());
    events.iter().filter(is_written).map(shown).collect()
}

#[test]
fn o40_attempts_of_a_task_that_keeps_failing_are_left_out() {
    let attempts = [EventKind::TaskStarting, EventKind::BackoffScheduled, EventKind::TimeoutHit];
    let others = [EventKind::TaskReady, EventKind::TaskAdded, EventKind::TaskRemoved, EventKind::TaskPaused];
    let of = |path| attempts.into_iter().chain(others).map(move |kind| event(kind, path)).collect::<Vec<_>>();
    assert_eq!(written(EventKind::TaskFailed, &of("a")), others.map(|kind| (kind, "a".to_owned())));
    assert_eq!(written(EventKind::TaskFailed, &of("b")).len(), of("b").len());
    let mut repeats = after(3, EventKind::TaskFailed, "a");
    for expected in [Some(Addition::Nothing), None] {
        assert_eq!(repeats.tell(&event(EventKind::TaskReady, "a"), "log"), expected, "once after a written failure");
    }
}

#[test]
fn o40_a_success_ends_a_series_and_a_stop_does_not() {
    let (failed, stopped) = (event(EventKind::TaskFailed, "a").because("refused"), event(EventKind::TaskStopped, "a"));
    let mut repeats = after(7, EventKind::TaskFailed, "a");
    let mut tell = |event: &Event| repeats.tell(event, "log").map(|addition| addition.to_string());
    assert_eq!(tell(&failed).unwrap(), r#" repeated="same error, 8 times in 0 ms""#);
    assert_eq!(tell(&stopped.clone().because("restart")).unwrap(), "");
    assert_eq!(tell(&failed), None);
    assert_eq!(tell(&stopped).unwrap(), r#" recovered="after 9 failures in 0 ms""#);
    assert_eq!((tell(&stopped).unwrap(), tell(&failed).unwrap()), (String::new(), String::new()));
    let late = |event: &Event| Event { at: event.at + Duration::from_secs(100), ..event.clone() };
    let mut repeats = after(4, EventKind::TaskFailed, "a");
    repeats.tell(&late(&stopped.because("restart")), "log");
    assert!(!repeats.knows("a"), "it had not failed for long");
}

#[test]
fn o40_what_begins_and_ends_with_a_group_that_keeps_failing_is_left_out() {
    let with_it = [EventKind::TaskStopped, EventKind::GroupEnded];
    let kinds = [
        EventKind::TaskAddRequested,
        EventKind::TaskAdded,
        EventKind::TaskStarting,
        EventKind::BackoffScheduled,
        EventKind::TimeoutHit,
        EventKind::TaskReady,
        EventKind::TaskRemoved,
        EventKind::GroupRestarted,
    ];
    let of = |path| {
        let with_it = with_it.map(|kind| with_its_group(kind, path));
        kinds.into_iter().map(|kind| event(kind, path)).chain(with_it).collect::<Vec<_>>()
    };
    assert_eq!(written(EventKind::GroupFailed, &of("g/a")), []);
    assert_eq!(written(EventKind::GroupFailed, &of("h/a")).len(), of("h/a").len());
    let rest = [
        event(EventKind::TaskStopped, "g/a").because("canceled"),
        event(EventKind::TaskStopped, "g/a"),
        event(EventKind::GroupEnded, "g/a"),
        event(EventKind::TaskFailed, "g/a"),
    ];
    assert_eq!(written(EventKind::GroupFailed, &rest).len(), rest.len());
    assert_eq!(written(EventKind::GroupFailed, &[event(EventKind::GroupRestarted, "g")]), []);
}

#[test]
fn o40_the_last_failure_of_a_group_is_told_in_any_case() {
    let mut repeats = after(4, EventKind::GroupFailed, "g");
    let failed = event(EventKind::GroupFailed, "g").because("refused");
    assert_eq!(repeats.tell(&Event { delay_ms: Some(0), ..failed.clone() }, "log"), None);
    assert_eq!(repeats.tell(&failed, "log"), Some(Addition::Nothing));
}

#[test]
fn o40_what_has_ended_begins_a_new_series() {
    for (failed, ended) in
        [(EventKind::TaskFailed, EventKind::TaskRemoved), (EventKind::GroupFailed, EventKind::GroupEnded)]
    {
        let mut repeats = after(3, failed, "a");
        let failed = Event { delay_ms: Some(0), ..event(failed, "a").because("refused") };
        assert_eq!(repeats.tell(&failed, "log"), None);
        repeats.tell(&event(ended, "a"), "log");
        assert_eq!(repeats.tell(&failed, "log"), Some(Addition::Nothing));
    }
}

#[test]
fn o40_a_task_that_restarts_with_a_failing_sibling_is_as_quiet() {
    let mut repeats = LogRepeats::default();
    let mut is_written = |event: &Event| repeats.tell(event, "log").is_some();
    for n in 0..5 {
        for end in [EventKind::TaskReady, EventKind::TaskFailed, EventKind::TaskRemoved] {
            let starting = event(EventKind::TaskStarting, "b");
            assert_eq!(is_written(&restarts_with_a("b")), n < 3, "{n}");
            assert_eq!(is_written(&starting), n < 3, "{n}");
            // Each time with another error, which is written.
            let end = event(end, "b").because(format!("{n}"));
            assert_eq!(is_written(&end), n < 3 || end.kind != EventKind::TaskReady, "{n} {end:?}");
            assert!(is_written(&starting), "it follows no more");
        }
        is_written(&event(EventKind::TaskFailed, "a").because("refused"));
    }
}

#[test]
fn o40_a_shutdown_and_a_loss_of_events_end_the_restarts_with_a_sibling() {
    let shutdown = Event { task: None, ..event(EventKind::ShutdownRequested, "") };
    let lost = |name| event(EventKind::SubscriberOverflow, name);
    for (told, is_over) in [(shutdown, true), (lost("log"), true), (lost("metrics"), false)] {
        let mut repeats = after(3, EventKind::TaskFailed, "a");
        repeats.tell(&restarts_with_a("b"), "log");
        assert_eq!(repeats.tell(&told, "log"), Some(Addition::Nothing));
        assert_eq!(repeats.tell(&event(EventKind::TaskStarting, "b"), "log").is_some(), is_over, "{told:?}");
        assert_eq!(repeats.tell(&event(EventKind::TaskStarting, "a"), "log"), None, "it fails");
    }
}

#[cfg(feature = "controller")]
#[test]
fn o40_rejections_of_a_slot_are_told_ever_more_rarely() {
    let mut repeats = LogRepeats::default();
    let mut written = |slot: Option<&str>, reason: &str| {
        let slot = slot.map(Arc::from);
        let rejected = Event { slot, ..event(EventKind::ControllerRejected, "job") };
        (0..8).filter(|_| repeats.tell(&rejected.clone().because(reason), "log").is_some()).count()
    };
    assert_eq!(written(Some("deploy"), "full"), 4);
    assert_eq!(written(Some("deploy"), "canceled"), 8, "the caller wanted that");
    assert_eq!(written(Some("deploy"), "superseded"), 8);
    assert_eq!(written(Some("deploy"), "full"), 0);
    assert_eq!(written(Some("deploy"), "busy"), 4, "another reason");
    assert_eq!(written(Some("build"), "full"), 4);
    assert_eq!(written(None, "full"), 8);
}
