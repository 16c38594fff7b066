//! What others see of a group, and write to it.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use super::super::alarm::deadline;
use super::super::cell::{ABORT, Bound, Cell};
use super::super::core::Core;
use super::plan::{Child, Index, Note};
use crate::causes::one_line;
use crate::failure::FailureChain;
use crate::group::Group;
use crate::outcome::TaskOutcome;
use crate::panics::drop_caught;
use crate::runtime_error::RuntimeError;
use crate::status::{TaskId, TaskState};
use crate::sync::lock;

/// One registration of a group.
pub(crate) struct GroupCell {
    /// The path; empty at the root.
    path: Arc<str>,
    pub(super) spec: Group,
    pub(super) core: Arc<Core>,
    pub(in crate::engine) place: Option<Place>,
    inbox: Mutex<Inbox>,
    pub(super) bell: Notify,
    changed: Notify,
}

/// The place of a group in its parent.
pub(in crate::engine) struct Place {
    pub(in crate::engine) parent: Arc<GroupCell>,
    pub(in crate::engine) index: Index,
    /// Its failures are the parent's to decide on.
    pub(in crate::engine) managed: bool,
}

/// A child of a group, as it is registered.
#[derive(Clone)]
pub(in crate::engine) enum Member {
    Task(Arc<Cell>),
    Group(Arc<GroupCell>),
}

/// What the driver of a group is told.
pub(super) enum Message {
    Note(Note),
    /// A child was added.
    Add(Child),
    /// The gate is open: the group starts.
    Release,
    /// The gate is open to a group that failed: it starts after its backoff.
    Resume,
    /// The group stops, to be started again.
    Hold(Bound),
    Stop(Bound),
    /// The group stops and starts again.
    Restart,
}

struct Inbox {
    messages: VecDeque<Message>,
    /// The children by their index; those that were added and have ended are let go.
    members: Vec<Option<Member>>,
    state: TaskState,
    /// How many runs began after the first.
    restarts: u32,
    began: bool,
    /// Children are taken.
    open: bool,
    /// How it failed last.
    failure: Option<FailureChain>,
    outcome: Option<TaskOutcome>,
}

impl GroupCell {
    pub(in crate::engine) fn new(path: Arc<str>, spec: Group, core: Arc<Core>, place: Option<Place>) -> Arc<Self> {
        Arc::new(Self {
            path,
            spec,
            core,
            place,
            inbox: Mutex::new(Inbox {
                messages: VecDeque::new(),
                members: Vec::new(),
                state: TaskState::Pending,
                restarts: 0,
                began: false,
                open: false,
                failure: None,
                outcome: None,
            }),
            bell: Notify::new(),
            changed: Notify::new(),
        })
    }

    pub(crate) fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// The path; at the root, where it is empty, the name.
    pub(in crate::engine) fn shown_path(&self) -> &Arc<str> {
        if self.path.is_empty() { &self.spec.name } else { &self.path }
    }

    pub(crate) fn spec(&self) -> &Group {
        &self.spec
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.inbox)
    }

    pub(super) fn send(&self, message: Message) {
        self.lock().messages.push_back(message);
        self.bell.notify_one();
    }

    pub(super) fn receive(&self) -> Option<Message> {
        self.lock().messages.pop_front()
    }

    /// A child that is a group has something to tell.
    pub(super) fn note(&self, note: Note) {
        self.send(Message::Note(note));
    }

    /// A task has something to tell, unless its place is another's by now.
    pub(in crate::engine) fn note_of(&self, task: TaskId, index: Index, note: Note) {
        {
            let mut inbox = self.lock();
            match inbox.members.get(index) {
                Some(Some(Member::Task(cell))) if cell.id() == task => {}
                _ => return,
            }
            inbox.messages.push_back(Message::Note(note));
        }
        self.bell.notify_one();
    }

    pub(in crate::engine) fn release(&self) {
        self.send(Message::Release);
    }

    pub(in crate::engine) fn stop(&self, bound: Bound) {
        self.send(Message::Stop(bound));
    }

    /// Stops the group for good, within the supervisor's grace.
    pub(crate) async fn cancel(&self) -> Result<(), RuntimeError> {
        let grace = self.core.config.grace;
        self.stop(Bound::within(grace));
        let ended = async { drop(self.outcome().await) };
        match deadline(grace.saturating_add(ABORT)) {
            None => ended.await,
            Some(deadline) => {
                if self.core.timeout_at(deadline, ended).await.is_err() {
                    return Err(RuntimeError::TaskRemoveTimeout { name: self.path.to_string(), timeout: grace });
                }
            }
        }
        Ok(())
    }

    /// Stops the group and starts it again. False if it has ended.
    pub(crate) fn restart(&self) -> bool {
        let ended = self.lock().state == TaskState::Ended;
        if !ended {
            self.send(Message::Restart);
        }
        !ended
    }

    pub(crate) fn state(&self) -> TaskState {
        self.lock().state
    }

    pub(crate) fn restarts(&self) -> u32 {
        self.lock().restarts
    }

    /// How it failed last, in words.
    pub(crate) fn failed_with(&self) -> Option<String> {
        // The error in it is the user's: formatted and dropped with no lock held.
        let failure = self.lock().failure.clone()?;
        let line = one_line(&failure);
        let _ = drop_caught(failure);
        Some(line)
    }

    /// A run begins.
    pub(super) fn begins(&self) {
        let mut inbox = self.lock();
        inbox.state = TaskState::Running;
        inbox.open = true;
        inbox.restarts += u32::from(std::mem::replace(&mut inbox.began, true));
    }

    pub(super) fn set_state(&self, state: TaskState) {
        self.lock().state = state;
    }

    pub(super) fn set_failure(&self, failure: FailureChain) {
        self.lock().failure = Some(failure);
    }

    pub(super) fn set_open(&self, open: bool) {
        self.lock().open = open;
    }

    pub(in crate::engine) fn members(&self) -> Vec<Member> {
        self.lock().members.iter().flatten().cloned().collect()
    }

    /// Gives back those that there were before, to be dropped with no lock held.
    pub(in crate::engine) fn set_members(&self, members: Vec<Member>) -> Vec<Member> {
        let members = members.into_iter().map(Some).collect();
        let before = std::mem::replace(&mut self.lock().members, members);
        before.into_iter().flatten().collect()
    }

    /// Lets go of a child that was added and has ended.
    pub(super) fn forget(&self, index: Index) {
        let gone = if index < self.spec.children.len() {
            None
        } else {
            self.lock().members.get_mut(index).and_then(Option::take)
        };
        drop(gone);
    }

    /// Takes no more children; gives back those that were taken and that no plan knows of.
    pub(super) fn close(&self) -> Vec<Member> {
        let mut inbox = self.lock();
        inbox.open = false;
        let adds = inbox.messages.iter().filter(|message| matches!(message, Message::Add(_))).count();
        inbox.messages.retain(|message| !matches!(message, Message::Add(_)));
        let known = inbox.members.len() - adds;
        inbox.members[known..].iter().flatten().cloned().collect()
    }

    /// Messages that came too early are taken again.
    pub(super) fn take_again(&self, early: Vec<Message>) {
        let mut inbox = self.lock();
        early.into_iter().rev().for_each(|message| inbox.messages.push_front(message));
    }

    pub(super) fn member(&self, index: Index) -> Option<Member> {
        self.lock().members.get(index).cloned().flatten()
    }

    /// Takes a child at the end, if children are taken; `make` is given its index.
    pub(in crate::engine) fn adopt<E>(&self, closed: E, make: impl FnOnce(Index) -> Arc<Cell>) -> Result<Arc<Cell>, E> {
        let mut inbox = self.lock();
        if !inbox.open {
            return Err(closed);
        }
        let cell = make(inbox.members.len());
        inbox.members.push(Some(Member::Task(Arc::clone(&cell))));
        let settings = cell.settings();
        let child = Child { after: Vec::new(), critical: settings.critical, significant: settings.significant };
        inbox.messages.push_back(Message::Add(child));
        drop(inbox);
        self.bell.notify_one();
        Ok(cell)
    }

    /// The group is over: it lets go of its children, and tells those who wait.
    pub(in crate::engine) fn finish(&self, outcome: TaskOutcome) {
        let members = {
            let mut inbox = self.lock();
            inbox.state = TaskState::Ended;
            inbox.open = false;
            inbox.outcome.get_or_insert(outcome);
            inbox.messages.clear();
            std::mem::take(&mut inbox.members)
        };
        drop(members);
        self.changed.notify_waiters();
    }

    pub(crate) async fn outcome(&self) -> TaskOutcome {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(outcome) = self.lock().outcome.clone() {
                return outcome;
            }
            changed.await;
        }
    }
}

impl Member {
    pub(super) fn release(&self) {
        match self {
            Self::Task(cell) => cell.release(),
            Self::Group(group) => group.send(Message::Release),
        }
    }

    pub(super) fn resume(&self) {
        match self {
            Self::Task(cell) => cell.resume(),
            Self::Group(group) => group.send(Message::Resume),
        }
    }

    pub(super) fn hold(&self, bound: Bound) {
        match self {
            Self::Task(cell) => cell.hold(cell.bound_of_stop(bound)),
            Self::Group(group) => group.send(Message::Hold(bound)),
        }
    }

    pub(super) fn stop(&self, bound: Bound) {
        match self {
            Self::Task(cell) => {
                cell.stop(cell.bound_of_stop(bound), false);
            }
            Self::Group(group) => group.send(Message::Stop(bound)),
        }
    }

    /// How it failed last.
    pub(super) fn failure(&self) -> FailureChain {
        match self {
            Self::Task(cell) => FailureChain::leaf(cell.name(), cell.last_error()),
            Self::Group(group) => {
                group.lock().failure.clone().unwrap_or_else(|| FailureChain::leaf(group.path(), None))
            }
        }
    }

    /// How many layers a stop of it has.
    pub(super) fn layers(&self) -> u32 {
        match self {
            Self::Task(_) => 1,
            Self::Group(group) => group.spec.layers(),
        }
    }
}
