//! The conditions that prevent attempts of a task, besides the gate of its group.

/// A stop or hold that prevents attempts. A final attempt begins nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::runtime) enum Barred {
    /// A stop or hold that includes the task has begun, and its own request comes next.
    ForNow,
    /// Its group stops in order: its own stop request comes when the tasks after it have stopped.
    ForGood,
}

/// A set of conditions that prevent attempts, besides the gate. A final attempt begins nevertheless.
///
/// The restart path only compares it with [`Bars::NONE`], so the check costs nothing if no condition is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Bars(u8);

impl Bars {
    pub(super) const NONE: Self = Self(0);
    /// [`Barred::ForNow`].
    pub(super) const FOR_NOW: u8 = 1;
    /// [`Barred::ForGood`].
    pub(super) const FOR_GOOD: u8 = 2;
    /// The task, or a group or slot above it, is paused.
    pub(super) const PAUSED: u8 = 4;
    /// The task was triggered during the pause: one attempt begins in spite of the pause.
    pub(super) const TRIGGERED: u8 = 8;
    /// The lease of the task or of its group is not held. No final attempt begins then.
    pub(super) const STANDBY: u8 = 16;

    pub(super) const fn has(self, bar: u8) -> bool {
        self.0 & bar != 0
    }

    pub(super) fn set(&mut self, bar: u8, on: bool) {
        self.0 = if on { self.0 | bar } else { self.0 & !bar };
    }
}
