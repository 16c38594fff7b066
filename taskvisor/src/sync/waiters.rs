//! The wakers of futures that wait for one condition.
//!
//! Unlike `tokio::sync::Notify`, each waker is woken inside its own [`catch`]: a waker that panics does not prevent the
//! other wake-ups.

use std::future::poll_fn;
use std::mem;
use std::task::{Poll, Waker};

use super::{AtomicU32, Mutex, Ordering, lock};
use crate::panics::catch;

/// Registered wakers. Plain data, for use under an existing lock.
///
/// The first waker is stored in place without an allocation, because most conditions have one waiter.
#[derive(Default)]
pub(crate) struct WaitList {
    last: u32,
    first_id: u32,
    first: Option<Waker>,
    #[expect(clippy::box_collection, reason = "a cell has one of these, and mostly none of it")]
    more: Option<Box<Vec<(u32, Waker)>>>,
}

impl WaitList {
    /// Registers a waker, or updates the registration of `id`. Returns a replaced waker, to be dropped with no lock
    /// held.
    #[must_use = "a waker is dropped with no lock held"]
    pub(crate) fn register(&mut self, id: &mut Option<u32>, waker: Waker) -> Option<Waker> {
        if let Some(known) = id.and_then(|id| self.find(id)) {
            return Some(mem::replace(known, waker));
        }
        self.last = self.last.wrapping_add(1);
        *id = Some(self.last);
        if self.first.is_none() {
            self.first_id = self.last;
            return self.first.replace(waker);
        }
        self.more.get_or_insert_default().push((self.last, waker));
        None
    }

    fn find(&mut self, id: u32) -> Option<&mut Waker> {
        if self.first_id == id && self.first.is_some() {
            return self.first.as_mut();
        }
        self.more.as_mut()?.iter_mut().find(|(other, _)| *other == id).map(|(_, waker)| waker)
    }

    /// Ends a registration. Returns its waker, to be dropped with no lock held.
    #[must_use = "a waker is dropped with no lock held"]
    pub(crate) fn deregister(&mut self, id: u32) -> Option<Waker> {
        if self.first_id == id && self.first.is_some() {
            return self.first.take();
        }
        let more = self.more.as_mut()?;
        let position = more.iter().position(|(other, _)| *other == id)?;
        Some(more.swap_remove(position).1)
    }

    /// Takes all wakers, to be woken with no lock held. Later registrations get new ids.
    pub(crate) fn take(&mut self) -> Self {
        Self { last: self.last, first_id: self.first_id, first: self.first.take(), more: self.more.take() }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_none()
    }

    /// Does what [`wake`](Self::wake) does, where mostly nobody waits.
    #[inline]
    pub(crate) fn wake_any(self) {
        if self.is_empty() {
            // The compiler leaves its drop to a call.
            return mem::forget(self);
        }
        self.wake();
    }

    /// Wakes all wakers in the order of their registration. Called with no lock held.
    pub(crate) fn wake(self) {
        if let Some(first) = self.first {
            wake_caught(first);
        }
        if let Some(more) = self.more {
            more.into_iter().for_each(|(_, waker)| wake_caught(waker));
        }
    }
}

/// Wakes one waker, and catches its panic.
pub(crate) fn wake_caught(waker: Waker) {
    let _ = catch(|| waker.wake());
}

/// A [`WaitList`] with its own lock. The lock is a leaf: no other lock is taken under it, so it cannot deadlock.
#[derive(Default)]
pub(crate) struct Waiters {
    /// Guards the list. Wakers are cloned before, and woken and dropped after.
    list: Mutex<WaitList>,
    rings: AtomicU32,
}

/// An owner of a [`WaitList`] and of the lock that guards it.
pub(crate) trait Waited {
    /// Calls `act` under the lock.
    fn with_list<T>(&self, act: impl FnOnce(&mut WaitList) -> T) -> T;
}

/// Waits until `look` returns a value. `look` is called after each wake-up, and once more after the waker is
/// registered, so that no change is missed.
pub(crate) async fn wait_in<T>(waited: &impl Waited, mut look: impl FnMut() -> Option<T>) -> T {
    let mut place = Registration { waited, id: None };
    poll_fn(|cx| {
        if let Some(found) = look() {
            return Poll::Ready(found);
        }
        let waker = cx.waker().clone();
        let replaced = waited.with_list(|list| list.register(&mut place.id, waker));
        drop(replaced);
        look().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

impl Waited for Waiters {
    fn with_list<T>(&self, act: impl FnOnce(&mut WaitList) -> T) -> T {
        act(&mut lock(&self.list))
    }
}

impl Waiters {
    /// Waits until `look` returns a value. `look` is called again after each [`wake`](Self::wake).
    pub(crate) async fn wait<T>(&self, look: impl FnMut() -> Option<T>) -> T {
        wait_in(self, look).await
    }

    /// Waits for the next call of [`wake`](Self::wake) after this call.
    pub(crate) fn next_ring(&self) -> impl Future<Output = ()> + '_ {
        let rings = self.rings.load(Ordering::Acquire);
        self.wait(move || (self.rings.load(Ordering::Acquire) != rings).then_some(()))
    }

    /// Wakes all waiters. Called with no lock held.
    pub(crate) fn wake(&self) {
        self.rings.fetch_add(1, Ordering::AcqRel);
        let all = self.with_list(WaitList::take);
        all.wake();
    }
}

/// The registration of a waker. Dropping it removes the waker.
struct Registration<'a, W: Waited> {
    waited: &'a W,
    id: Option<u32>,
}

impl<W: Waited> Drop for Registration<'_, W> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let gone = self.waited.with_list(|list| list.deregister(id));
            let _ = catch(|| drop(gone));
        }
    }
}
