//! The children of a group: lookup, and additions and removals at run time.

use std::collections::HashSet;
use std::mem;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use tokio::runtime::Handle;

use super::super::children::Key;
use super::super::machine::Input;
use super::super::member::Member;
use super::super::plan::End;
use super::super::shared::GroupRef;
use super::{GroupCell, Inbox, Position};
use crate::inspect::TaskState;
use crate::runtime::task::Cell;
use crate::supervisor::RuntimeError;
use crate::tree::{Declared, DeclaredChild, Dynamic, FailureChain, Role, join, last_segment};

/// The right to add a child, with the mailbox locked.
pub(in crate::runtime) struct Adoption<'a> {
    group: &'a GroupCell,
    inbox: MutexGuard<'a, Inbox>,
    pub(in crate::runtime) key: Key,
    takes_place: bool,
}

impl GroupCell {
    /// Returns the paths of the siblings that a child waits for. If there are none, returns the siblings that a group
    /// around it waits for.
    pub(in crate::runtime) fn awaited_by(&self, key: Key) -> Vec<String> {
        let of_groups = self.with_parents().filter_map(|group| group.position.as_ref());
        let of_groups = of_groups.map(|Position { parent, key }| parent.unmet_by(*key));
        [self.unmet_by(key)].into_iter().chain(of_groups).find(|paths| !paths.is_empty()).unwrap_or_default()
    }

    /// Returns the paths of the siblings that the group waits for.
    pub(in crate::runtime) fn awaits(&self) -> Vec<String> {
        self.position.as_ref().map_or_else(Vec::new, |Position { parent, key }| parent.awaited_by(*key))
    }

    /// Returns the paths of the children that a declared child is after and that are not ready, in order. A child that
    /// has ended is replaced by the children that it is after.
    fn unmet_by(&self, key: Key) -> Vec<String> {
        let place = usize::try_from(key).unwrap_or(usize::MAX);
        let (mut unmet, mut seen) = (Vec::new(), HashSet::new());
        let declared = self.children();
        let mut open = declared.order.earlier(place).to_vec();
        while let Some(earlier) = open.pop() {
            if !seen.insert(Key::from(earlier)) {
                continue;
            }
            match self.member(Key::from(earlier)) {
                Some(member) if member.has_ended() => open.extend(declared.order.earlier(earlier as usize)),
                Some(member) if member.has_passed() => {}
                _ => unmet.push(Key::from(earlier)),
            }
        }
        unmet.sort_unstable();
        let child = |key: Key| declared.children.get(usize::try_from(key).ok()?);
        unmet.into_iter().filter_map(child).map(|child| join(&self.path, &child.name).to_string()).collect()
    }

    /// Returns `true` if the group registers added children again when it restarts. The root never restarts.
    pub(in crate::runtime) fn keeps_added(&self) -> bool {
        self.declared.dynamic == Dynamic::Keep && self.position.is_some()
    }

    /// Returns the declared children; for a fresh group, those of the current or last run.
    pub(in crate::runtime) fn children(&self) -> Arc<Declared> {
        if !self.declared.is_fresh {
            return Arc::clone(&self.declared);
        }
        Arc::clone(self.lock().children(&self.declared))
    }

    /// Sets the children of the next run of a fresh group. Returns those of the last, to be dropped with no lock held.
    pub(in crate::runtime) fn set_made(&self, made: Arc<Declared>) -> Option<Arc<Declared>> {
        let mut inbox = self.lock();
        inbox.reserved = false;
        inbox.made.replace(made)
    }

    /// Drops the tasks that were made for the last run, which are not started again. Called with no lock held.
    pub(in crate::runtime) fn forget_made(&self) {
        if self.declared.is_fresh {
            let made = self.lock().made.clone();
            if let Some(made) = made {
                made.forget_own_tasks();
            }
        }
    }

    /// Reserves the names of the declared children until they are registered again.
    pub(in crate::runtime::group) fn reserve(&self) {
        self.lock().reserved = true;
    }

    /// Closes the group for new children and restarts. With `if_idle`, returns `false` if the driver has not yet
    /// received one of them.
    pub(in crate::runtime::group) fn close(&self, if_idle: bool) -> bool {
        let mut inbox = self.lock();
        if if_idle && inbox.messages.iter().any(|message| message.input.goes_on()) {
            return false;
        }
        inbox.open = false;
        true
    }

    pub(in crate::runtime) fn members(&self) -> Vec<(Key, Member)> {
        self.lock().members.from(0).map(|(key, member)| (key, member.clone())).collect()
    }

    pub(in crate::runtime::group) fn member(&self, key: Key) -> Option<Member> {
        self.lock().members.get(key).cloned()
    }

    /// Sets the registered declared children, and drops the notes of the previous ones. Returns the previous ones, to
    /// be dropped with no lock held.
    pub(in crate::runtime) fn set_members(&self, members: Vec<Member>) -> Vec<Member> {
        let mut inbox = self.lock();
        // For a fresh group, the names of the last run stay reserved until the children of the next run are made.
        inbox.reserved = self.declared.is_fresh && inbox.reserved;
        let first_added = self.declared.first_added();
        inbox.messages.retain(|message| !message.input.is_of_declared(first_added));
        let mut gone = mem::replace(&mut inbox.members.declared, members);
        gone.extend(mem::take(&mut inbox.before).into_values());
        gone
    }

    /// Removes an added child that has ended.
    pub(in crate::runtime::group) fn forget(&self, key: Key) {
        let mut inbox = self.lock();
        // A map that is empty would still hash the key.
        let elsewhere = if inbox.elsewhere.is_empty() { None } else { inbox.elsewhere.remove(&key) };
        let gone = (inbox.members.added.remove(&key), elsewhere);
        drop(inbox);
        drop(gone);
    }

    /// Checks that a child of that name can be added. A later [`adopt`](Self::adopt) can still fail if the group stops
    /// for good in the meantime.
    pub(in crate::runtime) fn check_takes(&self, name: &str) -> Result<(), RuntimeError> {
        self.check_runs()?;
        self.check_is_open()?;
        self.check_not_kept(&self.lock(), name)
    }

    /// Checks that no child of that name is registered again for the next run.
    fn check_not_kept(&self, inbox: &Inbox, name: &str) -> Result<(), RuntimeError> {
        let children = inbox.children(&self.declared);
        let declared =
            children.place(name).filter(|_| inbox.reserved).map(|place| children.children[place].group.is_some());
        let Some(is_group) = declared.or_else(|| inbox.returns(name)) else { return Ok(()) };
        let name = join(&self.path, name).to_string();
        Err(if is_group { RuntimeError::GroupAlreadyExists { name } } else { RuntimeError::TaskAlreadyExists { name } })
    }

    /// Checks that the group is not closed to additions.
    pub(in crate::runtime) fn check_is_open(&self) -> Result<(), RuntimeError> {
        if self.declared.is_closed() {
            return Err(RuntimeError::GroupClosed { name: self.shown_path().to_string() });
        }
        Ok(())
    }

    /// Checks that the group does not stop for good.
    pub(in crate::runtime) fn check_runs(&self) -> Result<(), RuntimeError> {
        let inbox = self.lock();
        if inbox.open && inbox.state != TaskState::Ended {
            return Ok(());
        }
        Err(RuntimeError::GroupNotRunning { name: self.shown_path().to_string() })
    }

    /// Returns the right to add a child of that name at the end. The caller holds the registry's lock, and runs no user
    /// code until the child is entered.
    pub(in crate::runtime) fn adopt(&self, name: &str) -> Result<Adoption<'_>, RuntimeError> {
        let mut inbox = self.lock();
        let takes_place = inbox.children(&self.declared).place(name).is_some();
        if !inbox.open || inbox.state == TaskState::Ended {
            return Err(RuntimeError::GroupNotRunning { name: self.shown_path().to_string() });
        }
        self.check_not_kept(&inbox, name)?;
        let key = inbox.next_key;
        inbox.next_key += 1;
        Ok(Adoption { group: self, inbox, key, takes_place })
    }

    /// Returns the right to register a declared child again, which has ended. `None` if the group does not run, or
    /// waits for its next run, which registers the child.
    pub(in crate::runtime) fn readopt(&self, key: Key) -> Option<Adoption<'_>> {
        let inbox = self.lock();
        let runs = inbox.open && !inbox.reserved && inbox.orphans.is_none() && inbox.state != TaskState::Ended;
        runs.then_some(Adoption { group: self, inbox, key, takes_place: true })
    }

    /// Returns the failure of a child, or of its previous registration if the driver has not handled the new one.
    pub(in crate::runtime::group) fn failure_of(&self, key: Key, is_lost: bool) -> Option<FailureChain> {
        let inbox = self.lock();
        let member = inbox.before.get(&key).or_else(|| inbox.members.get(key)).cloned();
        drop(inbox);
        member.map(|member| member.failure(is_lost))
    }

    /// Drops the previous registration of a child when the driver has handled the new one.
    pub(in crate::runtime::group) fn forget_before(&self, key: Key) {
        let gone = self.lock().before.remove(&key);
        drop(gone);
    }

    /// Drops the tasks that were kept for another start. Those of a nested group are kept, because it can start again
    /// with its parent. Called with no lock held.
    pub(in crate::runtime::group) fn forget_tasks(&self) {
        if self.position.as_ref().is_none_or(|position| position.parent.position.is_none()) {
            self.declared.forget_tasks();
        }
    }
}

impl Inbox {
    /// Returns the declared children: those that were made, or `declared`.
    pub(super) fn children<'a>(&'a self, declared: &'a Arc<Declared>) -> &'a Arc<Declared> {
        self.made.as_ref().unwrap_or(declared)
    }

    /// Returns whether the added child of that name is a group, if one is registered again for the next run.
    fn returns(&self, name: &str) -> Option<bool> {
        if self.returning_groups.values().any(|group| *group.declared.name == *name) {
            return Some(true);
        }
        self.returning.values().any(|cell| last_segment(cell.name()) == name).then_some(false)
    }
}

impl Role {
    /// Returns the role of a task that was added.
    pub(in crate::runtime) fn of_added(cell: &Cell) -> Self {
        let policy = cell.policy();
        Self {
            critical: policy.critical.is_set(),
            significant: policy.significant,
            layers: 1,
            uncounted: !policy.readiness,
            has_last: policy.final_attempt,
        }
    }
}

impl Adoption<'_> {
    /// Registers the child again, on this runtime. `end` is the end of its previous registration.
    pub(in crate::runtime) fn enter_again(self, cell: &Arc<Cell>, runtime: &Handle, end: End) {
        let Self { group, mut inbox, key, .. } = self;
        if inbox.home.id() != runtime.id() {
            inbox.elsewhere.insert(key, runtime.clone());
            group.core.has_elsewhere.store(true, Ordering::Relaxed);
        }
        if let Some(member) = inbox.members.get_mut(key) {
            let before = mem::replace(member, Member::Task(Arc::clone(cell)));
            // If there are two previous registrations, the first can be the failure of the group; the caller keeps the
            // second.
            inbox.before.entry(key).or_insert(before);
        }
        group.ring(inbox, Input::Again { key, end }, None);
    }

    /// Returns the declared child of that name, which has ended, if there is one.
    pub(in crate::runtime) fn takes_place_of(&self, name: &str) -> Option<DeclaredChild> {
        let children = self.inbox.children(&self.group.declared);
        children.place(name).map(|place| children.children[place].clone())
    }

    /// Adds the task, on this runtime.
    pub(in crate::runtime) fn enter(self, cell: &Arc<Cell>, runtime: &Handle) {
        self.enter_member(Member::Task(Arc::clone(cell)), Role::of_added(cell), runtime);
    }

    /// Adds the group, on this runtime.
    pub(in crate::runtime) fn enter_group(self, added: &GroupRef, runtime: &Handle) {
        let child = DeclaredChild::of_added(&added.declared).role;
        self.enter_member(Member::Group(added.clone()), child, runtime);
    }

    fn enter_member(self, member: Member, child: Role, runtime: &Handle) {
        let Self { group, mut inbox, key, takes_place } = self;
        inbox.members.added.insert(key, member);
        if inbox.home.id() != runtime.id() {
            inbox.elsewhere.insert(key, runtime.clone());
            group.core.has_elsewhere.store(true, Ordering::Relaxed);
        }
        group.ring(inbox, Input::Add { key, child, takes_place }, None);
    }
}
