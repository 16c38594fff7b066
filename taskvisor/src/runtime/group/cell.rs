//! What others see of a group, and write to it.
//!
//! Lock order: registry, a group's inbox, cell. No other inbox is locked under an inbox. Under it nothing of the user's
//! runs or is dropped: members, failures and outcomes are handed out and dropped by the caller.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::runtime::{self, Handle};
use tokio::sync::Notify;

use super::super::core::Core;
use super::super::task::{ABORT, Cell, StopBy};
use super::super::timer::deadline;
use super::super::waits::Target;
use super::children::{Child, Epoch, Key};
use super::machine::Input;
use super::member::{Member, Members};
use super::orphan::Orphans;
use super::plan::Note;
use crate::inspect::{TaskId, TaskOutcome, TaskState, one_line};
use crate::panics::{drop_caught, drop_each};
use crate::supervisor::RuntimeError;
use crate::sync::{Waiters, lock};
use crate::tree::{Declared, FailureChain};

/// One registration of a group.
pub(crate) struct GroupCell {
    /// The path; empty at the root.
    path: Arc<str>,
    pub(super) declared: Arc<Declared>,
    pub(in crate::runtime) core: Arc<Core>,
    pub(in crate::runtime) place: Option<Place>,
    inbox: Mutex<Inbox>,
    /// Rings when there are messages. Its only waiter is the driver.
    pub(super) bell: Notify,
    changed: Waiters,
}

/// The place of a group in its parent.
pub(in crate::runtime) struct Place {
    pub(in crate::runtime) parent: Arc<GroupCell>,
    pub(in crate::runtime) key: Key,
    /// Its failures are the parent's to decide on.
    pub(in crate::runtime) managed: bool,
}

/// What the driver of a group is told, and by when that is to be done if it is a stop.
pub(super) struct Message {
    pub(super) input: Input,
    pub(super) by: Option<StopBy>,
}

/// Why an added task is refused, if it is.
pub(in crate::runtime) enum Refused {
    /// The group is being stopped for good, or has ended.
    Closed,
    /// The name is that of a declared child, which is started again soon.
    Taken,
}

struct Inbox {
    messages: VecDeque<Message>,
    members: Members,
    state: TaskState,
    /// How many runs began after the first.
    restarts: u32,
    began: bool,
    /// Children are taken: until it is stopped for good.
    open: bool,
    /// The declared children are to be registered anew: their names are taken.
    reserved: bool,
    /// How it failed last, and that in words.
    failure: Option<(FailureChain, Arc<str>)>,
    outcome: Option<TaskOutcome>,
    /// Where its driver runs.
    home: Option<runtime::Id>,
    /// The runtimes of members that run elsewhere.
    elsewhere: BTreeMap<Key, Handle>,
    /// The driver is gone, and these members are waited for.
    orphans: Option<Orphans>,
}

impl GroupCell {
    /// A group whose declared children are about to be registered.
    pub(in crate::runtime) fn new(
        path: Arc<str>,
        declared: Arc<Declared>,
        core: Arc<Core>,
        place: Option<Place>,
        runtime: &Handle,
    ) -> Self {
        Self {
            path,
            core,
            place,
            inbox: Mutex::new(Inbox {
                messages: VecDeque::new(),
                members: Members::new(declared.children.len()),
                state: TaskState::Pending,
                restarts: 0,
                began: false,
                open: true,
                reserved: false,
                failure: None,
                outcome: None,
                home: Some(runtime.id()),
                elsewhere: BTreeMap::new(),
                orphans: None,
            }),
            bell: Notify::new(),
            changed: Waiters::default(),
            declared,
        }
    }

    pub(crate) fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// The path; at the root, where it is empty, the name.
    pub(in crate::runtime) fn shown_path(&self) -> &Arc<str> {
        if self.path.is_empty() { &self.declared.name } else { &self.path }
    }

    pub(in crate::runtime) fn declared(&self) -> &Arc<Declared> {
        &self.declared
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.inbox)
    }

    fn ring(&self, mut inbox: MutexGuard<'_, Inbox>, input: Input, by: Option<StopBy>) {
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

    /// All that came since.
    pub(super) fn receive(&self, into: &mut VecDeque<Message>) {
        debug_assert!(into.is_empty(), "what was received before is handled first");
        mem::swap(&mut self.lock().messages, into);
    }

    /// A task has something to report, unless its place is another's by now.
    pub(in crate::runtime) fn note_of(self: &Arc<Self>, task: TaskId, key: Key, epoch: Epoch, note: Note) {
        let is_it = |member: &Member| matches!(member, Member::Task(cell) if cell.id() == task);
        if self.note_if(key, epoch, note, is_it) {
            self.end_of_orphans();
        }
    }

    /// A group in it has something to report. Whether the caller is to see to the [end](Self::end_of_orphans) of this
    /// one.
    #[must_use = "the end of a group is not told within that of another: groups nest deeply"]
    pub(super) fn note_of_group(&self, group: &Arc<Self>, key: Key, epoch: Epoch, note: Note) -> bool {
        let is_it = |member: &Member| matches!(member, Member::Group(other) if Arc::ptr_eq(other, group));
        self.note_if(key, epoch, note, is_it)
    }

    fn note_if(&self, key: Key, epoch: Epoch, note: Note, is_it: impl FnOnce(&Member) -> bool) -> bool {
        let mut inbox = self.lock();
        if !inbox.members.get(key).is_some_and(is_it) {
            return false;
        }
        if let Some(orphans) = &mut inbox.orphans {
            return matches!(note, Note::Ended(_)) && orphans.ended(key);
        }
        self.ring(inbox, Input::Note { key, epoch, note }, None);
        false
    }

    pub(in crate::runtime) fn release(&self, epoch: Epoch) {
        self.send(Input::Release(epoch), None);
    }

    pub(super) fn resume(&self, epoch: Epoch) {
        self.send(Input::Resume(epoch), None);
    }

    pub(super) fn hold(&self, epoch: Epoch, by: StopBy) {
        self.send(Input::Hold(epoch), Some(by));
    }

    /// No attempt in it is to begin any more.
    pub(super) fn retire(&self) {
        let mut inbox = self.lock();
        inbox.open = false;
        self.ring(inbox, Input::Retire, None);
    }

    /// Stops the group for good. Whether this was the first request.
    pub(in crate::runtime) fn stop(&self, by: StopBy) -> bool {
        self.stop_of(None, by)
    }

    /// As `stop`, where the parent requests it.
    pub(super) fn stop_of(&self, epoch: Option<Epoch>, by: StopBy) -> bool {
        let mut inbox = self.lock();
        let first = inbox.state != TaskState::Ended && !mem::replace(&mut inbox.members.stopped, true);
        inbox.open = false;
        self.ring(inbox, Input::Stop(epoch), Some(by));
        first
    }

    /// Stops the group for good, within the supervisor's grace. Whether this was the first request.
    pub(crate) async fn cancel(self: &Arc<Self>) -> Result<bool, RuntimeError> {
        let grace = self.core.config.grace;
        let first = self.stop(StopBy::within(grace));
        // A task of the group, or one that the group waits for, would wait for itself.
        let Some(_wait) = self.core.enter_wait(|| Target::Group(Arc::clone(self))) else { return Ok(first) };
        let ended = async { drop(drop_caught(self.outcome().await)) };
        match deadline(grace.saturating_add(ABORT)) {
            None => ended.await,
            Some(deadline) => {
                if self.core.timeout_at(deadline, ended).await.is_err() {
                    return Err(RuntimeError::TaskRemoveTimeout { name: self.path.to_string(), timeout: grace });
                }
            }
        }
        Ok(first)
    }

    /// Stops the group and starts it again. False if it has ended or is being stopped for good.
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
        self.lock().restarts
    }

    /// How it failed last, in words.
    pub(crate) fn failed_with(&self) -> Option<Arc<str>> {
        self.lock().failure.as_ref().map(|(_, text)| Arc::clone(text))
    }

    /// How it failed last.
    pub(super) fn failure(&self) -> Option<FailureChain> {
        self.lock().failure.as_ref().map(|(chain, _)| chain.clone())
    }

    /// Formats the failure once, inside the fence, and keeps both.
    pub(super) fn set_failure(&self, failure: FailureChain) {
        let text = one_line(&failure);
        let before = self.lock().failure.replace((failure, text.into()));
        let _ = drop_caught(before);
    }

    /// A run begins.
    pub(super) fn begins(&self) {
        let mut inbox = self.lock();
        inbox.state = if inbox.members.stopped { TaskState::Stopping } else { TaskState::Running };
        inbox.restarts = inbox.restarts.saturating_add(u32::from(mem::replace(&mut inbox.began, true)));
    }

    pub(super) fn set_state(&self, state: TaskState) {
        self.lock().state = state;
    }

    /// From now on the names of the declared children are taken, until they are registered anew.
    pub(super) fn reserve(&self) {
        self.lock().reserved = true;
    }

    /// Takes no more children, unless some were taken that the driver does not know of yet, and `if_idle` asks for
    /// that.
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
        self.lock().members.all()
    }

    pub(super) fn member(&self, key: Key) -> Option<Member> {
        self.lock().members.get(key).cloned()
    }

    /// Takes the declared children that were registered. What was reported by those before them is dropped. Gives those
    /// back, to be dropped with no lock held.
    pub(in crate::runtime) fn set_members(&self, members: Vec<Option<Member>>) -> Vec<Option<Member>> {
        let mut inbox = self.lock();
        inbox.reserved = false;
        let count = members.len() as Key;
        inbox.messages.retain(|message| !matches!(message.input, Input::Note { key, .. } if key < count));
        mem::replace(&mut inbox.members.declared, members)
    }

    /// Forgets a child that was added and has ended.
    pub(super) fn forget(&self, key: Key) {
        let (gone, handle) = {
            let mut inbox = self.lock();
            (inbox.members.remove_added(key), inbox.elsewhere.remove(&key))
        };
        drop(handle);
        let _ = drop_caught(gone);
    }

    /// Takes what is `offered` as a child at the end, if children are taken; `make` is given it and its key. The caller
    /// holds the registry's lock, and `make` runs nothing of the user's.
    pub(in crate::runtime) fn adopt<T>(
        &self,
        name: &str,
        runtime: &Handle,
        offered: &mut Option<T>,
        make: impl FnOnce(T, Key) -> Arc<Cell>,
    ) -> Result<Arc<Cell>, Refused> {
        let place = self.declared.place(name);
        let mut inbox = self.lock();
        if !inbox.open || inbox.state == TaskState::Ended {
            return Err(Refused::Closed);
        }
        if inbox.reserved && place.is_some() {
            return Err(Refused::Taken);
        }
        let Some(offered) = offered.take() else { return Err(Refused::Closed) };
        let key = inbox.members.next_key();
        let cell = make(offered, key);
        inbox.members.add(key, Member::Task(Arc::clone(&cell)));
        let is_elsewhere = inbox.home.is_some_and(|home| home != runtime.id());
        if is_elsewhere {
            inbox.elsewhere.insert(key, runtime.clone());
        }
        let settings = cell.settings();
        let child = Child {
            critical: settings.critical,
            significant: settings.significant,
            layers: 1,
            uncounted: !settings.readiness,
        };
        self.ring(inbox, Input::Add { key, child, takes_place: place.is_some() }, None);
        if is_elsewhere {
            self.tell_above(runtime);
        }
        Ok(cell)
    }

    /// The groups above go on there as well, should their own runtime end.
    fn tell_above(&self, runtime: &Handle) {
        let mut place = self.place.as_ref();
        while let Some(Place { parent, key, .. }) = place {
            parent.lock().elsewhere.entry(*key).or_insert_with(|| runtime.clone());
            place = parent.place.as_ref();
        }
    }

    /// The driver runs here from now on.
    pub(super) fn settle(&self, runtime: runtime::Id) {
        self.lock().home = Some(runtime);
    }

    /// Drops the tasks that are kept to be started again: the group is not. Those of a group in a group are kept, as
    /// that one may be started again, and this one with it. Called with no lock held.
    pub(super) fn forget_tasks(&self) {
        if self.place.as_ref().is_none_or(|place| place.parent.place.is_none()) {
            self.declared.forget_tasks();
        }
    }

    /// Another runtime on which members run, if there is one.
    pub(super) fn next_runtime(&self) -> Option<Handle> {
        let mut inbox = self.lock();
        let key = *inbox.elsewhere.first_key_value()?.0;
        let next = inbox.elsewhere.remove(&key)?;
        inbox.elsewhere.retain(|_, other| other.id() != next.id());
        Some(next)
    }

    /// The driver is gone: those members are waited for by whoever reports the end of the last.
    pub(super) fn set_orphans(&self, orphans: Orphans) {
        let mut inbox = self.lock();
        inbox.open = false;
        inbox.orphans = Some(orphans);
        let messages = mem::take(&mut inbox.messages);
        drop(inbox);
        drop(messages);
    }

    /// The members that are waited for without a driver.
    pub(super) fn orphans<T>(&self, look: impl FnOnce(&mut Option<Orphans>) -> T) -> T {
        look(&mut self.lock().orphans)
    }

    /// The group is over: forgets its children, and tells those who wait.
    pub(in crate::runtime) fn finish(&self, outcome: TaskOutcome) {
        let gone = {
            let mut inbox = self.lock();
            inbox.state = TaskState::Ended;
            inbox.open = false;
            let spare = if inbox.outcome.is_some() { Some(outcome) } else { inbox.outcome.replace(outcome) };
            (mem::take(&mut inbox.messages), inbox.members.take(), mem::take(&mut inbox.elsewhere), spare)
        };
        let (messages, members, elsewhere, spare) = gone;
        drop((messages, elsewhere));
        drop_each(members);
        let _ = drop_caught(spare);
        self.changed.wake();
    }

    pub(crate) async fn outcome(&self) -> TaskOutcome {
        self.changed.wait(|| self.lock().outcome.clone()).await
    }
}

impl Drop for GroupCell {
    /// The errors of the user's are dropped inside the fence.
    fn drop(&mut self) {
        let (failure, outcome) = {
            let mut inbox = self.lock();
            (inbox.failure.take(), inbox.outcome.take())
        };
        if failure.is_some() || outcome.is_some() {
            let _ = drop_caught((failure, outcome));
        }
    }
}
