//! The shared state of a group, and its mailbox.
//!
//! The lock of the mailbox guards the messages and the children. It is taken after the registry's lock and before the
//! lock of a cell. No second mailbox is locked under a mailbox, so the lock cannot deadlock. No user code runs and no
//! user value is dropped under it: members, failures and outcomes are handed out, and the caller drops them.

mod commands;
mod members;
mod returning;
mod state;

pub(in crate::runtime) use self::members::Adoption;
pub(in crate::runtime) use self::state::SeenGroup;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::iter::{once, successors};
use std::mem;
#[cfg(feature = "fleet")]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::super::clock::Ticks;
use super::super::core::{Core, is_alive};
#[cfg(feature = "fleet")]
use super::super::fleet::Seat;
use super::super::permits::Shared;
use super::super::task::{Cell, StopBy};
use super::children::{ByKey, Epoch, Key};
use super::machine::Input;
use super::member::Member;
use super::orphan::Orphans;
use super::plan::Note;
use super::shared::GroupRef;
use crate::inspect::{TaskId, TaskOutcome, TaskState};
use crate::panics::Fenced;
use crate::sync::{Waiters, lock};
use crate::tree::{Declared, FailureChain};

/// One registration of a group.
pub(crate) struct GroupCell {
    /// The path. Empty for the root.
    path: Arc<str>,
    pub(crate) declared: Arc<Declared>,
    pub(in crate::runtime) core: Arc<Core>,
    pub(in crate::runtime) position: Option<Position>,
    /// `true` if the group, or a group around it, was added at run time.
    pub(in crate::runtime) is_dynamic: bool,
    /// The permits of its `max_concurrent`.
    pub(in crate::runtime) permits: Option<Shared>,
    /// The module docs have the lock order.
    inbox: Mutex<Inbox>,
    /// `true` from the request of a stop, hold or restart until the next run begins. Requests to all tasks of the group
    /// follow, so a task that reads `true` is woken by its own request.
    stopping: AtomicBool,
    /// `true` if the group has been ready since its parent started it.
    passed: AtomicBool,
    changed: Waiters,
    /// The path of the child that failed first in the current or last restart of siblings.
    ///
    /// The lock is a leaf: nothing else is locked, and no user code runs, under it, so it cannot deadlock.
    first_failed: Mutex<Arc<String>>,
    /// The permits of `max_starting`.
    pub(in crate::runtime) starting: Option<Arc<Semaphore>>,
    /// `true` if the group or one around it has `max_starting`.
    pub(in crate::runtime) limits_starts: bool,
    /// The failure because of which the current run stops. The lock is a leaf, like that of `first_failed`.
    failing: Mutex<Option<Arc<FailureChain>>>,
    /// The group's own seat in the fleet.
    #[cfg(feature = "fleet")]
    pub(super) seat: Option<Arc<Seat>>,
    /// The number of grants of the seat when the group last became idle and began to compete.
    #[cfg(feature = "fleet")]
    pub(super) idle_since: AtomicU64,
}

/// The position of a group in its parent.
pub(in crate::runtime) struct Position {
    pub(in crate::runtime) parent: GroupRef,
    pub(in crate::runtime) key: Key,
}

impl Position {
    /// Returns `true` if the child was added at run time.
    fn is_added(&self) -> bool {
        self.key >= self.parent.declared.first_added()
    }
}

/// The messages to the driver of a group, and the deadline of a stop.
pub(super) struct Message {
    pub(super) input: Input,
    pub(super) by: Option<StopBy>,
}

#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other and of the state")]
pub(super) struct Inbox {
    pub(super) messages: VecDeque<Message>,
    /// `true` if the driver is to look again, at messages or at something else.
    rung: bool,
    /// Wakes the driver, if it waits.
    driver: Option<Waker>,
    /// The current registrations of the declared children, and of the added children that have not ended.
    members: ByKey<Member>,
    /// The key of the next added child.
    next_key: Key,
    state: TaskState,
    /// The start of the state. Not set while the group runs.
    since: Ticks,
    /// The time at which the driver starts the group or its children again, for snapshots. Zero if there is none.
    due: Ticks,
    /// The number of runs.
    runs: u32,
    /// The number of consecutive failures.
    failures: u32,
    /// The number of the last run that has been ready.
    ready_run: u32,
    /// `true` if the current run has been ready.
    ready: bool,
    /// `true` while children can be added: until the group stops for good.
    open: bool,
    /// `true` if the group was requested to stop for good.
    stopped: bool,
    /// `true` if its parent requested the stop first. The parent decides whether the group starts again.
    stopped_by_parent: bool,
    /// `true` if the declared children are about to be registered again, so their names are taken.
    reserved: bool,
    /// `true` while the function of a fresh group makes its children.
    making: bool,
    /// The children of the current or last run of a fresh group.
    made: Option<Arc<Declared>>,
    /// The last failure, and its text.
    failure: Option<FailureChain>,
    outcome: Option<Fenced<TaskOutcome>>,
    /// The previous registrations of children that were registered again, until the driver has handled the new ones.
    /// One of them can be the failure of the group.
    before: BTreeMap<Key, Member>,
    /// The added children that the group has stopped, and registers again at its next run, by their keys.
    returning: BTreeMap<Key, Arc<Cell>>,
    /// The added groups that the group has stopped, and registers again at its next run, by their keys.
    returning_groups: BTreeMap<Key, GroupRef>,
    /// `true` if a call from outside stopped the group for good: it is not registered again.
    leaves: bool,
    /// The runtime of its driver.
    home: Handle,
    /// The runtimes of members on other runtimes.
    elsewhere: HashMap<Key, Handle>,
    /// The members whose ends are awaited after the driver is gone.
    pub(super) orphans: Option<Orphans>,
}

impl GroupCell {
    /// Creates a group whose declared children are about to be registered.
    pub(in crate::runtime) fn new(
        path: Arc<str>,
        declared: Arc<Declared>,
        core: Arc<Core>,
        position: Option<Position>,
        runtime: &Handle,
    ) -> Self {
        let since = if declared.is_fresh { core.clock.now() } else { Ticks::MAX };
        #[cfg(feature = "fleet")]
        let seat = core.seat_of(declared.overrides.singleton.as_ref(), &path);
        Self {
            permits: declared.max_concurrent.map(|bound| bound.permits(&core.limits, &path)),
            path,
            core,
            is_dynamic: position.as_ref().is_some_and(|at| at.is_added() || at.parent.is_dynamic),
            limits_starts: declared.max_starting().is_some()
                || position.as_ref().is_some_and(|at| at.parent.limits_starts),
            position,
            inbox: Mutex::new(Inbox {
                messages: VecDeque::new(),
                rung: false,
                driver: None,
                members: ByKey::default(),
                next_key: declared.first_added(),
                state: TaskState::Pending,
                since,
                due: 0,
                runs: 0,
                failures: 0,
                ready_run: 0,
                ready: false,
                open: true,
                stopped: false,
                stopped_by_parent: false,
                reserved: declared.is_fresh,
                making: false,
                made: None,
                failure: None,
                outcome: None,
                before: BTreeMap::new(),
                returning: BTreeMap::new(),
                returning_groups: BTreeMap::new(),
                leaves: false,
                home: runtime.clone(),
                elsewhere: HashMap::new(),
                orphans: None,
            }),
            stopping: AtomicBool::new(false),
            passed: AtomicBool::new(false),
            changed: Waiters::default(),
            first_failed: Mutex::default(),
            failing: Mutex::default(),
            starting: declared
                .max_starting()
                .map(|places| Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)))),
            #[cfg(feature = "fleet")]
            seat,
            #[cfg(feature = "fleet")]
            idle_since: AtomicU64::new(u64::MAX),
            declared,
        }
    }

    pub(crate) fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// Returns `true` if the group itself was added at run time.
    pub(in crate::runtime) fn was_added(&self) -> bool {
        self.position.as_ref().is_some_and(Position::is_added)
    }

    /// Returns the path, or the name of the root, whose path is empty.
    pub(in crate::runtime) fn shown_path(&self) -> &Arc<str> {
        if self.path.is_empty() { &self.declared.name } else { &self.path }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.inbox)
    }

    fn ring(&self, mut inbox: MutexGuard<'_, Inbox>, input: Input, by: Option<StopBy>) {
        inbox.open &= !matches!(input, Input::Retire | Input::Stop(_));
        if matches!(input, Input::Hold(_) | Input::Retire | Input::Stop(_) | Input::Restart) {
            self.mark_stopping();
        }
        if matches!(input, Input::Release(_) | Input::Hold(_)) {
            self.passed.store(false, Ordering::Release);
        }
        if inbox.orphans.is_some() || inbox.state == TaskState::Ended {
            return;
        }
        inbox.messages.push_back(Message { input, by });
        Self::wake(inbox);
    }

    fn wake(mut inbox: MutexGuard<'_, Inbox>) {
        inbox.rung = true;
        let driver = inbox.driver.take();
        drop(inbox);
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    pub(super) fn send(&self, input: Input, by: Option<StopBy>) {
        self.ring(self.lock(), input, by);
    }

    /// Takes all messages, and frees the memory of a handled burst.
    pub(super) fn receive(&self, into: &mut VecDeque<Message>) {
        const KEPT: usize = 4;
        debug_assert!(into.is_empty(), "what was received before is handled first");
        into.shrink_to(KEPT);
        let mut inbox = self.lock();
        inbox.rung = false;
        mem::swap(&mut inbox.messages, into);
    }

    /// Waits until there is more to look at than at the last [`receive`](Self::receive). The only waiter is the driver.
    pub(super) fn poll_bell(&self, cx: &Context<'_>) -> Poll<()> {
        let mut inbox = self.lock();
        if mem::take(&mut inbox.rung) {
            return Poll::Ready(());
        }
        if inbox.driver.as_ref().is_some_and(|driver| driver.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        let before = inbox.driver.replace(cx.waker().clone());
        drop(inbox);
        // It can be the last reference to the task of a driver that has moved to another runtime.
        drop(before);
        Poll::Pending
    }

    /// Forgets the driver, which waits no more.
    pub(super) fn hang_up(&self) {
        let driver = self.lock().driver.take();
        drop(driver);
    }

    pub(super) fn note_of_task(&self, group: &GroupRef, task: TaskId, key: Key, epoch: Epoch, note: Note) {
        let is_it = |member: &Member| matches!(member, Member::Task(cell) if cell.id() == task);
        if let Some(outcome) = self.note_if(key, epoch, note, is_it) {
            group.end(outcome);
        }
    }

    /// Sends a note of a nested group. If this group has no driver and the note is the end of its last member, returns
    /// the outcome with which this group must end.
    #[must_use = "the end of a group is not told within that of another: groups nest deeply"]
    pub(super) fn note_of_group(&self, group: &GroupRef, key: Key, epoch: Epoch, note: Note) -> Option<TaskOutcome> {
        let is_it = |member: &Member| matches!(member, Member::Group(other) if other.ptr_eq(group));
        self.note_if(key, epoch, note, is_it)
    }

    fn note_if(&self, key: Key, epoch: Epoch, note: Note, is_it: impl FnOnce(&Member) -> bool) -> Option<TaskOutcome> {
        let mut inbox = self.lock();
        if !inbox.members.get(key).is_some_and(is_it) {
            return None;
        }
        if let Note::Ended(_) = note {
            if inbox.orphans.is_some() {
                return Orphans::ended(&mut inbox.orphans, key);
            }
        }
        self.ring(inbox, Input::Note { key, epoch, note }, None);
        None
    }

    pub(super) fn open_gate(&self, epoch: Epoch) {
        self.send(Input::Release(epoch), None);
    }

    /// Records that a stop of the group has begun: no attempt begins in it until its next run.
    pub(super) fn mark_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Records that the group is ready.
    pub(super) fn passes(&self) {
        self.passed.store(true, Ordering::Release);
    }

    /// Returns `true` if the group has been ready since its parent started it.
    pub(super) fn has_passed(&self) -> bool {
        self.passed.load(Ordering::Acquire)
    }

    /// Returns the group and the groups around it, from the inside out.
    pub(in crate::runtime) fn with_parents(&self) -> impl Iterator<Item = &Self> {
        successors(Some(self), |group| Some(&*group.position.as_ref()?.parent))
    }

    /// Wakes the driver, which checks its messages and waits again.
    pub(in crate::runtime) fn ring_bell(&self) {
        Self::wake(self.lock());
    }

    /// Returns another runtime on which members run, if there is one, as the next runtime of the driver.
    pub(super) fn next_runtime(&self) -> Option<Handle> {
        let next = self.take_elsewhere().or_else(|| self.runtime_below())?;
        let before = mem::replace(&mut self.lock().home, next.clone());
        drop(before);
        Some(next)
    }

    /// Returns a runtime of the members, and forgets it, as the driver moves there.
    fn take_elsewhere(&self) -> Option<Handle> {
        let mut inbox = self.lock();
        let first = *inbox.elsewhere.keys().min()?;
        let next = inbox.elsewhere.remove(&first)?;
        inbox.elsewhere.retain(|_, other| other.id() != next.id());
        Some(next)
    }

    /// Returns a runtime of the groups in this one: that of a driver, or of a member.
    fn runtime_below(&self) -> Option<Handle> {
        if !self.core.has_elsewhere.load(Ordering::Relaxed) {
            return None;
        }
        let mut open = self.groups();
        while let Some(group) = open.pop() {
            let inbox = group.lock();
            let runtimes: Vec<_> = once(&inbox.home).chain(inbox.elsewhere.values()).cloned().collect();
            drop(inbox);
            // One that ends accepts no tasks.
            let next = runtimes.into_iter().find(is_alive);
            if next.is_some() {
                return next;
            }
            open.extend(group.groups());
        }
        None
    }

    /// Returns the nested groups that have not ended.
    fn groups(&self) -> Vec<GroupRef> {
        let groups = self.members().into_iter().filter(|(_, member)| !member.has_ended());
        groups.filter_map(|(_, member)| if let Member::Group(group) = member { Some(group) } else { None }).collect()
    }
}
