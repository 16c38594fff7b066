//! The kept attempts of all paths, as plain data.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use super::record::{AttemptOutcome, AttemptRecord, HistoryEntry, HistoryGap, PathHistory};
use super::ring::{Kept, Ring};
use crate::inspect::TaskId;
use crate::sorting::sort_by_text;

/// The number of attempts that are kept of a path by default.
const ATTEMPTS: usize = 32;
/// The number of paths that are kept by default.
const PATHS: usize = 1024;
/// The least number of jobs whose slot is known while they run.
pub(super) const JOBS: usize = 1024;
/// The number of gaps that are kept. Older ones are merged.
const GAPS: usize = 32;

pub(super) struct Store {
    attempts: usize,
    paths: usize,
    rings: HashMap<Arc<str>, Seen>,
    /// The paths in the order in which they are dropped: first those without a running attempt, and among equals the
    /// least recently seen.
    order: BTreeMap<Rank, Arc<str>>,
    pub(super) dropped_paths: u64,
    /// The gaps, with their feeds and places.
    gaps: VecDeque<(HistoryGap, u32, u64)>,
    /// The slots of running jobs, because events of attempts do not name the slot. If a job's end is lost, its entry
    /// stays, so the oldest are dropped when there are more than attempts to keep, and than [`JOBS`].
    slots: BTreeMap<TaskId, Arc<str>>,
    /// The number of attempts and gaps so far.
    turn: u64,
    feeds: u32,
}

/// Whether a path has a running attempt, and the turn in which it was last seen.
type Rank = (bool, u64);

struct Seen {
    ring: Ring,
    rank: Rank,
}

/// The attempt of an event.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) path: &'a Arc<str>,
    pub(super) id: TaskId,
    pub(super) number: u32,
}

/// The end of an attempt.
#[derive(Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) outcome: AttemptOutcome,
    pub(super) stop: Option<&'static str>,
    pub(super) reason: Option<&'a str>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            attempts: ATTEMPTS,
            paths: PATHS,
            rings: HashMap::new(),
            order: BTreeMap::new(),
            dropped_paths: 0,
            gaps: VecDeque::new(),
            slots: BTreeMap::new(),
            turn: 0,
            feeds: 0,
        }
    }
}

impl Store {
    pub(super) fn set_attempts(&mut self, most: usize) {
        self.attempts = most.max(1);
        self.rings.values_mut().for_each(|seen| seen.ring.trim(self.attempts));
        self.trim_slots();
    }

    pub(super) fn set_paths(&mut self, most: usize) {
        self.paths = most.max(1);
        self.trim_paths(self.paths);
        self.trim_slots();
    }

    /// Returns the number of a new feed.
    pub(super) fn open_feed(&mut self) -> u32 {
        self.feeds += 1;
        self.feeds
    }

    /// Records the slot of a job that is about to start.
    pub(super) fn enters(&mut self, id: TaskId, slot: &Arc<str>) {
        self.slots.insert(id, Arc::clone(slot));
        self.trim_slots();
    }

    pub(super) fn begins(&mut self, feed: u32, attempt: Attempt<'_>, at: SystemTime) {
        self.update(attempt.path, attempt.id, |ring, slot, turn, most| {
            // The end of an earlier attempt was lost.
            for kept in ring.kept_mut().filter(|kept| kept.record.id == attempt.id && kept.is_running()) {
                kept.record.outcome = AttemptOutcome::Unknown;
            }
            let record = AttemptRecord { began: Some(at), ..AttemptRecord::of(attempt, slot) };
            ring.push(Kept { record, feed, turn }, most);
        });
    }

    pub(super) fn ends(&mut self, feed: u32, attempt: Attempt<'_>, at: SystemTime, end: End<'_>) {
        self.update(attempt.path, attempt.id, |ring, slot, turn, most| {
            let reason = end.reason.map(|text| ring.share(text));
            let set = |record: &mut AttemptRecord| {
                (record.ended, record.outcome) = (Some(at), end.outcome);
                (record.stop, record.reason) = (end.stop, reason);
            };
            if let Some(record) = ring.open(attempt.id, attempt.number) {
                return set(record);
            }
            if ring.ends_dropped(attempt.id, attempt.number) {
                return;
            }
            // The attempt did not begin, or the event of its beginning was lost.
            let mut record = AttemptRecord::of(attempt, slot);
            set(&mut record);
            ring.push(Kept { record, feed, turn }, most);
        });
    }

    /// Records the end of a registration. An attempt without a seen end was dropped with its runtime.
    pub(super) fn removed(&mut self, path: &Arc<str>, id: TaskId, at: SystemTime) {
        let key = self.slots.remove(&id).unwrap_or_else(|| Arc::clone(path));
        let Some(seen) = self.rings.get_mut(&key) else { return };
        seen.ring.forget_dropped(Some(id));
        for kept in seen.ring.kept_mut().filter(|kept| kept.record.id == id && kept.is_running()) {
            let record = &mut kept.record;
            (record.ended, record.outcome) = (Some(at), AttemptOutcome::Aborted);
            record.reason = Some("its runtime ended".into());
        }
        self.rank(&key);
    }

    /// Records a loss of events of a feed. Its running attempts may have ended.
    pub(super) fn lost(&mut self, feed: u32, gap: HistoryGap) {
        let mut changed = Vec::new();
        for (path, seen) in &mut self.rings {
            let mut ran = false;
            seen.ring.forget_dropped(None);
            for kept in seen.ring.kept_mut().filter(|kept| kept.feed == feed && kept.is_running()) {
                kept.record.outcome = AttemptOutcome::Unknown;
                ran = true;
            }
            if ran {
                changed.push(Arc::clone(path));
            }
        }
        for path in &changed {
            self.rank(path);
        }
        self.turn += 1;
        let turn = self.turn;
        match self.gaps.back_mut() {
            // No event was seen between the two gaps.
            Some((last, its_feed, its_turn)) if *its_feed == feed && *its_turn + 1 == turn => {
                last.absorb(gap);
                *its_turn = turn;
            }
            _ => self.gaps.push_back((gap, feed, turn)),
        }
        if self.gaps.len() > GAPS {
            self.merge_gaps();
        }
    }

    /// Returns the history of a path; without entries if it is not known.
    pub(super) fn of(&self, path: &str) -> PathHistory {
        let Some((path, Seen { ring, .. })) = self.rings.get_key_value(path) else {
            return PathHistory { path: path.into(), dropped: 0, entries: Vec::new() };
        };
        let oldest = ring.kept().next().map_or(u64::MAX, |kept| kept.turn);
        let concerns = |feed| ring.kept().any(|kept| kept.feed == feed);
        let mut gaps = self.gaps.iter().filter(|(_, feed, turn)| *turn > oldest && concerns(*feed)).peekable();
        let mut entries = Vec::new();
        for kept in ring.kept() {
            while let Some((gap, ..)) = gaps.next_if(|(.., turn)| *turn < kept.turn) {
                entries.push(HistoryEntry::Gap(*gap));
            }
            entries.push(HistoryEntry::Attempt(kept.record.clone()));
        }
        entries.extend(gaps.map(|(gap, ..)| HistoryEntry::Gap(*gap)));
        PathHistory { path: Arc::clone(path), dropped: ring.dropped, entries }
    }

    /// Returns the paths, sorted.
    pub(super) fn paths(&self) -> Vec<Arc<str>> {
        let mut paths: Vec<_> = self.rings.keys().cloned().collect();
        sort_by_text(&mut paths, |path| path);
        paths
    }

    pub(super) fn gaps(&self) -> Vec<HistoryGap> {
        self.gaps.iter().map(|(gap, ..)| *gap).collect()
    }

    /// Changes the ring of an attempt. `change` gets the slot, the turn and the limit of the ring.
    fn update(&mut self, path: &Arc<str>, id: TaskId, change: impl FnOnce(&mut Ring, Option<&Arc<str>>, u64, usize)) {
        self.turn += 1;
        let (turn, attempts) = (self.turn, self.attempts);
        let slot = self.slots.get(&id).cloned();
        let key = Arc::clone(slot.as_ref().unwrap_or(path));
        if !self.rings.contains_key(&key) {
            self.trim_paths(self.paths - 1);
        }
        let seen = self.rings.entry(Arc::clone(&key)).or_insert_with(|| {
            let rank = (false, turn);
            self.order.insert(rank, Arc::clone(&key));
            Seen { ring: Ring::default(), rank }
        });
        change(&mut seen.ring, slot.as_ref(), turn, attempts);
        self.order.remove(&seen.rank);
        seen.rank = (seen.ring.has_running(), turn);
        self.order.insert(seen.rank, key);
    }

    /// Updates whether a path has a running attempt.
    fn rank(&mut self, path: &Arc<str>) {
        let Some(seen) = self.rings.get_mut(path) else { return };
        self.order.remove(&seen.rank);
        seen.rank.0 = seen.ring.has_running();
        self.order.insert(seen.rank, Arc::clone(path));
    }

    fn trim_paths(&mut self, most: usize) {
        while self.rings.len() > most {
            let Some((_, path)) = self.order.pop_first() else { return };
            self.rings.remove(&path);
            self.dropped_paths += 1;
        }
    }

    fn trim_slots(&mut self) {
        while self.slots.len() > self.attempts.saturating_mul(self.paths).max(JOBS) {
            self.slots.pop_first();
        }
    }

    /// Merges the oldest two gaps of one feed. If each feed has one, drops the oldest.
    fn merge_gaps(&mut self) {
        let is_followed = |at: &usize| self.gaps.range(at + 1..).any(|(_, feed, _)| *feed == self.gaps[*at].1);
        let at = (0..self.gaps.len()).find(is_followed).unwrap_or_default();
        let Some((oldest, feed, _)) = self.gaps.remove(at) else { return };
        if let Some((next, ..)) = self.gaps.range_mut(at..).find(|(_, its_feed, _)| *its_feed == feed) {
            let mut merged = oldest;
            merged.absorb(*next);
            *next = merged;
        }
    }
}

impl HistoryGap {
    /// Merges with the gap that follows.
    fn absorb(&mut self, next: Self) {
        (self.lost, self.before) = (self.lost.saturating_add(next.lost), next.before);
    }
}

impl AttemptRecord {
    /// A running attempt whose beginning is not known.
    fn of(attempt: Attempt<'_>, slot: Option<&Arc<str>>) -> Self {
        Self {
            path: Arc::clone(attempt.path),
            slot: slot.cloned(),
            id: attempt.id,
            attempt: attempt.number,
            began: None,
            ended: None,
            outcome: AttemptOutcome::Running,
            stop: None,
            reason: None,
        }
    }
}

#[cfg(test)]
impl Store {
    /// Panics if the order does not have each path once, at its rank, or if a limit is exceeded.
    pub(super) fn assert_consistent(&self) {
        assert!(self.rings.len() <= self.paths && self.gaps.len() <= GAPS);
        assert_eq!(self.order.len(), self.rings.len());
        for (rank, path) in &self.order {
            let seen = &self.rings[path];
            assert_eq!((seen.rank, rank.0), (*rank, seen.ring.has_running()));
            assert!(seen.ring.kept().count() <= self.attempts);
            assert!(seen.ring.kept().map(|kept| kept.turn).is_sorted());
        }
    }
}
