//! Checks that the events and the outcomes agree.

use std::collections::HashMap;

use taskvisor::{EventKind, TaskHandle, TaskId, TaskState};
use tests::{Recorder, Seen};

/// The state of a registration, according to its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Requested,
    Added,
    Running,
    Between,
    Stopped,
    Failed,
    Over,
    Removed,
}

pub(crate) async fn check(seed: u64, recorder: &Recorder, accepted: &[TaskHandle]) {
    let mut lives: HashMap<TaskId, Vec<Seen>> = HashMap::new();
    let mut owner: HashMap<String, TaskId> = HashMap::new();
    for seen in recorder.seen() {
        let Some(id) = seen.id else { continue };
        let name = seen.task.clone().expect("an event with an id has a name");
        match seen.kind {
            EventKind::TaskAdded => assert_eq!(owner.insert(name, id), None, "seed {seed}: two owners of one name"),
            EventKind::TaskRemoved => assert_eq!(owner.remove(&name), Some(id), "seed {seed}: not the owner"),
            _ => {}
        }
        lives.entry(id).or_default().push(seen);
    }
    assert!(owner.is_empty(), "seed {seed}: never removed: {owner:?}");
    assert_eq!(lives.len(), accepted.len(), "seed {seed}: every accepted task was announced");
    for handle in accepted {
        let outcome = handle.outcome().await;
        assert_eq!(handle.status().state, TaskState::Ended, "seed {seed}");
        let life = lives.get(&handle.id()).unwrap_or_else(|| panic!("seed {seed}: nothing of {handle:?}"));
        let last = follow(life).unwrap_or_else(|step| panic!("seed {seed}: {step}, in {life:#?}"));
        let agrees = match outcome.as_label() {
            "completed" | "exhausted" | "failed" | "panicked" | "fatal" => last == Told::Over,
            "canceled" => matches!(last, Told::Added | Told::Between | Told::Stopped),
            other => panic!("seed {seed}: {other}"),
        };
        assert!(agrees, "seed {seed}: {outcome} after {last:?}, in {life:#?}");
    }
}

/// Follows the events of one registration. Returns the state before its removal, or an error for an unexpected event.
fn follow(life: &[Seen]) -> Result<Told, String> {
    use EventKind::{
        ActorDead, ActorExhausted, BackoffScheduled, TaskAddRequested, TaskAdded, TaskFailed, TaskRemoveRequested,
        TaskRemoved, TaskStarting, TaskStopped,
    };
    let (mut told, mut before, mut attempt, mut stopping) = (None, Told::Requested, 0, false);
    for seen in life {
        let next = match (told, seen.kind) {
            (None, TaskAddRequested) => Told::Requested,
            (Some(Told::Requested), TaskAdded) => Told::Added,
            (Some(Told::Removed), _) => return Err(format!("{:?} after the removal", seen.kind)),
            (Some(now), TaskRemoveRequested) if !stopping => {
                stopping = true;
                now
            }
            // A restart leads from a stopped attempt directly to the next one.
            (Some(Told::Added | Told::Between | Told::Stopped), TaskStarting) => {
                attempt += 1;
                Told::Running
            }
            (Some(Told::Running), TaskStopped) => Told::Stopped,
            (Some(Told::Running), TaskFailed) => Told::Failed,
            (Some(Told::Stopped | Told::Failed), BackoffScheduled) if !stopping => Told::Between,
            (Some(Told::Stopped | Told::Failed), ActorExhausted) | (Some(Told::Failed), ActorDead) => Told::Over,
            (Some(now @ (Told::Added | Told::Between | Told::Stopped | Told::Over)), TaskRemoved) => {
                before = now;
                Told::Removed
            }
            (now, kind) => return Err(format!("{kind:?} after {now:?}")),
        };
        if seen.attempt.is_some_and(|seen| seen != attempt) {
            return Err(format!("attempt {:?} where {attempt} was due", seen.attempt));
        }
        told = Some(next);
    }
    match told {
        Some(Told::Removed) => Ok(before),
        other => Err(format!("ends with {other:?}")),
    }
}
