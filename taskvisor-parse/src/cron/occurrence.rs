//! The occurrences of a pattern in a time zone.

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
    /// The local time at the instant. It is `due`, unless a change of the clock skipped that.
    pub local: Civil,
}

impl Occurrence {
    /// Returns `true` if the occurrence is late because a change of the clock skipped its time.
    #[must_use]
    pub fn is_shifted(&self) -> bool {
        self.due != self.local
    }

    fn new(at: i64, due: i64, ahead: i64) -> Self {
        Self { at, due: Civil::from_seconds(due), local: Civil::from_seconds(at + ahead) }
    }
}

impl Pattern {
    /// Returns the first occurrence after an instant, which is given in seconds since the Unix epoch. It is always
    /// later than that. For an instant within a second, give that second without its fraction.
    ///
    /// Returns `None` if there is none before the end of the year 9999. This is also the case if changes of the clock
    /// skip all local times of a wildcard. An instant before the year 1 counts as the first one of that year.
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
        self.first_within(after, LAST, zone)
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
    /// Unix epoch. The number of steps grows with the logarithm of the time between them.
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
        let until = until.min(LAST);
        let mut latest = self.first_within(after, until, zone)?;
        // There may be later occurrences up to `empty_after`, and none after it.
        let mut empty_after = until;
        while empty_after - latest.at > 1 {
            let middle = latest.at + (empty_after - latest.at) / 2;
            match self.first_within(middle, until, zone) {
                Some(later) => latest = later,
                None => empty_after = middle,
            }
        }
        Some(self.first_within(latest.at, until, zone).unwrap_or(latest))
    }

    /// Returns the first occurrence that is later than `after` and not later than `until`.
    fn first_within(&self, after: i64, until: i64, zone: &(impl Zone + ?Sized)) -> Option<Occurrence> {
        let after = after.max(FIRST);
        if after >= until {
            return None;
        }
        let next = if self.is_fixed() { self.next_fixed(after, zone) } else { self.next_wildcard(after, until, zone) };
        next.filter(|next| next.at <= until)
    }

    /// The next occurrence of a fixed time: for the first time, the local clock reaches a matching minute or skips it.
    fn next_fixed(&self, after: i64, zone: &(impl Zone + ?Sized)) -> Option<Occurrence> {
        let due = self.next_local(reached(zone, after) + 1)?;
        // No clock shows `due` before this instant.
        let mut instant = due - MAX_OFFSET;
        loop {
            let piece = Piece::at(zone, instant);
            let at = instant.max(due - piece.ahead);
            match piece.end {
                Some(end) if end <= at => instant = end,
                // Never in the past, even if the zone is inconsistent.
                _ => return Some(Occurrence::new(at.max(after + 1), due, piece.ahead)),
            }
        }
    }

    /// The next occurrence of a wildcard: the local clock shows a matching minute.
    fn next_wildcard(&self, after: i64, until: i64, zone: &(impl Zone + ?Sized)) -> Option<Occurrence> {
        let mut instant = after + 1;
        while instant <= until {
            let piece = Piece::at(zone, instant);
            let due = self.next_local(instant + piece.ahead)?;
            let at = due - piece.ahead;
            match piece.end {
                // There is no occurrence in this piece. After it, the clock shows no time before `end - MAX_OFFSET`.
                Some(end) if end <= at => instant = end.max(self.next_local(end - MAX_OFFSET)? - MAX_OFFSET),
                _ => return Some(Occurrence::new(at, due, piece.ahead)),
            }
        }
        None
    }
}

/// Returns the latest time that the local clock has shown up to an instant, inclusive.
fn reached(zone: &(impl Zone + ?Sized), instant: i64) -> i64 {
    // Before this instant, the clock showed an earlier time than now, for any offsets.
    let mut from = instant - 2 * MAX_OFFSET;
    let mut latest = i64::MIN;
    while from <= instant {
        let piece = Piece::at(zone, from);
        let last = piece.end.map_or(instant, |end| instant.min(end - 1));
        latest = latest.max(last + piece.ahead);
        from = last + 1;
    }
    latest
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
