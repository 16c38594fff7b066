//! The observable state of a task.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::super::decision::Request;
use super::super::helpers::Beat;
use super::super::machine::{Cut, Machine, Stage, Wait};
use super::{Cell, State};
use crate::inspect::{OutcomeKind, Problem, TaskOutcome, TaskState, TaskStatus};
use crate::runtime::clock::Ticks;
use crate::task::TaskError;

/// The state of a cell at one moment.
pub(in crate::runtime) struct Seen {
    pub(in crate::runtime) machine: Machine,
    pub(in crate::runtime) since: Ticks,
    /// The end of its wait, if it is known and the task does not wait for its schedule.
    pub(in crate::runtime) due: Option<Ticks>,
    /// The next run of its schedule.
    pub(in crate::runtime) next_run: Option<SystemTime>,
    pub(in crate::runtime) last_error: Option<Arc<TaskError>>,
    pub(in crate::runtime) outcome: Option<OutcomeKind>,
}

impl Cell {
    /// Returns the public state. Unlike [`status`](Self::status), it contains no error, whose drop would be user code.
    pub(in crate::runtime) fn state(&self) -> TaskState {
        self.lock().machine.state()
    }

    pub(crate) fn status(&self) -> TaskStatus {
        let next_run = self.next_run();
        let state = self.lock();
        TaskStatus {
            state: state.machine.state(),
            attempt: shown(state.machine.attempt),
            restarts: shown(state.machine.restarts(&self.policy)),
            failures: state.machine.streak,
            paused: state.machine.is_paused(),
            last_error: state.last_error.clone(),
            next_run: next_run.filter(|_| state.machine.stage != Stage::Ended),
        }
    }

    /// Returns the start of the current state, by the supervisor's clock; [`Ticks::MAX`] while an attempt is about to
    /// begin.
    pub(in crate::runtime) fn since(&self) -> Ticks {
        self.lock().since
    }

    /// Returns the time of its stop request, or of the start of its final attempt; [`Ticks::MAX`] before the request, and
    /// if it has only to leave its wait, which began before the request.
    pub(in crate::runtime) fn stops_since(&self) -> Ticks {
        let state = self.lock();
        let machine = &state.machine;
        let waits = matches!(machine.stage, Stage::Waiting(_)) && !machine.is_last();
        if machine.request == Request::Stop && !waits { state.since } else { Ticks::MAX }
    }

    /// Returns the state that a snapshot shows, as of one moment.
    pub(in crate::runtime) fn seen(&self) -> Seen {
        let state = self.lock();
        let machine = state.machine;
        let next_run = if machine.stage == Stage::Ended { None } else { self.next_run() };
        Seen {
            machine,
            since: state.since,
            due: Some(state.until).filter(|due| machine.awaits_its_delay() && *due != Ticks::MAX),
            next_run,
            last_error: state.last_error.clone(),
            outcome: state.outcome().filter(|_| machine.stage == Stage::Ended).map(TaskOutcome::kind),
        }
    }

    /// Returns the problem of an attempt that is past a deadline.
    pub(in crate::runtime) fn overdue(&self) -> Option<Problem> {
        let now = self.core.clock.now();
        let state = self.lock();
        let shown = state.machine.state();
        if shown == TaskState::Stopping && state.machine.is_alive() && now > state.until {
            return Some(Problem::PastStop);
        }
        let (beat, watchdog) = self.watched(&state)?;
        let allowed = if beat.granted { watchdog.saturating_mul(2) } else { watchdog };
        (beat.at.elapsed() > allowed).then_some(Problem::Silent)
    }

    /// Returns the problem of an attempt that its watchdog may end soon: it has sent no heartbeat for three quarters of
    /// the time, or its probe failed.
    pub(in crate::runtime) fn quiet(&self) -> Option<Problem> {
        let (beat, watchdog) = self.watched(&self.lock())?;
        let silence = beat.at.elapsed();
        (beat.probe_failed || silence > watchdog / 4 * 3).then_some(Problem::Quiet { silence, watchdog })
    }

    /// Returns the last heartbeat of a running attempt, and its watchdog. An attempt that has exceeded a limit before the
    /// stop request stays watched: the request does not make it respond.
    fn watched(&self, state: &State) -> Option<(Beat, Duration)> {
        let aside = state.aside.as_ref()?;
        let is_watched = match state.machine.stage {
            Stage::Running(Cut::TimedOut) => true,
            Stage::Joining { .. } if aside.violated => true,
            _ => state.machine.state() == TaskState::Running,
        };
        Some((aside.beat?, self.policy.watchdog.filter(|_| is_watched)?))
    }

    /// Returns the paths of the siblings, or of the siblings of a group around it, that the task waits for.
    pub(in crate::runtime) fn awaits(&self) -> Vec<String> {
        let is_parked = self.lock().machine.is_parked();
        let member = self.member().filter(|_| is_parked);
        member.map_or_else(Vec::new, |member| member.group.awaited_by(member.key))
    }

    /// Returns `true` if the registration was aborted before an attempt began. This happens to a task that is spawned
    /// on a runtime that was shut down.
    pub(in crate::runtime) fn was_refused(&self) -> bool {
        let state = self.lock();
        let is_unbegun = state.machine.stage == Stage::Ended && state.machine.attempt == 0;
        is_unbegun && matches!(state.outcome(), Some(TaskOutcome::Aborted { .. }))
    }

    /// Returns `true` if an attempt is running.
    pub(crate) fn is_alive(&self) -> bool {
        self.lock().machine.is_alive()
    }

    /// Returns `true` if the task waits for the next run of its schedule, and not for the end of a backoff.
    pub(in crate::runtime) fn awaits_schedule(&self) -> bool {
        self.lock().machine.stage == Stage::Waiting(Wait::Scheduled)
    }
}

/// Returns the number of an attempt as `u32`, saturated.
pub(in crate::runtime) fn shown(attempt: u64) -> u32 {
    u32::try_from(attempt).unwrap_or(u32::MAX)
}
