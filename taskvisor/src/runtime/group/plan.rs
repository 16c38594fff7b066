//! Decides which children of a group stop and start, and in which order. Plain data: notes go in, actions come out.
//!
//! The cost of a note is linear in the edges of the order that it touches: each child counts the children before it
//! that block its start (`unmet`), and the children after it that block its stop (`dependents`). Only the begin of a
//! stop or restart, and the start after it, visit every affected child. During a stop or restart, `unmet` is not
//! updated for the children from [`Plan::unknown_from`] on; it is counted again before they start. The edges come with
//! the declaration (`tree/declaration`): those of `after`, and with `rest_for_one` one from each child to the one
//! before.

mod ends;
mod moves;
mod notes;

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::children::{ByKey, Entry, Epoch, Key, Phase};
use super::machine::Rules;
use super::window::Window;
use crate::tree::{Role, Strategy};

pub(crate) use notes::{End, Note, RetryIn};

/// The actions of the plan, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start a child: open its gate.
    Start(Key, Epoch),
    /// Let a failed child start again after its own backoff.
    Resume(Key, Epoch),
    /// Stop a child to start it again; this number of layers stops after it.
    Hold(Key, Epoch, u32),
    /// Prevent further attempts of a child, which stops when the children after it have stopped.
    Retire(Key),
    /// Stop a child for good; this number of layers stops after it.
    Stop(Key, Epoch, u32),
    /// A stop or restart begins, with its own time limit.
    Begin,
    /// The remaining tasks of the group ignore their abort.
    GivenUp,
    /// The root must stop: request a shutdown.
    Ask(Why),
    /// The group ends.
    Over(Why),
}

/// The reason for the end of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Every child has ended.
    Completed,
    /// A significant child has ended in success.
    Significant,
    /// A stop was requested.
    Requested,
    /// This child exceeded the limit of failures.
    Limit(Key),
    /// This critical child ended in failure, or ended although it must not end.
    Lost(Key),
    /// The children could not be made, so no run began.
    Unmade,
}

impl Why {
    fn is_failure(self) -> bool {
        matches!(self, Self::Limit(_) | Self::Lost(_) | Self::Unmade)
    }
}

#[derive(Debug)]
enum Mode {
    Up,
    Restarting(Restart),
    /// The root has requested a shutdown, and continues without restarts until the shutdown stops it.
    Asking(Why),
    Stopping(Why),
    Over,
}

/// The children from `first` on stop, and start again after the longest wait of the failed children.
#[derive(Debug)]
struct Restart {
    first: Key,
    /// The failed children with their waits, the last declared first.
    causes: Vec<Cause>,
    /// The number of children that still run.
    running: usize,
    /// The time at which all had stopped.
    since: Option<Duration>,
}

/// A failed child, the time of its failure, and its wait.
#[derive(Debug, Clone, Copy)]
struct Cause {
    key: Key,
    at: Duration,
    retry: RetryIn,
}

impl Restart {
    /// Returns the end of the wait, if all children have stopped.
    fn until(&self) -> Option<Duration> {
        let since = self.since?;
        let end = |cause: &Cause| match cause.retry {
            RetryIn::Backoff(delay) => since.saturating_add(delay),
            RetryIn::Told(delay) => cause.at.saturating_add(delay),
        };
        Some(self.causes.iter().map(end).fold(since, Duration::max))
    }

    fn position(&self, key: Key) -> Result<usize, usize> {
        self.causes.binary_search_by(|cause| key.cmp(&cause.key))
    }

    /// Adds a failed child, which has failed once in the restart.
    fn add(&mut self, cause: Cause) {
        if let Err(position) = self.position(cause.key) {
            self.causes.insert(position, cause);
        }
    }
}

/// The state of one run of a group.
#[derive(Debug)]
pub(crate) struct Plan {
    rules: Arc<Rules>,
    window: Option<Window>,
    roster: ByKey<Entry>,
    mode: Mode,
    /// The last epoch of a child.
    pub(super) epoch: Epoch,
    /// `true` for a group without declared children, which runs until it is requested to stop.
    stays: bool,
    /// `true` if no further attempt may begin, because a parent stops.
    retired: bool,
    /// The number of children that have not ended.
    left: usize,
    /// The number of children that are neither ready nor ended and count for readiness.
    unready: usize,
    /// The number of these that are not delayed.
    awaited: usize,
    /// The number of remaining children that exceeded their time to stop.
    given_up: usize,
    gave_up: bool,
    /// The base of the layers of the current stop.
    base: i64,
    /// The children that may have to start or stop after a change.
    startable: Vec<Key>,
    stoppable: Vec<Key>,
    /// The changed children whose neighbors are visited next. Empty between two changes.
    changed: Vec<Key>,
    actions: Vec<Action>,
    /// The number of visited children and edges, for tests.
    steps: u64,
}

impl Plan {
    /// Creates a plan in which nothing has started, with epochs above `epoch`. In `rest_for_one`, each child is after
    /// the previous one.
    pub(super) fn new(rules: &Arc<Rules>, epoch: Epoch) -> Self {
        let order = &rules.order;
        let entry =
            |(index, child): (usize, &Role)| Entry::new(*child, count(order.earlier(index)), count(order.later(index)));
        let declared: Vec<_> = rules.children.iter().enumerate().map(entry).collect();
        Self {
            rules: Arc::clone(rules),
            window: rules.limit.map(Window::new),
            mode: Mode::Up,
            epoch,
            stays: declared.is_empty(),
            retired: false,
            left: declared.len(),
            unready: declared.iter().filter(|entry| entry.is_unready()).count(),
            awaited: declared.iter().filter(|entry| entry.is_awaited()).count(),
            given_up: 0,
            gave_up: false,
            base: 0,
            startable: (0..declared.len() as Key).collect(),
            stoppable: Vec::new(),
            changed: Vec::new(),
            actions: Vec::new(),
            roster: ByKey { declared, added: BTreeMap::new() },
            steps: 0,
        }
    }

    /// Adds a child at the end. It starts with the others, or at once if they run.
    pub(crate) fn add(&mut self, key: Key, child: Role) {
        let before = if self.is_chain() { self.roster.before_added(key) } else { None };
        let unmet = before.and_then(|before| self.roster.get(before)).is_some_and(|before| !before.passes());
        self.roster.added.insert(key, Entry::new(child, u32::from(unmet), 0));
        self.left += 1;
        let counted = usize::from(!child.uncounted);
        (self.unready, self.awaited) = (self.unready + counted, self.awaited + counted);
        self.startable.push(key);
    }

    /// Returns the time at which [`proceed`](Self::proceed) must be called.
    pub(crate) fn wakes_at(&self) -> Option<Duration> {
        match &self.mode {
            Mode::Restarting(restart) => restart.until(),
            _ => None,
        }
    }

    /// Returns the actions that are possible at `now`.
    pub(crate) fn proceed(&mut self, now: Duration) -> Vec<Action> {
        self.start_again_if_due(now);
        self.stop_due();
        self.start_due();
        let over = match self.mode {
            Mode::Up if !self.stays => Some(Why::Completed),
            Mode::Asking(why) | Mode::Stopping(why) => Some(why),
            Mode::Up | Mode::Restarting(_) | Mode::Over => None,
        };
        match (over, &self.mode) {
            (Some(why), _) if self.left == 0 => {
                self.mode = Mode::Over;
                self.actions.push(Action::Over(why));
            }
            (_, Mode::Stopping(_)) if self.given_up == self.left && !mem::replace(&mut self.gave_up, true) => {
                self.actions.push(Action::GivenUp);
            }
            _ => {}
        }
        mem::take(&mut self.actions)
    }

    /// Handles a note of a child, and returns the actions.
    pub(crate) fn note(&mut self, key: Key, epoch: Epoch, note: Note, now: Duration) -> Vec<Action> {
        let Some(entry) = self.roster.get(key) else { return Vec::new() };
        let (note, counts) = match note {
            Note::Refused(retry) => (Note::Failed(retry), false),
            note => (note, true),
        };
        match (note, entry.phase) {
            (Note::Ended(end), _) => self.ended(key, end),
            (Note::Skip, _) => self.skip(),
            // The child failed before it observed the hold of the restart.
            (Note::Failed(RetryIn::Told(delay)), Phase::Holding) => self.tells(key, delay, now),
            // The note belongs to an earlier start or stop.
            _ if entry.epoch != epoch => return Vec::new(),
            (Note::Ready, Phase::Starting | Phase::Delayed) => self.set(key, Phase::Ready),
            (Note::Delayed, Phase::Starting) => self.set(key, Phase::Delayed),
            (Note::Failed(retry), _) => self.failed(key, retry, counts, now),
            (Note::Held, Phase::Holding) if self.awaits_last(key) => return Vec::new(),
            (Note::Held, Phase::Holding) => self.set(key, Phase::Down),
            (Note::GivenUp, _) => self.give_up(key),
            (Note::Ready | Note::Delayed | Note::Held | Note::Refused(_), _) => return Vec::new(),
        }
        self.proceed(now)
    }

    /// Handles the new registration of a declared child that had ended. `end` is its end, in case it was not handled
    /// yet.
    pub(super) fn start_again(&mut self, key: Key, end: End, now: Duration) -> Vec<Action> {
        self.ended(key, end);
        if self.roster.get(key).is_some_and(|entry| entry.phase == Phase::Ended) {
            self.set(key, Phase::Down);
        }
        self.proceed(now)
    }

    /// Handles a stop request of the group.
    pub(crate) fn stop(&mut self, now: Duration) -> Vec<Action> {
        self.stop_because(Why::Requested);
        self.proceed(now)
    }

    /// Prevents further attempts. Running attempts continue until they are stopped.
    pub(crate) fn retire(&mut self, now: Duration) -> Vec<Action> {
        if !mem::replace(&mut self.retired, true) {
            let left = self.roster.from(0).filter(|(_, entry)| entry.phase != Phase::Ended);
            self.actions.extend(left.map(|(key, _)| Action::Retire(key)));
        }
        self.proceed(now)
    }

    /// Continues the run, because a child was added when the last had ended.
    pub(crate) fn go_on(&mut self) {
        self.mode = Mode::Up;
    }

    /// Returns `true` if children can be added.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.mode, Mode::Up | Mode::Restarting(_) | Mode::Asking(_))
    }

    /// Returns `Ready` if every child that has not ended is ready, `Delayed` if the others are delayed.
    pub(crate) fn readiness(&self) -> Option<Note> {
        match (&self.mode, self.unready, self.awaited) {
            (Mode::Up, 0, _) => Some(Note::Ready),
            (Mode::Up, _, 0) => Some(Note::Delayed),
            _ => None,
        }
    }

    /// Returns `true` if the group stops because of this child.
    pub(crate) fn is_lost(&self, key: Key) -> bool {
        matches!(self.mode, Mode::Stopping(Why::Lost(lost)) | Mode::Asking(Why::Lost(lost)) if lost == key)
    }

    /// Returns the failure because of which the group stops.
    pub(crate) fn fails(&self) -> Option<Why> {
        match self.mode {
            Mode::Stopping(why) if why.is_failure() => Some(why),
            _ => None,
        }
    }

    fn is_chain(&self) -> bool {
        self.rules.strategy == Strategy::RestForOne
    }

    fn next_epoch(&mut self, key: Key) -> Epoch {
        self.epoch = self.epoch.wrapping_add(1);
        let epoch = self.epoch;
        if let Some(entry) = self.roster.get_mut(key) {
            entry.epoch = epoch;
        }
        epoch
    }
}

fn count(places: &[u32]) -> u32 {
    u32::try_from(places.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "plan_test.rs"]
mod tests;

#[cfg(test)]
#[path = "plan_cases_test.rs"]
mod cases;
