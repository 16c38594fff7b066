//! Tests of what enters the queue of a log.

use std::time::UNIX_EPOCH;

use super::super::log_repeats::{Addition, LogRepeats};
use super::*;

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
fn o40_only_what_the_log_itself_has_lost_makes_it_forget() {
    for (lost, is_forgotten) in [("LogWriter", true), ("Other", false)] {
        let mut sieve = of_log("LogWriter", LogLevel::Warn, false).unwrap();
        passed(&mut sieve, &[event(EventKind::TaskFailed, "a"), event(EventKind::SubscriberOverflow, lost)]);
        let at = UNIX_EPOCH + LONG_AGO + Duration::from_secs(1);
        for n in 0..2 * ENDED {
            let job = [EventKind::TaskFailed, EventKind::TaskRemoved].map(|kind| event(kind, &format!("job-{n}")));
            passed(&mut sieve, &job.map(|event| Event { at, ..event }));
        }
        assert_eq!(passed(&mut sieve, &[event(EventKind::TaskStopped, "a")]), [!is_forgotten], "{lost}");
    }
}

#[test]
fn o40_what_has_failed_before_a_loss_can_still_recover() {
    let mut sieve = of_log("LogWriter", LogLevel::Warn, false).unwrap();
    let [failed, succeeded] = [EventKind::TaskFailed, EventKind::TaskStopped].map(|kind| event(kind, "a"));
    let lost = event(EventKind::SubscriberOverflow, "LogWriter");
    assert_eq!(passed(&mut sieve, &[failed, lost, succeeded.clone(), succeeded]), [true, true, true, false]);
}

#[test]
fn o40_a_log_is_given_the_end_of_what_has_restarted_with_a_sibling() {
    let stop = Some(StopReason::SiblingRestart { failed: Arc::new("fails".to_owned()) });
    let restarted = Event { stop, ..event(EventKind::TaskStopped, "a").because("restart") };
    let ended = event(EventKind::TaskRemoved, "a");
    let mut sieve = of_log("LogWriter", LogLevel::Info, false).unwrap();
    assert_eq!(passed(&mut sieve, &[ended.clone(), restarted, ended.clone(), ended]), [false, true, true, false]);
}

/// An event of a task or a group.
fn any(random: &mut fastrand::Rng) -> Event {
    use EventKind::{ActorExhausted, BackoffScheduled, GroupEnded, GroupFailed, GroupRestarted, TaskAdded, TaskFailed};
    use EventKind::{TaskReady, TaskRemoved, TaskStarting, TaskStopped, TimeoutHit};
    if random.u8(..4) == 0 {
        let kind = random.choice([GroupFailed, GroupFailed, GroupRestarted, GroupEnded]).unwrap();
        let group = event(kind, random.choice(["g", "g/h"]).unwrap()).because("refused");
        return Event { delay_ms: random.bool().then_some(1), ..group };
    }
    let ends = [TaskFailed, TaskFailed, TaskFailed, TaskFailed, TaskStopped, TaskStopped, TaskRemoved, ActorExhausted];
    let others = [TaskAdded, TaskStarting, TaskReady, TimeoutHit, BackoffScheduled];
    let kind = random.choice(ends.into_iter().chain(others).collect::<Vec<_>>()).unwrap();
    let task = event(kind, random.choice(["a", "g/a", "g/b", "g/h/c"]).unwrap());
    let failed = Arc::new(random.choice(["a", "g/a"]).unwrap().to_owned());
    match (kind, random.u8(..8)) {
        (TaskFailed, n) => Event { last: n < 2, ..task.because(if n == 7 { "timeout" } else { "refused" }) },
        (TaskStopped, 0..2) => Event { stop: Some(StopReason::Restart), ..task.because("restart") },
        (TaskStopped, 2..5) => Event { stop: Some(StopReason::SiblingRestart { failed }), ..task.because("sibling") },
        (ActorExhausted, 0..4) => task.because("refused"),
        (TaskStarting | TaskStopped, n) => Event { routine: n % 2 == 0, last: n == 7, ..task },
        _ => task,
    }
}

#[test]
fn o40_what_a_log_is_not_given_changes_no_line() {
    for seed in 0..1_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        for level in [LogLevel::Info, LogLevel::Warn] {
            let mut sieve = of_log("LogWriter", level, false).unwrap();
            let (mut whole, mut sifted) = (LogRepeats::default(), LogRepeats::default());
            let line = |log: &mut LogRepeats, event: &Event| {
                let addition = log.tell(event, "LogWriter")?;
                let is_written = LogLevel::of(event) >= level || matches!(addition, Addition::Recovered(_));
                is_written.then_some(addition)
            };
            let mut at = UNIX_EPOCH;
            for _ in 0..120 {
                at += Duration::from_millis(random.choice([0, 10, 1_000, 3_000, 30_000, 70_000]).unwrap());
                let event = Event { at, ..any(&mut random) };
                let expected = line(&mut whole, &event);
                let is_given = passed(&mut sieve, std::slice::from_ref(&event)) == [true];
                let told = if is_given { line(&mut sifted, &event) } else { None };
                assert_eq!(told, expected, "seed {seed}, level {level}: {event:?}");
            }
        }
    }
}
