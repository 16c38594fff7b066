//! The end of a registration.

use std::sync::{Arc, MutexGuard};

use super::super::group::Note;
use super::super::observe;
use super::super::registry::{Admission, Registry};
use super::super::shutdown::Stuck;
use super::super::task::Cell;
use super::Core;
use crate::inspect::TaskOutcome;
use crate::supervisor::StopLimit;

impl Core {
    /// Ends a registration: frees its name, and sets its outcome unless it is already set. `is_told` if an event of an
    /// attempt has told of it.
    #[inline]
    pub(in crate::runtime) fn remove(&self, cell: &Arc<Cell>, outcome: TaskOutcome, is_told: bool) {
        let registry = self.registry();
        let is_plain = matches!(outcome, TaskOutcome::Completed | TaskOutcome::Canceled { error: None, .. });
        if is_plain && cell.is_alone() && !self.heeds_ends(&registry) {
            return self.remove_alone(registry, cell, outcome, is_told);
        }
        self.remove_among(registry, cell, outcome, is_told);
    }

    /// Returns `true` if the end of a task that is alone can leave a failure, be awaited by an heir, or end a pause.
    #[inline]
    fn heeds_ends(&self, registry: &Registry) -> bool {
        self.failures.has_any() || !registry.heirs.is_empty() || registry.has_pauses()
    }

    /// Like [`remove_among`](Self::remove_among), for the usual end of a task that was added outside of groups and slots,
    /// which leaves nothing behind.
    #[inline]
    fn remove_alone(
        &self,
        mut registry: MutexGuard<'_, Registry>,
        cell: &Arc<Cell>,
        outcome: TaskOutcome,
        is_told: bool,
    ) {
        let gone = registry.remove(cell);
        let left = cell.finish_alone(outcome, is_told);
        note_aborted(&mut registry, cell, left.declared_aborted());
        let vacant = registry.ends_layer(true).then(|| registry.is_over());
        drop(registry);
        self.tell_ready();
        observe::removed(cell);
        left.carry_out();
        drop(gone);
        if let Some(over) = vacant {
            self.is_vacant(over);
        }
    }

    #[inline(never)]
    fn remove_among(
        &self,
        mut registry: MutexGuard<'_, Registry>,
        cell: &Arc<Cell>,
        outcome: TaskOutcome,
        is_told: bool,
    ) {
        let gone = registry.remove(cell);
        let forgotten = self.note_end(cell, &outcome);
        let heir = cell.core().succeed(&mut registry, cell);
        let finished = cell.finish(outcome, is_told);
        let spare = if cell.was_added() { self.let_return(&registry, cell, heir.is_some()) } else { None };
        if let Some(heir) = &heir {
            heir.announce();
        }
        let ends_pause = registry.has_pauses() && !cell.keeps_task();
        if ends_pause {
            registry.end_pause_of(cell.name());
        }
        #[cfg(feature = "controller")]
        let mut aftermath = None;
        #[cfg(feature = "controller")]
        if let Some(slot) = cell.slot() {
            self.hand_over(&mut registry, cell, slot, aftermath.get_or_insert_default());
        }
        note_aborted(&mut registry, cell, finished.aborted);
        let vacant = registry.ends_layer(cell.is_beside_tree()).then(|| registry.is_over());
        drop(registry);
        drop((forgotten, spare));
        self.tell_ready();
        observe::removed(cell);
        if ends_pause {
            self.count_pauses();
        }
        if finished.unready {
            self.one_is_ready();
        }
        let end = finished.end;
        finished.left.carry_out();
        #[cfg(feature = "fleet")]
        if let Some(seat) = cell.own_seat() {
            seat.leaves();
        }
        drop(gone);
        if let Some(heir) = heir {
            heir.carry_out();
        }
        if let Some(end) = end {
            cell.tell_group(Note::Ended(end));
        }
        #[cfg(feature = "controller")]
        if let Some(aftermath) = aftermath {
            aftermath.carry_out(cell.core());
        }
        if let Some(over) = vacant {
            self.is_vacant(over);
        }
    }
}

/// Records a task that was aborted during a shutdown, for its result.
#[inline]
fn note_aborted(registry: &mut Registry, cell: &Arc<Cell>, exceeded: Option<StopLimit>) {
    if let (Some(limit), Admission::Closing | Admission::Stopping) = (exceeded, registry.admission) {
        registry.aborted.push(Stuck::of(cell, limit));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use super::super::super::task::Origin;
    use super::super::Parts;
    use super::*;
    use crate::task::{StopReason, TaskContext, TaskError, TaskFn, TaskSpec};

    fn registered(core: &Arc<Core>) -> Arc<Cell> {
        let task = TaskFn::arc("task", |_: TaskContext| async { Ok(()) });
        let cell = core.cell(core.admit(TaskSpec::inherit(task)).unwrap(), Origin::Added, None);
        core.registry().enter(&cell).unwrap();
        cell
    }

    fn canceled(error: Option<Arc<TaskError>>) -> TaskOutcome {
        TaskOutcome::Canceled { error, reason: StopReason::Shutdown, finished: false }
    }

    #[test]
    fn a_task_that_is_alone_ends_as_any_other() {
        let core = Core::shared(Parts::default());
        // The short way, and the long way for the same task.
        for error in [None, Some(Arc::new(TaskError::error("no")))] {
            let cell = registered(&core);
            assert!(cell.is_alone() && !core.registry().has_tree_only());
            core.remove(&cell, canceled(error.clone()), true);
            assert!(core.registry().is_empty() && core.registry().has_tree_only());
            let outcome = cell.try_outcome();
            assert!(
                matches!(&outcome, Some(TaskOutcome::Canceled { error: it, .. }) if it.is_some() == error.is_some())
            );
            assert!(core.registry().aborted.is_empty());
            let gone = Arc::downgrade(&cell);
            drop(cell);
            assert_eq!(Weak::strong_count(&gone), 0, "nothing keeps the cell");
        }
    }

    #[test]
    fn an_outcome_that_was_declared_before_the_end_is_in_the_result_of_the_shutdown() {
        for error in [None, Some(Arc::new(TaskError::error("no")))] {
            let core = Core::shared(Parts::default());
            let cell = registered(&core);
            core.registry().admission = Admission::Stopping;
            cell.declare_aborted();
            core.remove(&cell, canceled(error), true);
            assert!(matches!(cell.try_outcome(), Some(TaskOutcome::Aborted { .. })));
            assert_eq!(core.registry().aborted.len(), 1);
        }
    }
}
