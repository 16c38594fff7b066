//! The slots of a supervisor: carries out the decisions of [`Slot`], under the lock of the registry.
//!
//! A submission has its cell from the start. While it waits, its state is `Queued` and its name is not registered; it
//! leaves that state under the registry's lock only. Its slot is busy until [`Core::remove`], when it has terminated.
//!
//! A slot that has the name of its owner, and in which no task waits, is not stored: the registry finds its owner by
//! that name.

mod start;
mod told;

pub(in crate::runtime::slots) use self::start::{join, own_slot, start, start_idle, tie};
pub(super) use super::aftermath::Aftermath;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::runtime::Handle;

use super::super::core::Core;
use super::super::registry::Registry;
use super::super::task::Cell;
use super::busy::Busy;
use super::wait_queue::WaitQueue;
use crate::inspect::now;
use crate::slots::{AdmissionPolicy, ControllerConfig, ControllerSetup, Debounce, Pool, Slot, SlotPhase, SlotSpec};
use crate::sorting::sort_by_text;
use crate::supervisor::InvalidOption;
use crate::task::StopKind;

/// The immutable setup of all slots.
pub(in crate::runtime) struct Controller {
    pub(super) config: ControllerConfig,
    /// The declared slots.
    slots: HashMap<Arc<str>, SlotSpec>,
    /// The declared slots with keys. The slot of the key `acme` of `jobs` is called `jobs/acme`.
    keyed: Vec<Arc<str>>,
    /// `true` if no slot has options that need more than its owner and its queue.
    is_simple: bool,
}

/// The conditions under which the tasks of a slot can start.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    /// The number of tasks that can run at once.
    pub(super) places: usize,
    pub(super) debounce: Option<Debounce>,
    /// The name of its pool, if it shares places or has a rate.
    pub(super) pool: Option<&'a Arc<str>>,
    /// `true` if the slot has neither, and has one place.
    pub(super) are_simple: bool,
}

impl Terms<'_> {
    const SIMPLE: Self = Self { places: 1, debounce: None, pool: None, are_simple: true };
}

/// The slots, under the registry's lock.
#[derive(Default)]
pub(in crate::runtime) struct Slots {
    /// The busy slots, and those in which submissions wait. A simple slot whose owner has its name need not be here.
    pub(super) busy: Busy<Slot<Arc<Cell>, Job>>,
    /// The pools of declared slots.
    pub(super) pools: HashMap<Arc<str>, Pool<Arc<str>>>,
    /// The slots and pools that an alarm is set for.
    pub(super) alarms: HashSet<Arc<str>>,
    /// The names of the paused slots, with the times of the pauses; the empty name if the root is paused.
    pub(super) paused: HashMap<Arc<str>, SystemTime>,
    /// The submissions that wait for room in a queue.
    pub(super) wait_queue: WaitQueue,
}

/// A submission that waits in its slot, or starts.
pub(in crate::runtime) struct Job {
    pub(super) cell: Arc<Cell>,
    /// The runtime on which it was submitted and runs.
    pub(super) runtime: Handle,
}

impl Controller {
    pub(in crate::runtime) fn new(setup: ControllerSetup) -> Self {
        let keyed = setup.slots.iter().filter(|slot| slot.is_keyed()).map(|slot| slot.name().into()).collect();
        let is_simple = setup.slots.iter().all(SlotSpec::is_simple);
        let slots = setup.slots.into_iter().map(|slot| (slot.name().into(), slot)).collect();
        Self { config: setup.config, slots, keyed, is_simple }
    }

    pub(in crate::runtime) fn config(&self) -> &ControllerConfig {
        &self.config
    }

    /// Returns the declared slots, sorted by name.
    pub(in crate::runtime) fn slots(&self) -> Vec<SlotSpec> {
        let mut slots: Vec<_> = self.slots.values().cloned().collect();
        sort_by_text(&mut slots, SlotSpec::name);
        slots
    }

    pub(in crate::runtime) fn set_up(&self, registry: &mut Registry) {
        registry.slots.wait_queue = WaitQueue::new(self.config.queue_capacity);
        for (name, slot) in self.slots.iter().filter(|(_, slot)| slot.has_pool()) {
            let pool = Pool::new(slot.max_concurrent(), slot.pace());
            registry.slots.pools.insert(Arc::clone(name), pool);
        }
        let paused = self.slots.iter().filter(|(_, slot)| slot.is_paused());
        registry.slots.paused.extend(paused.map(|(name, _)| (Arc::clone(name), now())));
    }

    /// Returns the declaration of a slot. The slot of a key has the declaration of its slot with keys.
    pub(super) fn declared(&self, slot: &str) -> Option<(&Arc<str>, &SlotSpec)> {
        self.slots.get_key_value(slot).or_else(|| self.slots.get_key_value(self.keyed_slot_of(slot)?))
    }

    /// Returns the slot with keys that the slot of a key belongs to.
    pub(super) fn keyed_slot_of(&self, slot: &str) -> Option<&str> {
        let is_key = |name: &&Arc<str>| slot.strip_prefix(&***name).is_some_and(|key| key.starts_with('/'));
        self.keyed.iter().filter(is_key).max_by_key(|name| name.len()).map(|name| &**name)
    }

    /// Returns `true` if a submission to this slot needs a key.
    pub(super) fn needs_key(&self, slot: &str) -> bool {
        self.keyed.iter().any(|name| **name == *slot)
    }

    /// Returns `true` if a declared slot has keys.
    #[inline]
    pub(super) fn has_keys(&self) -> bool {
        !self.keyed.is_empty()
    }

    /// Checks that a submission names a key if its slot has keys, and none otherwise.
    pub(super) fn check_key(&self, slot: &str) -> Result<(), InvalidOption> {
        let (value, expected) = if self.needs_key(slot) {
            ("none", "the slot of a key, as `slot.key(\"acme\")` returns it")
        } else if self.keyed_slot_of(slot).is_some_and(|name| slot.len() == name.len() + "/".len()) {
            ("\"\"", "a key that is not empty")
        } else {
            return Ok(());
        };
        Err(InvalidOption::new(format!("slot `{slot}`"), "key", value, expected))
    }

    /// Returns `true` for the slot of a key. The path of its tasks begins with the name of the slot.
    pub(super) fn is_key(&self, slot: &str) -> bool {
        self.keyed_slot_of(slot).is_some()
    }

    #[inline]
    pub(super) fn capacity(&self, slot: &str) -> usize {
        let declared = if self.slots.is_empty() { None } else { self.declared(slot) };
        declared.and_then(|(_, slot)| slot.capacity()).unwrap_or(self.config.slot_capacity)
    }

    #[inline]
    pub(super) fn terms(&self, slot: &str) -> Terms<'_> {
        if self.is_simple { Terms::SIMPLE } else { self.terms_of(slot) }
    }

    #[cold]
    fn terms_of(&self, slot: &str) -> Terms<'_> {
        let Some((name, declared)) = self.declared(slot) else { return Terms::SIMPLE };
        Terms {
            places: declared.concurrency(),
            debounce: declared.quiet(),
            pool: declared.has_pool().then_some(name),
            are_simple: declared.is_simple(),
        }
    }

    /// Returns the name of the limit that bounds the tasks of a slot.
    pub(in crate::runtime) fn limit_of(&self, slot: &str) -> Option<&Arc<str>> {
        self.declared(slot)?.1.named_limit.as_ref()
    }

    /// Returns `true` if the tasks of a slot run in one replica of the fleet at a time.
    #[cfg(feature = "fleet")]
    #[inline]
    pub(in crate::runtime) fn is_fleet(&self, slot: &str) -> bool {
        !self.is_simple && self.declared(slot).is_some_and(|(_, slot)| slot.is_fleet())
    }

    /// Returns the declared slots.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Arc<str>, &SlotSpec)> {
        self.slots.iter()
    }

    /// Returns `true` if slots are declared.
    pub(in crate::runtime) fn has_slots(&self) -> bool {
        !self.slots.is_empty()
    }
}

impl Core {
    /// Returns `true` if a slot of that name is declared, or if it is the slot of a key of a declared slot.
    pub(crate) fn is_declared_slot(&self, name: &str) -> bool {
        self.declared_slot(name).is_some()
    }

    /// Returns the name of the declared slot; of the slot of a key, that of its slot with keys.
    pub(crate) fn declared_slot(&self, name: &str) -> Option<&Arc<str>> {
        self.controller.declared(name).map(|(name, _)| name)
    }

    /// Returns `true` if a declared slot of that name has keys.
    pub(crate) fn has_keys(&self, name: &str) -> bool {
        self.controller.needs_key(name)
    }

    /// Returns the default admission policy of the slot of that name.
    pub(crate) fn admission_of(&self, slot: &str) -> AdmissionPolicy {
        self.controller.declared(slot).map(|(_, slot)| slot.admission()).unwrap_or_default()
    }

    /// Removes a waiting submission from its slot. Returns `false` if it does not wait there.
    pub(in crate::runtime) fn withdraw(&self, cell: &Cell, requested: bool) -> bool {
        let Some(name) = cell.slot() else { return false };
        let mut aftermath = Aftermath::default();
        let mut registry = self.registry();
        let is = |job: &Job| job.cell.id() == cell.id();
        let taken = registry.slots.take(name, |slot| Some((slot.withdraw(is)?, slot.waiting())), &mut aftermath);
        let Some((job, waiting)) = taken.flatten() else { return false };
        aftermath.withdraw(job, waiting, requested);
        self.drop_vacant(&mut registry, name);
        drop(registry);
        aftermath.carry_out(cell.core());
        true
    }

    /// Removes all waiting submissions from a slot and from the slots of its keys, and requests the owners to stop.
    /// Returns the number of tasks that were requested to stop, and the owners.
    pub(crate) fn clear_slot(self: &Arc<Self>, name: &str) -> (usize, Vec<Arc<Cell>>) {
        let mut aftermath = Aftermath::default();
        let mut registry = self.registry();
        let mut owners = Vec::new();
        let mut requested = 0;
        for name in self.slots_of(&registry, name) {
            owners.extend(registry.owners_of(&name).cloned());
            let waiting = registry.slots.take(&name, Slot::withdraw_all, &mut aftermath);
            for job in waiting.into_iter().flatten() {
                aftermath.withdraw(job, 0, true);
                requested += 1;
            }
            self.drop_vacant(&mut registry, &name);
        }
        drop(registry);
        aftermath.carry_out(self);
        for owner in &owners {
            let bound = owner.own_bound(owner.stop_bound());
            requested += usize::from(owner.stop(bound, StopKind::Canceled) == Some(true));
        }
        (requested, owners)
    }

    /// Returns the number of submissions in a slot and in the slots of its keys.
    pub(crate) fn slot_len(&self, name: &str) -> usize {
        let registry = self.registry();
        let len = |name: &Arc<str>| {
            let waiting = registry.slots.busy.get(name).map_or(0, Slot::waiting);
            waiting + registry.owners_of(name).count()
        };
        self.slots_of(&registry, name).iter().map(len).sum()
    }

    /// Returns the names of the slots of all keys, in order, for a slot with keys; for any other slot, its own name.
    pub(in crate::runtime) fn slots_of(&self, registry: &Registry, name: &str) -> Vec<Arc<str>> {
        if !self.controller.needs_key(name) {
            return vec![name.into()];
        }
        let is_key = |slot: &&Arc<str>| self.controller.keyed_slot_of(slot) == Some(name);
        let mut keys: Vec<_> = registry.slots.busy.names().filter(is_key).cloned().collect();
        sort_by_text(&mut keys, |name| name);
        keys
    }

    /// Drops the slot of a withdrawn submission if nothing else runs or waits in it.
    fn drop_vacant(&self, registry: &mut Registry, name: &str) {
        let vacant = registry.slots.busy.get_key_value(name).filter(|(_, slot)| slot.is_vacant());
        if let Some(name) = vacant.map(|(name, _)| Arc::clone(name)) {
            registry.slots.drop_slot(&name, self.controller.terms(&name));
            self.tell_idle(&name, SlotPhase::Waiting);
        }
    }
}

impl Registry {
    /// Returns the owners of the slot of that name.
    pub(in crate::runtime) fn owners_of(&self, slot: &str) -> impl Iterator<Item = &Arc<Cell>> {
        let stored = self.slots.busy.get(slot);
        let own = if stored.is_none() { own_slot(&self.names, slot) } else { None };
        stored.into_iter().flat_map(Slot::owners).chain(own)
    }
}
