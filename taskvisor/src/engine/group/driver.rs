//! The Tokio task that carries a group's plan out.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::super::alarm::deadline;
use super::super::cell::Bound;
use super::super::decision::{Ending, Facts, Next, Told, decide};
use super::super::observe;
use super::super::warnings::of_retries;
use super::cell::{GroupCell, Member, Message, Place};
use super::plan::{Action, Child, End, Index, Note, Plan, Why};
use super::window::Limit;
use crate::error::TaskError;
use crate::failure::FailureChain;
use crate::group::{ChildSpec, Group};
use crate::outcome::TaskOutcome;
use crate::policy::RestartPolicy;
use crate::settings::Settings;
use crate::status::TaskState;

/// Drives a group until it is over.
pub(in crate::engine) async fn drive(group: Arc<GroupCell>) {
    let settings = group.spec.settings(&group.core.config);
    let mut driver = Driver {
        group,
        settings,
        told: Told::Nothing,
        stop_by: None,
        streak: 0,
        fresh: true,
        early: Vec::new(),
        over: false,
    };
    let outcome = driver.live().await;
    driver.end(outcome);
}

struct Driver {
    group: Arc<GroupCell>,
    settings: Settings,
    told: Told,
    /// When the present stop is to be over. `None` within it: whoever told comes back.
    stop_by: Option<StopBy>,
    /// Failures in a row.
    streak: u32,
    /// The children that are registered have not been started yet.
    fresh: bool,
    /// What they told since.
    early: Vec<Message>,
    over: bool,
}

#[derive(Clone, Copy)]
enum StopBy {
    Now,
    At(Instant),
    Open,
}

/// What ended a wait.
enum Woken {
    Due,
    Over,
}

impl Driver {
    /// Waits for the gate, runs, and again, until it is over for good.
    async fn live(&mut self) -> TaskOutcome {
        let mut backoff = None;
        loop {
            if let Woken::Over = self.wait(backoff.take(), true).await {
                return TaskOutcome::Canceled { error: None };
            }
            loop {
                if !self.prepare() {
                    return TaskOutcome::Canceled { error: None };
                }
                let began = Instant::now();
                let why = self.run().await;
                match self.follow(why, began.elapsed()) {
                    Follow::End(outcome) => return outcome,
                    Follow::Again => {}
                    Follow::Wait(delay) => {
                        if let Woken::Over = self.wait(Some(delay), false).await {
                            return TaskOutcome::Canceled { error: None };
                        }
                    }
                    Follow::Park(delay) => {
                        backoff = delay;
                        break;
                    }
                }
            }
        }
    }

    /// Waits until the group is due: by its gate, or by its own backoff.
    async fn wait(&mut self, delay: Option<Duration>, mut shut: bool) -> Woken {
        let mut until = if shut { None } else { delay.map(deadline) };
        loop {
            let due = until.is_some_and(|until| until.is_some_and(|until| until <= Instant::now()));
            if !shut && (due || until.is_none()) {
                self.told = Told::Nothing;
                return Woken::Due;
            }
            match self.message(until.flatten()).await {
                Some(message @ Message::Note(Note::Ended(..))) if self.fresh => self.early.push(message),
                None | Some(Message::Note(_) | Message::Add(_)) => {}
                Some(Message::Stop(_)) => {
                    self.told = Told::Stop;
                    return self.dissolve().await;
                }
                Some(Message::Release) => (shut, until) = (false, None),
                Some(Message::Resume) => (shut, until) = (false, delay.map(deadline)),
                Some(Message::Restart) if !shut => until = None,
                Some(Message::Restart) => self.tell_parent(|_| Note::Skip),
                Some(Message::Hold(_)) => {
                    if self.settings.restart == RestartPolicy::Never {
                        return self.dissolve().await;
                    }
                    self.told = Told::Hold;
                    shut = true;
                    until = None;
                    self.tell_parent(Note::Held);
                }
            }
        }
    }

    /// Ends the children that were registered and never started.
    async fn dissolve(&mut self) -> Woken {
        if self.fresh {
            let members = self.group.members();
            for member in &members {
                member.stop(Bound::Now);
            }
            self.all_ended(members.len() - self.early.len()).await;
        }
        Woken::Over
    }

    /// Waits until so many children have ended.
    async fn all_ended(&self, mut left: usize) {
        while left > 0 {
            if let Some(Message::Note(Note::Ended(..))) = self.message(None).await {
                left -= 1;
            }
        }
    }

    /// Sees to it that the children are registered. False if there is a shutdown.
    fn prepare(&mut self) -> bool {
        let fresh = std::mem::take(&mut self.fresh);
        fresh || self.group.core.register_again(&self.group).is_ok()
    }

    /// Runs the plan from the first start to the last end.
    async fn run(&mut self) -> Why {
        let limit = self.group.spec.limit.map(|(max, within)| Limit { max, within });
        let mut plan = Plan::new(self.group.spec.strategy, limit, children(&self.group.spec));
        let start = Instant::now();
        let mut until = None;
        let mut held = None;
        (self.told, self.stop_by) = (Told::Nothing, None);
        self.group.begins();
        self.group.take_again(std::mem::take(&mut self.early));
        let mut actions = plan.start();
        let mut was_ready = false;
        loop {
            if self.group.place.is_none() && self.told == Told::Nothing && held.is_none() {
                if let Some(why) = plan.stops() {
                    // The root does not stop by itself: that is a shutdown.
                    self.group.core.tree_stops(self.failure(why));
                    held = Some(Vec::new());
                }
            }
            if let Some(held) = &mut held {
                held.append(&mut actions);
            }
            if let Some(why) = self.act(&plan, std::mem::take(&mut actions), &mut until) {
                let orphans = self.group.close();
                for orphan in &orphans {
                    orphan.stop(Bound::Now);
                }
                self.all_ended(orphans.len()).await;
                if why == Why::Completed && !was_ready {
                    self.readiness(true);
                }
                return why;
            }
            if plan.is_ready() != was_ready {
                was_ready = !was_ready;
                self.readiness(was_ready);
            }
            self.group.set_open(plan.is_open());
            let message = self.message(until).await;
            let now = start.elapsed();
            actions = match message {
                None => {
                    until = None;
                    plan.note(Note::Waited, now)
                }
                Some(Message::Note(note)) => self.note(&mut plan, note, now),
                Some(Message::Add(child)) => plan.add(child).1,
                Some(Message::Stop(bound)) => self.told_to_stop(Told::Stop, bound, &mut plan, now),
                Some(Message::Hold(bound)) => self.told_to_stop(Told::Hold, bound, &mut plan, now),
                Some(Message::Restart) => {
                    self.told_to_stop(Told::Restart, Bound::within(self.group.core.config.grace), &mut plan, now)
                }
                Some(Message::Release | Message::Resume) => Vec::new(),
            };
            if self.told != Told::Nothing {
                if let Some(before) = held.take() {
                    actions = before.into_iter().chain(actions).collect();
                }
            }
        }
    }

    fn note(&self, plan: &mut Plan, note: Note, now: Duration) -> Vec<Action> {
        match note {
            Note::Ended(index, _) => {
                let actions = plan.note(note, now);
                // Who is lost is asked why.
                if plan.stops() != Some(Why::Lost(index)) {
                    self.group.forget(index);
                }
                actions
            }
            // It may have been told not to wait since.
            Note::Failed(index, _) if self.is_skipped(index) => plan.note(Note::Failed(index, Duration::ZERO), now),
            note => plan.note(note, now),
        }
    }

    fn is_skipped(&self, index: Index) -> bool {
        matches!(self.group.member(index), Some(Member::Task(cell)) if !cell.is_backing_off())
    }

    fn told_to_stop(&mut self, told: Told, bound: Bound, plan: &mut Plan, now: Duration) -> Vec<Action> {
        self.told = self.told.max(told);
        self.group.set_state(TaskState::Stopping);
        let earlier = |at: Instant| match self.stop_by {
            Some(StopBy::At(other)) => StopBy::At(other.min(at)),
            Some(StopBy::Now) => StopBy::Now,
            _ => StopBy::At(at),
        };
        self.stop_by = Some(match bound {
            Bound::Now => StopBy::Now,
            Bound::Within(time) => deadline(time).map_or(StopBy::Open, earlier),
            Bound::Open => self.stop_by.unwrap_or(StopBy::Open),
        });
        if bound == Bound::Now {
            self.group.members().iter().for_each(|member| member.stop(Bound::Now));
        }
        plan.note(Note::Stop, now)
    }

    /// Carries out what the plan says; its end, if that is what it says.
    fn act(&mut self, plan: &Plan, actions: Vec<Action>, until: &mut Option<Instant>) -> Option<Why> {
        for action in actions {
            match action {
                Action::Over(why) => return Some(why),
                Action::Wait(delay) => {
                    self.stop_by = None;
                    *until = deadline(delay);
                }
                Action::Start(index) => {
                    if self.told == Told::Nothing {
                        self.stop_by = None;
                    }
                    self.with(index, Member::release);
                }
                Action::Resume(index) => self.with(index, Member::resume),
                Action::Hold(index) => {
                    let bound = self.share(plan, index);
                    self.with(index, |member| member.hold(bound));
                }
                Action::Stop(index) => {
                    let bound = self.share(plan, index);
                    self.with(index, |member| member.stop(bound));
                }
            }
        }
        None
    }

    fn with(&self, index: Index, act: impl FnOnce(&Member)) {
        if let Some(member) = self.group.member(index) {
            act(&member);
        }
    }

    /// The part of the remaining time that a child has: as many layers as it has of those that are still to stop.
    fn share(&mut self, plan: &Plan, index: Index) -> Bound {
        let grace = self.group.core.config.grace;
        let stop_by = *self.stop_by.get_or_insert_with(|| deadline(grace).map_or(StopBy::Open, StopBy::At));
        let inside = |index: Index| self.group.member(index).map_or(1, |member| member.layers());
        match stop_by {
            StopBy::Now => Bound::Now,
            StopBy::Open => Bound::Open,
            StopBy::At(at) => {
                let remaining = at.saturating_duration_since(Instant::now());
                let (own, all) = (inside(index), plan.layers(index, &inside));
                Bound::within(remaining.mul_f64(f64::from(own) / f64::from(all.max(1))))
            }
        }
    }

    /// Decides what follows a run.
    fn follow(&mut self, why: Why, lived: Duration) -> Follow {
        match self.told {
            Told::Stop => return Follow::End(TaskOutcome::Canceled { error: None }),
            Told::Restart => {
                self.streak = 0;
                return Follow::Again;
            }
            Told::Hold if self.settings.restart == RestartPolicy::Never => {
                return Follow::End(TaskOutcome::Canceled { error: None });
            }
            Told::Hold => {
                self.group.set_state(TaskState::Pending);
                self.tell_parent(Note::Held);
                return Follow::Park(None);
            }
            Told::Nothing => {}
        }
        if self.group.place.is_none() {
            return Follow::End(self.root_ended(why));
        }
        let ending = Ending::Result(self.failure(why).map_or(Ok(()), |chain| Err(TaskError::error(chain))));
        let facts = Facts {
            settings: &self.settings,
            told: Told::Nothing,
            late: false,
            streak: self.streak,
            lived: Some(lived),
            ticks: None,
        };
        let next = decide(&facts, ending);
        #[cfg(feature = "test-util")]
        let next = self.group.core.kit.redrawn(next, &self.settings.backoff, self.group.path(), self.group.restarts());
        match next {
            Next::End(outcome) => Follow::End(outcome),
            Next::Repeat(delay) => {
                self.streak = 0;
                self.group.set_state(TaskState::Interval);
                Follow::Wait(delay)
            }
            Next::Retry { error, delay, streak } => {
                self.streak = streak;
                observe::group_failed(&self.group, &error, streak, delay);
                if let Some(warning) = of_retries(self.group.spec.critical, self.settings.max_retries, streak) {
                    self.group.core.warn(self.group.path(), warning);
                }
                self.group.set_state(TaskState::Backoff);
                if self.group.place.as_ref().is_some_and(|place| place.managed) {
                    self.tell_parent(|index| Note::Failed(index, delay));
                    Follow::Park(Some(delay))
                } else {
                    Follow::Wait(delay)
                }
            }
            Next::Restart(_) | Next::Hold(_) => Follow::Again,
        }
    }

    /// The root is not restarted: its failure is the supervisor's.
    fn root_ended(&self, why: Why) -> TaskOutcome {
        let Some(failure) = self.failure(why) else { return TaskOutcome::Completed };
        self.group.core.tree_stops(Some(failure.clone()));
        TaskOutcome::Failed { error: Arc::new(TaskError::error(failure)) }
    }

    /// What made the group fail, from leaf to here.
    fn failure(&self, why: Why) -> Option<FailureChain> {
        let (index, limit) = match why {
            Why::Completed | Why::Told => return None,
            Why::Limit(index) => (index, self.group.spec.limit),
            Why::Lost(index) => (index, None),
        };
        let below = self.group.member(index).map(|member| member.failure());
        let failure = FailureChain::above(below, self.group.shown_path(), limit);
        self.group.set_failure(failure.clone());
        Some(failure)
    }

    fn readiness(&self, ready: bool) {
        if ready {
            self.tell_parent(Note::Ready);
            if self.group.place.is_none() {
                self.group.core.set_ready();
            }
        }
    }

    fn tell_parent(&self, note: impl FnOnce(Index) -> Note) {
        if let Some(Place { parent, index, .. }) = &self.group.place {
            parent.note(note(*index));
        }
    }

    /// The next message; `None` when the time has come.
    async fn message(&self, until: Option<Instant>) -> Option<Message> {
        loop {
            let bell = self.group.bell.notified();
            if let Some(message) = self.group.receive() {
                return Some(message);
            }
            match until {
                None => bell.await,
                Some(until) => timeout_at(until, bell).await.ok()?,
            }
        }
    }

    fn end(&mut self, outcome: TaskOutcome) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let end = End::of(Some(&outcome));
        observe::group_ended(&self.group, &outcome);
        self.group.core.remove_group(&self.group, outcome);
        self.tell_parent(|index| Note::Ended(index, end));
    }
}

impl Drop for Driver {
    /// The runtime goes away, and the group with it.
    fn drop(&mut self) {
        self.end(TaskOutcome::Aborted { error: None });
    }
}

enum Follow {
    End(TaskOutcome),
    Again,
    Wait(Duration),
    /// The parent decides when it goes on; after a failure it may wait for its backoff then.
    Park(Option<Duration>),
}

/// The children as the plan knows them.
fn children(spec: &Group) -> Vec<Child> {
    let child = |(child, after): (&ChildSpec, Vec<Index>)| Child {
        after,
        critical: child.is_critical(),
        significant: child.is_significant(),
    };
    spec.children.iter().zip(spec.edges()).map(child).collect()
}
