//! The lease of a task that runs once in a fleet, or whose group does.

use std::task::Poll;
use std::time::Duration;

use super::super::decision::Ending;
use super::Actor;

impl Actor {
    /// Takes the lease for the attempt that begins. Returns `false` if it is lost by now.
    pub(super) fn takes_lease(&mut self) -> bool {
        let Some(lease) = self.guards.as_mut().and_then(|guards| guards.lease.as_mut()) else { return true };
        let has_lease = lease.take(&self.cell);
        if !has_lease {
            self.cell.stop_without_lease(lease.hold());
        }
        has_lease
    }

    /// Ends the attempt if its lease is over: it is dropped with its helpers, and not polled again. Returns `true` then.
    pub(super) fn is_without_lease(&mut self) -> bool {
        let lease = self.guards.as_ref().and_then(|guards| guards.lease.as_ref());
        let Some(hold) = lease.and_then(|lease| lease.over()) else { return false };
        self.cell.stop_without_lease(Some(hold));
        self.cell.abort_helpers();
        self.end_attempt(Ending::Dropped);
        true
    }

    /// Asks the store of the fleet for the run that is due. Returns `None` if the attempt may begin, and `Ready` if another
    /// owner has begun the run, so that the task waits for the next one.
    pub(super) fn poll_mark(&mut self) -> Option<Poll<()>> {
        let schedule = self.guards.as_mut()?.schedule.as_mut()?;
        let seat = self.cell.own_seat()?;
        let run = schedule.due_run(&self.cell)?;
        match seat.may_run(run) {
            // The engine wakes the task when it knows.
            None => return Some(Poll::Pending),
            Some(true) => return None,
            Some(false) => schedule.pass_over(),
        }
        if !self.cell.reschedule() {
            return None;
        }
        self.release();
        self.take_turn(Duration::MAX);
        Some(Poll::Ready(()))
    }

    /// The run of a schedule has succeeded.
    pub(super) fn run_has_succeeded(&mut self) {
        let schedule = self.guards.as_ref().and_then(|guards| guards.schedule.as_ref());
        if let (Some(schedule), Some(seat)) = (schedule, self.cell.own_seat()) {
            if let Some(run) = schedule.current_run() {
                seat.has_run(run);
            }
        }
    }
}
