//! Returning children: added children that are registered again for the next run of their group.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use super::super::children::Key;
use super::super::machine::Input;
use super::super::member::Member;
use super::super::shared::GroupRef;
use super::GroupCell;
use crate::inspect::TaskState;
#[cfg(feature = "cron")]
use crate::policy::ResolvedPolicy;
use crate::runtime::task::Cell;
use crate::tree::{Role, last_segment};

impl GroupCell {
    /// Lets an added child return that has just ended, because the group stops: the next run registers it again. Returns
    /// `false` if it does not. Called under the lock of the registry, in the step that frees the name of the child, so
    /// that the name is never without an owner.
    pub(in crate::runtime) fn lets_return(&self, key: Key, cell: &Arc<Cell>) -> bool {
        let mut inbox = self.lock();
        let has_place = inbox.children(&self.declared).place(last_segment(cell.name())).is_some();
        if !has_place {
            inbox.returning.insert(key, Arc::clone(cell));
        }
        !has_place
    }

    /// Takes the returning children.
    pub(in crate::runtime) fn take_returning(&self) -> BTreeMap<Key, Arc<Cell>> {
        mem::take(&mut self.lock().returning)
    }

    /// Returns the returning child of that path.
    pub(in crate::runtime) fn returning(&self, path: &str) -> Option<Arc<Cell>> {
        self.lock().returning.values().find(|cell| **cell.name() == *path).cloned()
    }

    /// Returns the returning children, in the order in which they were added.
    pub(in crate::runtime) fn all_returning(&self) -> Vec<Arc<Cell>> {
        self.lock().returning.values().cloned().collect()
    }

    /// Returns `true` if there is a returning child of that path.
    pub(in crate::runtime) fn has_returning(&self, path: &str) -> bool {
        self.lock().returning.values().any(|cell| **cell.name() == *path)
    }

    /// Returns the paths of the returning children.
    pub(in crate::runtime) fn returning_names(&self) -> Vec<Arc<str>> {
        self.lock().returning.values().map(|cell| Arc::clone(cell.name())).collect()
    }

    /// Returns the policies of these children, by their paths.
    #[cfg(feature = "cron")]
    pub(in crate::runtime) fn returning_policies(&self) -> Vec<(Arc<str>, Arc<ResolvedPolicy>)> {
        let policy = |cell: &Arc<Cell>| (Arc::clone(cell.name()), Arc::clone(cell.policy()));
        self.lock().returning.values().map(policy).collect()
    }

    /// Removes a returning child, which is then not registered again. Returns it, to be dropped with no lock held.
    pub(in crate::runtime) fn withdraw(&self, path: &str) -> Option<Arc<Cell>> {
        let mut inbox = self.lock();
        let (key, _) = inbox.returning.iter().find(|(_, cell)| **cell.name() == *path)?;
        let key = *key;
        inbox.returning.remove(&key)
    }

    /// Removes the returning child of that key. Returns it, to be dropped with no lock held.
    pub(in crate::runtime) fn withdraw_key(&self, key: Key) -> Option<Arc<Cell>> {
        self.lock().returning.remove(&key)
    }

    /// Enters a returned child under its previous key. The caller hands its role to the driver.
    pub(in crate::runtime) fn enter_returned(&self, key: Key, cell: &Arc<Cell>) {
        self.lock().members.added.insert(key, Member::Task(Arc::clone(cell)));
    }

    /// Lets an added group return that has just ended, because this group has stopped it: the next run registers it
    /// again. Called under the lock of the registry, as [`lets_return`](Self::lets_return) is.
    pub(in crate::runtime) fn lets_group_return(&self, key: Key, group: &GroupRef) {
        self.lock().returning_groups.insert(key, group.clone());
    }

    /// Takes the returning groups.
    pub(in crate::runtime) fn take_returning_groups(&self) -> BTreeMap<Key, GroupRef> {
        mem::take(&mut self.lock().returning_groups)
    }

    /// Returns the added groups: those that have not ended, and those that return.
    pub(in crate::runtime) fn added_groups(&self) -> BTreeMap<Key, GroupRef> {
        let inbox = self.lock();
        let mut groups = inbox.returning_groups.clone();
        let added = inbox.members.added.iter();
        let running = added.filter_map(|(key, member)| match member {
            Member::Group(group) => Some((*key, group.clone())),
            Member::Task(_) => None,
        });
        let running: Vec<_> = running.collect();
        drop(inbox);
        groups.extend(running.into_iter().filter(|(_, group)| group.state() != TaskState::Ended));
        groups
    }

    /// Removes the returning group of that path, which is then not registered again.
    pub(in crate::runtime) fn withdraw_group(&self, path: &str) -> Option<GroupRef> {
        let mut inbox = self.lock();
        let (key, _) = inbox.returning_groups.iter().find(|(_, group)| **group.path() == *path)?;
        let key = *key;
        inbox.returning_groups.remove(&key)
    }

    /// Enters a returned group under its previous key. The caller hands its role to the driver.
    pub(in crate::runtime) fn enter_returned_group(&self, key: Key, group: &GroupRef) {
        self.lock().members.added.insert(key, Member::Group(group.clone()));
    }

    /// Takes over the returning children of the previous registration of the group.
    pub(in crate::runtime) fn inherit(&self, before: &Self) {
        let (returning, groups, next_key, made) = {
            let mut inbox = before.lock();
            let groups = mem::take(&mut inbox.returning_groups);
            (mem::take(&mut inbox.returning), groups, inbox.next_key, inbox.made.clone())
        };
        let mut inbox = self.lock();
        (inbox.returning, inbox.returning_groups) = (returning, groups);
        inbox.next_key = next_key.max(inbox.next_key);
        inbox.made = made;
    }

    /// Hands a returned child to the driver, before the first run.
    pub(in crate::runtime) fn add_returned(&self, key: Key, child: Role) {
        self.send(Input::Add { key, child, takes_place: false }, None);
    }
}
