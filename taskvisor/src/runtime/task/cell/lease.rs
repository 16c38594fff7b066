//! The lease of a singleton task, or of a task in a singleton group: no attempt begins without it, and none is polled
//! after its end.
//!
//! The engine changes the seat first, and then notifies the cells. A cell reads its seat under its own lock, so that
//! the last read always applies the latest state of the seat.

use std::sync::Arc;
use std::time::Duration;

use super::{Bound, Cell, Tie};
use crate::fleet::FencingToken;
use crate::runtime::fleet::{Hold, Seat, StoreClock};
use crate::supervisor::StopLimit;
use crate::task::StopKind;

impl Tie {
    /// Returns the seat that decides when the task runs: its own, or that of the group around it.
    #[inline]
    fn seat(&self) -> Option<&Arc<Seat>> {
        match self {
            Self::Leased(seat, _) => Some(seat),
            Self::Group(member) => member.seat.as_ref().or_else(|| member.group.seat_around()),
            Self::Slot(_) => None,
        }
    }

    /// Returns `true` if the task needs a lease that is not held now.
    #[inline]
    pub(super) fn lacks_lease(&self) -> bool {
        self.seat().is_some_and(|seat| !seat.is_held())
    }
}

impl Cell {
    /// Returns the seat that decides when the task runs: its own, or that of the group around it.
    #[inline]
    pub(in crate::runtime) fn seat(&self) -> Option<&Arc<Seat>> {
        self.tie.as_deref()?.seat()
    }

    /// Registers the task with its own seat.
    #[cold]
    pub(in crate::runtime) fn takes_seat(self: &Arc<Self>) {
        if let Some(seat) = self.own_seat() {
            seat.is_of_task(self);
        }
    }

    /// Returns the seat of the task itself.
    pub(in crate::runtime) fn own_seat(&self) -> Option<&Arc<Seat>> {
        match self.tie.as_deref()? {
            Tie::Leased(seat, _) => Some(seat),
            Tie::Group(member) => member.seat.as_ref(),
            Tie::Slot(_) => None,
        }
    }

    /// Applies the state of the seat. Attempts may begin if the lease is held. If not, a running attempt is requested
    /// to stop within this time.
    pub(in crate::runtime) fn follow_lease(&self, within: Option<Duration>) {
        let Some(seat) = self.seat() else { return };
        let mut state = self.lock();
        if seat.is_held() {
            if state.machine.takes_lease(&self.policy) {
                state.since = self.core.clock.now();
                state.leaves_its_wait();
                self.wake(state);
            }
            return;
        }
        let Some(effects) = state.machine.stands_by(within.is_some()) else { return };
        if !state.machine.is_alive() {
            state.since = self.core.clock.now();
        }
        let within = within.unwrap_or(Duration::MAX).min(self.policy.stop_timeout.unwrap_or(Duration::MAX));
        let bound = Bound::within(within, StopLimit::StopTimeout);
        if effects.interrupts {
            state.tighten(bound, StopKind::LeaseLost);
        }
        self.carry_out(None, state, bound, effects);
    }

    /// Called when the lease has ended: wakes the actor and the helpers, which are dropped at their next poll.
    pub(in crate::runtime) fn lease_is_over(&self) {
        let state = self.lock();
        let abort = state.aside.as_ref().and_then(|aside| aside.abort.clone());
        self.wake(state);
        if let Some(abort) = abort {
            abort.cancel();
        }
    }

    /// Called by the actor when the lease of its attempt has ended. No other attempt begins until the lease is granted
    /// again.
    pub(in crate::runtime) fn stop_without_lease(&self, hold: Option<&Hold>) {
        let mut state = self.lock();
        if let Some(effects) = state.machine.stands_by(true) {
            state.machine.because(StopKind::LeaseLost);
            self.carry_out(None, state, Bound::OPEN, effects);
        } else {
            drop(state);
        }
        if let (Some(seat), Some(hold)) = (self.seat(), hold) {
            seat.lost(hold);
        }
    }

    /// Records the lease of the attempt that begins.
    pub(in crate::runtime) fn works_under(&self, hold: &Arc<Hold>) {
        let mut state = self.lock();
        state.aside.get_or_insert_default().hold = Some(Arc::clone(hold));
        // The actor checks the lease before each poll.
        self.news.raise();
    }

    /// Called when the task has its lease: its schedule continues after the last run of the fleet.
    pub(in crate::runtime) fn take_over(&self, last_tick: Option<u64>, clock: &Arc<StoreClock>) {
        if self.policy.is_scheduled() {
            if let Some(line) = self.core.schedules.get(self) {
                line.take_over(last_tick.and_then(|tick| i64::try_from(tick).ok()), clock);
            }
        }
    }

    /// Wakes the actor, which reads its seat again.
    pub(in crate::runtime) fn look_at_seat(&self) {
        self.wake(self.lock());
    }

    fn hold_of(&self, attempt: u64) -> Option<Arc<Hold>> {
        let state = self.lock();
        let aside = state.aside.as_ref().filter(|_| state.machine.attempt == attempt && state.machine.is_alive())?;
        aside.hold.clone()
    }

    pub(crate) fn fencing_token(&self, attempt: u64) -> Option<FencingToken> {
        self.hold_of(attempt).map(|hold| hold.token)
    }

    pub(crate) fn lease_left(&self, attempt: u64) -> Option<Duration> {
        self.hold_of(attempt).map(|hold| hold.left())
    }

    pub(crate) fn lease_owner(&self) -> Option<Arc<str>> {
        self.seat()?.owner()
    }

    /// Hands over the lease. Returns `false` if the task holds no lease of its own.
    pub(crate) fn resign(&self) -> bool {
        self.own_seat().is_some_and(Seat::resign)
    }

    /// Called when no attempt or helper runs. If the task waits for its lease only, it competes for the lease; while it
    /// is paused, it withdraws.
    pub(in crate::runtime) fn competes(&self) {
        let Some(seat) = self.own_seat() else { return };
        let machine = *self.lock().machine();
        match (machine.competes(), machine.is_paused()) {
            (true, false) => seat.wants(),
            (true, true) => seat.withdraws(),
            (false, _) => {}
        }
    }

    /// Returns `true` if the task stands by.
    pub(in crate::runtime) fn stands_by(&self) -> bool {
        self.tie.is_some() && self.lock().machine().is_standing_by()
    }
}
