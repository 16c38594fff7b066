//! The shared state of a group, and its mailbox.
//!
//! The lock of the mailbox guards the messages and the children. It is taken after the registry's lock and before the
//! lock of a cell. No second mailbox is locked under a mailbox, so the lock cannot deadlock. No user code runs and no
//! user value is dropped under it: members, failures and outcomes are handed out, and the caller drops them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::iter::successors;
use std::mem;
#[cfg(feature = "fleet")]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::{self, Handle};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::super::clock::{Ticks, after};
use super::super::core::Core;
#[cfg(feature = "fleet")]
use super::super::fleet::Seat;
use super::super::permits::Shared;
use super::super::task::{ABORT, Cell, StopBy};
use super::children::{ByKey, Epoch, Key};
use super::machine::Input;
use super::member::Member;
use super::orphan::Orphans;
use super::plan::{End, Note};
use super::shared::GroupRef;
use crate::events::{Event, EventKind, Reason, millis};
use crate::inspect::{OutcomeKind, Problem, TaskId, TaskOutcome, TaskState, one_line};
use crate::panics::{Fenced, drop_caught};
use crate::policy::Critical;
#[cfg(feature = "cron")]
use crate::policy::ResolvedPolicy;
use crate::supervisor::RuntimeError;
use crate::sync::{Waiters, lock};
use crate::task::{StopKind, StopReason, TaskError};
use crate::tree::{Declared, Dynamic, FailureChain, Role, join, last_segment};

/// One registration of a group.
pub(crate) struct GroupCell {
    /// The path. Empty for the root.
    path: Arc<str>,
    pub(crate) declared: Arc<Declared>,
    pub(in crate::runtime) core: Arc<Core>,
    pub(in crate::runtime) position: Option<Position>,
    /// The permits of its `max_concurrent`.
    pub(in crate::runtime) permits: Option<Shared>,
    /// [`Inbox`] says when its lock is taken.
    inbox: Mutex<Inbox>,
    /// `true` from the request of a stop, hold or restart until the next run begins. The request is followed by those
    /// to all its tasks, so a task that finds `true` is woken by its own request.
    stopping: AtomicBool,
    /// `true` if the group has been ready since its parent started it.
    passed: AtomicBool,
    /// Notified when there are messages. Its only waiter is the driver.
    pub(super) bell: Notify,
    changed: Waiters,
    /// The path of the child that failed first in the current or last restart of siblings.
    ///
    /// The lock is a leaf: nothing else is locked, and no user code runs, under it, so it cannot deadlock.
    first_failed: Mutex<Arc<String>>,
    /// The places of `max_starting`.
    pub(in crate::runtime) starting: Option<Arc<Semaphore>>,
    /// `true` if the group or one around it has `max_starting`.
    pub(in crate::runtime) limits_starts: bool,
    /// The failure because of which the current run stops. The lock is a leaf, as that of `first_failed`.
    failing: Mutex<Option<Arc<FailureChain>>>,
    /// Its own place in the fleet.
    #[cfg(feature = "fleet")]
    pub(super) seat: Option<Arc<Seat>>,
    /// The number of grants since which nothing of it has run, when it was last to compete.
    #[cfg(feature = "fleet")]
    pub(super) idle_since: AtomicU64,
}

/// The position of a group in its parent.
pub(in crate::runtime) struct Position {
    pub(in crate::runtime) parent: GroupRef,
    pub(in crate::runtime) key: Key,
}

/// The messages to the driver of a group, and the deadline of a stop.
pub(super) struct Message {
    pub(super) input: Input,
    pub(super) by: Option<StopBy>,
}

#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other and of the state")]
pub(super) struct Inbox {
    pub(super) messages: VecDeque<Message>,
    /// The current registrations of the declared children, and of the added children that have not ended.
    members: ByKey<Member>,
    /// The key of the next added child.
    next_key: Key,
    state: TaskState,
    /// The start of the state, unless the group runs.
    since: Ticks,
    /// The time at which the driver starts the group or its children again, for snapshots; zero while it waits for none.
    due: Ticks,
    /// The number of runs.
    runs: u32,
    /// The number of consecutive failures.
    failures: u32,
    /// `true` if the current run has been ready.
    ready: bool,
    /// `true` while children can be added: until the group stops for good.
    open: bool,
    /// `true` if the group was requested to stop for good.
    stopped: bool,
    /// `true` if its parent requested that first. The parent decides whether the group comes back.
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
    /// The previous registrations of children that were registered again, until the driver has handled that. One of
    /// them can be the failure of the group.
    before: BTreeMap<Key, Member>,
    /// The added children that the group has stopped, and registers again at its next run, by their keys.
    returning: BTreeMap<Key, Arc<Cell>>,
    /// The runtime of its driver.
    home: runtime::Id,
    /// The runtimes of members on other runtimes.
    elsewhere: BTreeMap<Key, Handle>,
    /// The members that are waited for after the driver is gone.
    pub(super) orphans: Option<Orphans>,
}

/// What a group has left when it has ended, to be dropped with no lock held.
pub(in crate::runtime) struct Gone {
    #[expect(dead_code, reason = "it is only dropped")]
    members: (ByKey<Member>, BTreeMap<Key, Member>),
    #[expect(dead_code, reason = "it is only dropped")]
    runtimes: BTreeMap<Key, Handle>,
    /// The children that came too late.
    late: Vec<Member>,
    #[expect(dead_code, reason = "it is only dropped")]
    spare: Option<Fenced<TaskOutcome>>,
}

/// A group at one moment.
pub(in crate::runtime) struct SeenGroup {
    pub(in crate::runtime) state: TaskState,
    pub(in crate::runtime) restarts: u32,
    pub(in crate::runtime) failures: u32,
    /// `true` if its current run has been ready.
    pub(in crate::runtime) is_ready: bool,
    /// `true` while the function of a fresh group makes its children.
    pub(in crate::runtime) is_making: bool,
    pub(in crate::runtime) due: Option<Ticks>,
    pub(in crate::runtime) failure: Option<FailureChain>,
    pub(in crate::runtime) outcome: Option<OutcomeKind>,
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
        let since = if declared.is_fresh { core.clock.now() } else { Ticks::MAX };
        #[cfg(feature = "fleet")]
        let seat = core.seat_of(declared.overrides.singleton.as_ref(), &path);
        Self {
            permits: declared.max_concurrent.map(|bound| bound.permits(&core.limits, &path)),
            path,
            core,
            limits_starts: declared.max_starting().is_some()
                || position.as_ref().is_some_and(|at| at.parent.limits_starts),
            position,
            inbox: Mutex::new(Inbox {
                messages: VecDeque::new(),
                members: ByKey::default(),
                next_key: declared.first_added(),
                state: TaskState::Pending,
                since,
                due: 0,
                runs: 0,
                failures: 0,
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
                home: runtime.id(),
                elsewhere: BTreeMap::new(),
                orphans: None,
            }),
            stopping: AtomicBool::new(false),
            passed: AtomicBool::new(false),
            bell: Notify::new(),
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

    pub(super) fn note_of_task(&self, group: &GroupRef, task: TaskId, key: Key, epoch: Epoch, note: Note) {
        let is_it = |member: &Member| matches!(member, Member::Task(cell) if cell.id() == task);
        if let Some(outcome) = self.note_if(key, epoch, note, is_it) {
            group.end(outcome);
        }
    }

    /// Sends a note of a nested group. Returns the outcome with which this group must end, if it has no driver and that
    /// was the end of its last member.
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

    /// A stop of the group has begun: no attempt begins in it until its next run.
    pub(super) fn mark_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Notes that the group is ready.
    pub(super) fn passes(&self) {
        self.passed.store(true, Ordering::Release);
    }

    /// Returns `true` if the group has been ready since its parent started it.
    pub(super) fn has_passed(&self) -> bool {
        self.passed.load(Ordering::Acquire)
    }

    /// Returns the paths of the siblings that a child waits for; if there are none, those that a group around it waits
    /// for.
    pub(in crate::runtime) fn awaited_by(&self, key: Key) -> Vec<String> {
        let of_groups = self.with_parents().filter_map(|group| group.position.as_ref());
        let of_groups = of_groups.map(|Position { parent, key }| parent.unmet_by(*key));
        [self.unmet_by(key)].into_iter().chain(of_groups).find(|paths| !paths.is_empty()).unwrap_or_default()
    }

    /// Returns the paths of the siblings that the group waits for.
    pub(in crate::runtime) fn awaits(&self) -> Vec<String> {
        self.position.as_ref().map_or_else(Vec::new, |Position { parent, key }| parent.awaited_by(*key))
    }

    /// Returns the paths of the children that a declared child is after and that are not ready, in order. Children that
    /// have ended pass the order on.
    fn unmet_by(&self, key: Key) -> Vec<String> {
        let place = usize::try_from(key).unwrap_or(usize::MAX);
        let (mut unmet, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let declared = self.children();
        let mut open = declared.order.earlier(place).to_vec();
        while let Some(earlier) = open.pop() {
            if !seen.insert(earlier) {
                continue;
            }
            match self.member(Key::from(earlier)) {
                Some(member) if member.has_ended() => open.extend(declared.order.earlier(earlier as usize)),
                Some(member) if member.has_passed() => {}
                _ => drop(unmet.insert(earlier)),
            }
        }
        let path = |place: &u32| join(&self.path, &declared.children[*place as usize].name).to_string();
        unmet.iter().map(path).collect()
    }

    /// Returns the group and the groups around it, from the inside out.
    pub(in crate::runtime) fn with_parents(&self) -> impl Iterator<Item = &Self> {
        successors(Some(self), |group| Some(&*group.position.as_ref()?.parent))
    }

    /// Returns `true` if a stop of the group, or of a group around it, has begun.
    pub(in crate::runtime) fn is_stopping(&self) -> bool {
        self.with_parents().any(|group| group.stopping.load(Ordering::Acquire))
    }

    /// Returns `true` if other starts take all places of `max_starting`, of the group or one around it.
    pub(in crate::runtime) fn has_no_place(&self) -> bool {
        let is_full = |group: &Self| group.starting.as_ref().is_some_and(|places| places.available_permits() == 0);
        self.limits_starts && self.with_parents().any(is_full)
    }

    /// Returns `true` if the parent decides on the failures of the group.
    pub(super) fn is_managed(&self) -> bool {
        self.position.as_ref().is_some_and(|position| position.parent.declared.manages())
    }

    pub(super) fn stop_for_good(&self, epoch: Option<Epoch>, by: StopBy) -> bool {
        let mut inbox = self.lock();
        let first = inbox.state != TaskState::Ended && !mem::replace(&mut inbox.stopped, true);
        inbox.stopped_by_parent |= first && epoch.is_some();
        self.ring(inbox, Input::Stop(epoch), Some(by));
        first
    }

    /// Stops the group for good, within the supervisor's grace. Returns `true` for the first request.
    pub(crate) async fn cancel(&self, group: &GroupRef) -> Result<bool, RuntimeError> {
        let grace = self.core.config.grace;
        let first = self.stop_for_good(None, StopBy::within(grace));
        // A task of the group, or a task that the group waits for, would wait for itself.
        let Some(_wait) = self.core.enter_wait(|| Member::Group(group.clone())) else { return Ok(first) };
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

    /// Restarts the group, and waits until a run after that is ready. Returns `false` if it was refused, or the group
    /// has ended before.
    pub(crate) async fn restart_and_wait(&self, group: &GroupRef) -> bool {
        let runs = self.lock().runs;
        if !self.restart() {
            return false;
        }
        // A task of the group would wait for its own end.
        let Some(_wait) = self.core.enter_wait(|| Member::Group(group.clone())) else { return true };
        let look = || {
            let inbox = self.lock();
            let is_ready = inbox.ready && inbox.runs > runs;
            if is_ready { Some(true) } else { (inbox.state == TaskState::Ended).then_some(false) }
        };
        self.core.await_ready(look).await
    }

    /// The current run is ready.
    pub(super) fn set_ready(&self) {
        self.lock().ready = true;
        self.core.tell_ready();
    }

    pub(crate) fn state(&self) -> TaskState {
        let state = self.lock().state;
        self.shown(state)
    }

    /// Returns the public state, of this one of its own.
    #[cfg_attr(not(feature = "fleet"), expect(clippy::unused_self, reason = "there are no leases"))]
    pub(in crate::runtime) fn shown(&self, state: TaskState) -> TaskState {
        #[cfg(feature = "fleet")]
        if matches!(state, TaskState::Running | TaskState::Pending) && self.stands_by() {
            return TaskState::Standby;
        }
        state
    }

    /// Returns what a snapshot has of it, as of one moment.
    pub(in crate::runtime) fn seen(&self) -> SeenGroup {
        let inbox = self.lock();
        let is_ready = inbox.ready && inbox.state == TaskState::Running;
        SeenGroup {
            state: inbox.state,
            restarts: inbox.runs.saturating_sub(1),
            failures: inbox.failures,
            is_ready,
            is_making: inbox.making,
            due: (inbox.due > 0).then_some(inbox.due),
            failure: inbox.failure.clone(),
            outcome: inbox.outcome.as_deref().filter(|_| inbox.state == TaskState::Ended).map(TaskOutcome::kind),
        }
    }

    /// Returns the time at which the driver starts the group or its children again, if it waits for one.
    pub(in crate::runtime) fn due(&self) -> Option<Ticks> {
        let due = self.lock().due;
        (due > 0).then_some(due)
    }

    /// The group failed, so many times in a row, and starts again after this time. `due` is that time, if no parent decides
    /// when it begins.
    pub(super) fn fails(&self, error: &Arc<TaskError>, failures: u32, delay: Duration, due: Option<Duration>) {
        let mut inbox = self.lock();
        inbox.failures = failures;
        self.publish_failure(error, Some((failures, delay)));
        self.rests_as(&mut inbox, TaskState::Backoff, due);
    }

    /// The group failed, and does not start again.
    pub(super) fn fails_for_good(&self, error: &Arc<TaskError>) {
        let _in_order = self.lock();
        self.publish_failure(error, None);
    }

    /// Publishes a failure, and what follows. Called under the lock of the mailbox.
    fn publish_failure(&self, error: &Arc<TaskError>, next: Option<(u32, Duration)>) {
        if self.core.bus.is_active() {
            let (count, delay_ms) = next.map(|(failures, delay)| (u64::from(failures), millis(delay))).unzip();
            let event = Event { delay_ms, count, ..self.event(EventKind::GroupFailed) };
            self.core.bus.publish(event.because(Arc::clone(error)));
        }
    }

    /// Publishes the end. Called under the lock of the mailbox.
    fn publish_end(&self, outcome: &TaskOutcome) {
        if self.position.is_none() || !self.core.bus.is_active() {
            return;
        }
        let stop = if let TaskOutcome::Canceled { reason, .. } = outcome { Some(reason.clone()) } else { None };
        let error = outcome.error().map(|error| Reason::from(Arc::clone(error)));
        let reason = error.or_else(|| Some(stop.as_ref()?.to_string().into()));
        self.core.bus.publish(Event { reason, stop, ..self.event(EventKind::GroupEnded) });
    }

    fn event(&self, kind: EventKind) -> Event {
        Event::about(kind, &self.path)
    }

    /// Notes the time at which the driver starts the group or its children again.
    pub(super) fn is_due_at(&self, at: Option<Instant>) {
        self.lock().due = at.map_or(0, |at| self.core.clock.at(at).max(1));
    }

    pub(super) fn set_failures(&self, failures: u32) {
        self.lock().failures = failures;
    }

    /// Returns the number of runs after the first.
    #[cfg(feature = "test-util")]
    pub(super) fn restarts(&self) -> u32 {
        self.lock().runs.saturating_sub(1)
    }

    /// Returns the text of the last failure.
    pub(crate) fn failed_with(&self) -> Option<String> {
        self.failure().map(|failure| one_line(&failure))
    }

    pub(super) fn has_completed(&self) -> bool {
        matches!(self.lock().outcome.as_deref(), Some(TaskOutcome::Completed))
    }

    /// Returns the end with this outcome, for its parent.
    pub(super) fn end_of(&self, outcome: &TaskOutcome) -> End {
        let must_not_end = self.declared.overrides.critical == Some(Critical::AnyEnd);
        let is_undue = must_not_end && outcome.is_completed() && !self.core.is_stopping() && !self.is_stopping();
        if is_undue { End::Undue } else { End::of(Some(outcome)) }
    }

    /// Returns the last failure.
    pub(in crate::runtime) fn failure(&self) -> Option<FailureChain> {
        self.lock().failure.clone()
    }

    pub(super) fn set_failure(&self, failure: FailureChain) {
        let before = self.lock().failure.replace(failure);
        drop(before);
    }

    /// Returns the failure because of which the group stops, or a group around it.
    pub(in crate::runtime) fn failing(&self) -> Option<Arc<FailureChain>> {
        self.with_parents().find_map(|group| lock(&group.failing).clone())
    }

    /// Returns the failure because of which the group itself stops, as it was when the stop began.
    pub(super) fn own_failing(&self) -> Option<Arc<FailureChain>> {
        lock(&self.failing).clone()
    }

    pub(super) fn set_failing(&self, failure: Option<Arc<FailureChain>>) {
        let before = mem::replace(&mut *lock(&self.failing), failure);
        drop(before);
    }

    /// Returns `true` if the group registers added children again when it restarts. The root never restarts.
    pub(in crate::runtime) fn keeps_added(&self) -> bool {
        self.declared.dynamic == Dynamic::Keep && self.position.is_some()
    }

    /// Returns `true` if its parent stopped the group, and decides whether it comes back.
    pub(in crate::runtime) fn is_stopped_by_parent(&self) -> bool {
        self.lock().stopped_by_parent
    }

    /// Takes the children that come back with the next run.
    pub(in crate::runtime) fn take_returning(&self) -> BTreeMap<Key, Arc<Cell>> {
        mem::take(&mut self.lock().returning)
    }

    /// Returns the child of that name that comes back with the next run.
    pub(in crate::runtime) fn returning(&self, path: &str) -> Option<Arc<Cell>> {
        self.lock().returning.values().find(|cell| **cell.name() == *path).cloned()
    }

    /// Returns `true` if a child of that path comes back with the next run.
    pub(in crate::runtime) fn has_returning(&self, path: &str) -> bool {
        self.lock().returning.values().any(|cell| **cell.name() == *path)
    }

    /// Wakes the driver, which looks again at what it waits for.
    pub(in crate::runtime) fn ring_bell(&self) {
        self.bell.notify_one();
    }

    /// Returns the names of the children that come back with the next run.
    pub(in crate::runtime) fn returning_names(&self) -> Vec<Arc<str>> {
        self.lock().returning.values().map(|cell| Arc::clone(cell.name())).collect()
    }

    /// Returns the policies of these children, by their paths.
    #[cfg(feature = "cron")]
    pub(in crate::runtime) fn returning_policies(&self) -> Vec<(Arc<str>, Arc<ResolvedPolicy>)> {
        let policy = |cell: &Arc<Cell>| (Arc::clone(cell.name()), Arc::clone(cell.policy()));
        self.lock().returning.values().map(policy).collect()
    }

    /// Withdraws a child that would come back with the next run. Returns it, to be dropped with no lock held.
    pub(in crate::runtime) fn withdraw(&self, path: &str) -> Option<Arc<Cell>> {
        let mut inbox = self.lock();
        let (key, _) = inbox.returning.iter().find(|(_, cell)| **cell.name() == *path)?;
        let key = *key;
        inbox.returning.remove(&key)
    }

    /// Enters a child that comes back, under its key from before. The caller hands its role to the driver.
    pub(in crate::runtime) fn enter_returned(&self, key: Key, cell: &Arc<Cell>) {
        self.lock().members.added.insert(key, Member::Task(Arc::clone(cell)));
    }

    /// Takes over the children of the previous registration of the group that come back.
    pub(in crate::runtime) fn inherit(&self, before: &Self) {
        let (returning, next_key, made) = {
            let mut inbox = before.lock();
            (mem::take(&mut inbox.returning), inbox.next_key, inbox.made.clone())
        };
        let mut inbox = self.lock();
        (inbox.returning, inbox.next_key) = (returning, next_key.max(inbox.next_key));
        inbox.made = made;
    }

    /// Hands a child that came back to the driver, before the first run.
    pub(in crate::runtime) fn add_returned(&self, key: Key, child: Role) {
        self.send(Input::Add { key, child, takes_place: false }, None);
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
        let above = self.position.as_ref().and_then(|position| position.parent.failing());
        let reason = match (self.core.stop_kind(), above) {
            (Some(StopKind::Dropped), _) => StopReason::Dropped,
            (Some(_), _) => StopReason::Shutdown,
            (None, Some(chain)) => StopReason::GroupFailed { chain },
            (None, None) if by_parent() => StopReason::GroupStopped,
            (None, None) => StopReason::Canceled,
        };
        TaskOutcome::Canceled { error: None, reason, finished: false }
    }

    /// A run begins.
    pub(super) fn begins(&self) {
        self.set_failing(None);
        let mut inbox = self.lock();
        let restarts = u64::from(inbox.runs);
        if restarts > 0 && self.core.bus.is_active() {
            self.core.bus.publish(Event { count: Some(restarts), ..self.event(EventKind::GroupRestarted) });
        }
        // Another request can have come since: the driver handles it next.
        self.stopping.store(!inbox.open, Ordering::Release);
        inbox.state = if inbox.stopped { TaskState::Stopping } else { TaskState::Running };
        inbox.runs = inbox.runs.saturating_add(1);
        (inbox.ready, inbox.making, inbox.due) = (false, false, 0);
    }

    pub(super) fn set_state(&self, state: TaskState) {
        self.rests(state, None);
    }

    /// The group is in this state, and waits for this time if it is known.
    pub(super) fn rests(&self, state: TaskState, delay: Option<Duration>) {
        self.rests_as(&mut self.lock(), state, delay);
    }

    fn rests_as(&self, inbox: &mut Inbox, state: TaskState, delay: Option<Duration>) {
        (inbox.state, inbox.since) = (state, self.core.clock.now());
        inbox.due = delay.map_or(0, |delay| after(inbox.since, delay).max(1));
        inbox.making = false;
    }

    /// The function of a fresh group is called.
    pub(super) fn set_making(&self) {
        let mut inbox = self.lock();
        (inbox.state, inbox.since) = (TaskState::Running, self.core.clock.now());
        (inbox.making, inbox.ready, inbox.due) = (true, false, 0);
    }

    /// Returns `true` while the function of a fresh group makes its children.
    pub(in crate::runtime) fn is_making(&self) -> bool {
        self.lock().making
    }

    /// Returns `true` if the group is down, and starts again.
    #[cfg(feature = "cron")]
    pub(in crate::runtime) fn starts_again(&self) -> bool {
        let inbox = self.lock();
        let is_down = !matches!(inbox.state, TaskState::Running | TaskState::Ended);
        is_down && inbox.open && !inbox.stopped && !self.core.is_stopping()
    }

    /// Returns the problem of a group that waits for its next run, and since when. Its tasks are not registered then.
    pub(in crate::runtime) fn waits_for_run(&self) -> Option<(Problem, Ticks)> {
        let inbox = self.lock();
        let has_none = inbox.runs > 0 || self.declared.is_fresh;
        let waits = has_none && matches!(inbox.state, TaskState::Backoff | TaskState::Pending | TaskState::Paused);
        let problem =
            if inbox.making { Some(Problem::Making) } else { waits.then_some(Problem::NotReady(inbox.state)) };
        problem.map(|problem| (problem, inbox.since))
    }

    /// Returns the group with its declared children; of a fresh group, those of the current or last run.
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
    pub(super) fn forget_made(&self) {
        if self.declared.is_fresh {
            let made = self.lock().made.clone();
            if let Some(made) = made {
                made.forget_own_tasks();
            }
        }
    }

    /// Reserves the names of the declared children until they are registered again.
    pub(super) fn reserve(&self) {
        self.lock().reserved = true;
    }

    /// Closes the group for new children and restarts. With `if_idle`, this fails if there are some that the driver does
    /// not know yet.
    pub(super) fn close(&self, if_idle: bool) -> bool {
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

    pub(super) fn member(&self, key: Key) -> Option<Member> {
        self.lock().members.get(key).cloned()
    }

    /// Sets the registered declared children, and drops the notes of the previous ones. Returns the previous ones, to
    /// be dropped with no lock held.
    pub(in crate::runtime) fn set_members(&self, members: Vec<Member>) -> Vec<Member> {
        let mut inbox = self.lock();
        // The names of the last run are taken until the children of the next are known.
        inbox.reserved = self.declared.is_fresh && inbox.reserved;
        let first_added = self.declared.first_added();
        inbox.messages.retain(|message| !message.input.is_of_declared(first_added));
        let mut gone = mem::replace(&mut inbox.members.declared, members);
        gone.extend(mem::take(&mut inbox.before).into_values());
        gone
    }

    /// Removes an added child that has ended. It is kept if it comes back with the next run.
    pub(super) fn forget(&self, key: Key) {
        let mut inbox = self.lock();
        let gone = (inbox.members.added.remove(&key), inbox.elsewhere.remove(&key));
        if let Some(Member::Task(cell)) = &gone.0 {
            let has_place = || inbox.children(&self.declared).place(last_segment(cell.name())).is_some();
            if cell.was_added() && cell.keeps_task() && !has_place() {
                inbox.returning.insert(key, Arc::clone(cell));
            }
        }
        drop(inbox);
        drop(gone);
    }

    /// Checks that a child of that name can be added. A later [`adopt`](Self::adopt) can fail all the same, if the group
    /// stops for good in the meantime.
    pub(in crate::runtime) fn check_takes(&self, name: &str) -> Result<(), RuntimeError> {
        self.check_runs()?;
        self.check_is_open()?;
        let inbox = self.lock();
        let takes_place = inbox.children(&self.declared).place(name).is_some();
        if (inbox.reserved && takes_place) || inbox.returns(name) {
            return Err(RuntimeError::TaskAlreadyExists { name: join(&self.path, name).to_string() });
        }
        Ok(())
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

    /// Returns the right to add a child of that name as the last. The caller holds the registry's lock, and runs no user
    /// code until the child is entered.
    pub(in crate::runtime) fn adopt(&self, name: &str) -> Result<Adoption<'_>, RuntimeError> {
        let mut inbox = self.lock();
        let takes_place = inbox.children(&self.declared).place(name).is_some();
        if !inbox.open || inbox.state == TaskState::Ended {
            return Err(RuntimeError::GroupNotRunning { name: self.shown_path().to_string() });
        }
        if (inbox.reserved && takes_place) || inbox.returns(name) {
            return Err(RuntimeError::TaskAlreadyExists { name: join(&self.path, name).to_string() });
        }
        let key = inbox.next_key;
        inbox.next_key += 1;
        Ok(Adoption { group: self, inbox, key, takes_place })
    }

    /// Returns the right to register a declared child again, which has ended. `None` if the group does not run, or waits
    /// for its next run, which registers the child.
    pub(in crate::runtime) fn readopt(&self, key: Key) -> Option<Adoption<'_>> {
        let inbox = self.lock();
        let runs = inbox.open && !inbox.reserved && inbox.orphans.is_none() && inbox.state != TaskState::Ended;
        runs.then_some(Adoption { group: self, inbox, key, takes_place: true })
    }

    /// Returns the failure of a child, or of its previous registration if the driver has not handled the new one.
    pub(super) fn failure_of(&self, key: Key, is_lost: bool) -> Option<FailureChain> {
        let inbox = self.lock();
        let member = inbox.before.get(&key).or_else(|| inbox.members.get(key)).cloned();
        drop(inbox);
        member.map(|member| member.failure(is_lost))
    }

    /// The driver has handled the new registration of a child.
    pub(super) fn forget_before(&self, key: Key) {
        let gone = self.lock().before.remove(&key);
        drop(gone);
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

    /// Ends the group, and removes its children. The caller holds the registry's lock, and has removed the group.
    pub(in crate::runtime) fn finish(&self, outcome: TaskOutcome) -> Gone {
        let mut inbox = self.lock();
        self.publish_end(&outcome);
        let outcome = Fenced::new(outcome);
        (inbox.state, inbox.open) = (TaskState::Ended, false);
        let late: Vec<_> = mem::take(&mut inbox.messages).iter().filter_map(|message| message.input.child()).collect();
        let late: Vec<_> = late.into_iter().filter_map(|key| inbox.members.get(key).cloned()).collect();
        let spare = if inbox.outcome.is_some() { Some(outcome) } else { inbox.outcome.replace(outcome) };
        Gone {
            members: (mem::take(&mut inbox.members), mem::take(&mut inbox.before)),
            runtimes: mem::take(&mut inbox.elsewhere),
            late,
            spare,
        }
    }

    /// Does the remaining work after the end: wakes its waiters. Called with no lock held.
    pub(in crate::runtime) fn has_finished(&self, gone: Gone) {
        for member in &gone.late {
            member.turn_away(self.core.config.grace);
        }
        drop(gone);
        #[cfg(feature = "fleet")]
        if let Some(seat) = &self.seat {
            seat.leaves();
        }
        self.changed.wake();
        self.core.tell_ready();
    }

    pub(crate) async fn outcome(&self) -> TaskOutcome {
        self.changed.wait(|| self.lock().outcome.as_deref().cloned()).await
    }
}

impl Inbox {
    /// Returns the group with its declared children, of which this is the declaration.
    fn children<'a>(&'a self, declared: &'a Arc<Declared>) -> &'a Arc<Declared> {
        self.made.as_ref().unwrap_or(declared)
    }

    /// Returns `true` if an added child of that name comes back with the next run.
    fn returns(&self, name: &str) -> bool {
        self.returning.values().any(|cell| last_segment(cell.name()) == name)
    }
}

impl Role {
    /// The role of a child that was added.
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
    /// Registers the child again, which runs on this runtime. `end` is the end of its previous registration.
    pub(in crate::runtime) fn enter_again(self, cell: &Arc<Cell>, runtime: &Handle, end: End) {
        let Self { group, mut inbox, key, .. } = self;
        let is_elsewhere = inbox.home != runtime.id();
        if is_elsewhere {
            inbox.elsewhere.insert(key, runtime.clone());
        }
        if let Some(member) = inbox.members.get_mut(key) {
            let before = mem::replace(member, Member::Task(Arc::clone(cell)));
            // Of two, the first can be the failure of the group; the caller keeps the second.
            inbox.before.entry(key).or_insert(before);
        }
        group.ring(inbox, Input::Again { key, end }, None);
        if is_elsewhere {
            group.tell_above(runtime);
        }
    }

    /// Adds the child, which runs on this runtime.
    pub(in crate::runtime) fn enter(self, cell: &Arc<Cell>, runtime: &Handle) {
        let Self { group, mut inbox, key, takes_place } = self;
        inbox.members.added.insert(key, Member::Task(Arc::clone(cell)));
        let is_elsewhere = inbox.home != runtime.id();
        if is_elsewhere {
            inbox.elsewhere.insert(key, runtime.clone());
        }
        let child = Role::of_added(cell);
        group.ring(inbox, Input::Add { key, child, takes_place }, None);
        if is_elsewhere {
            group.tell_above(runtime);
        }
    }
}
