//! The immutable form of a declared group, which all its registrations share.
//!
//! Names, order and options live as long as any reference to the group. The tasks themselves are dropped as soon as the
//! group cannot start again: see [`Declared::forget_tasks`].

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::group::{ChildSpec, Group, Managed, check_name};
use super::maker::Maker;
use super::strategy::{Dynamic, Strategy};
use crate::panics::{catch, drop_caught, drop_each};
use crate::policy::{Critical, Overrides, Ready, check_group};
use crate::runtime::{Core, Driven, GroupLimit};
use crate::supervisor::InvalidOption;
use crate::sync::lock;
use crate::task::TaskSpec;

/// The largest depth of nested groups. Snapshots nest as deep, and are dropped and cloned level by level.
pub(crate) const MAX_DEPTH: u32 = 1_024;

/// The key of the first added child of a fresh group, above the keys of the children of any run.
const FIRST_ADDED_OF_FRESH: u64 = 1 << 31;

/// A group as it was declared.
pub(crate) struct Declared {
    pub(crate) name: Arc<str>,
    /// The options that need a driver, if any is set.
    managed: Option<Managed>,
    pub(crate) dynamic: Dynamic,
    /// How many attempts run at once in it.
    pub(crate) max_concurrent: Option<GroupLimit>,
    pub(crate) after: Vec<Arc<str>>,
    /// The options that it has as a child.
    pub(crate) overrides: Overrides,
    pub(crate) children: Vec<DeclaredChild>,
    pub(crate) order: Arc<Order>,
    /// The children sorted by name, without the later ones of equal names.
    by_name: Vec<u32>,
    /// The number of layers of a stop, one after another.
    pub(crate) layers: u32,
    /// `true` for a group that makes its children at each start. Here it has none then.
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
    /// leaf as that of the tasks.
    maker: Mutex<Option<Maker>>,
}

/// A child of a group, without its task.
#[derive(Clone)]
pub(crate) struct DeclaredChild {
    pub(crate) name: Arc<str>,
    pub(crate) after: Vec<Arc<str>>,
    pub(crate) role: Role,
    /// The driver that it needs around it, unless it is independent of its siblings and ready when its first attempt
    /// begins.
    driven: Option<Driven>,
    /// `true` if it runs once in a fleet.
    #[cfg(feature = "fleet")]
    is_singleton: bool,
    pub(crate) group: Option<Arc<Declared>>,
}

/// The role of a child in its group.
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Role {
    /// `true` if its end in failure fails the group.
    pub(crate) critical: bool,
    /// `true` if its end in success ends the group.
    pub(crate) significant: bool,
    /// The number of layers of its stop, beyond one.
    pub(crate) layers: u32,
    /// `true` if its state does not count for the readiness of its group.
    pub(crate) uncounted: bool,
    /// `true` if it is a task that may have a final attempt while it is down.
    pub(crate) has_last: bool,
}

/// The start order of siblings, by place: for each child the siblings that it is after, and those that are after it.
#[derive(Debug, Default)]
pub(crate) struct Order {
    earlier: Edges,
    later: Edges,
}

/// Lists of places in one allocation; no allocation if all are empty.
#[derive(Debug, Default)]
struct Edges {
    starts: Vec<u32>,
    places: Vec<u32>,
}

impl Edges {
    /// Builds the lists of this many places from sorted pairs of a place and an entry of its list.
    fn new(count: usize, pairs: &[(u32, u32)]) -> Self {
        if pairs.is_empty() {
            return Self::default();
        }
        let mut starts = vec![0; count + 1];
        for (place, _) in pairs {
            starts[*place as usize + 1] += 1;
        }
        for place in 0..count {
            starts[place + 1] += starts[place];
        }
        Self { starts, places: pairs.iter().map(|(_, entry)| *entry).collect() }
    }

    fn of(&self, place: usize) -> &[u32] {
        match self.starts.get(place..place + 2) {
            Some([start, end]) => &self.places[*start as usize..*end as usize],
            _ => &[],
        }
    }
}

impl Order {
    /// Builds the order of this many children; `earlier` returns for each child the siblings that it is after.
    pub(crate) fn new(count: usize, mut earlier: impl FnMut(usize) -> Vec<u32>) -> Self {
        let mut pairs = Vec::new();
        for place in 0..count {
            let earlier = earlier(place).into_iter().filter(|earlier| (*earlier as usize) < place);
            pairs.extend(earlier.map(|earlier| (short(place), earlier)));
        }
        pairs.sort_unstable();
        pairs.dedup();
        let earlier = Edges::new(count, &pairs);
        let mut flipped: Vec<_> = pairs.into_iter().map(|(place, earlier)| (earlier, place)).collect();
        flipped.sort_unstable();
        Self { earlier, later: Edges::new(count, &flipped) }
    }

    pub(crate) fn earlier(&self, place: usize) -> &[u32] {
        self.earlier.of(place)
    }

    pub(crate) fn later(&self, place: usize) -> &[u32] {
        self.later.of(place)
    }
}

fn short(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
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

    /// Returns the group of one run, with the children that were made for it. It has no options of its own.
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

    /// Returns the slots that children of the root are after, each with the name of the child. Known after the check.
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

    /// In most replicas a singleton stands by, so what is after it would not start there.
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

    /// Returns `true` if too many groups are nested in it.
    pub(crate) fn is_too_deep(&self) -> bool {
        self.depth > MAX_DEPTH
    }

    /// Returns the group at these places, each in the group before. A shared declaration is cloned.
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

    /// Returns the driver that its children need; `None` for a plain group, a flat one of independent tasks without a
    /// limit.
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

/// Returns the children sorted by name, without the later ones of equal names.
fn by_name(children: &[DeclaredChild]) -> Vec<u32> {
    let name = |place: &u32| &children[*place as usize].name;
    let mut places: Vec<u32> = (0..short(children.len())).collect();
    places.sort_by(|a, b| name(a).cmp(name(b)));
    places.dedup_by(|later, earlier| name(later) == name(earlier));
    places
}

fn find(children: &[DeclaredChild], by_name: &[u32], name: &str) -> Option<u32> {
    let found = by_name.binary_search_by(|place| (*children[*place as usize].name).cmp(name));
    found.ok().map(|found| by_name[found])
}

fn layers(children: &[DeclaredChild], order: &Order) -> u32 {
    let mut layers: Vec<u32> = Vec::with_capacity(children.len());
    for (place, child) in children.iter().enumerate() {
        let below = order.earlier(place).iter().map(|earlier| layers[*earlier as usize]).max().unwrap_or(0);
        layers.push(below.saturating_add(child.role.layers));
    }
    layers.into_iter().max().unwrap_or(1).max(1)
}

impl DeclaredChild {
    fn new(spec: ChildSpec) -> (Self, Option<TaskSpec>) {
        match spec {
            ChildSpec::Task(mut spec) => {
                // `Task::name` is user code. A task whose name panics has no name.
                let name = catch(|| spec.take_name()).unwrap_or_else(|_| "".into());
                let driven = spec.driven();
                let child = Self::of(&name, spec.after(), spec.overrides(), None, driven);
                (child, Some(spec.with_name(name)))
            }
            ChildSpec::Group(group, driven) => {
                let Declared { name, after, overrides, .. } = &*group;
                (Self::of(name, after, overrides, Some(Arc::clone(&group)), Some(driven)), None)
            }
        }
    }

    fn of(
        name: &Arc<str>,
        after: &[Arc<str>],
        overrides: &Overrides,
        group: Option<Arc<Declared>>,
        driven: Option<Driven>,
    ) -> Self {
        let role = Role {
            critical: overrides.critical.is_some_and(Critical::is_set),
            significant: overrides.significant == Some(true),
            layers: group.as_ref().map_or(1, |group| group.layers),
            uncounted: overrides.readiness == Some(false),
            has_last: overrides.final_attempt == Some(true) && group.is_none(),
        };
        let is_plain = || {
            let ready_at_start = overrides.ready.is_none_or(|ready| ready == Ready::Start);
            ready_at_start && after.is_empty() && !role.critical && !role.significant && group.is_none()
        };
        debug_assert!(driven.is_some() || is_plain(), "an option of a task that needs a driver brings it along");
        let driven = driven.filter(|_| !is_plain());
        Self {
            name: Arc::clone(name),
            after: after.to_vec(),
            role,
            driven,
            #[cfg(feature = "fleet")]
            is_singleton: matches!(overrides.singleton, Some(Some(_))),
            group,
        }
    }

    fn unknown(&self, after: &str, in_root: bool) -> InvalidOption {
        let expected = if in_root && cfg!(feature = "controller") {
            "the name of a sibling that is declared before it, or of a declared slot"
        } else {
            "the name of a sibling that is declared before it"
        };
        InvalidOption {
            subject: format!("`{}`", self.name),
            option: "after",
            value: format!("`{after}`"),
            expected: expected.into(),
        }
    }
}

/// A group of its own with the same children, for a change of one that is shared. Its nested groups stay shared.
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

/// The number of levels that `Debug` shows.
const SHOWN: u32 = 16;

impl fmt::Debug for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown { group: self, levels: SHOWN }.fmt(f)
    }
}

/// A group with a limited number of levels below it, for `Debug`.
struct Shown<'a> {
    group: &'a Declared,
    levels: u32,
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.group;
        let mut shown = f.debug_struct("Group");
        shown.field("name", &group.name);
        let Some(levels) = self.levels.checked_sub(1) else { return shown.finish_non_exhaustive() };
        let children = group.children.iter().enumerate().map(|(place, child)| -> Box<dyn fmt::Debug> {
            match (&child.group, group.task(place)) {
                (Some(group), _) => Box::new(Shown { group, levels }),
                (None, Some(task)) => Box::new(task),
                (None, None) => Box::new(&child.name),
            }
        });
        shown
            .field("strategy", &group.strategy())
            .field("limit", &group.limit())
            .field("dynamic", &group.dynamic)
            .field("max_starting", &group.max_starting())
            .field("max_concurrent", &group.max_concurrent)
            .field("fresh", &group.is_fresh)
            .field("after", &group.after)
            .field("set", &group.overrides)
            .field("children", &children.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "declaration_test.rs"]
mod tests;
