//! The lease of a task that runs once in a fleet, or whose group does.

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
}
