//! What prevents the attempts of a task, beside the gate of its group.

/// A stop or hold because of which no attempt begins. A final attempt does all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::runtime) enum Barred {
    /// A stop or hold that includes the task has begun, and its own request comes next.
    ForNow,
    /// Its group stops in order: its own stop request comes when the tasks after it have stopped.
    ForGood,
}

/// What prevents attempts beside the gate. A final attempt begins all the same.
///
/// The restart path compares it with [`Bars::NONE`] only, so what can hold a task back costs nothing where nothing does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Bars(u8);

impl Bars {
    pub(super) const NONE: Self = Self(0);
    /// [`Barred::ForNow`].
    pub(super) const FOR_NOW: u8 = 1;
    /// [`Barred::ForGood`].
    pub(super) const FOR_GOOD: u8 = 2;
    /// The task, or what is above it, is paused.
    pub(super) const PAUSED: u8 = 4;
    /// It was triggered since: one attempt begins in spite of the pause.
    pub(super) const TRIGGERED: u8 = 8;
    /// Its lease, or that of its group, is not held. Then no attempt is final.
    pub(super) const STANDBY: u8 = 16;

    pub(super) const fn has(self, bar: u8) -> bool {
        self.0 & bar != 0
    }

    pub(super) fn set(&mut self, bar: u8, on: bool) {
        self.0 = if on { self.0 | bar } else { self.0 & !bar };
    }
}
