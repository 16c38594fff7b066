//! The permits of one attempt.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::time::Instant;

use super::super::core::Core;
use super::super::recheck::Recheck;
use super::super::task::Cell;
use super::queue::{Permits, Wait};
use super::{Claimed, PATIENCE, Shared};
use crate::sync::{lock, wake_caught};

/// The claims of a task. Dropping them releases them.
pub(in crate::runtime) trait Claims: Send {
    /// Returns `Ready` once the task has all its permits.
    fn poll(&mut self, cell: &Arc<Cell>, cx: &Context<'_>) -> Poll<()>;

    /// Returns the name of the limit that the task waits for.
    fn awaits(&self) -> Option<Arc<str>>;

    /// Releases the claims. A released permit goes to the first waiting task.
    fn release(&mut self);
}

/// The claims of a task, from the innermost limit on, each with the ticket under which it waits or holds a permit.
pub(super) struct Permit {
    permits: Shared,
    ticket: Option<u64>,
    outer: Option<Box<Self>>,
}

impl Permit {
    #[cold]
    pub(super) fn of_limits(cell: &Cell) -> Option<Claimed> {
        let limits = &cell.core().limits;
        let mut names: HashSet<&Arc<str>> = cell.policy().named_limit.iter().collect();
        let mut bounds = Vec::new();
        let mut around = cell.member().map(|member| &member.group);
        while let Some(group) = around {
            bounds.extend(group.permits.as_ref());
            names.extend(group.declared.named_limit());
            around = group.position.as_ref().map(|position| &position.parent);
        }
        #[cfg(feature = "controller")]
        names.extend(cell.slot().and_then(|slot| cell.core().controller.limit_of(slot)));
        let by_name = limits.named.iter().filter(|(name, _)| names.contains(name));
        bounds.extend(by_name.map(|(_, permits)| permits));
        bounds.extend(&limits.all);
        let claim =
            |outer, permits: &Shared| Some(Box::new(Self { permits: Arc::clone(permits), ticket: None, outer }));
        let claims = bounds.into_iter().rev().fold(None, claim)?;
        Some(Box::new(claims))
    }

    pub(super) fn permits(&self) -> &Permits {
        (*self.permits).as_ref()
    }

    fn poll_own(&mut self, cell: &Arc<Cell>, cx: &Context<'_>) -> Poll<()> {
        let permits = (*self.permits).as_ref();
        let mut state = lock(&permits.state);
        if let Some(ticket) = &self.ticket {
            let Some(wait) = state.queue.get_mut(ticket) else { return Poll::Ready(()) };
            // The waker of an actor always comes from Tokio.
            let before = (!wait.waker.will_wake(cx.waker())).then(|| mem::replace(&mut wait.waker, cx.waker().clone()));
            drop(state);
            drop(before);
            return Poll::Pending;
        }
        state.last += 1;
        let ticket = *self.ticket.insert(state.last);
        if state.holders.len() < permits.limit {
            state.holders.insert(ticket, Arc::clone(cell));
            return Poll::Ready(());
        }
        let (cell, core) = (Arc::clone(cell), cell.core());
        state.queue.insert(ticket, Wait { cell, since: Instant::now(), warned: false, waker: cx.waker().clone() });
        let watched = mem::replace(&mut state.watched, true);
        drop(state);
        if !watched && core.limits.watch(&self.permits) {
            let lost = |core: &Arc<Core>| core.limits.is_unwatched();
            Recheck::spawn(core, "permits", PATIENCE, |core| core.limits.warn(), lost);
        }
        Poll::Pending
    }

    fn release_own(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        let mut state = lock(&self.permits().state);
        let (waited, held) = (state.queue.remove(&ticket), state.holders.remove(&ticket));
        let next = if held.is_some() { state.queue.pop_first() } else { None };
        let waker = next.map(|(ticket, Wait { cell, waker, .. })| {
            state.holders.insert(ticket, cell);
            waker
        });
        drop(state);
        if let Some(waker) = waker {
            wake_caught(waker);
        }
        drop((waited, held));
    }
}

impl Claims for Permit {
    fn poll(&mut self, cell: &Arc<Cell>, cx: &Context<'_>) -> Poll<()> {
        let mut claim = Some(self);
        while let Some(next) = claim {
            ready!(next.poll_own(cell, cx));
            claim = next.outer.as_deref_mut();
        }
        Poll::Ready(())
    }

    fn awaits(&self) -> Option<Arc<str>> {
        let mut claim = Some(self);
        while let Some(next) = claim {
            let ticket = next.ticket?;
            let permits = next.permits();
            if lock(&permits.state).queue.contains_key(&ticket) {
                return Some(Arc::clone(&permits.name));
            }
            claim = next.outer.as_deref();
        }
        None
    }

    fn release(&mut self) {
        let mut claim = Some(self);
        while let Some(next) = claim {
            next.release_own();
            claim = next.outer.as_deref_mut();
        }
    }
}

impl Drop for Permit {
    /// Releases the claims without recursion.
    fn drop(&mut self) {
        self.release_own();
        let mut outer = self.outer.take();
        while let Some(mut next) = outer {
            next.release_own();
            outer = next.outer.take();
        }
    }
}
