//! Tests of what a history makes of the events that it gets.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::handle::History;
use crate::events::{Event, EventKind, Subscribe};
use crate::inspect::TaskId;

/// An event of the first attempt of a task, with its number in the tree, and as many seconds after the epoch.
fn event(kind: EventKind, (path, id): (&str, TaskId), seq: u64) -> Event {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seq);
    Event { at, seq, id: Some(id), attempt: Some(1), ..Event::about(kind, &Arc::from(path)) }
}

/// The last lines of a path, without the path.
fn shown(history: &History, path: &str) -> String {
    history.of(path).to_string().replace(&format!(" {path} "), " ")
}

#[tokio::test]
async fn t4_a_gap_in_the_events_of_one_tree_concerns_no_other() {
    let history = History::new();
    let (one, other) = (history.clone(), history.clone());
    let [a, b] = ["a", "b"].map(|path| (path, TaskId::next()));
    one.on_event(&event(EventKind::TaskStarting, a, 1)).await;
    other.on_event(&event(EventKind::TaskStarting, b, 1)).await;
    one.on_event(&event(EventKind::TaskRemoved, ("c", TaskId::next()), 3)).await;
    let lost = "1970-01-01T00:00:01.000Z to 1970-01-01T00:00:03.000Z: 1 event lost\n";
    assert_eq!(shown(&history, "a"), format!("1970-01-01T00:00:01.000Z #1 unknown\n{lost}"));
    assert_eq!(shown(&history, "b"), "1970-01-01T00:00:01.000Z #1 running\n");
    other.on_event(&event(EventKind::TaskRemoved, ("c", TaskId::next()), 4)).await;
    assert_eq!(history.gaps().iter().map(|gap| gap.lost).collect::<Vec<_>>(), [1, 2]);
    assert!(history.gaps()[1].to_string().ends_with(": 2 events lost"));
}

#[tokio::test]
async fn t4_the_number_of_paths_is_set_for_all_clones() {
    let history = History::new();
    let clone = history.clone();
    assert_eq!(history.name(), "History");
    let history = history.with_paths(1);
    for (number, path) in ["a", "b"].into_iter().enumerate() {
        clone.on_event(&event(EventKind::TaskStarting, (path, TaskId::next()), number as u64 + 1)).await;
    }
    assert_eq!((history.paths(), history.dropped_paths()), (vec!["b".into()], 1));
}
