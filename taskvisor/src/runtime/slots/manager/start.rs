//! The start of a job, at once or in its turn.

use std::sync::Arc;
use std::time::Duration;

use super::super::aftermath::Aftermath;
use super::{Job, Slots, Terms};
use crate::events::EventKind;
use crate::inspect::RejectReason;
use crate::runtime::by_name::Names;
use crate::runtime::core::{Core, announce};
use crate::runtime::registry::Registry;
use crate::runtime::task::{Cell, Tie};
use crate::slots::{Debounce, Decision, Slot, SlotPhase};

/// Returns the tie of a task to a slot of another name, shared with the owner of the slot.
#[inline]
pub(in crate::runtime::slots) fn tie(
    name: Arc<str>,
    task: &Arc<str>,
    slot: Option<&Slot<Arc<Cell>, Job>>,
) -> Option<Arc<Tie>> {
    if name == *task {
        return None;
    }
    // The tie of a singleton is not shared, because it has its own seat.
    let shared = slot.and_then(|slot| slot.owner()?.tie()).filter(|tie| matches!(***tie, Tie::Slot(_))).cloned();
    shared.or_else(|| Some(Arc::new(Tie::Slot(name))))
}

/// Makes a submission an owner of a slot with a free place, if its name is free. `is_stored` is `true` if the slot is
/// stored or must be stored. `displaces` is `true` if the submission supersedes a waiting one.
pub(in crate::runtime::slots) fn start_idle(
    core: &Core,
    registry: &mut Registry,
    job: Job,
    terms: Terms<'_>,
    is_stored: bool,
    displaces: bool,
    aftermath: &mut Aftermath,
) {
    let cell = &job.cell;
    registry.settle(&job.runtime, |home| aftermath.rare().home = Some(home));
    if let Err(error) = registry.enter(cell) {
        return aftermath.reject(job, 0, RejectReason::Refused { error: Arc::new(error) });
    }
    let (mut waiting, mut change, mut superseded) = (0, (SlotPhase::Idle, SlotPhase::Running), None);
    if is_stored {
        let slot = cell.slot().map(|name| registry.slots.busy.get_or_insert_with(name, Slot::vacant));
        if let Some(slot) = slot {
            let from = if slot.is_vacant() { SlotPhase::Idle } else { slot.phase() };
            superseded = if displaces { slot.supersede() } else { None };
            slot.own(Arc::clone(cell));
            (waiting, change) = (slot.waiting(), (from, slot.phase()));
        }
        if let Some(pool) = terms.pool.and_then(|pool| registry.slots.pools.get_mut(pool)) {
            pool.take(if pool.has_rate() { core.clock.elapsed() } else { Duration::ZERO });
        }
    } else if let Some(Tie::Slot(name)) = cell.tie().map(Arc::as_ref) {
        registry.slots.busy.get_or_insert_with(name, || Slot::of(Arc::clone(cell)));
    }
    cell.tell_slot(EventKind::ControllerSubmitted, waiting, |event| event);
    if let Some(superseded) = superseded {
        aftermath.wait_no_more += 1;
        aftermath.reject(superseded, waiting, RejectReason::Superseded);
    }
    start(registry, job, waiting, change, aftermath);
}

/// Adds a submission to a slot, to wait, to replace the owner or to supersede the waiting one. The registry's lock is
/// held.
#[inline]
pub(in crate::runtime::slots) fn join(
    slot: &mut Slot<Arc<Cell>, Job>,
    job: Job,
    decision: Decision,
    debounce: Option<(Debounce, Duration)>,
    aftermath: &mut Aftermath,
) {
    let cell = Arc::clone(&job.cell);
    let displaced = match decision {
        Decision::Replace { .. } => slot.replace(job),
        Decision::Latest { .. } => slot.latest(job, debounce),
        _ => {
            slot.wait(job);
            None
        }
    };
    let waiting = slot.waiting();
    cell.tell_slot(EventKind::ControllerSubmitted, waiting, |event| event);
    if let Some(displaced) = displaced {
        aftermath.reject(displaced, waiting, RejectReason::Superseded);
    }
    if let (Decision::Replace { stops: true, .. }, Some(owner)) = (decision, slot.owner()) {
        owner.tell_transition(waiting, SlotPhase::Running, SlotPhase::Stopping);
        aftermath.stop = Some(Arc::clone(owner));
    }
}

/// Starts a submission that is an owner of its slot and whose name is registered. The registry's lock is held. The phase
/// of the slot changes from the first to the second; with several places, it can stay the same.
pub(in crate::runtime::slots) fn start(
    registry: &mut Registry,
    job: Job,
    waiting: usize,
    (from, to): (SlotPhase, SlotPhase),
    aftermath: &mut Aftermath,
) {
    if let Some(displaced) = registry.take_place(&job.cell) {
        aftermath.rare().displaced = Some(displaced);
    }
    job.cell.leave_slot(|| {
        job.cell.tell_transition(waiting, from, to);
        announce(&job.cell);
    });
    if job.cell.policy().paused {
        registry.pause_added(&job.cell);
    }
    aftermath.start = Some(job);
}

/// Returns the owner of a slot that has the name of its owner.
pub(in crate::runtime::slots) fn own_slot<'a>(names: &'a Names, name: &str) -> Option<&'a Arc<Cell>> {
    names.get(name).filter(|cell| cell.slot().is_some() && cell.tie().is_none())
}

impl Slots {
    /// Removes waiting submissions from a slot. The freed room in a queue goes to the first submission in the wait
    /// queue.
    pub(in crate::runtime::slots) fn take<T>(
        &mut self,
        slot: &str,
        take: impl FnOnce(&mut Slot<Arc<Cell>, Job>) -> T,
        aftermath: &mut Aftermath,
    ) -> Option<T> {
        let slot = self.busy.get_mut(slot)?;
        let (queued, waiting) = (slot.queued(), slot.waiting());
        let taken = take(slot);
        aftermath.wait_no_more += waiting - slot.waiting();
        self.wait_queue.free(queued - slot.queued(), &mut aftermath.calls);
        Some(taken)
    }
}
