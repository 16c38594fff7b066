//! The pauses of tasks, groups and slots.
//!
//! The pauses are a set of paths under the lock of the registry. A pause belongs to the path, so it survives the
//! registrations there. Each cell has a flag that is set if its task, or a group or slot above it, is paused. The flag
//! changes under the same lock, and a new registration gets it when its name is entered. So no attempt begins after the
//! task is paused, but for the final attempt of a stop that was requested before.

mod concerned;

use std::collections::HashMap;
use std::iter::successors;
use std::sync::Arc;
use std::time::SystemTime;

use super::core::Core;
use super::observe;
use super::registry::Admission;
use super::task::{Cell, Stage};
use crate::events::{Event, EventKind};
use crate::inspect::{NodeSnapshot, TaskId, now};

/// The tasks and groups that are paused directly, not by a group above them.
#[derive(Default)]
pub(super) struct Pauses {
    /// By path, with the time of the pause. The path of the root is empty.
    paths: HashMap<Arc<str>, SystemTime>,
    /// The number of pauses that was last recorded in the metrics.
    counted: usize,
}

impl Pauses {
    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Returns `true` if the task or group, or a group around it, is paused.
    fn include(&self, path: &str) -> bool {
        !self.is_empty() && successors(Some(path), |path| around(path)).any(|path| self.paths.contains_key(path))
    }

    fn set(&mut self, path: &str, paused: bool) -> bool {
        set(&mut self.paths, path, paused)
    }
}

/// Records the time of a pause, or its end. Returns `false` if that changes nothing.
pub(super) fn set(times: &mut HashMap<Arc<str>, SystemTime>, name: &str, paused: bool) -> bool {
    if !paused {
        return times.remove(name).is_some();
    }
    let is_new = !times.contains_key(name);
    if is_new {
        times.insert(name.into(), now());
    }
    is_new
}

/// Returns the path of the group around a task or group; `None` for the root.
fn around(path: &str) -> Option<&str> {
    match path.rsplit_once('/') {
        Some((group, _)) => Some(group),
        None => (!path.is_empty()).then_some(""),
    }
}

/// The subject of a pause.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// The task at a path.
    Task(&'a str),
    /// A registration of a task.
    Registration(&'a Arc<Cell>),
    /// The group at a path.
    Group(&'a str),
    /// The slot of a name.
    #[cfg(feature = "controller")]
    Slot(&'a str),
}

impl Subject<'_> {
    /// Returns the path of the task or group; `None` for a slot.
    #[cfg_attr(not(feature = "controller"), expect(clippy::unnecessary_wraps, reason = "there are no slots"))]
    fn path(&self) -> Option<&str> {
        match self {
            Self::Task(path) | Self::Group(path) => Some(path),
            Self::Registration(cell) => Some(cell.name()),
            #[cfg(feature = "controller")]
            Self::Slot(_) => None,
        }
    }

    /// Returns the name of the slot.
    fn slot(&self) -> Option<&str> {
        match self {
            #[cfg(feature = "controller")]
            Self::Slot(name) => Some(name),
            _ => None,
        }
    }
}

impl Core {
    /// Pauses a task, a group or a slot. With `stops`, running attempts are requested to end. Returns `false` if that
    /// changes nothing, because the subject is already paused directly or does not exist.
    pub(crate) fn pause(self: &Arc<Self>, subject: Subject<'_>, stops: bool) -> bool {
        let mut registry = self.registry();
        if registry.admission != Admission::Open || !registry.can_pause(subject) {
            return false;
        }
        let is_new = registry.set_pause(subject, true);
        let concerned = registry.concerned_by(self, subject);
        if is_new {
            for cell in &concerned.cells {
                cell.set_paused(true);
            }
            self.tell_pause(EventKind::TaskPaused, subject, registry.id_of(subject));
        }
        drop(registry);
        if is_new {
            self.count_pauses();
            observe::paused(subject.path(), subject.slot());
        }
        let mut requested = false;
        for cell in &concerned.cells {
            requested |= cell.heed_pause(stops);
        }
        #[cfg(feature = "fleet")]
        for group in &concerned.groups {
            group.heed_pause();
        }
        concerned.drop_each();
        is_new || requested
    }

    /// Ends the pause of a task, a group or a slot. It stays paused while a group or slot above it is paused. Returns
    /// `false` if it is not paused directly, or does not exist.
    pub(crate) fn resume(self: &Arc<Self>, subject: Subject<'_>) -> bool {
        let mut registry = self.registry();
        if !registry.can_pause(subject) || !registry.set_pause(subject, false) {
            return false;
        }
        // No attempt begins before this event.
        self.tell_pause(EventKind::TaskResumed, subject, registry.id_of(subject));
        let concerned = registry.concerned_by(self, subject);
        for cell in concerned.cells.iter().filter(|cell| !registry.is_paused(cell)) {
            cell.set_paused(false);
        }
        #[cfg(feature = "controller")]
        let slots = registry.slots_in(self, subject);
        drop(registry);
        self.count_pauses();
        observe::resumed(subject.path(), subject.slot());
        for cell in &concerned.cells {
            cell.heed_pause(false);
        }
        for group in &concerned.groups {
            #[cfg(feature = "fleet")]
            group.heed_pause();
            group.ring_bell();
        }
        #[cfg(feature = "controller")]
        if let Subject::Slot(_) | Subject::Group("") = subject {
            self.resume_slots(&slots);
        }
        concerned.drop_each();
        true
    }

    /// Returns `true` if the subject, or a group or slot above it, is paused.
    pub(crate) fn is_paused(&self, subject: Subject<'_>) -> bool {
        let registry = self.registry();
        match subject {
            Subject::Registration(cell) => cell.is_paused() && cell.lock().machine().stage != Stage::Ended,
            Subject::Task(path) => match registry.names.get(path) {
                Some(cell) => registry.is_paused(cell),
                None => registry.pauses.include(path),
            },
            Subject::Group(path) => registry.pauses.include(path),
            #[cfg(feature = "controller")]
            Subject::Slot(name) => registry.slots.is_paused(name, &self.controller),
        }
    }

    /// Adds the times of pauses to the snapshots of the tasks and groups in a part of the tree that are paused
    /// directly.
    pub(super) fn date_pauses(&self, node: &mut NodeSnapshot) {
        let registry = self.registry();
        if registry.pauses.is_empty() {
            return;
        }
        let mut next = vec![node];
        while let Some(node) = next.pop() {
            node.paused_since = registry.pauses.paths.get(&*node.path).filter(|_| node.paused).copied();
            next.extend(&mut node.children);
        }
    }

    /// Records the number of pauses in the metrics. Called with no lock held, after a change.
    #[cold]
    pub(super) fn count_pauses(&self) {
        let mut registry = self.registry();
        let pauses = registry.pauses.paths.len();
        #[cfg(feature = "controller")]
        let pauses = pauses + registry.slots.pauses();
        let before = std::mem::replace(&mut registry.pauses.counted, pauses);
        drop(registry);
        if before != pauses {
            observe::pauses(before, pauses);
        }
    }

    /// Clears all pauses after the shutdown.
    pub(super) fn forget_pauses(&self) {
        let mut registry = self.registry();
        if registry.has_pauses() {
            registry.pauses.paths.clear();
            #[cfg(feature = "controller")]
            registry.slots.forget_pauses();
            drop(registry);
            self.count_pauses();
        }
    }

    /// Ends the paused tasks and groups at the begin of a drain, so that the drain does not wait for them.
    pub(super) fn end_pauses(self: &Arc<Self>) {
        let registry = self.registry();
        if !registry.has_pauses() {
            return;
        }
        let concerned = registry.concerned_by(self, Subject::Group(""));
        drop(registry);
        for cell in &concerned.cells {
            cell.heed_pause(false);
        }
        for group in &concerned.groups {
            group.ring_bell();
        }
        concerned.drop_each();
    }

    /// Publishes the event. The registry's lock is held.
    fn tell_pause(&self, kind: EventKind, subject: Subject<'_>, id: Option<TaskId>) {
        if self.bus.is_active() {
            let (task, slot) = (subject.path().map(Arc::from), subject.slot().map(Arc::from));
            self.bus.publish(Event { task, id, slot, ..Event::new(kind) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t2_a_path_is_paused_if_it_or_a_group_around_it_is() {
        let mut pauses = Pauses::default();
        assert!(!pauses.include("") && !pauses.include("a/b"));
        assert!(pauses.set("a/b", true) && !pauses.set("a/b", true));
        for (path, expected) in [
            ("a/b", true),
            ("a/b/c", true),
            ("a/b/c/d", true),
            ("a", false),
            ("a/bc", false),
            ("b", false),
            ("", false),
        ] {
            assert_eq!(pauses.include(path), expected, "{path}");
        }
        assert!(pauses.set("", true) && pauses.set("a/b", false) && !pauses.set("a/b", false));
        assert!(["", "a", "a/b", "x"].iter().all(|path| pauses.include(path)));
    }
}
