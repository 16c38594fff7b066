//! Tests of what enters the queue of a log.

use std::time::UNIX_EPOCH;

use super::*;
use crate::task::StopReason;

fn event(kind: EventKind, path: &str) -> Event {
    Event { at: UNIX_EPOCH, ..Event::about(kind, &Arc::from(path)) }
}

/// Returns `true` for each event that passes.
fn passed(sieve: &mut Sieve, events: &[Event]) -> Vec<bool> {
    events.iter().map(|event| !sieve.choose(std::slice::from_ref(event)).is_empty()).collect()
}

#[test]
fn o40_a_log_of_warnings_is_not_given_the_story_of_a_job_that_succeeds() {
    use EventKind::{ActorExhausted, ControllerSlotTransition, ControllerSubmitted, TaskAddRequested, TaskAdded};
    use EventKind::{TaskRemoved, TaskStarting, TaskStopped};
    let mut sieve = of_log("LogWriter", LogLevel::Warn, false).unwrap();
    let story = [ControllerSubmitted, ControllerSlotTransition, TaskAddRequested, TaskAdded, TaskStarting, TaskStopped];
    let story = story.into_iter().chain([ActorExhausted, TaskRemoved]).map(|kind| event(kind, "job"));
    assert_eq!(passed(&mut sieve, &story.collect::<Vec<_>>()), [false; 8]);
    let exhausted = event(ActorExhausted, "job").because("refused");
    assert_eq!(passed(&mut sieve, &[exhausted, event(EventKind::Warning, "job")]), [true; 2]);
    assert!(of_log("LogWriter", LogLevel::Debug, false).is_none(), "it writes all");
}

#[test]
fn o40_a_log_of_warnings_is_given_what_ends_a_series() {
    let failed = event(EventKind::TaskFailed, "a").because("refused");
    let stop = Some(StopReason::Restart);
    let restarted = Event { stop, ..event(EventKind::TaskStopped, "a").because("restart") };
    let succeeded = event(EventKind::TaskStopped, "a");
    let other = event(EventKind::TaskStopped, "b");
    let story = [failed.clone(), restarted.clone(), other, succeeded.clone(), succeeded, restarted];
    let mut sieve = of_log("LogWriter", LogLevel::Warn, false).unwrap();
    assert_eq!(passed(&mut sieve, &story), [true, true, false, true, false, false]);
    let mut every = of_log("LogWriter", LogLevel::Warn, true).unwrap();
    assert_eq!(passed(&mut every, &story), [true, false, false, false, false, false]);

    let shutdown = Event { task: None, ..event(EventKind::ShutdownRequested, "") };
    let over = Event { task: None, ..event(EventKind::AllStoppedWithinGrace, "") };
    assert_eq!(passed(&mut sieve, &[shutdown, over]), [true, false]);
}

#[test]
fn o40_what_ends_with_its_group_is_followed_when_it_begins_again() {
    for (failed, ended) in
        [(EventKind::TaskFailed, EventKind::TaskRemoved), (EventKind::GroupFailed, EventKind::GroupEnded)]
    {
        let mut sieve = of_log("LogWriter", LogLevel::Warn, false).unwrap();
        let [failed, ended, succeeded] = [failed, ended, EventKind::TaskStopped].map(|kind| event(kind, "g/a"));
        let story = [ended.clone(), failed, ended.clone(), succeeded.clone(), succeeded, ended];
        assert_eq!(passed(&mut sieve, &story), [false, true, true, true, false, false]);
    }
}

#[test]
fn o40_jobs_that_fail_and_end_are_forgotten() {
    let mut failing = Failing::default();
    for n in 0..10_000_u64 {
        let at = UNIX_EPOCH + Duration::from_secs(n);
        for kind in [EventKind::TaskFailed, EventKind::TaskRemoved] {
            assert!(failing.concerns(&Event { at, ..event(kind, &format!("job-{n}")) }));
        }
        assert!(failing.paths.len() <= 2 * ENDED, "{n}");
    }
    failing.concerns(&event(EventKind::TaskFailed, "fails"));
    for n in 0..ENDED {
        let at = UNIX_EPOCH + 2 * LONG_AGO * u32::try_from(n).unwrap();
        for kind in [EventKind::TaskFailed, EventKind::TaskRemoved] {
            failing.concerns(&Event { at, ..event(kind, "comes and goes") });
        }
    }
    assert!(failing.paths.contains_key("fails"), "it has not ended");
}

#[test]
fn o40_jobs_whose_ends_were_lost_are_forgotten() {
    let mut failing = Failing { log: "LogWriter", ..Failing::default() };
    for n in 0..10_000_u64 {
        let at = UNIX_EPOCH + Duration::from_secs(n);
        failing.concerns(&Event { at, ..event(EventKind::TaskFailed, &format!("job-{n}")) });
        if n % 100 == 0 {
            failing.concerns(&Event { at, ..event(EventKind::SubscriberOverflow, "LogWriter") });
        }
        assert!(failing.paths.len() <= 3 * ENDED, "{n}");
    }
}

#[test]
fn o40_what_has_failed_before_a_loss_can_still_recover() {
    let mut sieve = of_log("LogWriter", LogLevel::Warn, false).unwrap();
    let [failed, succeeded] = [EventKind::TaskFailed, EventKind::TaskStopped].map(|kind| event(kind, "a"));
    let lost = event(EventKind::SubscriberOverflow, "LogWriter");
    assert_eq!(passed(&mut sieve, &[failed, lost, succeeded.clone(), succeeded]), [true, true, true, false]);
}
