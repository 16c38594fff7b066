//! The hand-over of a slot: chooses the submission that starts when an owner has ended, or when a time has come.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::super::core::Core;
use super::super::registry::Registry;
use super::super::task::Cell;
use super::aftermath::Aftermath;
use super::manager::{Job, Slots, Terms, start};
use crate::inspect::RejectReason;
use crate::slots::{Room, Slot, SlotPhase};

/// A submission that was taken from the queue of its slot, and is now an owner of the slot.
pub(super) struct Next {
    job: Job,
    /// The slot, if its pool chose it.
    key: Option<Arc<str>>,
    /// The number of submissions that still wait in the slot, and the number of those that left its queue.
    waiting: usize,
    freed: usize,
    /// The previous and the next phase of the slot.
    change: (SlotPhase, SlotPhase),
}

/// The state of a slot that an owner has left.
#[derive(Default)]
pub(super) struct Handed {
    /// The phase of the slot before the owner left, until an event tells the next one.
    before: Option<SlotPhase>,
    /// The submission that starts next, if it is known.
    next: Option<Next>,
}

impl Core {
    /// Handles the termination of an owner, whose name is now free: starts the next submission that can start.
    pub(in crate::runtime) fn hand_over(
        &self,
        registry: &mut Registry,
        cell: &Cell,
        name: &Arc<str>,
        aftermath: &mut Aftermath,
    ) {
        let terms = self.controller.terms(name);
        let open = registry.slots.open(name, terms, &self.controller);
        let Some(slot) = registry.slots.busy.get_mut(name) else {
            // A slot that is not stored has no waiting submissions.
            registry.slots.wait_queue.call_first(name, &mut aftermath.calls);
            self.tell_idle(name, SlotPhase::Running);
            return;
        };
        let phase = slot.phase();
        let was_owner = slot.leave(|owner| owner.id() == cell.id());
        // Without a pool, the next submission is from this slot, and is taken with the same lookup.
        let next = if terms.pool.is_none() { take_next(slot, open, || self.clock.elapsed()) } else { None };
        if let Some(pool) = terms.pool.filter(|_| was_owner).and_then(|pool| registry.slots.pools.get_mut(pool)) {
            pool.give_back(false);
        }
        let mut handed = Handed { before: Some(phase), next };
        if self.start_next(registry, name, terms, &mut handed, false, aftermath) {
            if terms.are_simple {
                return;
            }
        } else if terms.pool.is_some() {
            registry.slots.wait_queue.wake_all(&mut aftermath.calls);
        } else {
            registry.slots.wait_queue.call_first(name, &mut aftermath.calls);
        }
        self.settle_slot(registry, name, terms, handed.before, aftermath);
    }

    /// Starts one submission that can start, of this slot or of another key of its pool. With `force`, the times of
    /// submissions are ignored.
    pub(super) fn start_next(
        &self,
        registry: &mut Registry,
        name: &Arc<str>,
        terms: Terms<'_>,
        handed: &mut Handed,
        force: bool,
        aftermath: &mut Aftermath,
    ) -> bool {
        loop {
            if handed.next.is_none() {
                handed.next = self.find_next(&mut registry.slots, name, terms, force, aftermath);
            }
            let Some(Next { job, key, waiting, freed, change: (from, to) }) = handed.next.take() else { return false };
            // The pool can choose the slot that the owner has left.
            let is_own = key.as_ref().is_none_or(|key| key == name);
            let name = key.as_ref().unwrap_or(name);
            let slots = &mut registry.slots;
            aftermath.wait_no_more += 1;
            slots.wait_queue.free(freed, &mut aftermath.calls);
            if let Some(pool) = terms.pool.and_then(|pool| slots.pools.get_mut(pool)) {
                pool.take(if pool.has_rate() { self.clock.elapsed() } else { Duration::ZERO });
            }
            registry.settle(&job.runtime, |home| aftermath.rare().home = Some(home));
            self.bus.start(&job.runtime);
            let entered = registry.enter(&job.cell);
            let slots = &mut registry.slots;
            match entered {
                Ok(()) => {
                    if key.is_some() {
                        slots.line_up(name, terms, self);
                        self.set_alarm(slots, name, terms, aftermath);
                    }
                    let from = handed.before.take_if(|_| is_own).unwrap_or(from);
                    start(registry, job, waiting, (from, to), aftermath);
                    return true;
                }
                Err(error) => {
                    if let Some(slot) = slots.busy.get_mut(name) {
                        slot.leave(|owner| owner.id() == job.cell.id());
                    }
                    if let Some(pool) = terms.pool.and_then(|pool| slots.pools.get_mut(pool)) {
                        pool.give_back(pool.has_rate());
                    }
                    aftermath.reject(job, waiting, RejectReason::Refused { error: Arc::new(error) });
                    if key.is_some() {
                        slots.line_up(name, terms, self);
                        // The slot that an owner has left is settled at the end.
                        if !is_own || handed.before.is_none() {
                            self.settle_slot(registry, name, terms, Some(from), aftermath);
                        }
                    }
                }
            }
        }
    }

    /// Takes one submission that can start, of this slot or of another key of its pool.
    fn find_next(
        &self,
        slots: &mut Slots,
        name: &Arc<str>,
        terms: Terms<'_>,
        force: bool,
        aftermath: &mut Aftermath,
    ) -> Option<Next> {
        let now = || self.clock.elapsed();
        let Some(pool) = terms.pool else {
            let terms = slots.open(name, terms, &self.controller);
            return take_next(slots.busy.get_mut(name)?, terms, now);
        };
        loop {
            slots.line_up(name, terms, self);
            let pool = slots.pools.get_mut(pool)?;
            match pool.room(if pool.has_rate() { now() } else { Duration::ZERO }) {
                Room::Free => {}
                Room::At(_) if force => {}
                Room::At(_) | Room::Taken => return None,
            }
            let key = pool.first()?;
            let open = slots.open(&key, terms, &self.controller);
            let Some(slot) = slots.busy.get_mut(&key) else { continue };
            slot.line_up(false);
            if let Some(next) = take_next(slot, open, now) {
                return Some(Next { key: Some(key), ..next });
            }
            // A newer submission has superseded the due one, and waits for its own time.
            self.set_alarm(slots, &key, terms, aftermath);
        }
    }

    /// Drops a slot in which nothing runs or waits, and sets the alarm for submissions that wait for their time.
    /// `before` is its previous phase; `None` if an event has told its phase.
    #[inline]
    pub(super) fn settle_slot(
        &self,
        registry: &mut Registry,
        name: &Arc<str>,
        terms: Terms<'_>,
        before: Option<SlotPhase>,
        aftermath: &mut Aftermath,
    ) {
        let slots = &mut registry.slots;
        if let (Some(slot), Some(before)) = (slots.busy.get(name), before) {
            let (phase, waiting) = (slot.phase(), slot.waiting());
            if slot.is_vacant() {
                slots.drop_slot(name, terms);
                self.tell_idle(name, before);
            } else if phase != before {
                match slot.owner() {
                    None => self.tell_phase(name, waiting, before, phase),
                    Some(owner) => owner.tell_transition(waiting, before, phase),
                }
            }
        }
        if !terms.are_simple {
            self.set_alarm(slots, name, terms, aftermath);
        }
    }

    /// Sets the alarm for the submissions of a slot that wait for their time.
    #[cold]
    pub(super) fn set_alarm(&self, slots: &mut Slots, name: &Arc<str>, terms: Terms<'_>, aftermath: &mut Aftermath) {
        // The time may have passed since the clock was last read. A time in the past still needs the alarm.
        let terms = slots.open(name, terms, &self.controller);
        let mut set = |name: &Arc<str>, runtime: &Handle| {
            if slots.alarms.insert(Arc::clone(name)) {
                aftermath.rare().alarms.push((Arc::clone(name), runtime.clone()));
            }
        };
        if let Some(slot) = slots.busy.get(name).filter(|slot| slot.running() < terms.places) {
            if let Some((next, _)) = slot.timed() {
                set(name, &next.runtime);
            }
        }
        let Some((name, pool)) = terms.pool.and_then(|name| Some((name, slots.pools.get_mut(name)?))) else { return };
        if pool.has_rate() && pool.room(self.clock.elapsed()) != Room::Taken {
            let first = pool.in_line().and_then(|key| slots.busy.get(key)).and_then(Slot::first);
            if let Some(first) = first {
                set(name, &first.runtime);
            }
        }
    }

    /// Returns the time at which the next submission of a slot or pool can start, if that time is known. It can be in
    /// the past.
    pub(super) fn wakes_at(&self, registry: &mut Registry, name: &str) -> Option<Duration> {
        let slots = &mut registry.slots;
        let terms = slots.open(name, self.controller.terms(name), &self.controller);
        let of_slot = slots.busy.get(name).filter(|slot| slot.running() < terms.places);
        let of_slot = of_slot.and_then(Slot::timed).map(|(_, due)| due);
        let pool = slots.pools.get_mut(name).filter(|pool| pool.in_line().is_some() && pool.has_rate());
        let now = self.clock.elapsed();
        let of_pool = pool.and_then(|pool| match pool.room(now) {
            Room::Free => Some(now),
            Room::At(time) => Some(time),
            Room::Taken => None,
        });
        of_slot.into_iter().chain(of_pool).min()
    }
}

/// Makes the submission that starts next an owner of its slot. Returns `None` if none can start now. Each submission
/// that has waited in a slot is taken here.
#[inline]
fn take_next(slot: &mut Slot<Arc<Cell>, Job>, terms: Terms<'_>, now: impl FnOnce() -> Duration) -> Option<Next> {
    if slot.running() >= terms.places {
        return None;
    }
    let (queued, from) = (slot.queued(), slot.phase());
    let job = slot.pop(now)?;
    slot.own(Arc::clone(&job.cell));
    let change = (from, slot.phase());
    Some(Next { job, key: None, waiting: slot.waiting(), freed: queued - slot.queued(), change })
}

impl Slots {
    /// Drops a slot in which nothing runs or waits.
    pub(super) fn drop_slot(&mut self, name: &Arc<str>, terms: Terms<'_>) {
        let slot = self.busy.remove(name);
        if let Some(pool) = terms.pool.and_then(|pool| self.pools.get_mut(pool)) {
            if slot.is_some_and(|mut slot| slot.line_up(false)) {
                pool.leave_line(name);
            }
        }
    }

    /// Adds a slot to the queue of its pool, if one of its jobs can start and it is not in the queue.
    pub(super) fn line_up(&mut self, name: &Arc<str>, terms: Terms<'_>, core: &Core) {
        let terms = self.open(name, terms, &core.controller);
        let Some(pool) = terms.pool.and_then(|pool| self.pools.get_mut(pool)) else { return };
        let Some(slot) = self.busy.get_mut(name) else { return };
        if slot.running() < terms.places && slot.is_due(|| core.clock.elapsed()) && !slot.line_up(true) {
            pool.line_up(Arc::clone(name));
        }
    }
}
