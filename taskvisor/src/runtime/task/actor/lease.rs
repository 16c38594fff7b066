//! The lease of a singleton task, or of a task in a singleton group.

use std::task::Poll;
use std::time::Duration;

use super::super::decision::Ending;
use super::Actor;

impl Actor {
    /// Takes the lease for the attempt that begins. Returns `false` if the lease is already lost.
    pub(super) fn takes_lease(&mut self) -> bool {
        let Some(lease) = self.guards.as_mut().and_then(|guards| guards.lease.as_mut()) else { return true };
        let has_lease = lease.take(&self.cell);
        if !has_lease {
            self.cell.stop_without_lease(lease.hold());
        }
        has_lease
    }

    /// Ends the attempt if its lease has ended: drops it with its helpers without another poll. Returns `true` if so.
    pub(super) fn is_without_lease(&mut self) -> bool {
        let lease = self.guards.as_ref().and_then(|guards| guards.lease.as_ref());
        let Some(hold) = lease.and_then(|lease| lease.over()) else { return false };
        self.cell.stop_without_lease(Some(hold));
        self.cell.abort_helpers();
        self.end_attempt(Ending::Dropped);
        true
    }

    /// Requests the run that is due from the store of the fleet. Returns `None` if the attempt may begin, and `Ready`
    /// if another owner has begun the run, so that the task waits for the next one.
    pub(super) fn poll_mark(&mut self) -> Option<Poll<()>> {
        let schedule = self.guards.as_mut()?.schedule.as_mut()?;
        let seat = self.cell.own_seat()?;
        let run = schedule.due_run(&self.cell)?;
        match seat.may_run(run) {
            // The engine wakes the task when the store has answered.
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

    /// Records that the run of the schedule has succeeded.
    pub(super) fn run_has_succeeded(&mut self) {
        let schedule = self.guards.as_ref().and_then(|guards| guards.schedule.as_ref());
        if let (Some(schedule), Some(seat)) = (schedule, self.cell.own_seat()) {
            if let Some(run) = schedule.current_run() {
                seat.has_run(run);
            }
        }
    }
}
