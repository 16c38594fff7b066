//! Alarms: they start the submissions that wait for the time of `debounce` or `rate`.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use super::super::core::{Core, is_alive};
use super::super::observe::{self, Background};
use super::aftermath::Aftermath;
use super::hand_over::Handed;
use crate::slots::Slot;

/// The longest sleep. A longer wait takes several sleeps.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The alarm of a slot or pool: a Tokio task that sleeps until the next submission can start. There is at most one for
/// each name. It does not keep the supervisor alive.
pub(super) struct Alarm {
    core: Weak<Core>,
    name: Arc<str>,
    is_over: bool,
}

impl Alarm {
    /// Spawns the alarm of this name on the runtime of a waiting submission. Called with no lock held.
    pub(super) fn spawn(core: &Arc<Core>, name: Arc<str>, runtime: &Handle) {
        let alarm = Self { core: Arc::downgrade(core), name, is_over: false };
        let running: Background = Box::pin(alarm.run());
        observe::spawn(runtime, running, |_| "alarm".into());
    }

    async fn run(mut self) {
        loop {
            let next = self.core.upgrade().and_then(|core| core.ring(&self.name, false));
            let Some(next) = next else { break };
            sleep_until(next).await;
        }
        self.is_over = true;
    }
}

impl Drop for Alarm {
    /// Handles the end of the runtime. If the first waiting submission is of another, live runtime, an alarm is spawned
    /// there. Otherwise the submissions start at once, and are aborted.
    fn drop(&mut self) {
        let Some(core) = self.core.upgrade().filter(|_| !self.is_over) else { return };
        let Some(runtime) = core.runtime_of_waiting(&self.name) else { return };
        if is_alive(&runtime) {
            Self::spawn(&core, Arc::clone(&self.name), &runtime);
        } else {
            core.ring(&self.name, true);
        }
    }
}

impl Core {
    /// Starts the submissions of a slot or pool whose time has come; with `force`, all that have a place. Returns the
    /// instant of the next start; `None` if the alarm is over.
    fn ring(self: &Arc<Self>, name: &Arc<str>, force: bool) -> Option<Instant> {
        let terms = self.controller.terms(name);
        loop {
            let mut aftermath = Aftermath::default();
            let mut registry = self.registry();
            if let Some(slot) = registry.slots.busy.get_mut(name).filter(|_| force) {
                slot.forget_time();
            }
            if self.start_next(&mut registry, name, terms, &mut Handed::default(), force, &mut aftermath) {
                drop(registry);
                aftermath.carry_out(self);
                continue;
            }
            let next = self.wakes_at(&mut registry, name).filter(|_| !force);
            if next.is_none() {
                registry.slots.alarms.remove(name);
            }
            if let Some(phase) = registry.slots.busy.get(name).map(Slot::phase) {
                self.settle_slot(&mut registry, name, terms, Some(phase), &mut aftermath);
            }
            let soonest = self.clock.elapsed().saturating_add(LONGEST);
            let next = next.and_then(|next| self.clock.checked_instant(next.min(soonest)));
            drop(registry);
            aftermath.carry_out(self);
            return next;
        }
    }

    /// Returns the runtime of the first submission that waits in a slot or pool. If there is none, the alarm is over.
    fn runtime_of_waiting(&self, name: &Arc<str>) -> Option<Handle> {
        let mut registry = self.registry();
        let slots = &mut registry.slots;
        let of_pool = slots.pools.get(name).and_then(|pool| slots.busy.get(pool.in_line()?)).and_then(Slot::first);
        let first = of_pool.or_else(|| slots.busy.get(name).and_then(Slot::first)).map(|job| job.runtime.clone());
        if first.is_none() {
            slots.alarms.remove(name);
        }
        first
    }
}
