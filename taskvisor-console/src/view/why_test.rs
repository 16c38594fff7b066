//! The table of sentences.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use taskvisor::{OutcomeKind, Problem, TaskState, WaitingFor};

use super::super::facts::{Facts, Look};
use super::Why;

const NOW: SystemTime = UNIX_EPOCH;

fn task(path: &str, state: TaskState) -> Facts {
    Facts {
        path: path.into(),
        is_group: false,
        state,
        attempt: 3,
        failures: 0,
        ready: true,
        paused: false,
        has_started: true,
        outcome: None,
        problem: None,
        next_at: None,
        waiting_for: None,
    }
}

fn group(path: &str, state: TaskState) -> Facts {
    Facts { is_group: true, attempt: 0, has_started: false, ..task(path, state) }
}

fn in_3_s() -> SystemTime {
    NOW + Duration::from_millis(2_100)
}

fn after(paths: &[&str]) -> WaitingFor {
    WaitingFor::After(paths.iter().map(ToString::to_string).collect())
}

/// A tree of facts by path.
#[derive(Default)]
struct Nodes(BTreeMap<Arc<str>, Facts>);

impl Nodes {
    fn of<const N: usize>(nodes: [Facts; N]) -> Self {
        Self(nodes.into_iter().map(|node| (Arc::clone(&node.path), node)).collect())
    }

    fn sentence(&self, path: &str) -> String {
        Why::of(&self.0[path], self).sentence(NOW)
    }
}

impl Look for Nodes {
    fn find(&self, path: &str) -> Option<&Facts> {
        self.0.get(path)
    }

    fn find_parent(&self, path: &str) -> Option<&Facts> {
        if path.is_empty() { None } else { self.0.get(path.rsplit_once('/').map_or("", |(above, _)| above)) }
    }

    fn find_child(&self, path: &str, which: impl Fn(&Facts) -> bool) -> Option<&Facts> {
        self.0
            .values()
            .find(|node| self.find_parent(&node.path).is_some_and(|parent| *parent.path == *path) && which(node))
    }
}

fn alone(node: Facts) -> String {
    let path = Arc::clone(&node.path);
    Nodes::of([node]).sentence(&path)
}

/// Returns each kind of wait.
fn waits() -> Vec<Option<WaitingFor>> {
    vec![
        None,
        Some(after(&["other"])),
        Some(WaitingFor::Permit),
        Some(WaitingFor::Limit("db".into())),
        Some(WaitingFor::Group),
        Some(WaitingFor::Slot(1)),
        Some(WaitingFor::Slot(4)),
        Some(WaitingFor::Delay),
        Some(WaitingFor::Lease(None)),
        Some(WaitingFor::Lease(Some("web-2".into()))),
        Some(WaitingFor::Paused),
    ]
}

const STATES: [TaskState; 12] = [
    TaskState::Queued,
    TaskState::Delayed,
    TaskState::Pending,
    TaskState::Running,
    TaskState::Backoff,
    TaskState::Interval,
    TaskState::Throttled,
    TaskState::Scheduled,
    TaskState::Paused,
    TaskState::Standby,
    TaskState::Stopping,
    TaskState::Ended,
];

#[test]
fn every_state_of_a_task_has_a_sentence() {
    let until = |state| Facts { next_at: Some(in_3_s()), waiting_for: Some(WaitingFor::Delay), ..task("a", state) };
    let waits = |state, waiting_for| Facts { waiting_for: Some(waiting_for), ..task("a", state) };
    let ended = |outcome| Facts { outcome: Some(outcome), ..task("a", TaskState::Ended) };
    let table = [
        (waits(TaskState::Queued, WaitingFor::Slot(1)), "waits for its slot, and is next"),
        (waits(TaskState::Queued, WaitingFor::Slot(4)), "waits for its slot, at position 4"),
        (task("a", TaskState::Queued), "waits for its slot"),
        (until(TaskState::Delayed), "waits for its initial delay, 3 s left"),
        (Facts { attempt: 0, has_started: false, ..task("a", TaskState::Pending) }, "has not started"),
        (task("a", TaskState::Pending), "is about to begin"),
        (
            waits(TaskState::Pending, WaitingFor::Permit),
            "waits for a permit of `max_concurrent`, all of which are held",
        ),
        (
            waits(TaskState::Pending, WaitingFor::Limit("db".into())),
            "waits for a permit of the limit db, all of which are held",
        ),
        (waits(TaskState::Pending, WaitingFor::Group), "waits for its group"),
        (task("a", TaskState::Running), "runs attempt 3"),
        (Facts { ready: false, ..task("a", TaskState::Running) }, "runs attempt 3, and is not ready yet"),
        (
            Facts { paused: true, ..task("a", TaskState::Running) },
            "runs attempt 3; it is paused, and no other attempt begins",
        ),
        (
            Facts { problem: Some(Problem::Silent), ..task("a", TaskState::Running) },
            "runs, but has sent no heartbeat for longer than its watchdog allows",
        ),
        (
            Facts {
                problem: Some(Problem::Quiet { silence: Duration::ZERO, watchdog: Duration::ZERO }),
                ..task("a", TaskState::Running)
            },
            "runs, but its heartbeat is late or its probe failed",
        ),
        (until(TaskState::Backoff), "is in backoff after attempt 3 failed, 3 s left"),
        (Facts { failures: 2, ..until(TaskState::Backoff) }, "is in backoff after 2 failures in a row, 3 s left"),
        (Facts { next_at: Some(NOW), ..until(TaskState::Backoff) }, "is in backoff after attempt 3 failed, due now"),
        (
            Facts { paused: true, ..until(TaskState::Backoff) },
            "is paused, and is in backoff after attempt 3 failed, 3 s left",
        ),
        (until(TaskState::Interval), "waits for its interval, 3 s left"),
        (until(TaskState::Throttled), "is slowed down, because it succeeds at once again and again, 3 s left"),
        (until(TaskState::Scheduled), "waits for the next time of its schedule, 3 s left"),
        (Facts { paused: true, ..waits(TaskState::Paused, WaitingFor::Paused) }, "is due, and is paused"),
        (waits(TaskState::Standby, WaitingFor::Lease(None)), "waits for its lease"),
        (waits(TaskState::Standby, WaitingFor::Lease(Some("web-2".into()))), "waits for its lease, which web-2 has"),
        (task("a", TaskState::Stopping), "was requested to stop, and has not ended"),
        (
            Facts { problem: Some(Problem::PastStop), ..task("a", TaskState::Stopping) },
            "was requested to stop, and is past its deadline",
        ),
        (task("a", TaskState::Ended), "has ended"),
        (ended(OutcomeKind::Completed), "has completed"),
        (ended(OutcomeKind::Canceled), "was canceled"),
        (ended(OutcomeKind::Failed), "has failed, and is not retried"),
        (ended(OutcomeKind::Exhausted), "has failed, and no retry is left"),
        (ended(OutcomeKind::Fatal), "has failed with a fatal error, and is not retried"),
        (ended(OutcomeKind::Panicked), "has panicked, and is not retried"),
        (ended(OutcomeKind::Aborted), "was aborted"),
        (ended(OutcomeKind::Rejected), "was rejected by its slot"),
    ];
    for (node, sentence) in &table {
        assert_eq!(alone(node.clone()), *sentence);
    }
    let is_there = |state| table.iter().any(|(node, _)| node.state == state);
    assert!(STATES.into_iter().all(is_there));
}

#[test]
fn the_table_has_every_state_of_the_documented_form() {
    let docs = include_str!("../../../taskvisor/src/inspect/json.md");
    let states = docs.split_once("`state` is one of ").and_then(|(_, rest)| rest.split_once(". ")).expect("the list").0;
    let states: Vec<_> = states.split('`').skip(1).step_by(2).collect();
    assert!(states.len() > 8, "{states:?}");
    for state in states {
        assert!(STATES.iter().any(|known| known.to_string() == state), "{state}");
    }
}

#[test]
fn every_state_of_a_group_has_a_sentence() {
    let until = |state| Facts { next_at: Some(in_3_s()), waiting_for: Some(WaitingFor::Delay), ..group("a", state) };
    let table = [
        (group("a", TaskState::Pending), "has not started"),
        (Facts { waiting_for: Some(WaitingFor::Group), ..group("a", TaskState::Pending) }, "waits for its group"),
        (group("a", TaskState::Running), "runs"),
        (Facts { ready: false, ..group("a", TaskState::Running) }, "runs, and is not ready"),
        (Facts { problem: Some(Problem::Making), ..group("a", TaskState::Running) }, "makes its children"),
        (until(TaskState::Backoff), "is in backoff after a failure in it, 3 s left"),
        (Facts { failures: 2, ..until(TaskState::Backoff) }, "is in backoff after 2 failures in a row, 3 s left"),
        (until(TaskState::Interval), "waits for its interval, 3 s left"),
        (Facts { paused: true, ..group("a", TaskState::Paused) }, "is due, and is paused"),
        (group("a", TaskState::Standby), "waits for its lease"),
        (group("a", TaskState::Stopping), "was requested to stop, and has not ended"),
        (group("a", TaskState::Ended), "has ended"),
    ];
    for (node, sentence) in table {
        assert_eq!(alone(node), sentence);
    }
}

/// Each combination that no table has still gives a sentence, without `Debug` output.
#[test]
fn every_combination_has_a_sentence() {
    for state in STATES {
        for waiting_for in waits() {
            for bits in 0..16_u8 {
                let node = Facts {
                    is_group: bits & 1 != 0,
                    ready: bits & 2 != 0,
                    paused: bits & 4 != 0,
                    next_at: (bits & 8 != 0).then(in_3_s),
                    waiting_for: waiting_for.clone(),
                    ..task("a", state)
                };
                let sentence = alone(node.clone());
                let words = ["is ", "was ", "has ", "runs", "waits ", "makes "];
                assert!(words.iter().any(|word| sentence.starts_with(word)), "{sentence}: {node:?}");
                assert!(!sentence.contains("None") && !sentence.contains("Some("), "{sentence}");
            }
        }
    }
}

#[test]
fn the_sentence_names_what_is_waited_for_and_its_state() {
    let waits = |paths: &[&str]| Facts { waiting_for: Some(after(paths)), ..task("api", TaskState::Pending) };
    let beside = |node: Facts| {
        let path = node.path.to_string();
        Nodes::of([waits(&[&path]), node]).sentence("api")
    };
    let backoff = Facts { next_at: Some(in_3_s()), ready: false, ..task("store/pool", TaskState::Backoff) };
    assert_eq!(beside(backoff.clone()), "waits for store/pool, in backoff, 3 s left");
    let table = [
        (task("b", TaskState::Delayed), "in its initial delay"),
        (Facts { ready: false, ..task("b", TaskState::Running) }, "running and not ready yet"),
        (task("b", TaskState::Running), "running"),
        (task("b", TaskState::Interval), "in its interval"),
        (task("b", TaskState::Throttled), "slowed down"),
        (task("b", TaskState::Scheduled), "scheduled"),
        (task("b", TaskState::Stopping), "stopping"),
        (task("b", TaskState::Paused), "which is due, and is paused"),
        (task("b", TaskState::Standby), "which waits for its lease"),
        (task("b", TaskState::Ended), "which has ended"),
        (
            Facts { outcome: Some(OutcomeKind::Fatal), ..task("b", TaskState::Ended) },
            "which has failed with a fatal error, and is not retried",
        ),
        (
            Facts { waiting_for: Some(WaitingFor::Limit("db".into())), ..task("b", TaskState::Pending) },
            "which waits for a permit of the limit db, all of which are held",
        ),
    ];
    for (node, how) in table {
        assert_eq!(beside(node), format!("waits for b, {how}"));
    }
    assert_eq!(Nodes::of([waits(&["gone"])]).sentence("api"), "waits for gone");
    assert_eq!(Nodes::of([waits(&["a, b", "c", "d"])]).sentence("api"), "waits for \"a, b\" and 2 more");

    let between = Facts { waiting_for: Some(after(&["store/pool"])), ..task("cache", TaskState::Pending) };
    let chain = Nodes::of([waits(&["cache"]), between, backoff]);
    assert_eq!(chain.sentence("api"), "waits for cache, which waits for store/pool, in backoff, 3 s left");
}

#[test]
fn a_circle_ends() {
    let a = Facts { waiting_for: Some(after(&["b"])), ..task("a", TaskState::Pending) };
    let b = Facts { waiting_for: Some(after(&["a"])), ..task("b", TaskState::Pending) };
    assert!(Nodes::of([a, b]).sentence("a").len() < 200);
}

#[test]
fn a_child_says_why_its_group_has_not_started_it() {
    let child = |waiting_for| Facts { waiting_for: Some(waiting_for), ..task("jobs/a", TaskState::Pending) };
    let backoff = Facts { next_at: Some(in_3_s()), ..group("jobs", TaskState::Backoff) };
    let nodes = Nodes::of([group("", TaskState::Running), backoff, child(WaitingFor::Group)]);
    assert_eq!(nodes.sentence("jobs/a"), "waits for its group jobs, in backoff, 3 s left");
    let nodes = Nodes::of([group("", TaskState::Running), group("jobs", TaskState::Running), child(WaitingFor::Group)]);
    assert_eq!(nodes.sentence("jobs/a"), "waits for its turn in jobs");

    // A sibling failed, and the group starts both again.
    let waits = Facts { next_at: Some(in_3_s()), ..child(WaitingFor::Delay) };
    let failed = task("jobs/b", TaskState::Backoff);
    let nodes = Nodes::of([group("", TaskState::Running), group("jobs", TaskState::Running), waits.clone(), failed]);
    assert_eq!(nodes.sentence("jobs/a"), "waits for the restart of jobs, where jobs/b is in backoff, 3 s left");
    let nodes = Nodes::of([group("", TaskState::Running), group("jobs", TaskState::Running), waits]);
    assert_eq!(nodes.sentence("jobs/a"), "waits for the restart of jobs, 3 s left");

    let paused = |facts| Facts { paused: true, ..facts };
    let nodes = Nodes::of([
        group("", TaskState::Running),
        paused(group("jobs", TaskState::Running)),
        paused(task("jobs/a", TaskState::Paused)),
    ]);
    assert_eq!(nodes.sentence("jobs/a"), "is due, and is paused with jobs");
    let nodes = Nodes::of([
        paused(group("", TaskState::Running)),
        paused(group("jobs", TaskState::Running)),
        paused(task("jobs/a", TaskState::Paused)),
    ]);
    assert_eq!(nodes.sentence("jobs/a"), "is due, and is paused with the whole tree");

    let sick = Facts { ready: false, next_at: Some(in_3_s()), ..task("jobs/a", TaskState::Backoff) };
    let unready = Facts { ready: false, ..group("jobs", TaskState::Running) };
    let nodes = Nodes::of([Facts { ready: false, ..group("", TaskState::Running) }, unready, sick]);
    assert_eq!(
        nodes.sentence(""),
        "waits until jobs is ready, which waits until jobs/a is ready, in backoff, 3 s left"
    );
}
