//! The Tokio task that carries out the actions of a group's machine: one loop over one mailbox.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use super::super::observe::{self, Background};
use super::super::pause::Subject;
use super::super::registration::Registered;
use super::super::task::{Cell, Ending, Facts, Next, Request, StopBy, Told, decide};
use super::super::timer::deadline;
use super::super::warnings::of_retries;
use super::call::Call;
use super::cell::{Message, Position};
use super::children::{Epoch, Key};
use super::machine::{Action, Follow, Input, Machine, Rules};
use super::member::Member;
use super::plan::{self, Note, RetryIn, Why};
use super::shared::GroupRef;
use crate::inspect::{TaskOutcome, TaskState};
use crate::panics::{catch, drop_caught};
use crate::policy::{ResolvedPolicy, RestartPolicy};
use crate::supervisor::{RuntimeError, StopLimit};
use crate::task::{TaskError, TaskSpec};
use crate::tree::{Declared, FailureChain, Leaf, last_segment};

/// The driver yields to other tasks after this many actions, or this time.
const ACTIONS: usize = 256;
const TURN: Duration = Duration::from_millis(1);

/// Returns the driver of a group, to be spawned. If it is dropped before its first turn, the group ends as well.
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
    /// The time at which the group or its children start again, as the cell has it.
    due: Option<Duration>,
    /// Those of them that told when to retry.
    told: Told,
    /// The deadline of the current stop.
    stop_by: Option<StopBy>,
    /// The times at which stopping children are no longer waited for, in order.
    given_up: VecDeque<(Instant, Vec<(Key, Epoch)>)>,
    messages: VecDeque<Message>,
    actions: VecDeque<Action>,
    /// The outcome, if it is known.
    outcome: Option<TaskOutcome>,
    /// `true` if the names of the declared children are kept for the next run.
    reserved: bool,
    /// The child whose failure is handled.
    failed: Option<Key>,
    /// The start of a fresh group, until its children are registered.
    making: Making,
}

/// The start of a fresh group.
enum Making {
    No,
    /// The function is called when the group, or what is above it, is no longer paused.
    Paused,
    Called(Box<Call>),
    Made(Arc<Declared>),
    /// It failed, and may have told when to retry.
    Failed(Arc<TaskError>, Option<Duration>),
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
        let _ = drop_caught(self.live.take());
        if let Err(panic) = panicked {
            fail(&group, panic);
        }
    }
}

impl Drop for Driver {
    /// The runtime ends.
    fn drop(&mut self) {
        let Some(mut live) = self.live.take() else { return };
        let group = live.group.clone();
        live.call_again();
        if let Some(next) = group.next_runtime() {
            observe::spawn(&next, go_on(live), |_| Arc::clone(group.shown_path()));
        } else {
            let _ = drop_caught(live);
            group.orphan(StopBy::now(StopLimit::Grace), TaskOutcome::Aborted { error: None });
        }
    }
}

/// Requests these children to stop that came when the run was over, and waits for their ends: until then they have their
/// names.
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

/// The driver has panicked: the group fails with that panic.
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
        let policy = group.declared.overrides.resolve(&group.core.config);
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
        // The clock is first read after some actions: most turns have few.
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
                if action == Action::End {
                    turn_away(self.group.clone(), |_| true).await;
                    self.actions.pop_front();
                    return self.group.end(self.outcome.take().unwrap_or_else(|| self.group.canceled()));
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

    /// Waits for a message, or for the next time at which something is due.
    async fn wait(&mut self) {
        let machine = self.machine.wakes_at().and_then(|at| deadline(at.saturating_sub(self.now())));
        let given_up = self.given_up.front().map(|(at, _)| *at);
        let due = self.machine.wakes_at();
        if mem::replace(&mut self.due, due) != due {
            self.group.is_due_at(due.and_then(|due| self.start.checked_add(due)));
        }
        let until = machine.into_iter().chain(given_up).min();
        if let Making::Called(_) = self.making {
            return Box::pin(self.wait_for_children(until)).await;
        }
        let group = self.group.clone();
        let bell = group.bell.notified();
        let Some(until) = until else { return bell.await };
        if until > Instant::now() && timeout_at(until, bell).await.is_ok() {
            return;
        }
        self.wake(Instant::now());
    }

    /// Waits as [`wait`](Self::wait) does, and for the children that are being made.
    async fn wait_for_children(&mut self, until: Option<Instant>) {
        let Making::Called(call) = &mut self.making else { return };
        let until = until.into_iter().chain(call.until).min();
        let group = self.group.clone();
        let mut bell = pin!(group.bell.notified());
        let woken = poll_fn(|cx| match bell.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => call.poll(cx).map(Some),
        });
        let woken = match until {
            None => Ok(woken.await),
            Some(until) => timeout_at(until, woken).await,
        };
        match woken {
            Ok(None) => return,
            Ok(Some(made)) => return self.made(made),
            Err(_) => {}
        }
        let now = Instant::now();
        if let Some(error) = call.exceeds(now) {
            self.made(Err(error));
        }
        self.wake(now);
    }

    /// Handles what is due.
    fn wake(&mut self, now: Instant) {
        while self.given_up.front().is_some_and(|(at, _)| *at <= now) {
            for (key, epoch) in self.given_up.pop_front().into_iter().flat_map(|(_, children)| children) {
                self.step(Input::Note { key, epoch, note: Note::GivenUp });
            }
        }
        self.step(Input::Wake);
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

    /// A task that is stopped gives its permit to a waiting task, which must not be one that is stopped next.
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
            Input::Note { key, note: Note::Failed(retry), .. } => {
                self.failed = Some(*key);
                // A later action may have removed the wait.
                let is_skipped = |member: &Member| matches!(member, Member::Task(cell) if !cell.is_backing_off());
                if self.with(*key, is_skipped) == Some(true) {
                    *retry = RetryIn::Backoff(Duration::ZERO);
                }
            }
            Input::Stop(_) | Input::Hold(_) if by.is_some_and(|by| by.is_over(Instant::now())) => self.abort(),
            _ => {}
        }
        self.step(input);
        match input {
            // Later the failure of the child that made the group fail is read.
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
                    // It counts as ready while it stands by.
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
            Action::Make => self.make(),
            Action::Conclude(why) => self.conclude(why),
            Action::Forgive => self.set_streak(0),
            Action::Register | Action::End => {}
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
        // The last layer of a root needs no time limit here.
        if let (Some(at), true) = (given_up_at, below > 0 || self.group.position.is_some()) {
            let place = self.given_up.partition_point(|(time, _)| *time <= at);
            match place.checked_sub(1).and_then(|place| self.given_up.get_mut(place)) {
                Some((last, children)) if *last == at => children.push((key, epoch)),
                _ => self.given_up.insert(place, (at, vec![(key, epoch)])),
            }
        }
    }

    fn report(&self, note: Note) {
        if matches!(note, Note::Ready | Note::Delayed) {
            self.group.set_ready();
        }
        let Some(Position { parent, key, .. }) = &self.group.position else {
            if matches!(note, Note::Ready | Note::Delayed) {
                self.group.core.set_ready();
            }
            return;
        };
        if note == Note::Ready {
            self.group.passes();
        }
        // Only the last end in a group can end it.
        drop(parent.note_of_group(&self.group, *key, self.machine.requested_epoch, note));
    }

    /// Decides what follows a run that has ended without a request.
    fn conclude(&mut self, why: Why) {
        let follow = self.decide(why);
        let is_refused = follow == Follow::End && !self.close(why == Why::Completed);
        let follow = if is_refused { Follow::GoOn } else { follow };
        if follow != Follow::End {
            self.outcome = None;
        }
        if follow != Follow::GoOn {
            self.forget_made();
        }
        self.step(Input::Follow(follow));
    }

    /// Closes the group, which ends. With `if_idle`, this fails if something came since that goes on with it.
    fn close(&self, if_idle: bool) -> bool {
        // What came right after the last end was received together with that.
        let goes_on = self.messages.iter().any(|message| message.input.goes_on());
        !(if_idle && goes_on) && self.group.close(if_idle)
    }

    fn decide(&mut self, why: Why) -> Follow {
        let failure = self.failure(why);
        if self.group.position.is_none() {
            // The root does not restart: its failure is the failure of the supervisor.
            self.outcome = Some(failure.map_or(TaskOutcome::Completed, |failure| {
                self.group.core.tree_stops(Some(failure.clone()));
                TaskOutcome::Failed { error: Arc::new(TaskError::error(failure)) }
            }));
            return Follow::End;
        }
        // No run began.
        let lived = (why != Why::Unmade).then(|| self.began.elapsed());
        let facts = Facts {
            policy: &self.policy,
            request: Request::Nothing,
            late: false,
            streak: self.streak,
            lived,
            at_once: 0,
            ticks: None,
            stopped: None,
        };
        let is_fatal =
            why == Why::Unmade && failure.as_ref().and_then(FailureChain::error).is_some_and(|error| error.is_fatal());
        let error = |chain| match self.making {
            Making::Failed(_, Some(told)) if why == Why::Unmade => TaskError::error(chain).retry_after(told),
            _ if is_fatal => TaskError::permanent(chain),
            _ => TaskError::error(chain),
        };
        let ending = Ending::Result(failure.map_or(Ok(()), |chain| Err(error(chain))));
        let mut next = decide(&facts, ending);
        self.told.correct(&mut next, &self.policy.backoff);
        #[cfg(feature = "test-util")]
        let next = {
            let (path, number) = (self.group.path(), self.group.restarts());
            self.group.core.test_hooks.redrawn(next, &self.policy.backoff, self.told, path, number)
        };
        match next {
            Next::End(outcome) => {
                if let Some(error) = outcome.error() {
                    self.group.fails_for_good(error);
                }
                self.outcome = Some(outcome);
                Follow::End
            }
            Next::Repeat(delay) | Next::Throttle { pause: delay, .. } => {
                self.set_streak(0);
                self.group.rests(TaskState::Interval, Some(delay));
                Follow::Wait(delay)
            }
            Next::Retry { error, delay, streak, is_told } => {
                self.streak = streak;
                let due = (!self.group.is_managed()).then_some(delay);
                self.group.fails(&error, streak, delay, due);
                observe::group_failed(&self.group, &error, streak, delay);
                let _ = drop_caught(error);
                if let Some(warning) = of_retries(self.policy.is_critical_without_end(), streak) {
                    self.group.core.warn(self.group.path(), warning);
                }
                if self.group.is_managed() { Follow::Park(RetryIn::new(delay, is_told)) } else { Follow::Wait(delay) }
            }
            // A group has no schedule, and these requests are not among its facts.
            Next::Restart(_) | Next::Hold(_) | Next::Scheduled | Next::GiveUp { .. } => Follow::Wait(Duration::ZERO),
        }
    }

    fn set_streak(&mut self, streak: u32) {
        if mem::replace(&mut self.streak, streak) != streak {
            self.group.set_failures(streak);
        }
    }

    /// Returns the failure of the group, from the leaf to this group.
    fn failure(&self, why: Why) -> Option<FailureChain> {
        if let (Why::Limit(_), Some(failing)) = (why, self.group.own_failing()) {
            // The child may have had its final attempt since.
            return Some((*failing).clone());
        }
        let (key, limit) = match why {
            Why::Unmade => {
                let error = if let Making::Failed(error, _) = &self.making { Some(Arc::clone(error)) } else { None };
                let failure = FailureChain::leaf(self.group.shown_path(), error, Leaf::Unmade);
                self.group.set_failure(failure.clone());
                return Some(failure);
            }
            Why::Completed | Why::Significant | Why::Requested => return None,
            Why::Limit(key) => (key, self.group.declared.limit()),
            Why::Lost(key) => (key, None),
        };
        let below = self.group.failure_of(key, matches!(why, Why::Lost(_)));
        let failure = FailureChain::above(below, self.group.shown_path(), limit);
        self.group.set_failure(failure.clone());
        Some(failure)
    }

    /// Calls the function that makes the children, or waits for the end of a pause.
    fn make(&mut self) {
        // What the previous children own is dropped before.
        self.forget_made();
        if self.is_paused() {
            self.making = Making::Paused;
            return self.group.set_state(TaskState::Paused);
        }
        self.began = Instant::now();
        self.group.set_making();
        let Some(maker) = self.group.declared.maker() else {
            // The group cannot start again.
            return self.step(Input::Registered(false));
        };
        match Call::new(maker, self.policy.start_timeout) {
            Ok(call) => self.making = Making::Called(Box::new(call)),
            Err(panic) => self.made(Err(panic)),
        }
    }

    fn is_paused(&self) -> bool {
        #[cfg(feature = "fleet")]
        if self.group.stands_by() {
            self.group.competes();
            return true;
        }
        self.group.core.is_paused(Subject::Group(self.group.path()))
    }

    /// Calls the function if its pause has ended; a shutdown that waits for the group ends the group instead. Returns
    /// `true` for either.
    fn ends_pause(&mut self) -> bool {
        let Making::Paused = self.making else { return false };
        if !self.is_paused() {
            self.make();
            return true;
        }
        self.group.core.is_stopping() && self.group.stop(None, StopBy::within(self.group.core.config.grace))
    }

    /// The call has ended.
    fn made(&mut self, made: Result<Vec<TaskSpec>, TaskError>) {
        match made {
            Ok(specs) => {
                let made = Arc::new(self.group.declared.of_run(specs));
                let children = made.children.iter().map(|child| child.role).collect();
                self.machine.set_children(children, Arc::clone(&made.order));
                self.making = Making::Made(made);
                self.step(Input::Made);
            }
            Err(error) => {
                let (error, told) = error.split();
                self.making = Making::Failed(Arc::new(error), told);
                self.step(Input::Unmade);
            }
        }
    }

    /// Drops what was made for a run, and the future of a call.
    fn forget_made(&mut self) {
        let _ = drop_caught(mem::replace(&mut self.making, Making::No));
        self.group.forget_made();
    }

    /// The runtime ends: drops the future of a call, and calls the function again on the next runtime.
    fn call_again(&mut self) {
        if let Making::Called(_) | Making::Paused = self.making {
            self.making = Making::No;
            self.actions.push_front(Action::Make);
        }
    }

    /// Registers the declared children for a run, unless a shutdown was requested.
    async fn register(&mut self) {
        let made = if let Making::Made(made) = &self.making { Some(Arc::clone(made)) } else { None };
        let is_fresh = made.is_some();
        // Registered again or added in place of a declared child, in the moment in which the run ended. What is added to a
        // fresh group stays: a child of its name that is made is refused.
        let children = self.group.children();
        let has_place = move |cell: &Cell| children.place(last_segment(cell.name())).is_some();
        turn_away(self.group.clone(), move |cell| !cell.was_added() || (!is_fresh && has_place(cell))).await;
        let mut registered = self.group.core.register_again(&self.group, made).await;
        if is_fresh {
            self.making = Making::No;
            match registered.as_mut().err() {
                None | Some(RuntimeError::ShuttingDown | RuntimeError::NoRuntime) => {}
                Some(_) => {
                    self.actions.pop_front();
                    if let Err(error) = registered {
                        self.made(Err(TaskError::error(error)));
                    }
                    return;
                }
            }
        }
        // From here on the run moves with the driver.
        self.actions.pop_front();
        // The registration has freed the names. The next steps must not reserve them again before the run begins.
        self.reserved = true;
        let first_added = self.group.declared.first_added();
        self.messages.retain(|message| !message.input.is_of_declared(first_added));
        for (key, child) in registered.as_mut().map(Registered::take_returned).unwrap_or_default() {
            self.step(Input::Add { key, child, takes_place: false });
        }
        self.step(Input::Registered(registered.is_ok()));
        if let Ok(registered) = registered {
            registered.spawn_by_turns().await;
        }
    }
}

#[cfg(test)]
#[path = "driver_test.rs"]
mod tests;
