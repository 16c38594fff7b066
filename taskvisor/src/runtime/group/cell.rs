//! The shared state of a group, and its mailbox.
//!
//! The lock of the mailbox guards the messages and the children. It is taken after the registry's lock and before the
//! lock of a cell. No second mailbox is locked under a mailbox, so the lock cannot deadlock. No user code runs and no
//! user value is dropped under it: members, failures and outcomes are handed out, and the caller drops them.

use std::collections::{BTreeMap, VecDeque};
use std::iter::successors;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::runtime::{self, Handle};
use tokio::sync::Notify;

use super::super::clock::Ticks;
use super::super::core::Core;
use super::super::permits::Permits;
use super::super::task::{ABORT, Cell, StopBy};
use super::children::{ByKey, Epoch, Key};
use super::machine::Input;
use super::member::Member;
use super::orphan::Orphans;
use super::plan::Note;
use crate::inspect::{TaskId, TaskOutcome, TaskState, one_line};
use crate::panics::{Fenced, drop_caught};
use crate::supervisor::RuntimeError;
use crate::sync::{Waiters, lock};
use crate::task::{StopKind, StopReason};
use crate::tree::{Declared, FailureChain, Role, join};

/// One registration of a group.
pub(crate) struct GroupCell {
    /// The path. Empty for the root.
    path: Arc<str>,
    pub(in crate::runtime) declared: Arc<Declared>,
    pub(in crate::runtime) core: Arc<Core>,
    pub(in crate::runtime) position: Option<Position>,
    /// The permits of its `max_concurrent`.
    pub(in crate::runtime) permits: Option<Arc<Permits>>,
    inbox: Mutex<Inbox>,
    /// `true` from the request of a stop, hold or restart until the next run begins. The request is followed by those
    /// to all its tasks, so a task that finds `true` is woken by its own request.
    stopping: AtomicBool,
    /// Notified when there are messages. Its only waiter is the driver.
    pub(super) bell: Notify,
    changed: Waiters,
    /// The path of the child that failed first in the current or last restart of siblings.
    ///
    /// The lock is a leaf: nothing else is locked, and no user code runs, under it, so it cannot deadlock.
    first_failed: Mutex<Arc<String>>,
}

/// The position of a group in its parent.
pub(in crate::runtime) struct Position {
    pub(in crate::runtime) parent: Arc<GroupCell>,
    pub(in crate::runtime) key: Key,
}

/// The messages to the driver of a group, and the deadline of a stop.
pub(super) struct Message {
    pub(super) input: Input,
    pub(super) by: Option<StopBy>,
}

pub(super) struct Inbox {
    pub(super) messages: VecDeque<Message>,
    /// The current registrations of the declared children, and of the added children that have not ended.
    members: ByKey<Member>,
    /// The key of the next added child.
    next_key: Key,
    state: TaskState,
    /// The start of the state, unless the group runs.
    since: Ticks,
    /// The number of runs.
    runs: u32,
    /// `true` while children can be added: until the group stops for good.
    open: bool,
    /// `true` if the group was requested to stop for good.
    stopped: bool,
    /// `true` if the declared children are about to be registered again, so their names are taken.
    reserved: bool,
    /// The last failure, and its text.
    failure: Option<FailureChain>,
    outcome: Option<Fenced<TaskOutcome>>,
    /// The runtime of its driver.
    home: runtime::Id,
    /// The runtimes of members on other runtimes.
    elsewhere: BTreeMap<Key, Handle>,
    /// The members that are waited for after the driver is gone.
    pub(super) orphans: Option<Orphans>,
}

/// The right to add a child, with the mailbox locked.
pub(in crate::runtime) struct Adoption<'a> {
    group: &'a GroupCell,
    inbox: MutexGuard<'a, Inbox>,
    pub(in crate::runtime) key: Key,
    takes_place: bool,
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
        Self {
            permits: declared.max_concurrent.map(|limit| core.limits.of_group(&path, limit)),
            path,
            core,
            position,
            inbox: Mutex::new(Inbox {
                messages: VecDeque::new(),
                members: ByKey::default(),
                next_key: declared.children.len() as Key,
                state: TaskState::Pending,
                since: Ticks::MAX,
                runs: 0,
                open: true,
                stopped: false,
                reserved: false,
                failure: None,
                outcome: None,
                home: runtime.id(),
                elsewhere: BTreeMap::new(),
                orphans: None,
            }),
            stopping: AtomicBool::new(false),
            bell: Notify::new(),
            changed: Waiters::default(),
            first_failed: Mutex::default(),
            declared,
        }
    }

    pub(crate) fn path(&self) -> &Arc<str> {
        &self.path
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
        if inbox.orphans.is_some() || inbox.state == TaskState::Ended {
            return;
        }
        inbox.messages.push_back(Message { input, by });
        drop(inbox);
        self.bell.notify_one();
    }

    pub(super) fn send(&self, input: Input, by: Option<StopBy>) {
        self.ring(self.lock(), input, by);
    }

    /// Takes all messages. Frees the memory of a burst that is handled.
    pub(super) fn receive(&self, into: &mut VecDeque<Message>) {
        const KEPT: usize = 4;
        debug_assert!(into.is_empty(), "what was received before is handled first");
        into.shrink_to(KEPT);
        mem::swap(&mut self.lock().messages, into);
    }

    /// Sends a note of a task, unless another registration has its place by now.
    pub(in crate::runtime) fn note_of(self: &Arc<Self>, task: TaskId, key: Key, epoch: Epoch, note: Note) {
        let is_it = |member: &Member| matches!(member, Member::Task(cell) if cell.id() == task);
        if let Some(outcome) = self.note_if(key, epoch, note, is_it) {
            self.end(outcome);
        }
    }

    /// Sends a note of a nested group. Returns the outcome with which this group must end, if it has no driver and that
    /// was the end of its last member.
    #[must_use = "the end of a group is not told within that of another: groups nest deeply"]
    pub(super) fn note_of_group(&self, group: &Arc<Self>, key: Key, epoch: Epoch, note: Note) -> Option<TaskOutcome> {
        let is_it = |member: &Member| matches!(member, Member::Group(other) if Arc::ptr_eq(other, group));
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

    pub(in crate::runtime) fn release(&self, epoch: Epoch) {
        self.send(Input::Release(epoch), None);
    }

    /// A stop of the group has begun: no attempt begins in it until its next run.
    pub(super) fn mark_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Returns the group and the groups around it, from the inside out.
    pub(in crate::runtime) fn with_parents(&self) -> impl Iterator<Item = &Self> {
        successors(Some(self), |group| Some(&*group.position.as_ref()?.parent))
    }

    /// Returns `true` if a stop of the group, or of a group around it, has begun.
    pub(in crate::runtime) fn is_stopping(&self) -> bool {
        self.with_parents().any(|group| group.stopping.load(Ordering::Acquire))
    }

    /// Returns `true` if the parent decides on the failures of the group.
    pub(super) fn is_managed(&self) -> bool {
        self.position.as_ref().is_some_and(|position| position.parent.declared.manages())
    }

    /// Stops the group for good, with an epoch if the parent does. Returns `true` for the first request.
    pub(in crate::runtime) fn stop(&self, epoch: Option<Epoch>, by: StopBy) -> bool {
        let mut inbox = self.lock();
        let first = inbox.state != TaskState::Ended && !mem::replace(&mut inbox.stopped, true);
        self.ring(inbox, Input::Stop(epoch), Some(by));
        first
    }

    /// Stops the group for good, within the supervisor's grace. Returns `true` for the first request.
    pub(crate) async fn cancel(self: &Arc<Self>) -> Result<bool, RuntimeError> {
        let grace = self.core.config.grace;
        let first = self.stop(None, StopBy::within(grace));
        // A task of the group, or a task that the group waits for, would wait for itself.
        let Some(_wait) = self.core.enter_wait(|| Member::Group(Arc::clone(self))) else { return Ok(first) };
        let ended = async { drop(drop_caught(self.outcome().await)) };
        match self.core.timeout(grace.saturating_add(ABORT), ended).await {
            Some(()) => Ok(first),
            None => Err(RuntimeError::TaskRemoveTimeout { name: self.path.to_string(), timeout: grace }),
        }
    }

    /// Stops the group and starts it again. Returns `false` if it has ended or stops for good.
    pub(crate) fn restart(&self) -> bool {
        let inbox = self.lock();
        let restarts = inbox.open && inbox.state != TaskState::Ended;
        if restarts {
            self.ring(inbox, Input::Restart, Some(StopBy::within(self.core.config.grace)));
        }
        restarts
    }

    pub(crate) fn state(&self) -> TaskState {
        self.lock().state
    }

    pub(crate) fn restarts(&self) -> u32 {
        self.lock().runs.saturating_sub(1)
    }

    /// Returns the text of the last failure.
    pub(crate) fn failed_with(&self) -> Option<String> {
        self.failure().map(|failure| one_line(&failure))
    }

    /// Returns the last failure.
    pub(super) fn failure(&self) -> Option<FailureChain> {
        self.lock().failure.clone()
    }

    pub(super) fn set_failure(&self, failure: FailureChain) {
        let before = self.lock().failure.replace(failure);
        drop(before);
    }

    /// Returns the path of the child that failed first in the current or last restart of siblings.
    pub(in crate::runtime) fn first_failed(&self) -> Arc<String> {
        Arc::clone(&lock(&self.first_failed))
    }

    pub(super) fn set_first_failed(&self, path: &str) {
        let path = Arc::new(path.to_owned());
        drop(mem::replace(&mut *lock(&self.first_failed), path));
    }

    /// Returns the outcome of a group that was requested to stop.
    pub(super) fn canceled(&self) -> TaskOutcome {
        let by_parent = || self.position.as_ref().is_some_and(|position| position.parent.is_stopping());
        let reason = match self.core.stop_kind() {
            Some(StopKind::Dropped) => StopReason::Dropped,
            Some(_) => StopReason::Shutdown,
            None if by_parent() => StopReason::GroupStopped,
            None => StopReason::Canceled,
        };
        TaskOutcome::Canceled { error: None, reason, finished: false }
    }

    /// A run begins.
    pub(super) fn begins(&self) {
        let mut inbox = self.lock();
        // Another request can have come since: the driver handles it next.
        self.stopping.store(!inbox.open, Ordering::Release);
        inbox.state = if inbox.stopped { TaskState::Stopping } else { TaskState::Running };
        inbox.runs = inbox.runs.saturating_add(1);
    }

    pub(super) fn set_state(&self, state: TaskState) {
        let mut inbox = self.lock();
        (inbox.state, inbox.since) = (state, self.core.clock.now());
    }

    /// Returns the state of a group that waits for its next run, and since when. Its tasks are not registered then.
    pub(in crate::runtime) fn waits_for_run(&self) -> Option<(TaskState, Ticks)> {
        let inbox = self.lock();
        let waits = inbox.runs > 0 && matches!(inbox.state, TaskState::Backoff | TaskState::Pending);
        waits.then_some((inbox.state, inbox.since))
    }

    /// Reserves the names of the declared children until they are registered again.
    pub(super) fn reserve(&self) {
        self.lock().reserved = true;
    }

    /// Closes the group for new children. With `if_idle`, this fails if there are added children that the driver does
    /// not know yet.
    pub(super) fn close(&self, if_idle: bool) -> bool {
        let mut inbox = self.lock();
        let adds = |message: &Message| matches!(message.input, Input::Add { .. });
        if if_idle && inbox.messages.iter().any(adds) {
            return false;
        }
        inbox.open = false;
        true
    }

    pub(in crate::runtime) fn members(&self) -> Vec<(Key, Member)> {
        self.lock().members.from(0).map(|(key, member)| (key, member.clone())).collect()
    }

    pub(super) fn member(&self, key: Key) -> Option<Member> {
        self.lock().members.get(key).cloned()
    }

    /// Sets the registered declared children, and drops the notes of the previous ones. Returns the previous ones, to
    /// be dropped with no lock held.
    pub(in crate::runtime) fn set_members(&self, members: Vec<Member>) -> Vec<Member> {
        let mut inbox = self.lock();
        inbox.reserved = false;
        let count = members.len() as Key;
        inbox.messages.retain(|message| !matches!(message.input, Input::Note { key, .. } if key < count));
        mem::replace(&mut inbox.members.declared, members)
    }

    /// Removes an added child that has ended.
    pub(super) fn forget(&self, key: Key) {
        let mut inbox = self.lock();
        let gone = (inbox.members.added.remove(&key), inbox.elsewhere.remove(&key));
        drop(inbox);
        drop(gone);
    }

    /// Returns the right to add a child of that name as the last. The caller holds the registry's lock, and runs no user
    /// code until the child is entered.
    pub(in crate::runtime) fn adopt(&self, name: &str) -> Result<Adoption<'_>, RuntimeError> {
        let takes_place = self.declared.place(name).is_some();
        let mut inbox = self.lock();
        if !inbox.open || inbox.state == TaskState::Ended {
            return Err(RuntimeError::GroupNotRunning { name: self.shown_path().to_string() });
        }
        if inbox.reserved && takes_place {
            return Err(RuntimeError::TaskAlreadyExists { name: join(&self.path, name).to_string() });
        }
        let key = inbox.next_key;
        inbox.next_key += 1;
        Ok(Adoption { group: self, inbox, key, takes_place })
    }

    /// The groups above can move to that runtime too, if their own ends.
    fn tell_above(&self, runtime: &Handle) {
        let mut position = self.position.as_ref();
        while let Some(Position { parent, key, .. }) = position {
            parent.lock().elsewhere.entry(*key).or_insert_with(|| runtime.clone());
            position = parent.position.as_ref();
        }
    }

    /// Drops the tasks that were kept for another start. Those of a nested group are kept, because it can start again
    /// with its parent. Called with no lock held.
    pub(super) fn forget_tasks(&self) {
        if self.position.as_ref().is_none_or(|position| position.parent.position.is_none()) {
            self.declared.forget_tasks();
        }
    }

    /// Returns another runtime on which members run, if there is one, as the next runtime of the driver.
    pub(super) fn next_runtime(&self) -> Option<Handle> {
        let mut inbox = self.lock();
        let (_, next) = inbox.elsewhere.pop_first()?;
        inbox.elsewhere.retain(|_, other| other.id() != next.id());
        inbox.home = next.id();
        Some(next)
    }

    /// Ends the group: removes its children, and wakes its waiters.
    pub(in crate::runtime) fn finish(&self, outcome: TaskOutcome) {
        let outcome = Fenced::new(outcome);
        let mut inbox = self.lock();
        (inbox.state, inbox.open) = (TaskState::Ended, false);
        inbox.messages = VecDeque::new();
        let spare = if inbox.outcome.is_some() { Some(outcome) } else { inbox.outcome.replace(outcome) };
        let gone = (mem::take(&mut inbox.members), mem::take(&mut inbox.elsewhere), spare);
        drop(inbox);
        drop(gone);
        self.changed.wake();
    }

    pub(crate) async fn outcome(&self) -> TaskOutcome {
        self.changed.wait(|| self.lock().outcome.as_deref().cloned()).await
    }
}

impl Adoption<'_> {
    /// Adds the child, which runs on this runtime.
    pub(in crate::runtime) fn enter(self, cell: &Arc<Cell>, runtime: &Handle) {
        let Self { group, mut inbox, key, takes_place } = self;
        inbox.members.added.insert(key, Member::Task(Arc::clone(cell)));
        let is_elsewhere = inbox.home != runtime.id();
        if is_elsewhere {
            inbox.elsewhere.insert(key, runtime.clone());
        }
        let policy = cell.policy();
        let child = Role {
            critical: policy.critical,
            significant: policy.significant,
            layers: 1,
            uncounted: !policy.readiness,
        };
        group.ring(inbox, Input::Add { key, child, takes_place }, None);
        if is_elsewhere {
            group.tell_above(runtime);
        }
    }
}
