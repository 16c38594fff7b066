use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::record::{AttemptOutcome, HistoryEntry, HistoryGap};
use super::ring::Kept;
use super::store::{Attempt, End, JOBS, Store};
use crate::inspect::TaskId;

const FAILED: End<'_> = End { outcome: AttemptOutcome::Failed, stop: None, reason: Some("refused") };

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

fn gap(lost: u64, after: u64) -> HistoryGap {
    HistoryGap { lost, after: at(after), before: at(after + 1) }
}

/// A store with the events of one feed.
#[derive(Default)]
struct Fed {
    store: Store,
    feed: u32,
}

impl Fed {
    fn with(attempts: usize, paths: usize) -> Self {
        let mut fed = Self::default();
        fed.store.set_attempts(attempts);
        fed.store.set_paths(paths);
        fed
    }

    fn begins(&mut self, path: &str, id: TaskId, number: u32) {
        self.store.begins(self.feed, Attempt { path: &path.into(), id, number }, at(u64::from(number)));
    }

    fn fails(&mut self, path: &str, id: TaskId, number: u32) {
        self.store.ends(self.feed, Attempt { path: &path.into(), id, number }, at(u64::from(number) + 1), FAILED);
    }

    fn runs(&mut self, path: &str, id: TaskId, number: u32) {
        self.begins(path, id, number);
        self.fails(path, id, number);
    }

    /// The entries of a path, such as `1 failed, lost 3, 2 running`.
    fn shown(&self, path: &str) -> String {
        let entry = |entry: &HistoryEntry| match entry {
            HistoryEntry::Attempt(attempt) => format!("{} {}", attempt.attempt, attempt.outcome),
            HistoryEntry::Gap(gap) => format!("lost {}", gap.lost),
        };
        self.store.of(path).entries.iter().map(entry).collect::<Vec<_>>().join(", ")
    }

    fn paths(&self) -> Vec<String> {
        self.store.paths().iter().map(ToString::to_string).collect()
    }
}

#[test]
fn a_ring_drops_the_oldest_and_running_ones_last() {
    let (mut fed, id) = (Fed::with(3, 9), TaskId::next());
    let job = TaskId::next();
    fed.begins("a", job, 1);
    (1..=5).for_each(|number| fed.runs("a", id, number));
    assert_eq!(fed.shown("a"), "1 running, 4 failed, 5 failed");
    assert_eq!(fed.store.of("a").dropped, 3);
    for _ in 0..3 {
        fed.begins("a", TaskId::next(), 9);
    }
    assert_eq!(fed.shown("a"), "9 running, 9 running, 9 running", "if all run, the oldest");
    let dropped = fed.store.of("a").dropped;
    fed.fails("a", job, 1);
    assert_eq!(fed.shown("a"), "9 running, 9 running, 9 running", "its begin is not kept, and neither is its end");
    assert_eq!(fed.store.of("a").dropped, dropped);
    fed.store.set_attempts(0);
    assert_eq!(fed.shown("a"), "9 running", "at least one");
}

#[test]
fn each_attempt_is_kept_or_dropped_once_though_it_ends_after_it_was_dropped() {
    let mut fed = Fed::with(2, 9);
    let jobs: [_; 5] = std::array::from_fn(|_| TaskId::next());
    for job in jobs {
        fed.begins("a", job, 1);
    }
    assert_eq!(fed.store.of("a").dropped, 3);
    for job in jobs {
        fed.fails("a", job, 1);
    }
    assert_eq!((fed.shown("a").as_str(), fed.store.of("a").dropped), ("1 failed, 1 failed", 3));
    let kept = fed.store.of("a");
    let ids = kept
        .entries
        .iter()
        .map(|entry| if let HistoryEntry::Attempt(it) = entry { Some((it.id, it.began.is_some())) } else { None });
    assert_eq!(ids.collect::<Vec<_>>(), [Some((jobs[3], true)), Some((jobs[4], true))]);
    // A number comes again in another registration only, and a loss of events can be one of an end.
    fed.fails("a", jobs[0], 1);
    assert_eq!(fed.store.of("a").dropped, 4, "its begin was lost");
    for ends in [false, true] {
        let mut fed = Fed::with(1, 9);
        fed.begins("a", jobs[0], 1);
        fed.begins("a", jobs[1], 1);
        if ends {
            fed.store.removed(&"a".into(), jobs[0], at(9));
        } else {
            fed.store.lost(fed.feed, gap(1, 1));
        }
        fed.fails("a", jobs[0], 1);
        assert_eq!(fed.store.of("a").dropped, 2, "it is seen for the first time");
    }
}

#[test]
fn the_least_recently_seen_path_is_dropped_and_running_ones_last() {
    let (mut fed, id) = (Fed::with(3, 3), TaskId::next());
    fed.begins("long", id, 1);
    for path in ["a", "b", "c"] {
        fed.runs(path, TaskId::next(), 1);
    }
    assert_eq!((fed.paths(), fed.store.dropped_paths), (vec!["b".into(), "c".into(), "long".into()], 1));
    fed.runs("b", TaskId::next(), 2);
    fed.runs("d", TaskId::next(), 1);
    assert_eq!(fed.paths(), ["b", "d", "long"]);
    // Its end makes it the most recently seen path without a running attempt.
    fed.fails("long", id, 1);
    fed.runs("e", TaskId::next(), 1);
    assert_eq!(fed.paths(), ["d", "e", "long"]);
    fed.begins("d", TaskId::next(), 2);
    fed.begins("f", TaskId::next(), 1);
    fed.begins("g", TaskId::next(), 1);
    fed.begins("h", TaskId::next(), 1);
    assert_eq!((fed.paths(), fed.store.dropped_paths), (vec!["f".into(), "g".into(), "h".into()], 6));
    fed.store.set_paths(0);
    assert_eq!(fed.paths(), ["h"], "at least one");
}

#[test]
fn the_order_of_paths_holds_each_path_once() {
    let mut fed = Fed::with(2, 5);
    let mut random = fastrand::Rng::with_seed(7);
    let ids: Vec<_> = (0..8).map(|_| TaskId::next()).collect();
    // Miri takes 100 times as long.
    for _ in 0..if cfg!(miri) { 500 } else { 20_000 } {
        let (id, number) = (ids[random.usize(..8)], random.u32(1..4));
        let path: Arc<str> = random.u8(..9).to_string().into();
        fed.feed = random.u32(1..3);
        match random.u8(..8) {
            0..3 => fed.begins(&path, id, number),
            3..6 => fed.fails(&path, id, number),
            6 => fed.store.removed(&path, id, at(9)),
            _ if random.u8(..8) == 0 => fed.store.lost(fed.feed, gap(1, 9)),
            _ => fed.store.enters(id, &"slot".into()),
        }
        fed.store.assert_consistent();
    }
}

#[test]
fn a_gap_is_shown_in_its_place_and_what_ran_is_unknown() {
    let (mut fed, a, b) = (Fed::default(), TaskId::next(), TaskId::next());
    fed.runs("a", a, 1);
    fed.begins("a", a, 2);
    fed.store.lost(0, gap(3, 2));
    assert_eq!(fed.shown("a"), "1 failed, 2 unknown, lost 3");
    fed.begins("b", b, 1);
    fed.begins("a", a, 3);
    assert_eq!(fed.shown("a"), "1 failed, 2 unknown, lost 3, 3 running");
    assert_eq!(fed.shown("b"), "1 running", "it is older than what is kept");
    fed.fails("a", a, 2);
    assert_eq!(fed.shown("a"), "1 failed, 2 failed, lost 3, 3 running", "its end was seen after all");
    fed.feed = 1;
    fed.begins("c", TaskId::next(), 1);
    fed.store.lost(0, gap(1, 3));
    assert_eq!(fed.shown("c"), "1 running", "another tree");
    fed.store.lost(0, gap(2, 4));
    assert_eq!(fed.shown("b"), "1 unknown, lost 3", "one gap: nothing was seen in between");
    assert_eq!(fed.store.gaps()[1], HistoryGap { lost: 3, after: at(3), before: at(5) });
}

#[test]
fn the_end_of_an_earlier_attempt_that_was_not_seen_is_unknown() {
    let (mut fed, id) = (Fed::default(), TaskId::next());
    fed.begins("a", id, 1);
    fed.begins("a", id, 2);
    fed.begins("a", TaskId::next(), 1);
    assert_eq!(fed.shown("a"), "1 unknown, 2 running, 1 running");
    fed.store.removed(&"a".into(), id, at(9));
    assert_eq!(fed.shown("a"), "1 unknown, 2 aborted, 1 running");
}

#[test]
fn more_gaps_than_are_kept_are_merged() {
    let (mut fed, id) = (Fed::default(), TaskId::next());
    fed.begins("a", id, 1);
    for number in 2..42 {
        fed.store.lost(0, gap(1, u64::from(number)));
        fed.begins("a", id, number);
    }
    let gaps = fed.store.gaps();
    assert_eq!(gaps.len(), 32);
    assert_eq!(gaps[0], HistoryGap { lost: 9, after: at(2), before: at(11) });
    assert_eq!(gaps.iter().map(|gap| gap.lost).sum::<u64>(), 40, "none is forgotten");
    // A feed with one gap keeps it.
    fed.store.lost(1, gap(5, 50));
    fed.begins("a", id, 50);
    fed.store.lost(0, gap(1, 60));
    let gaps = fed.store.gaps();
    assert_eq!((gaps.len(), gaps[30].lost, gaps[0].lost), (32, 5, 11));
}

#[test]
fn t4_the_only_gap_of_a_feed_is_kept_though_it_is_the_oldest() {
    let (mut fed, id) = (Fed::default(), TaskId::next());
    fed.store.lost(1, gap(5, 1));
    for number in 2..42 {
        fed.begins("a", id, number);
        fed.store.lost(0, gap(1, u64::from(number)));
    }
    let gaps: Vec<_> = fed.store.gaps().iter().map(|gap| gap.lost).collect();
    assert_eq!((gaps.len(), &gaps[..3]), (32, &[5, 10, 1][..]));
}

#[test]
fn slots_of_jobs_are_bounded() {
    let mut fed = Fed::with(2, 2);
    let ids: Vec<_> = (0..=JOBS).map(|_| TaskId::next()).collect();
    for id in &ids {
        fed.store.enters(*id, &"slot".into());
    }
    for id in &ids {
        fed.runs("job", *id, 1);
    }
    assert_eq!(fed.paths(), ["job", "slot"], "the oldest was forgotten, and has its own path");
    assert_eq!(fed.store.of("job").entries.len(), 1, "no other was");
    fed.store.removed(&"job".into(), ids[JOBS], at(9));
    fed.runs("job", ids[JOBS], 2);
    assert_eq!(fed.store.of("job").entries.len(), 2);
}

#[test]
fn equal_texts_are_shared() {
    let (mut fed, id) = (Fed::default(), TaskId::next());
    (1..=9).for_each(|number| fed.runs("a", id, number));
    let texts: HashSet<_> =
        fed.store.of("a").attempts().filter_map(|attempt| attempt.reason.as_ref().map(Arc::as_ptr)).collect();
    assert_eq!(texts.len(), 1);
}

#[test]
fn an_attempt_is_small() {
    // The docs of `History` give the memory for the default limits, with texts of 256 bytes.
    let most = 1_024 * 32 * (size_of::<Kept>() + 256 + 2 * size_of::<usize>());
    assert!(most < 13_500_000, "{most}");
}

#[test]
fn t4_jobs_that_run_at_once_keep_their_slot_with_the_smallest_limits() {
    let mut fed = Fed::with(1, 1);
    let jobs = [TaskId::next(), TaskId::next(), TaskId::next()];
    for id in jobs {
        fed.store.enters(id, &"slot".into());
        fed.begins("job", id, 1);
    }
    for id in jobs {
        fed.fails("job", id, 1);
        fed.store.removed(&"job".into(), id, at(3));
    }
    assert_eq!(fed.paths(), ["slot"]);
    assert_eq!(fed.store.dropped_paths, 0);
}
