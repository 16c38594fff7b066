//! The immutable form of a declared group, which all its registrations share.
//!
//! Names, order and options live as long as any reference to the group. The tasks themselves are dropped as soon as the
//! group cannot start again: see [`Declared::forget_tasks`].

mod child;
mod order;
mod shown;

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use self::child::{by_name, find};
use self::order::{layers, short};
use super::group::{Group, Managed, check_name};
use super::maker::Maker;
use super::strategy::{Dynamic, Strategy};
use crate::panics::{drop_caught, drop_each};
use crate::policy::{Overrides, check_group};
use crate::runtime::{Core, Driven, GroupLimit};
use crate::supervisor::InvalidOption;
use crate::sync::lock;
use crate::task::TaskSpec;

/// The largest depth of nested groups. Snapshots nest as deeply, and are dropped and cloned by recursion.
pub(crate) const MAX_DEPTH: u32 = 1_024;

/// The key of the first added child of a fresh group, above the keys of the children of any run.
const FIRST_ADDED_OF_FRESH: u64 = 1 << 31;

/// A group as it was declared.
pub(crate) struct Declared {
    pub(crate) name: Arc<str>,
    /// The options that need a driver, if any is set.
    managed: Option<Managed>,
    pub(crate) dynamic: Dynamic,
    /// The limit of attempts that run at once in it.
    pub(crate) max_concurrent: Option<GroupLimit>,
    pub(crate) after: Vec<Arc<str>>,
    /// The options of the group as a child.
    pub(crate) overrides: Overrides,
    pub(crate) children: Vec<DeclaredChild>,
    pub(crate) order: Arc<Order>,
    /// The children sorted by name, without the later ones of equal names.
    by_name: Vec<u32>,
    /// The number of layers of a stop, one after another.
    pub(crate) layers: u32,
    /// `true` for a group that makes its children at each start, so that `children` is empty.
    pub(crate) is_fresh: bool,
    /// `true` while the group is closed to additions.
    closed: AtomicBool,
    /// The depth of nested groups, this one included.
    depth: u32,
    /// Names in an `after` that no earlier sibling has, each with the place of the child.
    unknown: Vec<(u32, Arc<str>)>,
    /// The tasks, by the place of the child; `None` after [`Declared::forget_tasks`].
    ///
    /// The lock guards this field only. It is a leaf: no other lock is taken and no user value is dropped under it, so
    /// it cannot deadlock.
    tasks: Mutex<Option<Vec<Option<TaskSpec>>>>,
    /// The function that makes the children; `None` without one, and after [`Declared::forget_tasks`]. The lock is a
    /// leaf, like that of the tasks.
    maker: Mutex<Option<Maker>>,
}

impl Declared {
    /// Reads the name of each task once.
    pub(crate) fn new(group: Group) -> Self {
        let Group { name, managed, dynamic, max_concurrent, overrides, after, children: specs, fresh, depth } = group;
        let (children, tasks): (Vec<_>, Vec<_>) = specs.into_iter().map(DeclaredChild::new).unzip();
        let by_name = by_name(&children);
        let is_rest_for_one = managed.is_some_and(|managed| managed.strategy == Strategy::RestForOne);
        let mut unknown = Vec::new();
        let order = Order::new(children.len(), |place| {
            let mut earlier = Vec::new();
            for after in &children[place].after {
                match find(&children, &by_name, after) {
                    Some(at) if (at as usize) < place => earlier.push(at),
                    _ => unknown.push((short(place), Arc::clone(after))),
                }
            }
            if is_rest_for_one {
                earlier.extend(short(place).checked_sub(1));
            }
            earlier
        });
        Self {
            name,
            managed,
            dynamic,
            max_concurrent,
            after,
            overrides,
            layers: layers(&children, &order),
            order: Arc::new(order),
            by_name,
            is_fresh: fresh.is_some(),
            closed: AtomicBool::new(false),
            depth,
            unknown,
            maker: Mutex::new(fresh),
            tasks: Mutex::new(Some(tasks)),
            children,
        }
    }

    /// Returns the group of one run, with the children that were made for it, and without the options of this group.
    pub(crate) fn of_run(&self, specs: Vec<TaskSpec>) -> Self {
        let group = Group::new(Arc::clone(&self.name), self.strategy());
        Self::new(Group { overrides: Overrides::NONE, ..group.tasks(specs) })
    }

    /// Returns the function that makes the children. `None` without one, and after [`Declared::forget_tasks`].
    pub(crate) fn maker(&self) -> Option<Maker> {
        lock(&self.maker).clone()
    }

    /// Returns `true` if there is a function that makes the children.
    pub(crate) fn has_maker(&self) -> bool {
        lock(&self.maker).is_some()
    }

    /// Returns the key of the first added child.
    pub(crate) fn first_added(&self) -> u64 {
        // Between two runs, the number of declared children of a fresh group changes.
        if self.is_fresh { FIRST_ADDED_OF_FRESH } else { self.children.len() as u64 }
    }

    /// Closes the group to additions, or opens it. Returns `true` if that changes anything.
    pub(crate) fn set_closed(&self, closed: bool) -> bool {
        self.closed.swap(closed, Ordering::Relaxed) != closed
    }

    /// Returns `true` while the group is closed to additions.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Returns the place of the child of that name.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        find(&self.children, &self.by_name, name).map(|place| place as usize)
    }

    /// Returns the task of a child. `None` for a group, and after [`Declared::forget_tasks`].
    pub(crate) fn task(&self, place: usize) -> Option<TaskSpec> {
        lock(&self.tasks).as_ref()?.get(place)?.clone()
    }

    /// Drops the tasks of a root, which never registers them again, and keeps those of its groups. Called with no lock
    /// held.
    pub(crate) fn forget_own_tasks(&self) {
        let tasks = lock(&self.tasks).take();
        drop_each(tasks.into_iter().flatten());
        let maker = lock(&self.maker).take();
        let _ = drop_caught(maker);
    }

    /// Drops the tasks of this group and of its nested groups, which cannot start again. Called with no lock held.
    pub(crate) fn forget_tasks(&self) {
        let mut groups = vec![self];
        while let Some(group) = groups.pop() {
            group.forget_own_tasks();
            groups.extend(group.children.iter().filter_map(|child| child.group.as_deref()));
        }
    }

    /// Returns the slots that children of the root are after, each with the name of the child. Only valid after
    /// [`check`](Self::check).
    #[cfg(feature = "controller")]
    pub(crate) fn slots_after(&self) -> impl Iterator<Item = (Arc<str>, Arc<str>)> + '_ {
        let child = |place: u32| Arc::clone(&self.children[place as usize].name);
        self.unknown.iter().map(move |(place, slot)| (Arc::clone(slot), child(*place)))
    }

    /// Checks the options of the group itself. The name of a root is not checked, and its children can be after slots.
    pub(crate) fn check(&self, root_of: Option<&Core>) -> Result<(), InvalidOption> {
        let is_root = root_of.is_some();
        let invalid = |option, value: &str, expected| {
            Err(InvalidOption::new(format!("group `{}`", self.name), option, value, expected))
        };
        if !is_root {
            check_name("a group", &self.name)?;
        }
        let Self { name, max_concurrent, is_fresh, overrides, .. } = self;
        let limits = [self.max_starting(), max_concurrent.map(GroupLimit::limit)];
        check_group(name, self.limit(), limits, *is_fresh, overrides)?;
        if self.is_fresh && !self.children.is_empty() {
            let value = format!("set beside `{}`", self.children[0].name);
            return invalid("fresh", &value, "no declared children: the function makes all children");
        }
        if self.is_too_deep() {
            return invalid("depth", &format!("{} groups nested in each other", self.depth), "at most 1024");
        }
        #[cfg(feature = "controller")]
        let is_slot = |name: &str| root_of.is_some_and(|core| core.is_declared_slot(name) && !core.has_keys(name));
        #[cfg(not(feature = "controller"))]
        let is_slot = |_: &str| false;
        if let Some((place, name)) = self.unknown.iter().find(|(_, name)| !is_slot(name)) {
            return Err(self.children[*place as usize].unknown(name, is_root));
        }
        #[cfg(feature = "fleet")]
        self.check_not_after_singletons()?;
        Ok(())
    }

    /// In most replicas a singleton stands by, so siblings that are after it would never start there.
    #[cfg(feature = "fleet")]
    fn check_not_after_singletons(&self) -> Result<(), InvalidOption> {
        for (place, child) in self.children.iter().enumerate() {
            let earlier = self.order.earlier(place).iter().map(|place| &self.children[*place as usize]);
            if let Some(before) = earlier.into_iter().find(|before| before.is_singleton) {
                let (name, before) = (&child.name, &before.name);
                let expected = format!(
                    "a task that runs in every replica: put `{name}` and the singleton `{before}` into one group that is \
                     the singleton"
                );
                return Err(InvalidOption::new(format!("`{name}`"), "after", format!("`{before}`"), expected));
            }
        }
        Ok(())
    }

    /// Returns `true` if too many groups are nested in it and around it.
    pub(crate) fn is_too_deep_in(&self, around: usize) -> bool {
        self.depth as usize + around > MAX_DEPTH as usize
    }

    /// Returns `true` if too many groups are nested in it.
    pub(crate) fn is_too_deep(&self) -> bool {
        self.depth > MAX_DEPTH
    }

    /// Clones the nested groups that are shared with a clone of the group.
    pub(crate) fn own_groups(&mut self) {
        let mut open = vec![self];
        while let Some(group) = open.pop() {
            let inner = group.children.iter_mut().filter_map(|child| child.group.as_mut());
            open.extend(inner.map(Arc::make_mut));
        }
    }

    /// Returns the group at a path of places. A shared declaration is cloned.
    pub(crate) fn descendant_mut(&mut self, places: &[usize]) -> Option<&mut Self> {
        let mut group = self;
        for place in places {
            group = Arc::make_mut(group.children.get_mut(*place)?.group.as_mut()?);
        }
        Some(group)
    }

    /// Changes the task of a child.
    pub(crate) fn change_task(&mut self, place: usize, change: impl FnOnce(TaskSpec) -> TaskSpec) {
        let tasks = self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = tasks.as_mut().and_then(|tasks| tasks.get_mut(place)) {
            *task = task.take().map(change);
        }
    }

    /// Returns the name of the limit that bounds its attempts.
    pub(crate) fn named_limit(&self) -> Option<&Arc<str>> {
        self.overrides.named_limit.as_ref()?.as_ref()
    }

    /// Returns the driver that its children need; `None` for a group of independent tasks without nested groups and
    /// limits.
    pub(crate) fn driven(&self) -> Option<Driven> {
        let of_group = self.managed.as_ref().and_then(Managed::driven);
        of_group.or_else(|| self.children.iter().find_map(|child| child.driven))
    }

    pub(crate) fn strategy(&self) -> Strategy {
        self.managed.map_or(Strategy::OneForOne, |managed| managed.strategy)
    }

    pub(crate) fn limit(&self) -> Option<(u32, Duration)> {
        self.managed?.limit
    }

    pub(crate) fn max_starting(&self) -> Option<usize> {
        self.managed?.max_starting
    }

    /// Sets the options of a group that overrides change.
    pub(crate) fn set_limits(&mut self, limit: Option<(u32, Duration)>, max_starting: Option<usize>) {
        let managed = Managed::of(&mut self.managed);
        (managed.limit, managed.max_starting) = (limit, max_starting);
    }

    /// Returns `true` if the group decides on failures of its children. Otherwise each child restarts by itself.
    pub(crate) fn manages(&self) -> bool {
        self.strategy() != Strategy::OneForOne || self.limit().is_some()
    }
}

/// Clones the group, to change a shared one. Its nested groups stay shared.
impl Clone for Declared {
    fn clone(&self) -> Self {
        Self {
            name: Arc::clone(&self.name),
            managed: self.managed,
            dynamic: self.dynamic,
            max_concurrent: self.max_concurrent,
            after: self.after.clone(),
            overrides: self.overrides.clone(),
            children: self.children.clone(),
            order: Arc::clone(&self.order),
            by_name: self.by_name.clone(),
            layers: self.layers,
            is_fresh: self.is_fresh,
            closed: AtomicBool::new(self.is_closed()),
            depth: self.depth,
            unknown: self.unknown.clone(),
            tasks: Mutex::new(lock(&self.tasks).clone()),
            maker: Mutex::new(lock(&self.maker).clone()),
        }
    }
}

impl Drop for Declared {
    /// Drops level by level without recursion, and drops the tasks inside `panics::catch`.
    fn drop(&mut self) {
        self.forget_own_tasks();
        let mut children = mem::take(&mut self.children);
        while let Some(child) = children.pop() {
            if let Some(mut group) = child.group.and_then(Arc::into_inner) {
                children.append(&mut group.children);
            }
        }
    }
}

#[cfg(test)]
#[path = "declaration_test.rs"]
mod tests;

pub(crate) use self::child::{DeclaredChild, Role};
pub(crate) use self::order::Order;
