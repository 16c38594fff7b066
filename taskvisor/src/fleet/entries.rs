//! The state of each key in this process, and an agenda: what has something to do, and when. So an input or an answer costs
//! no look at the other keys.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::store::{FencingToken, LeaseKey};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Gone,
    Parked,
    Working,
    Stopping,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) unit: Unit,
    /// The number of grants to the unit.
    pub(super) grants: u64,
    /// The lease that the store has given in this session.
    pub(super) held: Option<Held>,
    /// The time of the next `acquire`.
    pub(super) ask_at: Duration,
    pub(super) asks: Asks,
    /// An `acquire` without an answer may be in flight up to this time. Then the key is acquired once more.
    pub(super) probe_at: Option<Duration>,
    /// `dropped` is `true` if the lease of work that stops is over, and `overrun` if an overrun was reported.
    pub(super) dropped: bool,
    pub(super) overrun: bool,
    /// The time at which work that stops was ordered to be dropped; [`Duration::MAX`] until then.
    pub(super) over_at: Duration,
    /// The owner, if it is another process.
    pub(super) owner: Option<String>,
    pub(super) mark: Option<Mark>,
    /// `true` if it has changed since it was last looked at.
    has_changed: bool,
    /// Where it is on the agenda.
    place: Place,
}

/// The state of the last `acquire` of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Answered,
    InFlight,
    Unanswered,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) token: FencingToken,
    pub(super) last_tick: Option<u64>,
    /// `true` if the lease was granted to the unit.
    pub(super) granted: bool,
    /// `true` if the lease is released when its work has ended.
    pub(super) resigned: bool,
    /// `true` if other processes can acquire it first: the unit waits a period.
    pub(super) hands_over: bool,
}

/// A tick that a unit wants to run, or has run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) tick: u64,
    /// `true` if it has run. Its key is kept until the store has answered, so that no other owner repeats it.
    pub(super) is_done: bool,
    /// `true` while the call is in flight.
    pub(super) asking: bool,
    /// `true` if a call was not answered, so that this unit may have marked the tick already.
    pub(super) unanswered: bool,
    pub(super) at: Duration,
}

/// The entries of a process, by key. Each change of an entry brings the agenda up to date.
#[derive(Debug, Default)]
pub(super) struct Entries {
    by_key: BTreeMap<LeaseKey, Entry>,
    /// The keys that have changed since they were last looked at, each once.
    changed: Vec<LeaseKey>,
    agenda: Agenda,
    /// How often an entry was looked at.
    #[cfg(test)]
    pub(super) looks: usize,
}

/// The entries that have something to do.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// By the time of the next `acquire`.
    asks: BTreeSet<(Duration, LeaseKey)>,
    /// By the time of the next call that marks their tick.
    marks: BTreeSet<(Duration, LeaseKey)>,
    /// By the time at which their work was ordered to be dropped.
    overruns: BTreeSet<(Duration, LeaseKey)>,
    releases: BTreeSet<LeaseKey>,
    /// Those that another process owns.
    owned: BTreeSet<LeaseKey>,
    /// The number of those that work.
    working: usize,
    /// The number of those for which the end of the session is an event: their work stops, or they have a lease and no
    /// work.
    ending: usize,
    /// The number of those whose work has not ended.
    busy: usize,
    /// The number of those whose mark was not answered.
    unanswered: usize,
}

/// Where an entry is on the agenda.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a list or a number of the agenda")]
struct Place {
    ask_at: Option<Duration>,
    mark_at: Option<Duration>,
    over_at: Option<Duration>,
    is_released: bool,
    is_owned: bool,
    is_working: bool,
    is_ending: bool,
    is_busy: bool,
    is_unanswered: bool,
}

impl Entries {
    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    pub(super) fn get(&self, key: &LeaseKey) -> Option<&Entry> {
        self.by_key.get(key)
    }

    /// Changes an entry, or a new one.
    pub(super) fn enter(&mut self, key: &LeaseKey, now: Duration, change: impl FnOnce(&mut Entry)) {
        if !self.by_key.contains_key(key) {
            self.by_key.insert(key.clone(), Entry::new(now));
        }
        self.change(key, change);
    }

    /// Changes an entry. The next [`due`](Self::due) has its key.
    pub(super) fn change<T>(&mut self, key: &LeaseKey, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let (changed, mut was_changed) = (&mut self.changed, false);
        let answer = Self::update(&mut self.by_key, &mut self.agenda, key, |entry| {
            was_changed = std::mem::replace(&mut entry.has_changed, true);
            change(entry)
        })?;
        if !was_changed {
            changed.push(key.clone());
        }
        Some(answer)
    }

    /// Looks at an entry, and may change it.
    pub(super) fn look<T>(&mut self, key: &LeaseKey, look: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        #[cfg(test)]
        {
            self.looks += 1;
        }
        Self::update(&mut self.by_key, &mut self.agenda, key, look)
    }

    fn update<T>(
        entries: &mut BTreeMap<LeaseKey, Entry>,
        agenda: &mut Agenda,
        key: &LeaseKey,
        change: impl FnOnce(&mut Entry) -> T,
    ) -> Option<T> {
        let entry = entries.get_mut(key)?;
        let answer = change(entry);
        let (before, place) = (entry.place, entry.place());
        if place != before {
            entry.place = place;
            agenda.put(key, before, place);
        }
        Some(answer)
    }

    pub(super) fn keys(&self) -> Vec<LeaseKey> {
        self.by_key.keys().cloned().collect()
    }

    /// Takes the keys that have changed, and adds those whose mark is due, or whose work has overrun since it was ordered
    /// to be dropped before `since`.
    pub(super) fn due(&mut self, now: Duration, since: Option<Duration>) -> Vec<LeaseKey> {
        let mut due = std::mem::take(&mut self.changed);
        for key in &due {
            if let Some(entry) = self.by_key.get_mut(key) {
                entry.has_changed = false;
            }
        }
        due.extend(until(&self.agenda.marks, now));
        due.extend(since.into_iter().flat_map(|since| until(&self.agenda.overruns, since)));
        due.sort_unstable();
        due.dedup();
        due
    }

    /// Returns the keys that are to be asked for.
    pub(super) fn asked(&self, now: Duration) -> Vec<LeaseKey> {
        let mut keys: Vec<_> = until(&self.agenda.asks, now).collect();
        keys.sort_unstable();
        keys
    }

    /// Returns the keys that can be released.
    pub(super) fn released(&self) -> Vec<LeaseKey> {
        self.agenda.releases.iter().cloned().collect()
    }

    /// Returns the keys that other processes own.
    pub(super) fn owned(&self) -> Vec<LeaseKey> {
        self.agenda.owned.iter().cloned().collect()
    }

    /// Removes an entry that nothing is left of. Returns its number of grants.
    pub(super) fn forget(&mut self, key: &LeaseKey) -> Option<u64> {
        let entry = self.by_key.get(key).filter(|entry| entry.is_forgotten())?;
        let (grants, place) = (entry.grants, entry.place);
        self.agenda.put(key, place, Place::default());
        self.by_key.remove(key);
        Some(grants)
    }

    /// Returns `true` if the mark of another key was not answered.
    pub(super) fn is_another_unanswered(&self, key: &LeaseKey) -> bool {
        let own = self.by_key.get(key).is_some_and(|entry| entry.place.is_unanswered);
        self.agenda.unanswered > usize::from(own)
    }

    pub(super) fn works(&self) -> bool {
        self.agenda.working > 0
    }

    pub(super) fn ends_with_session(&self) -> bool {
        self.agenda.ending > 0
    }

    pub(super) fn is_busy(&self) -> bool {
        self.agenda.busy > 0
    }

    pub(super) fn can_release(&self) -> bool {
        !self.agenda.releases.is_empty()
    }

    pub(super) fn asks_at(&self) -> Option<Duration> {
        first(&self.agenda.asks)
    }

    pub(super) fn marks_at(&self) -> Option<Duration> {
        first(&self.agenda.marks)
    }

    /// Returns the earliest time at which work that has not ended was ordered to be dropped.
    pub(super) fn over_at(&self) -> Option<Duration> {
        first(&self.agenda.overruns)
    }
}

fn first(times: &BTreeSet<(Duration, LeaseKey)>) -> Option<Duration> {
    times.first().map(|(at, _)| *at)
}

/// Returns the keys up to this time.
fn until(times: &BTreeSet<(Duration, LeaseKey)>, now: Duration) -> impl Iterator<Item = LeaseKey> {
    times.iter().take_while(move |(at, _)| *at <= now).map(|(_, key)| key.clone())
}

impl Agenda {
    /// Moves an entry to another place.
    fn put(&mut self, key: &LeaseKey, before: Place, now: Place) {
        move_to(&mut self.asks, key, before.ask_at, now.ask_at);
        move_to(&mut self.marks, key, before.mark_at, now.mark_at);
        move_to(&mut self.overruns, key, before.over_at, now.over_at);
        for (keys, was, is) in [
            (&mut self.releases, before.is_released, now.is_released),
            (&mut self.owned, before.is_owned, now.is_owned),
        ] {
            match (was, is) {
                (false, true) => drop(keys.insert(key.clone())),
                (true, false) => drop(keys.remove(key)),
                _ => {}
            }
        }
        for (count, was, is) in [
            (&mut self.working, before.is_working, now.is_working),
            (&mut self.ending, before.is_ending, now.is_ending),
            (&mut self.busy, before.is_busy, now.is_busy),
            (&mut self.unanswered, before.is_unanswered, now.is_unanswered),
        ] {
            *count = *count + usize::from(is) - usize::from(was);
        }
    }
}

fn move_to(
    times: &mut BTreeSet<(Duration, LeaseKey)>,
    key: &LeaseKey,
    before: Option<Duration>,
    now: Option<Duration>,
) {
    if before == now {
        return;
    }
    if let Some(at) = before {
        times.remove(&(at, key.clone()));
    }
    if let Some(at) = now {
        times.insert((at, key.clone()));
    }
}

impl Entry {
    fn new(now: Duration) -> Self {
        Self {
            unit: Unit::Gone,
            grants: 0,
            held: None,
            ask_at: now,
            asks: Asks::Answered,
            probe_at: None,
            dropped: false,
            overrun: false,
            over_at: Duration::MAX,
            owner: None,
            mark: None,
            has_changed: false,
            place: Place::default(),
        }
    }

    /// Ends the work, or requests its end: no tick begins any more.
    pub(super) fn stop(&mut self, unit: Unit) {
        self.unit = unit;
        self.mark = self.mark.filter(|mark| mark.is_done);
    }

    /// Returns `true` if no work runs, and nothing is left to be said of it to the store before its key is free.
    fn is_over(&self) -> bool {
        matches!(self.unit, Unit::Gone | Unit::Parked) && self.mark.is_none()
    }

    /// A key that is held needs no probe. But an `acquire` that was in flight can take a key again during its release. One
    /// that is wanted is asked for anyway, unless its unit leaves before that.
    pub(super) fn needs_no_probe(&mut self, now: Duration) {
        let is_looked_at = self.held.is_some_and(|held| !held.resigned);
        self.probe_at = self.probe_at.filter(|at| !is_looked_at || *at > now);
    }

    pub(super) fn park(&mut self) {
        self.unit = Unit::Parked;
        (self.dropped, self.overrun, self.over_at) = (false, false, Duration::MAX);
    }

    fn place(&self) -> Place {
        let is_held = self.held.is_some_and(|held| !held.resigned);
        Place {
            ask_at: self.asks_at().filter(|_| self.held.is_none()),
            mark_at: self.mark.filter(|mark| !mark.asking).map(|mark| mark.at),
            over_at: (self.unit == Unit::Stopping && self.dropped && !self.overrun).then_some(self.over_at),
            is_released: self.is_over() && self.held.is_some_and(|held| self.unit == Unit::Gone || held.resigned),
            is_owned: self.owner.is_some(),
            is_working: self.unit == Unit::Working,
            is_ending: match self.unit {
                Unit::Stopping => !self.dropped,
                Unit::Parked => is_held,
                Unit::Gone | Unit::Working => false,
            },
            is_busy: !self.is_over(),
            is_unanswered: self.mark.is_some_and(|mark| mark.unanswered),
        }
    }

    /// Returns the time at which the key is asked for next, if it is not held.
    fn asks_at(&self) -> Option<Duration> {
        match self.unit {
            Unit::Parked => Some(self.ask_at),
            // The key of work that stops without a lease is asked for when the work has ended.
            Unit::Working | Unit::Stopping => None,
            Unit::Gone if self.asks == Asks::Unanswered => Some(self.ask_at),
            Unit::Gone => self.probe_at,
        }
    }

    fn is_forgotten(&self) -> bool {
        self.unit == Unit::Gone && self.held.is_none() && self.asks == Asks::Answered && self.probe_at.is_none()
    }
}
