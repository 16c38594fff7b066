//! Checks that the events of slots and submissions are consistent.

use std::collections::HashMap;

use taskvisor::{EventKind, TaskId};
use tests::Seen;

/// `ends` holds every submission that was accepted, and its outcome.
pub(super) fn check(seen: &[Seen], ends: &[(TaskId, &'static str)]) {
    assert!(seen.iter().map(|seen| seen.seq).eq(1..=seen.len() as u64), "none is missing");
    let mut stories: HashMap<TaskId, Vec<&Seen>> = HashMap::new();
    for seen in seen.iter().filter(|seen| seen.kind != EventKind::ControllerSlotTransition) {
        if let Some(id) = seen.id {
            stories.entry(id).or_default().push(seen);
        }
    }
    for (id, end) in ends {
        let story = stories.remove(id).unwrap_or_else(|| panic!("nothing was told of one that was {end}"));
        let kinds: Vec<_> = story.iter().map(|seen| seen.kind).collect();
        let reason = story.last().and_then(|seen| seen.reason.as_deref());
        check_story(&kinds, reason, end);
    }
    for (_, story) in stories {
        let strange = story.iter().find(|seen| seen.slot.is_some());
        assert!(strange.is_none(), "told of one that nobody has: {strange:?}");
    }
    check_slots(seen);
}

fn check_story(kinds: &[EventKind], reason: Option<&str>, end: &str) {
    use EventKind::{ControllerRejected, ControllerSubmitted, TaskAddRequested, TaskAdded, TaskRemoveRequested};
    let count = |kind| kinds.iter().filter(|seen| **seen == kind).count();
    assert!(count(TaskRemoveRequested) <= 1, "{kinds:?}");
    match kinds {
        [ControllerRejected] | [ControllerSubmitted, ControllerRejected] => {
            assert_eq!(reason, Some(end), "{kinds:?}");
            assert_ne!(end, "canceled", "it was told to stop: {kinds:?}");
        }
        [ControllerSubmitted, TaskRemoveRequested, ControllerRejected] => {
            assert_eq!((reason, end), (Some("canceled"), "canceled"));
        }
        [ControllerSubmitted, TaskAddRequested, TaskAdded, .., EventKind::TaskRemoved] => {
            let once = [ControllerSubmitted, TaskAddRequested, TaskAdded, EventKind::TaskRemoved];
            assert!(once.iter().all(|kind| count(*kind) == 1) && count(ControllerRejected) == 0, "{kinds:?}");
            let ran = ["completed", "canceled", "exhausted", "fatal", "aborted"];
            assert!(ran.contains(&end), "{end}: {kinds:?}");
        }
        other => panic!("{end}: {other:?}"),
    }
}

/// Each transition of a slot starts from its last phase, and an idle slot has no owner and no queue.
fn check_slots(seen: &[Seen]) {
    let mut phases: HashMap<&str, (String, Option<TaskId>)> = HashMap::new();
    for seen in seen.iter().filter(|seen| seen.kind == EventKind::ControllerSlotTransition) {
        let (slot, reason) = (seen.slot.as_deref().unwrap(), seen.reason.as_deref().unwrap());
        let (from, to) = reason.split_once(" -> ").unwrap();
        let (phase, owner) = phases.entry(slot).or_insert_with(|| ("idle".into(), None));
        assert_eq!(phase, from, "{reason}");
        match to {
            "running" => assert!(seen.id.is_some() && seen.id != *owner, "{reason}: {owner:?}, {seen:?}"),
            "stopping" => assert_eq!(seen.id, *owner, "{reason}: {seen:?}"),
            _ => assert!(seen.id.is_none() && seen.count == Some(0), "{reason}: {seen:?}"),
        }
        to.clone_into(phase);
        *owner = seen.id;
    }
    assert!(phases.values().all(|(phase, _)| phase == "idle"), "{phases:?}");
}
