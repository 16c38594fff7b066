//! Tasks that are added at run time.

use std::sync::{Arc, MutexGuard};

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use super::super::observe;
use super::super::registration::check_no_siblings;
use super::super::registry::{Admission, Registry};
use super::super::task::{Actor, Cell, Origin, Tie};
use super::Core;
use crate::events::EventKind;
use crate::panics::{Fenced, catch};
use crate::policy::{Overrides, ResolvedPolicy};
use crate::supervisor::{InvalidOption, RuntimeError};
use crate::sync::lock;
use crate::task::{Said, TaskRef, TaskSpec};
use crate::tree::check_name;

/// A checked and resolved spec.
pub(in crate::runtime) struct Admitted {
    pub(in crate::runtime) task: Fenced<TaskRef>,
    pub(in crate::runtime) name: Arc<str>,
    pub(in crate::runtime) policy: Arc<ResolvedPolicy>,
}

impl Core {
    /// Checks that tasks can run: the config is valid, and there is a runtime with timers.
    pub(in crate::runtime) fn prepare(&self) -> Result<Handle, RuntimeError> {
        self.check()?;
        let runtime = self.runtime()?;
        if !self.has_timers(&runtime) {
            return Err(RuntimeError::NoRuntime);
        }
        Ok(runtime)
    }

    /// Returns `true` if the runtime has timers.
    #[inline]
    pub(in crate::runtime) fn has_timers(&self, runtime: &Handle) -> bool {
        self.timed.get() == Some(&runtime.id()) || self.finds_timers(runtime)
    }

    /// A runtime without timers can only be detected by a panic. The first one with timers is noted.
    #[cold]
    fn finds_timers(&self, runtime: &Handle) -> bool {
        let check = || {
            let _entered = Handle::try_current().is_err().then(|| runtime.enter());
            drop(sleep_until(Instant::now()));
        };
        let has_timers = catch(check).is_ok();
        if has_timers && self.timed.set(runtime.id()).is_ok() {
            observe::describe();
        }
        has_timers
    }

    /// Resolves and checks the policy of a task.
    fn settle(&self, said: Option<&Arc<Said>>, name: &str) -> Result<Arc<ResolvedPolicy>, InvalidOption> {
        let Some(said) = said else {
            let plain = || Arc::new(Overrides::NONE.resolve(&self.config));
            return Ok(Arc::clone(self.plain.get_or_init(plain)));
        };
        if let Some((newest, policy)) = &*lock(&self.newest) {
            if newest.sets_the_same(said) {
                return Ok(Arc::clone(policy));
            }
        }
        let policy = said.overrides.resolve(&self.config);
        policy.check(name)?;
        #[cfg(feature = "cron")]
        said.overrides.check_schedule(name)?;
        #[cfg(feature = "fleet")]
        self.check_singleton(&format_args!("task `{name}`"), policy.singleton.as_deref(), policy.stop_timeout)?;
        self.limits.check(|| format!("task `{name}`"), policy.named_limit.as_ref())?;
        let policy = Arc::new(policy);
        let before = lock(&self.newest).replace((Arc::clone(said), Arc::clone(&policy)));
        drop(before);
        Ok(policy)
    }

    pub(in crate::runtime) fn admit(&self, mut spec: TaskSpec) -> Result<Admitted, RuntimeError> {
        let name = spec.take_name();
        check_name("a task", &name)?;
        let policy = self.settle(spec.said(), &name)?;
        Ok(Admitted { task: spec.into_task(), name, policy })
    }

    /// Registers and starts one task.
    pub(crate) fn add(self: &Arc<Self>, spec: TaskSpec) -> Result<Arc<Cell>, RuntimeError> {
        let runtime = self.prepare()?;
        check_no_siblings(&spec)?;
        let cell = self.cell(self.admit(spec)?, Origin::Added, None);
        let mut home = None;
        let mut registry = self.registry();
        if registry.admission != Admission::Open {
            return Err(RuntimeError::ShuttingDown);
        }
        registry.settle(&runtime, |before| home = Some(before));
        self.bus.start(&runtime);
        registry.enter(&cell)?;
        let started = start_added(registry, cell, &runtime);
        // Usually there is none. The check avoids a call of the drop glue.
        if let Some(home) = home {
            drop(home);
        }
        started
    }

    pub(in crate::runtime) fn cell(
        self: &Arc<Self>,
        admitted: Admitted,
        origin: Origin,
        tie: Option<Arc<Tie>>,
    ) -> Arc<Cell> {
        #[cfg(feature = "fleet")]
        if admitted.policy.singleton.is_some() {
            return self.leased_cell(admitted, origin, tie);
        }
        Arc::new(Cell::new(admitted, Arc::clone(self), origin, tie))
    }
}

/// Starts a task that was registered at runtime, and releases the registry.
#[allow(clippy::inline_always, reason = "the compiler leaves 20 instructions of each task to a call")]
#[inline(always)]
pub(in crate::runtime) fn start_added(
    mut registry: MutexGuard<'_, Registry>,
    cell: Arc<Cell>,
    runtime: &Handle,
) -> Result<Arc<Cell>, RuntimeError> {
    let before = registry.take_place(&cell);
    announce(&cell);
    let is_paused = cell.policy().paused && cell.was_added();
    if is_paused {
        registry.pause_added(&cell);
    }
    drop(registry);
    drop(before);
    if is_paused {
        cell.core().count_pauses();
    }
    let has_ended = Actor::spawn(Arc::clone(&cell), runtime);
    if has_ended && cell.was_refused() { Err(RuntimeError::NoRuntime) } else { Ok(cell) }
}

#[inline]
pub(in crate::runtime) fn announce(cell: &Arc<Cell>) {
    if cell.core().bus.is_active() {
        cell.announce(EventKind::TaskAddRequested);
        cell.announce(EventKind::TaskAdded);
    }
}
