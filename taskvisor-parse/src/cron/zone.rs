//! The time zone of a pattern.

/// The largest offset in seconds: 26 hours. No zone has more.
pub(super) const MAX_OFFSET: i64 = 26 * 3_600;

/// A time zone: the offset of the local clock at each instant.
///
/// Offsets beyond 26 hours count as 26 hours. The number of steps to find an occurrence grows with the number of
/// changes of the offset before it.
///
/// # Examples
///
/// ```
/// use taskvisor_parse::cron::{Offset, Pattern, Zone};
///
/// /// Berlin in spring 2026.
/// struct Berlin;
///
/// impl Zone for Berlin {
///     fn offset(&self, instant: i64) -> Offset {
///         let change = 1_774_746_000; // 2026-03-29T01:00:00Z
///         if instant < change {
///             Offset { seconds: 3_600, until: Some(change) }
///         } else {
///             Offset { seconds: 7_200, until: None }
///         }
///     }
/// }
///
/// let next = Pattern::parse("30 2 * * *")?.next(1_774_700_000, &Berlin).unwrap();
/// assert_eq!(next.due.to_string(), "2026-03-29T02:30:00");
/// assert_eq!(next.local.to_string(), "2026-03-29T03:00:00");
/// assert!(next.is_shifted());
/// # Ok::<(), taskvisor_parse::cron::Errors>(())
/// ```
pub trait Zone {
    /// Returns the offset at an instant, which is given in seconds since the Unix epoch.
    fn offset(&self, instant: i64) -> Offset;
}

/// An offset of the local clock, and the end of its validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Offset {
    /// The seconds that the local clock is ahead of UTC; negative to the west.
    pub seconds: i32,
    /// The instant, in seconds since the Unix epoch, at which the offset may change next. It is later than the queried
    /// instant. `None` if the offset does not change any more.
    pub until: Option<i64>,
}

impl<Z: Zone + ?Sized> Zone for &Z {
    fn offset(&self, instant: i64) -> Offset {
        (**self).offset(instant)
    }
}

/// The zone UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Utc;

impl Zone for Utc {
    fn offset(&self, _instant: i64) -> Offset {
        Offset { seconds: 0, until: None }
    }
}

/// A span of time from an instant on, in which the offset does not change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// Seconds that the local clock is ahead of UTC.
    pub(super) ahead: i64,
    /// The first instant after the piece, which is later than its first one.
    pub(super) end: Option<i64>,
}

impl Piece {
    pub(super) fn at(zone: &(impl Zone + ?Sized), instant: i64) -> Self {
        let Offset { seconds, until } = zone.offset(instant);
        let ahead = i64::from(seconds).clamp(-MAX_OFFSET, MAX_OFFSET);
        Self { ahead, end: until.filter(|until| *until > instant) }
    }
}
