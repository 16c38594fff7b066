//! When a pattern occurs in a time zone.

use super::calendar::{Civil, FIRST, LAST};
use super::pattern::Pattern;
use super::zone::{MAX_OFFSET, Piece, Zone};

/// One occurrence of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Occurrence {
    /// The instant, in seconds since the Unix epoch.
    pub at: i64,
    /// The local time that matches the pattern; the first one if a change of the clock skipped several.
    pub due: Civil,
    /// What the local clock shows at the instant: `due`, unless a change of the clock skipped that.
    pub local: Civil,
}

impl Occurrence {
    /// Returns `true` if the occurrence is late because a change of the clock skipped its time.
    #[must_use]
    pub fn is_shifted(&self) -> bool {
        self.due != self.local
    }

    fn new(at: i64, due: i64, ahead: i64) -> Option<Self> {
        (at <= LAST).then(|| Self { at, due: Civil::from_seconds(due), local: Civil::from_seconds(at + ahead) })
    }
}

impl Pattern {
    /// Returns the first occurrence after an instant, which is given in seconds since the Unix epoch. It is always later
    /// than that. For an instant within a second, give that second without its fraction.
    ///
    /// Returns `None` if there is none before the end of the year 9999. Instants before the year 1 count as its begin.
    ///
    /// # Examples
    ///
    /// ```
    /// use taskvisor_parse::cron::{Pattern, Utc};
    ///
    /// let next = Pattern::parse("@hourly")?.next(7_200, &Utc).unwrap();
    /// assert_eq!(next.at, 10_800);
    /// # Ok::<(), taskvisor_parse::cron::Errors>(())
    /// ```
    pub fn next(&self, after: i64, zone: &(impl Zone + ?Sized)) -> Option<Occurrence> {
        let after = after.max(FIRST);
        if after >= LAST {
            None
        } else if self.is_fixed() {
            self.next_fixed(after, zone)
        } else {
            self.next_shown(after, zone)
        }
    }

    /// Returns the occurrences after an instant, which is given in seconds since the Unix epoch, in ascending order.
    ///
    /// # Examples
    ///
    /// ```
    /// use taskvisor_parse::cron::{Pattern, Utc};
    ///
    /// let leap_days = Pattern::parse("0 12 29 feb *")?;
    /// let years: Vec<u16> = leap_days.upcoming(0, &Utc).take(3).map(|next| next.due.year).collect();
    /// assert_eq!(years, [1972, 1976, 1980]);
    /// # Ok::<(), taskvisor_parse::cron::Errors>(())
    /// ```
    pub fn upcoming<'z, Z: Zone + ?Sized>(&self, after: i64, zone: &'z Z) -> Upcoming<'z, Z> {
        Upcoming { pattern: *self, after, zone }
    }

    /// Returns the latest occurrence that is later than `after` and not later than `until`, both in seconds since the
    /// Unix epoch. It takes a number of steps that grows with the logarithm of the time between them.
    ///
    /// # Examples
    ///
    /// ```
    /// use taskvisor_parse::cron::{Pattern, Utc};
    ///
    /// let hourly = Pattern::parse("@hourly")?;
    /// assert_eq!(hourly.latest(0, 10_000, &Utc).map(|latest| latest.at), Some(7_200));
    /// assert_eq!(hourly.latest(7_200, 10_000, &Utc), None);
    /// # Ok::<(), taskvisor_parse::cron::Errors>(())
    /// ```
    pub fn latest(&self, after: i64, until: i64, zone: &(impl Zone + ?Sized)) -> Option<Occurrence> {
        let next_in_time = |after| self.next(after, zone).filter(|next| next.at <= until);
        let mut latest = next_in_time(after)?;
        // An occurrence follows in time on `before`, and none on `since`.
        let (mut before, mut since) = (after.max(FIRST), until.min(LAST));
        while since - before > 1 {
            let middle = before + (since - before) / 2;
            match next_in_time(middle) {
                Some(next) => (latest, before) = (next, middle),
                None => since = middle,
            }
        }
        Some(latest)
    }

    /// The next occurrence of a fixed time: the local clock reaches a matching minute that it has not reached before.
    fn next_fixed(&self, after: i64, zone: &(impl Zone + ?Sized)) -> Option<Occurrence> {
        let due = self.next_civil(reached(zone, after) + 1)?;
        // No clock is ahead of UTC by more, so that none shows `due` before this instant.
        let mut instant = due - MAX_OFFSET;
        loop {
            let piece = Piece::at(zone, instant);
            let at = instant.max(due - piece.ahead);
            match piece.end {
                Some(end) if end <= at => instant = end,
                // With a zone that answers differently each time, the instant could lie in the past.
                _ => return Occurrence::new(at.max(after + 1), due, piece.ahead),
            }
        }
    }

    /// The next occurrence of a wildcard: the local clock shows a matching minute.
    fn next_shown(&self, after: i64, zone: &(impl Zone + ?Sized)) -> Option<Occurrence> {
        let mut instant = after + 1;
        loop {
            let piece = Piece::at(zone, instant);
            let due = self.next_civil(instant + piece.ahead)?;
            let at = due - piece.ahead;
            match piece.end {
                // From there on the clock shows no earlier time than `end - MAX_OFFSET`.
                Some(end) if end <= at => instant = end.max(self.next_civil(end - MAX_OFFSET)? - MAX_OFFSET),
                _ => return Occurrence::new(at, due, piece.ahead),
            }
        }
    }
}

/// The latest time that the local clock has shown up to and with an instant.
fn reached(zone: &(impl Zone + ?Sized), instant: i64) -> i64 {
    // What a clock showed before is less than what it shows now, whatever the offsets were.
    let mut from = instant - 2 * MAX_OFFSET;
    let mut latest = i64::MIN;
    loop {
        let piece = Piece::at(zone, from);
        let last = if piece.has(instant) { instant } else { piece.end.map_or(instant, |end| end - 1) };
        latest = latest.max(last + piece.ahead);
        if last == instant {
            return latest;
        }
        from = last + 1;
    }
}

/// The occurrences of a pattern after an instant, in ascending order; made by [`Pattern::upcoming`].
#[derive(Debug)]
pub struct Upcoming<'z, Z: ?Sized> {
    pattern: Pattern,
    after: i64,
    zone: &'z Z,
}

impl<Z: Zone + ?Sized> Iterator for Upcoming<'_, Z> {
    type Item = Occurrence;

    fn next(&mut self) -> Option<Occurrence> {
        let next = self.pattern.next(self.after, self.zone)?;
        self.after = next.at;
        Some(next)
    }
}
