//! The Tokio task that carries out the actions of a group's machine: one loop over one mailbox.

mod conclude;
mod make;
mod wait;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;

use self::make::Making;
use super::super::observe::{self, Background};
use super::super::task::{Cell, StopBy, Told};
use super::cell::Message;
use super::children::{Epoch, Key};
use super::machine::{Action, Input, Machine, Rules};
use super::member::Member;
use super::plan::{self, Note, RetryIn};
use super::shared::GroupRef;
use crate::inspect::{TaskOutcome, TaskState};
use crate::panics::{catch, drop_caught};
use crate::policy::{ResolvedPolicy, RestartPolicy};
use crate::supervisor::StopLimit;
use crate::task::TaskError;
use crate::tree::{FailureChain, Leaf};

/// The driver yields to other tasks after this many actions, or this time.
const ACTIONS: usize = 256;

const TURN: Duration = Duration::from_millis(1);

/// Returns the driver of a group, to be spawned. If it is dropped before its first poll, the group ends as well.
pub(super) fn drive(group: GroupRef) -> Background {
    go_on(Box::new(Live::new(group)))
}

/// Drives a group until it ends.
fn go_on(live: Box<Live>) -> Background {
    Box::pin(Driver { live: Some(live) }.run())
}

/// The state of a driver, which moves to another runtime if its own ends.
struct Driver {
    live: Option<Box<Live>>,
}

struct Live {
    group: GroupRef,
    machine: Machine,
    policy: ResolvedPolicy,
    /// The origin of the time of machine and plan.
    start: Instant,
    /// The begin of the current run.
    began: Instant,
    /// The number of consecutive failures.
    streak: u32,
    /// The time at which the group or its children start again, as recorded in the cell.
    due: Option<Duration>,
    /// The number of these failures that had a delay of their own.
    told: Told,
    /// The deadline of the current stop.
    stop_by: Option<StopBy>,
    /// The times from which on stopping children are no longer waited for, in order.
    given_up: VecDeque<(Instant, Vec<(Key, Epoch)>)>,
    messages: VecDeque<Message>,
    actions: VecDeque<Action>,
    /// The outcome, if it is known.
    outcome: Option<TaskOutcome>,
    /// `true` if the names of the declared children are kept for the next run.
    reserved: bool,
    /// The child whose failure is being handled.
    failed: Option<Key>,
    /// The start of a fresh group, until its children are registered.
    making: Making,
}

impl Driver {
    /// Runs until the group ends. After a panic, the members stop, and the end of the last ends the group.
    async fn run(mut self) {
        let Some(live) = &mut self.live else { return };
        let panicked = {
            let mut driving = pin!(live.run());
            poll_fn(|cx| match catch(|| driving.as_mut().poll(cx)) {
                Ok(polled) => polled.map(Ok),
                Err(panic) => Poll::Ready(Err(panic)),
            })
            .await
        };
        let group = live.group.clone();
        group.hang_up();
        let _ = drop_caught(self.live.take());
        if let Err(panic) = panicked {
            fail(&group, panic);
        }
    }
}

impl Drop for Driver {
    /// Handles the end of the runtime.
    fn drop(&mut self) {
        let Some(mut live) = self.live.take() else { return };
        let group = live.group.clone();
        group.hang_up();
        live.call_again();
        if let Some(next) = group.next_runtime() {
            observe::spawn(&next, go_on(live), |_| Arc::clone(group.shown_path()));
        } else {
            let _ = drop_caught(live);
            group.orphan(StopBy::now(StopLimit::Grace), TaskOutcome::Aborted { error: None });
        }
    }
}

/// Requests the children that came after the end of the run to stop, and waits until they have ended, so that their
/// names are free.
async fn turn_away(group: GroupRef, is_one: impl Fn(&Cell) -> bool) {
    let mut late = Vec::new();
    for (_, member) in group.members() {
        let Member::Task(cell) = &member else { continue };
        if !member.has_ended() && is_one(cell) {
            member.turn_away(group.core.config.grace);
            late.push(Arc::clone(cell));
        }
    }
    for cell in late {
        cell.is_gone().await;
    }
}

/// Like [`turn_away`], for groups.
async fn turn_away_groups(group: GroupRef) {
    for late in group.added_groups().into_values().filter(|late| late.state() != TaskState::Ended) {
        late.stop(None, StopBy::within(group.core.config.grace));
        let _ = drop_caught(late.outcome().await);
    }
}

/// Handles a panic of the driver: the group fails with that panic.
fn fail(group: &GroupRef, panic: TaskError) {
    let error = Arc::new(panic);
    let failure = FailureChain::leaf(group.shown_path(), Some(Arc::clone(&error)), Leaf::Failed);
    group.set_failure(failure.clone());
    if group.position.is_none() {
        group.core.tree_stops(Some(failure));
    }
    group.orphan(StopBy::within(group.core.config.grace), TaskOutcome::Panicked { error });
}

impl Live {
    fn new(group: GroupRef) -> Self {
        let policy = group.declared.overrides.resolve_group(&group.core.config);
        let machine = Machine::new(Rules {
            strategy: group.declared.strategy(),
            limit: group.declared.limit(),
            order: Arc::clone(&group.declared.order),
            children: group.declared.children.iter().map(|child| child.role).collect(),
            is_root: group.position.is_none(),
            runs_once: policy.restart == RestartPolicy::Never,
            is_fresh: group.declared.is_fresh,
        });
        let start = Instant::now();
        Self {
            group,
            machine,
            policy,
            start,
            began: start,
            streak: 0,
            due: None,
            told: Told::default(),
            stop_by: None,
            given_up: VecDeque::new(),
            messages: VecDeque::new(),
            actions: VecDeque::new(),
            outcome: None,
            reserved: false,
            failed: None,
            making: Making::No,
        }
    }

    async fn run(&mut self) {
        // Most turns have few actions, so the clock is read only after some.
        let (mut done, mut turn) = (0, None);
        loop {
            done += 1;
            if done % ACTIONS == 0 || (done % 16 == 0 && turn.get_or_insert_with(Instant::now).elapsed() >= TURN) {
                yield_now().await;
                turn = None;
            }
            if let Some(action) = self.actions.front().copied() {
                if action == Action::Register {
                    self.register().await;
                    continue;
                }
                if action == Action::Make {
                    self.make().await;
                    continue;
                }
                if action == Action::End {
                    turn_away(self.group.clone(), |_| true).await;
                    turn_away_groups(self.group.clone()).await;
                    self.actions.pop_front();
                    return self.group.end(self.outcome.take().unwrap_or_else(|| self.group.stopped()));
                }
                self.actions.pop_front();
                self.carry_out(action);
            } else if let Some(message) = self.messages.pop_front() {
                self.handle(message);
            } else {
                self.group.receive(&mut self.messages);
                if self.messages.is_empty() && !self.ends_pause() {
                    self.wait().await;
                    turn = None;
                }
            }
        }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Hands an input to the machine, and queues its actions.
    fn step(&mut self, input: Input) {
        let actions = self.machine.handle(input, self.now());
        self.freeze(&actions);
        self.actions.extend(actions);
        if self.reserved == self.machine.takes_now() {
            self.reserved = !self.reserved;
            if self.reserved {
                self.group.reserve();
            }
        }
    }

    /// Prevents attempts of the children that are stopped next. A task that is stopped releases its permit, which would
    /// otherwise start one of them.
    fn freeze(&self, actions: &[Action]) {
        if !self.group.core.limits.are_any() {
            return;
        }
        for action in actions {
            if let Action::Plan(plan::Action::Hold(key, ..) | plan::Action::Stop(key, ..)) = action {
                self.with(*key, Member::freeze);
            }
        }
    }

    fn handle(&mut self, Message { mut input, by }: Message) {
        if let Some(by) = by {
            self.stop_by =
                Some(self.stop_by.filter(|_| self.machine.is_requested()).map_or(by, |before| before.sooner(by)));
        }
        self.failed = None;
        match &mut input {
            Input::Note { key, note: note @ Note::Failed(_), .. } => {
                self.failed = Some(*key);
                // The backoff may have been skipped in the meantime.
                let is_skipped = |member: &Member| matches!(member, Member::Task(cell) if !cell.is_backing_off());
                if self.with(*key, is_skipped) == Some(true) {
                    *note = Note::Failed(RetryIn::Backoff(Duration::ZERO));
                }
                // The first that the child heard of the shutdown.
                let is_refused = |member: &Member| matches!(member, Member::Task(cell) if cell.failed_by_refusal());
                if self.group.core.is_stopping() && self.with(*key, is_refused) == Some(true) {
                    note.does_not_count();
                }
            }
            Input::Stop(_) | Input::Hold(_) if by.is_some_and(|by| by.is_over(Instant::now())) => self.abort(),
            _ => {}
        }
        self.step(input);
        match input {
            // The failure of this child is read later, so it is kept.
            Input::Note { key, note: Note::Ended(_), .. } | Input::Again { key, .. } if self.machine.is_lost(key) => {}
            Input::Note { key, note: Note::Ended(_), .. } => self.group.forget(key),
            Input::Again { key, .. } => self.group.forget_before(key),
            _ => {}
        }
    }

    /// Aborts all running children.
    fn abort(&self) {
        let by = self.stop_by.unwrap_or_else(|| StopBy::now(StopLimit::Grace));
        for (_, member) in self.group.members() {
            member.stop(None, by, Instant::now());
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Plan(action) => self.carry_out_plan(action),
            Action::Begin => {
                (self.began, self.stop_by) = (Instant::now(), None);
                self.given_up.clear();
                self.group.begins();
                #[cfg(feature = "fleet")]
                if self.group.competes() {
                    // The group counts as ready while it stands by.
                    self.report(Note::Delayed);
                }
            }
            Action::Stopping { for_good } => {
                self.group.set_state(TaskState::Stopping);
                if for_good {
                    self.group.close(false);
                    self.group.forget_tasks();
                    self.forget_made();
                }
            }
            Action::Report(note) => self.report(note),
            Action::Parked => {
                self.forget_made();
                self.group.set_state(TaskState::Pending);
            }
            Action::Conclude(why) => self.conclude(why),
            Action::Forgive => self.set_streak(0),
            Action::Make | Action::Register | Action::End => {}
        }
    }

    fn carry_out_plan(&mut self, action: plan::Action) {
        match action {
            plan::Action::Start(key, epoch) => drop(self.with(key, |member| member.release(epoch))),
            plan::Action::Resume(key, epoch) => drop(self.with(key, |member| member.resume(epoch))),
            plan::Action::Retire(key) => drop(self.with(key, Member::retire)),
            plan::Action::Hold(key, epoch, below) => self.stop(key, epoch, below, false),
            plan::Action::Stop(key, epoch, below) => self.stop(key, epoch, below, true),
            plan::Action::Begin => {
                self.given_up.clear();
                if !self.machine.is_requested() {
                    self.stop_by = None;
                }
                if let Some(why) = self.machine.fails() {
                    let failure = self.failure(why).map(Arc::new);
                    self.group.set_failing(failure);
                }
                if let Some(key) = self.failed {
                    self.with(key, |member| self.group.set_first_failed(member.path()));
                }
            }
            plan::Action::Ask(why) => {
                let failure = self.failure(why);
                self.group.core.tree_stops(failure);
            }
            plan::Action::GivenUp | plan::Action::Over(_) => {}
        }
    }

    fn with<T>(&self, key: Key, act: impl FnOnce(&Member) -> T) -> Option<T> {
        self.group.member(key).map(|member| act(&member))
    }

    fn stop(&mut self, key: Key, epoch: Epoch, below: u32, for_good: bool) {
        let grace = self.group.core.config.grace;
        let now = Instant::now();
        let by = self.stop_by.get_or_insert_with(|| StopBy::within(grace)).share(now, below, grace);
        let request = |member: &Member| {
            if for_good { member.stop(Some(epoch), by, now) } else { member.hold(epoch, by, now) }
        };
        let given_up_at = self.with(key, request).flatten();
        // The last layer of the root has no time limit here.
        if let (Some(at), true) = (given_up_at, below > 0 || self.group.position.is_some()) {
            let place = self.given_up.partition_point(|(time, _)| *time <= at);
            match place.checked_sub(1).and_then(|place| self.given_up.get_mut(place)) {
                Some((last, children)) if *last == at => children.push((key, epoch)),
                _ => self.given_up.insert(place, (at, vec![(key, epoch)])),
            }
        }
    }
}

#[cfg(test)]
#[path = "driver_test.rs"]
mod tests;
