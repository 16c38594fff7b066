//! Which ticks of a periodic singleton are marked in the store.

use std::time::Duration;

/// A clock that is set back by less than this repeats no run, as in the calendar of a task.
const SET_BACK: u64 = 3 * 3_600;
/// Two processes do not read the same time from the clock of the store: an answer takes time. So the ticks within this
/// time after a take-over may have been run by the owner before.
const BETWEEN_OWNERS: u64 = 5;

/// The ticks of a key while its lease is held.
///
/// The store keeps the latest tick for ever, and takes none that is not later. A tick that is far ahead of the clock of
/// the store can only be from a time when that clock was ahead. The store would then refuse each tick up to it, which
/// nobody has run. So these are not marked: the lease and the calendar of the owner keep them apart.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// The latest tick that is known to be in the store.
    stored: Option<u64>,
    /// A tick in the store that is ahead of its clock.
    ahead: Option<Ahead>,
    /// The tick that was last requested, and whether the unit may run it, if the store has answered.
    asked: Option<(u64, Option<bool>)>,
    /// The tick that was last reported as ahead.
    told: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Ahead {
    /// The ticks up to this one are not marked.
    tick: u64,
    /// The ticks up to this one may have been run by another owner.
    after: u64,
}

/// What the owner does with a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Run,
    PassOver,
    /// The store has not answered.
    Wait,
    /// The store has to be asked.
    Ask,
}

impl Marks {
    /// Begins a lease: the store has this tick and, if it is known, shows this time.
    pub(super) fn begin(&mut self, stored: Option<u64>, now: Option<Duration>) {
        (self.stored, self.asked) = (stored, None);
        self.ahead = stored.zip(now).and_then(|(tick, now)| {
            let now = now.as_secs();
            is_ahead(tick, now).then_some(Ahead { tick, after: now.saturating_add(BETWEEN_OWNERS) })
        });
    }

    /// Decides about a tick that is due.
    pub(super) fn decide(&mut self, tick: u64) -> Verdict {
        match self.asked {
            Some((asked, answer)) if asked == tick => {
                return match answer {
                    None => Verdict::Wait,
                    Some(true) => Verdict::Run,
                    Some(false) => Verdict::PassOver,
                };
            }
            _ => {}
        }
        // The clock was set back during the lease, and the calendar follows it.
        if let Some(stored) = self.stored.filter(|stored| self.ahead.is_none() && is_ahead(*stored, tick)) {
            self.ahead = Some(Ahead { tick: stored, after: 0 });
        }
        match self.ahead {
            Some(ahead) if tick <= ahead.after => Verdict::PassOver,
            Some(ahead) if tick <= ahead.tick => Verdict::Run,
            _ => {
                self.asked = Some((tick, None));
                Verdict::Ask
            }
        }
    }

    /// Records the answer of the store.
    pub(super) fn answered(&mut self, tick: u64, won: bool) {
        if let Some((_, answer)) = self.asked.as_mut().filter(|(asked, _)| *asked == tick) {
            *answer = Some(won);
            if won {
                self.stored = Some(tick);
            }
        }
    }

    /// Returns the tick that is ahead of the clock of the store, the first time that it is found.
    pub(super) fn news(&mut self) -> Option<u64> {
        let tick = self.ahead?.tick;
        (self.told.replace(tick) != Some(tick)).then_some(tick)
    }
}

fn is_ahead(tick: u64, of: u64) -> bool {
    tick >= of.saturating_add(SET_BACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;
    const THREE_HOURS: u64 = 10_800;

    fn marks(stored: Option<u64>) -> Marks {
        let mut marks = Marks::default();
        marks.begin(stored, Some(Duration::from_secs(NOW)));
        marks
    }

    #[test]
    fn t5_each_tick_is_asked_for_once() {
        let mut marks = marks(Some(NOW - 60));
        assert_eq!((marks.decide(NOW), marks.decide(NOW)), (Verdict::Ask, Verdict::Wait));
        marks.answered(NOW - 60, true);
        assert_eq!(marks.decide(NOW), Verdict::Wait, "the answer was for another tick");
        marks.answered(NOW, true);
        assert_eq!(marks.decide(NOW), Verdict::Run);
        assert_eq!(marks.decide(NOW + 60), Verdict::Ask);
        marks.answered(NOW + 60, false);
        assert_eq!((marks.decide(NOW + 60), marks.news()), (Verdict::PassOver, None));
    }

    #[test]
    fn t5_a_tick_in_the_store_is_obeyed_up_to_3_h_ahead() {
        let mut near = marks(Some(NOW + THREE_HOURS - 1));
        assert_eq!((near.decide(NOW + 60), near.news()), (Verdict::Ask, None));
        let mut far = marks(Some(NOW + THREE_HOURS));
        assert_eq!((far.news(), far.news()), (Some(NOW + THREE_HOURS), None));
        assert_eq!(far.decide(NOW + BETWEEN_OWNERS), Verdict::PassOver, "the owner before may have run it");
        assert_eq!(far.decide(NOW + BETWEEN_OWNERS + 1), Verdict::Run);
        assert_eq!(far.decide(NOW + THREE_HOURS), Verdict::Run);
        assert_eq!(far.decide(NOW + THREE_HOURS + 1), Verdict::Ask, "the store takes it");
        // The next lease decides anew, and the same tick is no news.
        far.begin(Some(NOW + THREE_HOURS), Some(Duration::from_secs(NOW)));
        assert_eq!((far.decide(NOW + 60), far.news()), (Verdict::Run, None));
        far.begin(Some(NOW + THREE_HOURS), Some(Duration::from_secs(NOW + 1)));
        assert_eq!(far.decide(NOW + 60), Verdict::Ask);
    }

    #[test]
    fn t5_a_lease_begins_with_what_is_in_the_store() {
        let mut marks = marks(None);
        assert_eq!(marks.decide(NOW), Verdict::Ask);
        marks.begin(Some(NOW - 60), Some(Duration::from_secs(NOW)));
        assert_eq!(marks.decide(NOW), Verdict::Ask, "the lease before was not told");
        marks.begin(Some(NOW), Some(Duration::from_secs(NOW)));
        assert_eq!((marks.decide(NOW - THREE_HOURS), marks.news()), (Verdict::Run, Some(NOW)), "the clock is set back");
    }

    #[test]
    fn t5_an_owner_whose_clock_is_set_back_goes_on() {
        let mut marks = marks(None);
        assert_eq!(marks.decide(NOW), Verdict::Ask);
        marks.answered(NOW, true);
        let (near, far) = (NOW - THREE_HOURS + 1, NOW - THREE_HOURS);
        assert_eq!((marks.decide(near), marks.news()), (Verdict::Ask, None));
        marks.answered(near, false);
        assert_eq!((marks.decide(far), marks.news()), (Verdict::Run, Some(NOW)));
        assert_eq!((marks.decide(NOW), marks.decide(NOW + 1)), (Verdict::Run, Verdict::Ask));
    }
}
