//! The outcome of a registration, and those who wait for it.

use std::mem;
use std::task::Waker;

use super::{Cell, State};
use crate::inspect::TaskOutcome;
use crate::sync::{WaitId, WaitList, Waited};
use crate::task::StopReason;

/// The callers that wait for the end of a registration, and then its outcome: in one place, because each task has one.
pub(super) enum Fate {
    /// It has not ended.
    Open(WaitList),
    /// It has not ended, and its outcome is set: its attempt could not be stopped. Boxed, because this is rare.
    Declared(Box<Declared>),
    Ended(TaskOutcome),
}

pub(super) struct Declared {
    outcome: TaskOutcome,
    /// The callers that wait for the end.
    waiting: WaitList,
}

impl Default for Fate {
    #[inline]
    fn default() -> Self {
        Self::Open(WaitList::default())
    }
}

impl Fate {
    #[inline]
    pub(super) fn outcome(&self) -> Option<&TaskOutcome> {
        match self {
            Self::Open(_) => None,
            Self::Declared(declared) => Some(&declared.outcome),
            Self::Ended(outcome) => Some(outcome),
        }
    }

    /// Returns `true` if the outcome is not set.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// Sets the outcome before the end. Returns those who wait, to be woken with no lock held.
    pub(super) fn declare(&mut self, outcome: TaskOutcome) -> WaitList {
        let Self::Open(waiting) = self else { return WaitList::default() };
        let waiting = mem::take(waiting);
        *self = Self::Declared(Box::new(Declared { outcome, waiting: WaitList::default() }));
        waiting
    }

    /// Sets the outcome at the end, where none is set. Returns those who wait, to be woken with no lock held.
    #[inline]
    pub(super) fn end(&mut self, outcome: TaskOutcome) -> WaitList {
        match mem::replace(self, Self::Ended(outcome)) {
            Self::Open(waiting) => waiting,
            before => before.into_waiting(),
        }
    }

    /// Sets the outcome at the end, where nobody waits yet.
    #[cfg(feature = "controller")]
    #[inline]
    pub(super) fn end_unseen(&mut self, outcome: TaskOutcome) {
        debug_assert!(!self.has_user_value(), "nobody has the handle");
        // There is nothing to drop, which the compiler would leave to a call.
        mem::forget(mem::replace(self, Self::Ended(outcome)));
    }

    #[cold]
    fn into_waiting(self) -> WaitList {
        match self {
            Self::Open(waiting) => waiting,
            Self::Declared(declared) => declared.waiting,
            Self::Ended(_) => WaitList::default(),
        }
    }

    /// Ends with the outcome that is set, or else with this one. Returns those who wait, to be woken with no lock held,
    /// and the unused outcome.
    pub(super) fn end_once(&mut self, outcome: TaskOutcome) -> (WaitList, Option<TaskOutcome>) {
        match mem::take(self) {
            Self::Open(waiting) => {
                *self = Self::Ended(outcome);
                (waiting, None)
            }
            Self::Declared(declared) => {
                *self = Self::Ended(declared.outcome);
                (declared.waiting, Some(outcome))
            }
            Self::Ended(before) => {
                *self = Self::Ended(before);
                (WaitList::default(), Some(outcome))
            }
        }
    }

    /// Returns `true` if its drop can run user code: it has a waker or an error.
    #[inline]
    pub(super) fn has_user_value(&self) -> bool {
        match self {
            Self::Open(waiting) => !waiting.is_empty(),
            Self::Declared(_) => true,
            Self::Ended(outcome) => outcome.error().is_some(),
        }
    }

    /// Returns `true` if it is the outcome of a task that completed or was stopped, and has nothing to drop.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        match self {
            Self::Ended(TaskOutcome::Completed) => true,
            Self::Ended(TaskOutcome::Canceled { error: None, reason, .. }) => {
                !matches!(reason, StopReason::SiblingRestart { .. } | StopReason::GroupFailed { .. })
            }
            _ => false,
        }
    }

    /// Returns the list of those who wait, with its number; `None` after the end, when nobody waits.
    fn list(&mut self) -> Option<(u32, &mut WaitList)> {
        match self {
            Self::Open(waiting) => Some((0, waiting)),
            Self::Declared(declared) => Some((1, &mut declared.waiting)),
            Self::Ended(_) => None,
        }
    }
}

impl State {
    #[inline]
    pub(super) fn outcome(&self) -> Option<&TaskOutcome> {
        self.fate.outcome()
    }
}

impl Waited for Cell {
    fn register(&self, id: &mut Option<WaitId>, waker: Waker) -> Option<Waker> {
        match self.lock().fate.list() {
            Some((number, list)) => WaitId::register(id, number, list, waker),
            None => Some(waker),
        }
    }

    fn deregister(&self, id: WaitId) -> Option<Waker> {
        let mut state = self.lock();
        let (number, list) = state.fate.list()?;
        id.deregister(number, list)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::task::TaskError;

    fn register(fate: &mut Fate, id: &mut Option<WaitId>) {
        let (number, list) = fate.list().expect("it has not ended");
        assert!(WaitId::register(id, number, list, Waker::noop().clone()).is_none(), "nothing is replaced");
    }

    fn deregisters(fate: &mut Fate, id: WaitId) -> bool {
        let (number, list) = fate.list().expect("it has not ended");
        id.deregister(number, list).is_some()
    }

    fn failed() -> TaskOutcome {
        TaskOutcome::Failed { error: Arc::new(TaskError::error("no")) }
    }

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn it_takes_no_more_than_an_outcome() {
        assert_eq!(size_of::<Fate>(), size_of::<TaskOutcome>());
        assert_eq!(size_of::<TaskOutcome>(), 32);
    }

    #[test]
    fn those_who_wait_for_the_end_wait_on_after_the_outcome_is_declared() {
        let mut fate = Fate::default();
        let (mut early, mut late) = (None, None);
        register(&mut fate, &mut early);
        assert!(!fate.declare(TaskOutcome::Aborted { error: None }).is_empty(), "they wait for the outcome, too");
        assert!(!fate.is_open() && matches!(fate.outcome(), Some(TaskOutcome::Aborted { .. })));
        register(&mut fate, &mut late);
        assert!(!deregisters(&mut fate, early.unwrap()), "that registration is over");
        assert!(fate.declare(failed()).is_empty(), "the first outcome stands");
        let (waiting, spare) = fate.end_once(TaskOutcome::Completed);
        assert!(!waiting.is_empty() && matches!(spare, Some(TaskOutcome::Completed)));
        assert!(matches!(fate, Fate::Ended(TaskOutcome::Aborted { .. })) && fate.list().is_none());
    }

    #[test]
    fn it_ends_once() {
        for is_declared in [false, true] {
            let mut fate = Fate::default();
            if is_declared {
                assert!(fate.declare(failed()).is_empty());
            }
            let mut id = None;
            register(&mut fate, &mut id);
            assert!(!fate.end(TaskOutcome::Completed).is_empty());
            assert!(matches!(fate.outcome(), Some(TaskOutcome::Completed)) && !fate.is_open());
            let (waiting, spare) = fate.end_once(failed());
            assert!(waiting.is_empty() && spare.is_some());
            assert!(matches!(fate, Fate::Ended(TaskOutcome::Completed)));
            assert!(fate.end(failed()).is_empty());
        }
        let mut fate = Fate::default();
        let mut id = None;
        register(&mut fate, &mut id);
        assert!(deregisters(&mut fate, id.unwrap()));
        let (waiting, spare) = fate.end_once(TaskOutcome::Completed);
        assert!(waiting.is_empty() && spare.is_none());
    }

    #[test]
    fn what_can_run_user_code_as_it_is_dropped_is_known() {
        let mut fate = Fate::default();
        assert!(!fate.has_user_value());
        register(&mut fate, &mut None);
        assert!(fate.has_user_value());
        assert!(Fate::Ended(failed()).has_user_value() && !Fate::Ended(TaskOutcome::Completed).has_user_value());
        let canceled = |error, reason| Fate::Ended(TaskOutcome::Canceled { error, reason, finished: false });
        let error = Arc::new(TaskError::error("no"));
        assert!(Fate::Ended(TaskOutcome::Completed).is_plain() && canceled(None, StopReason::Shutdown).is_plain());
        let restarted = StopReason::SiblingRestart { failed: Arc::default() };
        for fate in [canceled(Some(error), StopReason::Shutdown), canceled(None, restarted), Fate::Ended(failed())] {
            assert!(!fate.is_plain());
        }
        assert!(!Fate::default().is_plain());
        let mut fate = Fate::default();
        let _ = fate.declare(TaskOutcome::Completed);
        assert!(fate.has_user_value());
    }
}
