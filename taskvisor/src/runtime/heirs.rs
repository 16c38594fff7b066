//! The registrations that replace tasks which have yet to end.

use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;

use super::core::{Admitted, Core, announce};
use super::group::GroupRef;
use super::registration::added;
use super::registry::{Admission, Registry};
use super::task::{Actor, Cell, Origin};
use crate::panics::{Fenced, drop_caught};
use crate::tree::last_segment;

/// A task that is registered when its predecessor has ended.
pub(super) struct Heir {
    pub(super) admitted: Admitted,
    group: Option<GroupRef>,
    runtime: Handle,
    pub(super) registered: Registered,
    /// The function that registers the heir. It is a pointer, so that a program that replaces no task is linked without
    /// the code.
    succeed: Succeed,
}

type Succeed = fn(&Arc<Core>, &mut Registry, Heir) -> Succession;

impl Heir {
    pub(super) fn new(admitted: Admitted, group: Option<GroupRef>, runtime: &Handle, registered: Registered) -> Self {
        Self { admitted, group, runtime: runtime.clone(), registered, succeed: Core::let_heir_succeed }
    }
}

/// The registration of an heir, once its predecessor has ended. `None` if it was withdrawn, or not accepted.
pub(super) type Registered = Arc<OnceLock<Option<Arc<Cell>>>>;

impl Core {
    /// Takes back the replacements of a call whose runtime ended in the middle of it.
    #[cold]
    pub(super) fn disinherit<'a>(&self, replaced: impl Iterator<Item = (&'a Cell, Option<&'a (Registered, bool)>)>) {
        // Dropped after the lock is released.
        let mut spare: Vec<Heir> = Vec::new();
        let mut registry = self.registry();
        for (cell, heir) in replaced {
            let Some((registered, false)) = heir else { continue };
            let is_ours = |heir: &Heir| Arc::ptr_eq(&heir.registered, registered);
            if registry.heirs.get(&cell.id()).is_some_and(is_ours) {
                spare.extend(registry.heirs.remove(&cell.id()));
                let _ = registered.set(None);
            }
        }
        drop(registry);
    }

    /// Registers the heir of a task whose name was just removed. Returns the new registration, to be announced after
    /// the end of its predecessor and spawned after the lock is released. If the heir is not accepted, returns it, to
    /// be dropped after the lock is released.
    #[inline]
    pub(super) fn succeed(self: &Arc<Self>, registry: &mut Registry, before: &Cell) -> Option<Box<Succession>> {
        if registry.heirs.is_empty() { None } else { self.succeed_heir(registry, before) }
    }

    #[cold]
    fn succeed_heir(self: &Arc<Self>, registry: &mut Registry, before: &Cell) -> Option<Box<Succession>> {
        let heir = registry.heirs.remove(&before.id())?;
        Some(Box::new((heir.succeed)(self, registry, heir)))
    }

    fn let_heir_succeed(self: &Arc<Self>, registry: &mut Registry, heir: Heir) -> Succession {
        if registry.admission != Admission::Open {
            let _ = heir.registered.set(None);
            return Succession::Refused(heir);
        }
        let cell = match &heir.group {
            None => self.cell(heir.admitted, Origin::Added, None),
            Some(group) => {
                let name = Arc::clone(&heir.admitted.name);
                let Ok(adoption) = group.adopt(last_segment(&name)) else {
                    let _ = heir.registered.set(None);
                    return Succession::Refused(heir);
                };
                let cell = self.cell(heir.admitted, Origin::Added, Some(added(group, &adoption)));
                adoption.enter(&cell, &heir.runtime);
                cell
            }
        };
        registry.insert(&cell);
        let _ = heir.registered.set(Some(Arc::clone(&cell)));
        let place = registry.take_place(&cell).map(Fenced::new);
        Succession::Accepted { cell, runtime: heir.runtime, place }
    }
}

/// The heir of a task that has ended.
pub(super) enum Succession {
    Accepted { cell: Arc<Cell>, runtime: Handle, place: Option<Fenced<Arc<Cell>>> },
    Refused(Heir),
}

impl Succession {
    /// Announces the registration. Called under the lock of the registry.
    pub(super) fn announce(&self) {
        if let Self::Accepted { cell, .. } = self {
            announce(cell);
        }
    }

    /// Spawns the heir, or drops it. Called with no lock held.
    pub(super) fn carry_out(self) {
        match self {
            Self::Accepted { cell, runtime, place } => {
                Actor::spawn(cell, &runtime);
                drop(place);
            }
            Self::Refused(heir) => drop(drop_caught(heir)),
        }
    }
}
