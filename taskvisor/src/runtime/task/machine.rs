//! The states of one registration, and the transitions between them. Plain data.
//!
//! ```text
//! Queued -> Waiting -> Running -> Joining -> Waiting | Over -> Ended
//!              ^          '--------------------^
//!              '-- Delay, Backoff, Interval, Throttle, Scheduled, Due
//! ```
//! Commands from outside and the reports of the actor are inputs; the effects are returned. The machine is independent
//! of clock and runtime: the actor keeps delays and deadlines, and reports when one has elapsed. The machine lives in
//! the cell of the registration, under its lock.

use std::time::Duration;

use super::bars::{Barred, Bars};
#[cfg(feature = "cron")]
use super::decision::ends_run;
use super::decision::{Ending, Facts, Next, Request, decide, is_final};
use crate::inspect::TaskState;
use crate::policy::{Ready, ResolvedPolicy, RestartPolicy, Ticks};
use crate::runtime::group::Note;
use crate::supervisor::StopLimit;
use crate::task::{StopKind, StopReason};

/// The stage of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::runtime) enum Stage {
    /// Submitted to a slot, and waiting there.
    Queued,
    /// No attempt runs; the next attempt waits.
    Waiting(Wait),
    /// An attempt runs.
    Running(Cut),
    /// The future of the attempt is dropped; its helpers still run.
    Joining {
        /// `true` if nothing was requested when the attempt ended, so its result stands.
        unasked: bool,
        /// `true` if no other attempt follows.
        ends: bool,
    },
    /// No attempt runs, and none follows. The name is still taken.
    Over,
    /// The registration has ended.
    Ended,
}

/// The wait before the next attempt, once its gate is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::runtime) enum Wait {
    /// The initial delay.
    Delay,
    Backoff,
    Interval,
    /// The pause of a task that repeatedly succeeds at once.
    Throttle,
    /// The time of the schedule.
    Scheduled,
    /// A turn of the scheduler, and a permit if `max_concurrent` is set.
    Due,
}

/// The reason to cancel the token of an attempt that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::runtime) enum Cut {
    Not,
    /// The attempt exceeded its timeout, its start timeout or its watchdog.
    TimedOut,
    HelperPanicked,
    /// A stop, a hold or a restart was requested.
    Requested,
}

/// The gate through which the group controls the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::runtime) enum Gate {
    Shut,
    Open,
    /// Open, and the task has been ready since it opened.
    Passed,
}

/// The final attempt, which begins after the stop request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::runtime) enum Last {
    /// There is none.
    No,
    /// It follows the current attempt, which was neither polled since the request nor has queried it.
    Follows,
    /// It is the current or next attempt.
    Is,
}

/// The state of one registration. Only this file changes it, except the limit.
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other and of the stage")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::runtime) struct Machine {
    pub(in crate::runtime) stage: Stage,
    pub(in crate::runtime) request: Request,
    gate: Gate,
    pub(in crate::runtime) ready: bool,
    /// `true` if the readiness of its batch waits for the task: the task counts, and no attempt has begun.
    pub(in crate::runtime) unready: bool,
    /// `true` if the token of the current attempt is canceled.
    pub(in crate::runtime) canceled: bool,
    bars: Bars,
    last: Last,
    /// The reason of the stop request.
    pub(in crate::runtime) why: Option<StopKind>,
    /// The limit that an aborted attempt exceeded.
    pub(in crate::runtime) limit: StopLimit,
    /// `true` if the task was triggered, so that the next attempt begins without a wait.
    owed: bool,
    /// The number of consecutive failures.
    pub(in crate::runtime) streak: u32,
    /// The number of the current or last attempt. It identifies the attempt, so it must not wrap or saturate.
    pub(in crate::runtime) attempt: u64,
}

/// The effects of a command, to carry out after the lock is released. Each of them wakes the actor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::runtime) struct Effects {
    /// Cancel the token of the attempt.
    pub(in crate::runtime) interrupts: bool,
    /// This is the first request to end the attempt.
    pub(in crate::runtime) is_first: bool,
    /// A note to the group.
    pub(in crate::runtime) note: Option<Note>,
}

/// The number of successes in a row after which the runs of a task without an interval are routine.
const ROUTINE: u8 = 10;

/// The facts about an attempt that only its actor has.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::runtime) struct Ran {
    /// The run time; `None` if it ended in its first poll, or does not count.
    pub(in crate::runtime) lived: Option<Duration>,
    /// The number of successes in a row in the first poll of their attempt, if this is one.
    pub(in crate::runtime) at_once: u8,
    /// The number of successes in a row before this attempt, up to 255, of a task without a schedule.
    pub(in crate::runtime) successes: u8,
}

/// The next action of an actor without an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runtime) enum Turn {
    /// End the registration, because a stop was requested.
    Over,
    /// Wait for the gate.
    Parked,
    /// Wait for the delay of the wait.
    Waits,
    /// Begin the next attempt.
    Due,
}

/// The next action of an actor with a running attempt.
#[derive(Debug)]
pub(in crate::runtime) enum Heed {
    GoOn,
    /// Let the attempt clean up.
    CleanUp(Cut),
    /// Drop the attempt.
    End(Ending),
}

impl Machine {
    pub(in crate::runtime) fn new(policy: &ResolvedPolicy, queued: bool, gate: Gate, unready: bool) -> Self {
        Self {
            stage: if queued { Stage::Queued } else { first_stage(policy) },
            request: Request::Nothing,
            gate,
            ready: false,
            unready,
            canceled: false,
            bars: Bars::NONE,
            last: Last::No,
            why: None,
            limit: StopLimit::Grace,
            owed: false,
            streak: 0,
            attempt: 0,
        }
    }

    /// Returns `true` if the current attempt, or the one that ends, is a run as the ones before it: the task is periodic
    /// or has succeeded ten times in a row, and the last run did not fail.
    /// `successes` are those in a row before it.
    pub(in crate::runtime) fn is_routine(&self, policy: &ResolvedPolicy, successes: u8) -> bool {
        self.attempt > 1 && self.streak == 0 && (successes >= ROUTINE || policy.is_periodic())
    }

    /// Returns `true` if the task only waits for a time, and for no other task.
    pub(in crate::runtime) fn waits_for_its_time(&self) -> bool {
        match self.stage {
            Stage::Waiting(Wait::Interval | Wait::Throttle) => true,
            Stage::Waiting(Wait::Delay | Wait::Scheduled) => self.gate != Gate::Shut,
            _ => false,
        }
    }

    /// Returns `true` if the task waits for a delay other than its schedule, and its gate is open.
    pub(in crate::runtime) fn awaits_its_delay(&self) -> bool {
        let waits = matches!(self.stage, Stage::Waiting(wait) if !matches!(wait, Wait::Due | Wait::Scheduled));
        waits && self.gate != Gate::Shut && !self.is_standing_by()
    }

    /// Records the reason of a stop request. The reason with the highest rank stands.
    pub(in crate::runtime) fn because(&mut self, why: StopKind) {
        self.why = self.why.max(Some(why));
    }

    /// Returns `true` if the current or next attempt is the final attempt.
    #[inline]
    pub(in crate::runtime) fn is_last(&self) -> bool {
        self.last == Last::Is
    }

    /// Returns `true` if a final attempt follows the current one.
    #[inline]
    pub(in crate::runtime) fn has_last(&self) -> bool {
        self.last == Last::Follows
    }

    /// Cancels the final attempt that would follow, because no time is left or none is needed.
    pub(in crate::runtime) fn gives_up_last(&mut self) {
        self.last = Last::No;
    }

    /// Cancels the final attempt, because the running attempt has observed the request.
    #[cold]
    #[inline]
    pub(in crate::runtime) fn hears(&mut self, attempt: u64) {
        if self.has_last() && self.is_running(attempt) {
            self.last = Last::No;
        }
    }

    /// Returns `true` if the result of the attempt would end the registration even without a request.
    pub(in crate::runtime) fn ends_with(
        &self,
        policy: &ResolvedPolicy,
        ending: &Ending,
        lived: Option<Duration>,
    ) -> bool {
        is_final(&self.facts(policy, Ran { lived, ..Ran::default() }, None, None), ending)
    }

    /// Makes the final attempt due after the attempt before it, unless the result ended the registration.
    pub(in crate::runtime) fn comes_to_last(&mut self) {
        match self.stage {
            Stage::Waiting(_) => self.takes_last(),
            _ => self.gives_up_last(),
        }
    }

    /// Returns `true` if an attempt or its helpers run.
    pub(in crate::runtime) fn is_alive(&self) -> bool {
        matches!(self.stage, Stage::Running(_) | Stage::Joining { .. })
    }

    pub(in crate::runtime) fn is_running(&self, attempt: u64) -> bool {
        self.attempt == attempt && matches!(self.stage, Stage::Running(_))
    }

    /// Returns `true` if the task has been ready since its gate opened.
    pub(in crate::runtime) fn has_passed(&self) -> bool {
        self.gate == Gate::Passed
    }

    /// Returns `true` if the task waits for its group to open its gate.
    pub(in crate::runtime) fn is_parked(&self) -> bool {
        self.gate == Gate::Shut && matches!(self.stage, Stage::Waiting(_))
    }

    /// Returns the public state.
    pub(in crate::runtime) fn state(&self) -> TaskState {
        match self.stage {
            Stage::Queued => TaskState::Queued,
            Stage::Waiting(_) if self.is_standing_by() => TaskState::Standby,
            Stage::Waiting(Wait::Delay) => TaskState::Delayed,
            Stage::Waiting(Wait::Backoff) => TaskState::Backoff,
            Stage::Waiting(Wait::Interval) => TaskState::Interval,
            Stage::Waiting(Wait::Throttle) => TaskState::Throttled,
            Stage::Waiting(Wait::Scheduled) => TaskState::Scheduled,
            Stage::Waiting(Wait::Due) if self.is_held_back() => TaskState::Paused,
            Stage::Waiting(Wait::Due) => TaskState::Pending,
            Stage::Running(_) | Stage::Joining { .. } if self.request == Request::Nothing || self.is_last() => {
                TaskState::Running
            }
            Stage::Running(_) | Stage::Joining { .. } | Stage::Over => TaskState::Stopping,
            Stage::Ended => TaskState::Ended,
        }
    }

    // Commands.

    /// Starts a submission, which leaves its slot.
    #[cfg(feature = "controller")]
    pub(in crate::runtime) fn leave_slot(&mut self, policy: &ResolvedPolicy) {
        self.stage = first_stage(policy);
    }

    /// Requests the task to stop for good; `at_once` leaves it no time. A final attempt can follow the first request
    /// only.
    pub(in crate::runtime) fn stop(&mut self, policy: &ResolvedPolicy, at_once: bool) -> Effects {
        let before = self.request;
        if at_once || matches!(self.stage, Stage::Over | Stage::Ended) {
            self.drops_last();
        } else if before != Request::Stop && policy.final_attempt && !self.bars.has(Bars::PAUSED | Bars::STANDBY) {
            match self.stage {
                Stage::Waiting(Wait::Backoff) => self.takes_last(),
                // The gate is shut: the siblings of the task do not run.
                _ if self.gate == Gate::Shut => {}
                Stage::Waiting(_) => self.takes_last(),
                Stage::Running(_) | Stage::Joining { .. } => self.last = Last::Follows,
                Stage::Queued | Stage::Over | Stage::Ended => {}
            }
        }
        self.request = Request::Stop;
        self.interrupt(before, at_once)
    }

    /// Like [`stop`](Self::stop), for an attempt that runs and has time to end, without an earlier request or a final
    /// attempt. Returns `false` and changes nothing in any other case.
    #[inline]
    pub(in crate::runtime) fn stop_running(&mut self, policy: &ResolvedPolicy) -> bool {
        let runs = matches!(self.stage, Stage::Running(_)) && self.request == Request::Nothing;
        // Without final attempts, none follows and none runs.
        if !runs || policy.final_attempt {
            return false;
        }
        self.request = Request::Stop;
        self.canceled = true;
        true
    }

    /// Makes the final attempt due.
    fn takes_last(&mut self) {
        self.stage = Stage::Waiting(Wait::Due);
        self.last = Last::Is;
    }

    /// Prevents a final attempt. A running final attempt continues.
    fn drops_last(&mut self) {
        if self.has_last() || !self.is_alive() {
            self.last = Last::No;
        }
    }

    /// Restarts the task: ends a wait or the running attempt. Returns `None` if no attempt can follow.
    pub(in crate::runtime) fn restart(&mut self) -> Option<Effects> {
        match self.stage {
            Stage::Queued | Stage::Over | Stage::Ended | Stage::Joining { ends: true, .. } => return None,
            _ if self.request == Request::Stop || self.bars.has(Bars::FOR_GOOD) => return None,
            _ => self.streak = 0,
        }
        if matches!(self.stage, Stage::Waiting(_)) {
            return Some(self.skip_wait());
        }
        let before = self.request;
        self.request = before.max(Request::Restart);
        Some(self.interrupt(before, false))
    }

    /// Ends a wait for a time. A paused task begins one attempt, once its gate is open. A scheduled task that is due
    /// begins even if its run was missed. Returns `None` if there is no such wait.
    pub(in crate::runtime) fn trigger(&mut self, policy: &ResolvedPolicy) -> Option<Effects> {
        let is_held = self.is_paused() && !self.bars.has(Bars::TRIGGERED);
        let waits = matches!(self.stage, Stage::Waiting(wait) if wait != Wait::Due || is_held || policy.is_scheduled());
        // The next attempt of a task that stands by is in the replica that has the lease.
        if !waits || self.request == Request::Stop || self.bars.has(Bars::FOR_GOOD | Bars::STANDBY) {
            return None;
        }
        self.bars.set(Bars::TRIGGERED, self.is_paused());
        Some(self.skip_wait())
    }

    /// Sets whether the task, or a group or slot above it, is paused. An earlier trigger is forgotten. Returns `false`
    /// if this changes nothing.
    pub(in crate::runtime) fn set_paused(&mut self, paused: bool) -> bool {
        if self.stage == Stage::Ended {
            return false;
        }
        let before = self.bars;
        self.bars.set(Bars::PAUSED, paused);
        self.bars.set(Bars::TRIGGERED, false);
        self.bars != before
    }

    /// Prevents attempts while the lease is not held. With `ends`, a running attempt is requested to end, as by a
    /// restart. Returns `None` if no attempt can follow.
    #[cfg(feature = "fleet")]
    pub(in crate::runtime) fn stands_by(&mut self, ends: bool) -> Option<Effects> {
        if matches!(self.stage, Stage::Over | Stage::Ended) {
            return None;
        }
        self.bars.set(Bars::STANDBY, true);
        self.drops_last();
        if let Stage::Waiting(wait) = &mut self.stage {
            self.streak = 0;
            // The next owner does not wait for the delays of this one.
            if matches!(wait, Wait::Backoff | Wait::Interval | Wait::Throttle) {
                *wait = Wait::Due;
            }
            return Some(Effects::default());
        }
        if !ends {
            return Some(Effects::default());
        }
        self.last = Last::No;
        let before = self.request;
        self.request = before.max(Request::Restart);
        Some(self.interrupt(before, false))
    }

    /// Allows attempts when the lease is held. Returns `false` if this changes nothing.
    #[cfg(feature = "fleet")]
    pub(in crate::runtime) fn takes_lease(&mut self, policy: &ResolvedPolicy) -> bool {
        // The store decides which run of a schedule is due.
        if policy.is_scheduled() && self.stage == Stage::Waiting(Wait::Due) && !self.owed && self.is_standing_by() {
            self.stage = Stage::Waiting(Wait::Scheduled);
        }
        let before = self.bars;
        self.bars.set(Bars::STANDBY, false);
        self.bars != before
    }

    /// Returns `true` if the task needs a lease that is not held.
    pub(in crate::runtime) fn is_standing_by(&self) -> bool {
        self.bars.has(Bars::STANDBY)
    }

    /// Returns `true` if the task waits for its lease, with an open gate and without a stop request.
    #[cfg(feature = "fleet")]
    pub(in crate::runtime) fn competes(&self) -> bool {
        let waits = matches!(self.stage, Stage::Waiting(_)) && self.gate != Gate::Shut;
        waits && self.is_standing_by() && self.request != Request::Stop
    }

    pub(in crate::runtime) fn is_paused(&self) -> bool {
        self.bars.has(Bars::PAUSED)
    }

    /// Returns `true` if one attempt begins in spite of the pause.
    #[cfg(feature = "cron")]
    pub(in crate::runtime) fn is_triggered_in_pause(&self) -> bool {
        self.bars.has(Bars::TRIGGERED)
    }

    /// Returns `true` if the next attempt is due, and only a pause or a missing lease prevents it.
    pub(in crate::runtime) fn is_held_back(&self) -> bool {
        let is_due = self.stage == Stage::Waiting(Wait::Due) && self.gate != Gate::Shut;
        is_due && self.request != Request::Stop && self.is_barred() && !self.is_stopping_soon()
    }

    /// Returns the number of restarts. For a periodic task, these are the retries in the current row of failures.
    pub(in crate::runtime) fn restarts(&self, policy: &ResolvedPolicy) -> u64 {
        if policy.is_periodic() {
            let is_to_come = matches!(self.stage, Stage::Waiting(_));
            self.streak.saturating_sub(u32::from(is_to_come)).into()
        } else {
            self.attempt.saturating_sub(1)
        }
    }

    /// Returns `true` if no attempt runs, and a pause or a missing lease prevents the next one.
    #[inline]
    pub(in crate::runtime) fn rests(&self) -> bool {
        self.bars.has(Bars::PAUSED | Bars::STANDBY) && matches!(self.stage, Stage::Waiting(_)) && self.is_barred()
    }

    /// Requests a running attempt to end because of the pause, as a restart does. The next attempt is due. Returns
    /// `None` if no attempt runs, or if it ends anyway.
    pub(in crate::runtime) fn stop_in_pause(&mut self) -> Option<Effects> {
        if self.is_alive() && self.is_paused() { self.restart() } else { None }
    }

    /// Forgets a trigger in the pause, if its attempt has not begun. Returns `false` if there is none.
    pub(in crate::runtime) fn forget_trigger(&mut self) -> bool {
        let before = self.bars;
        self.bars.set(Bars::TRIGGERED, false);
        self.bars != before
    }

    /// Makes one more run of a running periodic task due, which begins when this run has succeeded. Returns `false` if
    /// no attempt runs, or no other attempt follows.
    pub(in crate::runtime) fn owe(&mut self, policy: &ResolvedPolicy) -> bool {
        let owes = policy.is_periodic()
            && matches!(self.stage, Stage::Running(_) | Stage::Joining { ends: false, .. })
            && self.request != Request::Stop
            && !self.bars.has(Bars::FOR_GOOD);
        self.owed |= owes;
        if owes && self.is_paused() {
            self.bars.set(Bars::TRIGGERED, true);
        }
        owes
    }

    /// Removes the wait before a run that [`owe`](Self::owe) has made due.
    pub(in crate::runtime) fn remove_wait(&self, next: &mut Next) {
        match next {
            Next::Repeat(delay) if self.owed => *delay = Duration::ZERO,
            _ => {}
        }
    }

    fn skip_wait(&mut self) -> Effects {
        self.stage = Stage::Waiting(Wait::Due);
        self.owed = true;
        let note = (self.gate == Gate::Shut).then_some(Note::Skip);
        Effects { note, ..Effects::default() }
    }

    /// Opens the gate: the next attempt is due.
    pub(in crate::runtime) fn release(&mut self) -> Effects {
        if self.request == Request::Hold {
            self.request = Request::Nothing;
        }
        self.resume();
        if matches!(self.stage, Stage::Waiting(Wait::Backoff | Wait::Interval | Wait::Throttle)) {
            self.stage = Stage::Waiting(Wait::Due);
        }
        if self.stage == Stage::Waiting(Wait::Scheduled) && self.request == Request::Nothing {
            self.ready = true;
            return Effects { note: self.pass(), ..Effects::default() };
        }
        if matches!(self.stage, Stage::Waiting(_)) {
            // After a start with the siblings or the group, the task is not ready.
            self.ready = false;
        }
        let is_delayed = (self.stage == Stage::Waiting(Wait::Delay)
            || (self.is_standing_by() && matches!(self.stage, Stage::Waiting(_))))
            && self.request == Request::Nothing;
        Effects { note: is_delayed.then_some(Note::Delayed), ..Effects::default() }
    }

    /// Opens the gate for a task that failed: the next attempt waits for its backoff.
    pub(in crate::runtime) fn resume(&mut self) {
        self.gate = Gate::Open;
        self.unbar();
    }

    fn unbar(&mut self) {
        self.bars.set(Bars::FOR_NOW, false);
    }

    /// Requests the task to end its attempt and to wait to be released. Returns `None` if the task ends anyway.
    pub(in crate::runtime) fn hold(&mut self) -> Option<Effects> {
        if self.request == Request::Stop || matches!(self.stage, Stage::Over | Stage::Ended) {
            return None;
        }
        self.gate = Gate::Shut;
        self.unbar();
        let before = std::mem::replace(&mut self.request, Request::Hold);
        Some(self.interrupt(before, false))
    }

    /// Prevents further attempts. A running attempt continues.
    pub(in crate::runtime) fn bar(&mut self, barred: Barred) {
        match barred {
            Barred::ForNow => self.bars.set(Bars::FOR_NOW, true),
            Barred::ForGood => self.bars.set(Bars::FOR_GOOD, true),
        }
    }

    /// Returns `true` if an attempt that is due must not begin, even if the gate is open.
    #[inline]
    fn is_barred(&self) -> bool {
        self.bars != Bars::NONE && !self.is_last() && (self.is_held_off() || !self.bars.has(Bars::TRIGGERED))
    }

    /// Returns `true` if the attempt that is due is not barred, and uses up a trigger in a pause.
    #[cold]
    fn passes_bars(&mut self) -> bool {
        let passes = !self.is_barred();
        if passes {
            self.bars.set(Bars::TRIGGERED, false);
        }
        passes
    }

    /// Returns `true` if no attempt begins, even if the task was triggered.
    fn is_held_off(&self) -> bool {
        self.bars.has(Bars::FOR_NOW | Bars::FOR_GOOD | Bars::STANDBY)
    }

    fn is_stopping_soon(&self) -> bool {
        self.bars.has(Bars::FOR_NOW | Bars::FOR_GOOD)
    }

    /// Records that the running attempt is ready. Returns `None` if that changes nothing.
    pub(in crate::runtime) fn signal_ready(&mut self, policy: &ResolvedPolicy, attempt: u64) -> Option<Effects> {
        if policy.ready != Ready::Signal || !self.is_running(attempt) || self.ready {
            return None;
        }
        self.ready = true;
        Some(Effects { note: self.pass(), ..Effects::default() })
    }

    /// Records progress of the attempt: the failures before it no longer count.
    pub(in crate::runtime) fn progress(&mut self, attempt: u64) {
        if self.is_running(attempt) {
            self.streak = 0;
        }
    }

    /// Records that a helper of the attempt panicked.
    pub(in crate::runtime) fn helper_panicked(&mut self) -> Effects {
        self.canceled = true;
        self.because(StopKind::HelperPanicked);
        Effects { interrupts: true, ..Effects::default() }
    }

    fn interrupt(&mut self, before: Request, at_once: bool) -> Effects {
        let interrupts = self.is_alive() && (at_once || !self.is_last());
        self.canceled |= interrupts;
        Effects { interrupts, is_first: before == Request::Nothing, note: None }
    }

    #[inline]
    fn pass(&mut self) -> Option<Note> {
        let passes = self.ready && self.gate == Gate::Open;
        if passes {
            self.gate = Gate::Passed;
        }
        passes.then_some(Note::Ready)
    }

    // The actor's inputs while no attempt runs.

    /// Ends the registration in a wait. The count of failures is then that before the last attempt, as after any end.
    fn over(&mut self) -> Turn {
        let counted = u32::from(self.stage == Stage::Waiting(Wait::Backoff));
        self.streak = self.streak.saturating_sub(counted);
        self.stage = Stage::Over;
        Turn::Over
    }

    /// Returns the next action, and the note to the group.
    #[inline]
    pub(in crate::runtime) fn turn(&mut self, policy: &ResolvedPolicy) -> (Turn, Option<Note>) {
        let is_last = self.is_last();
        let Stage::Waiting(wait) = &mut self.stage else { return (Turn::Parked, None) };
        let mut note = None;
        match self.request {
            Request::Stop if !is_last => return (self.over(), None),
            // One that has not begun runs after the hold.
            Request::Hold if policy.restart == RestartPolicy::Never && self.attempt > 0 => return (self.over(), None),
            Request::Hold => {
                self.request = Request::Nothing;
                // A wait for a backoff stays, so that a trigger can end the wait of the siblings.
                if !matches!(wait, Wait::Delay | Wait::Scheduled | Wait::Backoff) {
                    *wait = Wait::Due;
                }
                self.ready = false;
                note = Some(Note::Held);
            }
            _ => {}
        }
        let turn = match (self.gate, *wait) {
            (Gate::Shut, _) if !is_last => Turn::Parked,
            _ if self.is_held_off() && !is_last => Turn::Parked,
            (_, Wait::Due) if self.is_barred() => Turn::Parked,
            (_, Wait::Due) => Turn::Due,
            _ => Turn::Waits,
        };
        (turn, note)
    }

    /// Records that the delay of the wait has elapsed.
    pub(in crate::runtime) fn waited(&mut self) {
        if let Stage::Waiting(wait) = &mut self.stage {
            *wait = Wait::Due;
        }
    }

    /// Makes a scheduled task ready while it waits for its time. Returns whether its batch waits for it.
    pub(in crate::runtime) fn rest(&mut self) -> (bool, Option<Note>) {
        if self.stage != Stage::Waiting(Wait::Scheduled) || self.gate == Gate::Shut || self.request == Request::Stop {
            return (false, None);
        }
        self.ready = true;
        (std::mem::take(&mut self.unready), self.pass())
    }

    /// Records that the next time of the schedule has come. It ends a backoff, and resets the failures.
    pub(in crate::runtime) fn come(&mut self) {
        if let Stage::Waiting(wait) = &mut self.stage {
            *wait = Wait::Due;
            self.streak = 0;
        }
    }

    /// Resets the count of failures for a new run of the schedule.
    #[cfg(feature = "cron")]
    pub(in crate::runtime) fn forget_failures(&mut self) {
        self.streak = 0;
    }

    /// Skips the runs for which an attempt was due: the task [rests](Self::rest). Returns `None` if the attempt begins
    /// nevertheless, because it was triggered or is final.
    pub(in crate::runtime) fn reschedule(&mut self) -> Option<(bool, Option<Note>)> {
        if self.stage != Stage::Waiting(Wait::Due) || self.owed || self.is_last() {
            return None;
        }
        self.stage = Stage::Waiting(Wait::Scheduled);
        Some(self.rest())
    }

    /// Begins an attempt. Returns `None` if something else was requested in the meantime; [`turn`](Self::turn) then
    /// returns the next action. Returns whether this is the first attempt of a task that its batch waits for.
    #[inline]
    pub(in crate::runtime) fn begin(&mut self, policy: &ResolvedPolicy) -> Option<(bool, Option<Note>)> {
        let is_last = self.is_last();
        let is_held = self.request >= Request::Hold || self.gate == Gate::Shut;
        if (is_held && !is_last) || self.stage != Stage::Waiting(Wait::Due) {
            return None;
        }
        if self.bars != Bars::NONE && !self.passes_bars() {
            return None;
        }
        if !is_last {
            self.request = Request::Nothing;
            self.why = None;
        }
        self.stage = Stage::Running(Cut::Not);
        self.owed = false;
        self.canceled = false;
        self.attempt += 1;
        self.ready = policy.ready == Ready::Start || (self.ready && policy.ready == Ready::FirstSuccess);
        Some((std::mem::take(&mut self.unready), self.pass()))
    }

    // The actor's inputs while an attempt runs.

    /// Cancels the final attempt, because the running attempt is polled after the request.
    pub(in crate::runtime) fn knows(&mut self) {
        if self.has_last() {
            self.last = Last::No;
        }
    }

    /// Returns what was requested of the running attempt; `at_once` leaves it no time.
    pub(in crate::runtime) fn heed(&mut self, takes_context: bool, at_once: bool, helper_panicked: bool) -> Heed {
        let is_last = self.is_last();
        let Stage::Running(cut) = &mut self.stage else { return Heed::GoOn };
        let asked = self.request != Request::Nothing;
        if asked && at_once {
            return Heed::End(if takes_context { Ending::Aborted } else { Ending::Dropped });
        }
        if asked && !is_last && !takes_context {
            return Heed::End(Ending::Dropped);
        }
        *cut = match *cut {
            Cut::Not if asked && !is_last => Cut::Requested,
            Cut::Not if helper_panicked => Cut::HelperPanicked,
            _ => return Heed::GoOn,
        };
        Heed::CleanUp(*cut)
    }

    /// Records that the attempt exceeded a limit. Returns `false` if another request came first.
    pub(in crate::runtime) fn exceed(&mut self, why: StopKind) -> bool {
        let is_last = self.is_last();
        match &mut self.stage {
            Stage::Running(cut @ Cut::Not) if self.request == Request::Nothing || is_last => {
                *cut = Cut::TimedOut;
                self.canceled = true;
                self.because(why);
                true
            }
            _ => false,
        }
    }

    /// Begins to join the helpers of an attempt whose future is dropped. It is concluded with this ending when they
    /// have ended.
    pub(in crate::runtime) fn join(&mut self, policy: &ResolvedPolicy, ending: &Ending, lived: Option<Duration>) {
        self.canceled = true;
        let mut facts = self.facts(policy, Ran { lived, ..Ran::default() }, None, None);
        facts.late |= facts.request == Request::Nothing;
        // A panic of a helper turns a success into a failure.
        let panicked = self.stage == Stage::Running(Cut::HelperPanicked);
        self.stage = Stage::Joining { unasked: facts.late, ends: !panicked && is_final(&facts, ending) };
    }

    /// Decides what follows an attempt whose future is dropped and whose helpers have ended, or whose start failed
    /// before it began. [`conclude`](Self::conclude) carries the decision out.
    pub(in crate::runtime) fn decide(
        &self,
        policy: &ResolvedPolicy,
        ending: Ending,
        ran: Ran,
        ticks: Option<&Ticks>,
        stopped: Option<&StopReason>,
    ) -> Next {
        decide(&self.facts(policy, ran, ticks, stopped), ending)
    }

    #[inline]
    fn facts<'a>(
        &self,
        policy: &'a ResolvedPolicy,
        Ran { lived, at_once, .. }: Ran,
        ticks: Option<&'a Ticks>,
        stopped: Option<&'a StopReason>,
    ) -> Facts<'a> {
        let late = self.has_late_result();
        // As if the stop request had come after the attempt, during the wait for the next one.
        let request = if self.has_last() { Request::Nothing } else { self.request };
        Facts { policy, request, late, streak: self.streak, lived, at_once, ticks, stopped }
    }

    /// Returns `true` if the attempt returned before anything was requested, and only its helpers still ran then.
    fn has_late_result(&self) -> bool {
        matches!(self.stage, Stage::Joining { unasked: true, .. })
    }

    /// Returns `true` if the run of the schedule was over before the request: no attempt follows for the same time.
    #[cfg(feature = "cron")]
    pub(in crate::runtime) fn was_run_over(&self, policy: &ResolvedPolicy, ending: &Ending, ran: Ran) -> bool {
        self.request != Request::Nothing
            && self.has_late_result()
            && ends_run(&self.facts(policy, ran, None, None), ending)
    }

    /// Like [`conclude`](Self::conclude), for an attempt that was requested to stop before it ended, without helpers,
    /// pause or final attempt. Returns `false` and changes nothing in any other case.
    #[inline]
    pub(in crate::runtime) fn conclude_stop(&mut self) -> bool {
        let is_stopped = self.request == Request::Stop && matches!(self.stage, Stage::Running(Cut::Requested));
        if !is_stopped || self.is_paused() || self.has_last() {
            return false;
        }
        self.canceled = true;
        self.stage = Stage::Over;
        true
    }

    /// Concludes an attempt; `managed` if its group decides when the task runs again after a failure. Returns a note to
    /// the group, if there is one besides those of the actor.
    #[inline]
    pub(in crate::runtime) fn conclude(&mut self, policy: &ResolvedPolicy, next: &Next, managed: bool) -> Option<Note> {
        self.canceled = true;
        let timed = |wait, delay: Duration| Stage::Waiting(if delay.is_zero() { Wait::Due } else { wait });
        match *next {
            Next::End(_) => {
                self.stage = Stage::Over;
                return None;
            }
            Next::Retry { streak, .. } if managed => {
                self.streak = streak;
                self.gate = Gate::Shut;
                self.stage = Stage::Waiting(Wait::Backoff);
            }
            Next::Retry { streak, delay, .. } => {
                self.streak = streak;
                self.stage = timed(Wait::Backoff, delay);
            }
            Next::Repeat(delay) => {
                self.stage = timed(Wait::Interval, delay);
                return self.succeeded(policy);
            }
            Next::Scheduled | Next::GiveUp { .. } => {
                self.stage = Stage::Waiting(if self.owed { Wait::Due } else { Wait::Scheduled });
                self.streak = 0;
                self.ready = true;
                return self.pass();
            }
            Next::Throttle { pause, .. } => {
                self.stage = timed(Wait::Throttle, pause);
                return self.succeeded(policy);
            }
            Next::Hold(_) => {
                self.stage = Stage::Waiting(Wait::Due);
                self.request = Request::Nothing;
            }
            Next::Restart(ref error) => {
                // A run that was over before a pause, or before the lease was handed over, is not due again.
                let waits = policy.is_scheduled() && self.has_late_result() && error.is_none();
                let rests = self.bars.has(Bars::PAUSED | Bars::STANDBY) && !self.owed;
                self.stage = Stage::Waiting(if waits && rests { Wait::Scheduled } else { Wait::Due });
                self.request = Request::Nothing;
                self.streak = 0;
            }
        }
        self.ready &= policy.ready == Ready::FirstSuccess && stays_ready(policy, next);
        None
    }

    /// Records the success of an attempt that another follows.
    #[inline]
    fn succeeded(&mut self, policy: &ResolvedPolicy) -> Option<Note> {
        self.streak = 0;
        if policy.ready != Ready::FirstSuccess {
            return None;
        }
        self.ready = true;
        self.pass()
    }

    /// Ends the registration. Returns `true` if it still counted as not ready.
    pub(in crate::runtime) fn end(&mut self) -> bool {
        self.stage = Stage::Ended;
        self.canceled = true;
        std::mem::take(&mut self.unready)
    }
}

/// Returns `true` if a task that was ready by its first success is still ready.
fn stays_ready(policy: &ResolvedPolicy, next: &Next) -> bool {
    match next {
        Next::Retry { streak, .. } => policy.unready_after.is_none_or(|failures| *streak < failures),
        Next::Restart(_) => true,
        _ => false,
    }
}

/// Returns the stage before the first attempt.
fn first_stage(policy: &ResolvedPolicy) -> Stage {
    Stage::Waiting(match policy {
        _ if policy.is_scheduled() => Wait::Scheduled,
        _ if policy.begins_later() => Wait::Delay,
        _ => Wait::Due,
    })
}

#[cfg(test)]
#[path = "machine_test.rs"]
mod tests;

#[cfg(test)]
#[path = "machine_cases_test.rs"]
mod cases;
