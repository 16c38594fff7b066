//! The cancellation of an attempt: its code observes it by its token, or by a wait in its cell.
//!
//! Most attempts wait in their own future, which the actor polls again after each request. Such a wait needs no memory
//! and no waker. Waits with another waker, such as those in helpers, are registered in a list. A token is created on
//! demand. From then on all waits are for the token, because code of the attempt can cancel it.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::attempt::Why;
use super::{Cell, State};
use crate::panics::{catch, drop_caught};
use crate::sync::{WaitList, wake_caught};
use crate::task::StopReason;

/// The token and the waiters to be notified that the attempt is canceled.
#[derive(Default)]
#[must_use = "they wait for it"]
pub(in crate::runtime) struct Signal {
    token: Option<CancellationToken>,
    waiting: Option<Box<WaitList>>,
}

impl Signal {
    #[inline]
    pub(super) fn to(token: Option<CancellationToken>) -> Self {
        Self { token, waiting: None }
    }

    pub(super) fn and_to(&mut self, waiting: Option<Box<WaitList>>) {
        self.waiting = waiting;
    }

    /// Cancels the token and wakes the waiters. Called with no lock held, because wakers are user code.
    #[inline]
    pub(in crate::runtime) fn send(self) {
        if self.is_empty() {
            // Avoids a call of the drop glue.
            return mem::forget(self);
        }
        self.send_to_some();
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.token.is_none() && self.waiting.is_none()
    }

    #[inline(never)]
    fn send_to_some(self) {
        if let Some(token) = self.token {
            let _ = catch(|| token.cancel());
        }
        if let Some(waiting) = self.waiting {
            waiting.wake();
        }
    }
}

impl State {
    /// Takes the token and the waiters to be notified that the attempt is canceled. The attempt's own future is polled
    /// in any case.
    #[inline]
    pub(super) fn take_signal(&mut self) -> Signal {
        Signal { token: self.token.take(), waiting: self.aside.as_mut().and_then(|aside| aside.waiting.take()) }
    }

    fn is_canceled(&self, attempt: u64) -> bool {
        self.machine.attempt != attempt || self.machine.canceled
    }

    /// Like `is_canceled`, and records that the attempt has observed the cancellation if so.
    fn tells(&mut self, attempt: u64) -> bool {
        let is_canceled = self.is_canceled(attempt);
        if is_canceled {
            self.machine.hears(attempt);
        }
        is_canceled
    }
}

impl Cell {
    /// Returns `true` if the attempt was requested to stop, or its token was canceled.
    pub(crate) fn is_canceled(&self, attempt: u64) -> bool {
        let mut state = self.lock();
        state.tells(attempt) || state.token.as_ref().is_some_and(CancellationToken::is_cancelled)
    }

    /// Returns the token of the attempt.
    pub(crate) fn token(&self, attempt: u64) -> CancellationToken {
        let mut state = self.lock();
        if state.is_canceled(attempt) {
            drop(state);
            let token = CancellationToken::new();
            token.cancel();
            return token;
        }
        let is_first = state.token.is_none();
        let token = state.token.get_or_insert_default().clone();
        if is_first && (self.waits_in_place.load(Ordering::Relaxed) || state.aside.is_some()) {
            self.send_to_token(state);
        }
        token
    }

    /// Wakes all waits in the cell, so that they wait for the token instead.
    #[cold]
    fn send_to_token(&self, mut state: MutexGuard<'_, State>) {
        let waiting = state.aside.as_mut().and_then(|aside| aside.waiting.take());
        let own = if self.waits_in_place.swap(false, Ordering::Relaxed) { state.waker.clone() } else { None };
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
        if let Some(own) = own {
            wake_caught(own);
        }
    }

    /// Waits until the attempt is canceled, or has ended. Returns the reason.
    #[inline]
    pub(crate) fn until_canceled(&self, attempt: u64) -> impl Future<Output = StopReason> + '_ {
        Wait { cell: self, attempt, id: None, token: None }
    }
}

/// A wait in the cell, until there is a token to wait for. Dropping it removes it from the list.
struct Wait<'a> {
    cell: &'a Cell,
    attempt: u64,
    /// Its id in the list, if it is there. The ids of an attempt are unique.
    id: Option<u32>,
    /// Boxed, because most waits need none, and each task that waits has this in its future.
    token: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

/// What a wait finds in its cell.
enum Look {
    Canceled(Why),
    Token(CancellationToken),
    Waits,
}

impl Wait<'_> {
    #[inline]
    fn look(&self, state: &mut State) -> Look {
        match &state.token {
            _ if state.is_canceled(self.attempt) => {
                let why = state.why_ended(self.attempt);
                state.machine.hears(self.attempt);
                Look::Canceled(why)
            }
            Some(token) => Look::Token(token.clone()),
            None => Look::Waits,
        }
    }

    /// Registers the waker, which was cloned with no lock held, because wakers are user code.
    #[cold]
    fn look_listed(&mut self, waker: Waker) -> Look {
        let mut state = self.cell.lock();
        let look = self.look(&mut state);
        let left = if matches!(look, Look::Waits) {
            let list = state.aside.get_or_insert_default().waiting.get_or_insert_default();
            list.register(&mut self.id, waker)
        } else {
            Some(waker)
        };
        drop(state);
        let _ = drop_caught(left);
        look
    }

    #[cold]
    fn poll_token(&mut self, token: CancellationToken, cx: &mut Context<'_>) -> Poll<StopReason> {
        self.leave();
        let token = self.token.insert(Box::pin(token.cancelled_owned()));
        token.as_mut().poll(cx).map(|()| self.cell.reason_of_end(self.attempt))
    }

    #[cold]
    fn leave(&mut self) {
        let Some(id) = self.id.take() else { return };
        let mut state = self.cell.lock();
        let is_own = state.machine.attempt == self.attempt;
        let list = state.aside.as_mut().filter(|_| is_own).and_then(|aside| aside.waiting.as_mut());
        let gone = list.and_then(|list| list.deregister(id));
        drop(state);
        let _ = drop_caught(gone);
    }
}

impl Future for Wait<'_> {
    type Output = StopReason;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<StopReason> {
        let wait = &mut *self;
        if let Some(token) = &mut wait.token {
            return token.as_mut().poll(cx).map(|()| wait.cell.reason_of_end(wait.attempt));
        }
        let mut state = wait.cell.lock();
        let mut look = wait.look(&mut state);
        if matches!(look, Look::Waits) {
            if state.waker.as_ref().is_some_and(|own| own.will_wake(cx.waker())) {
                wait.cell.waits_in_place.store(true, Ordering::Relaxed);
                return Poll::Pending;
            }
            drop(state);
            look = wait.look_listed(cx.waker().clone());
        } else {
            drop(state);
        }
        match look {
            Look::Canceled(why) => Poll::Ready(wait.cell.reason_of(why)),
            Look::Token(token) => wait.poll_token(token, cx),
            Look::Waits => Poll::Pending,
        }
    }
}

impl Drop for Wait<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.id.is_some() {
            self.leave();
        }
    }
}
