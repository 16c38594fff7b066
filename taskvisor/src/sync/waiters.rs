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
/// The first waker is stored in place without an allocation, because most conditions have one waiter. Ids are unique
/// until the list is taken.
#[derive(Default)]
pub(crate) struct WaitList {
    first: Option<Waker>,
    /// Boxed, because a cell has one of these, and mostly none of it.
    more: Option<Box<More>>,
}

/// The wakers after the first, with their ids.
#[derive(Default)]
struct More {
    last: u32,
    wakers: Vec<(u32, Waker)>,
}

/// The id of the waker in place.
const FIRST: u32 = 0;

impl WaitList {
    /// Registers a waker, or updates the registration of `id`. Returns a replaced waker, to be dropped with no lock
    /// held.
    #[must_use = "a waker is dropped with no lock held"]
    pub(crate) fn register(&mut self, id: &mut Option<u32>, waker: Waker) -> Option<Waker> {
        if let Some(known) = id.and_then(|id| self.find(id)) {
            return Some(mem::replace(known, waker));
        }
        if self.first.is_none() {
            *id = Some(FIRST);
            return self.first.replace(waker);
        }
        let more = self.more.get_or_insert_default();
        // Not the id of the first.
        more.last = more.last.wrapping_add(1).max(1);
        *id = Some(more.last);
        more.wakers.push((more.last, waker));
        None
    }

    fn find(&mut self, id: u32) -> Option<&mut Waker> {
        if id == FIRST {
            return self.first.as_mut();
        }
        self.more.as_mut()?.wakers.iter_mut().find(|(other, _)| *other == id).map(|(_, waker)| waker)
    }

    /// Ends a registration. Returns its waker, to be dropped with no lock held.
    #[must_use = "a waker is dropped with no lock held"]
    pub(crate) fn deregister(&mut self, id: u32) -> Option<Waker> {
        if id == FIRST {
            return self.first.take();
        }
        let more = self.more.as_mut()?;
        let position = more.wakers.iter().position(|(other, _)| *other == id)?;
        Some(more.wakers.swap_remove(position).1)
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
            more.wakers.into_iter().for_each(|(_, waker)| wake_caught(waker));
        }
    }
}

/// Wakes one waker, and catches its panic.
pub(crate) fn wake_caught(waker: Waker) {
    let _ = catch(|| waker.wake());
}

/// The id of a registration among lists of which each follows the one before, as that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WaitId {
    list: u32,
    id: u32,
}

impl WaitId {
    /// Registers a waker in the list with this number. A registration in an earlier list is over.
    #[must_use = "a waker is dropped with no lock held"]
    pub(crate) fn register(id: &mut Option<Self>, number: u32, list: &mut WaitList, waker: Waker) -> Option<Waker> {
        let mut known = id.filter(|id| id.list == number).map(|id| id.id);
        let replaced = list.register(&mut known, waker);
        *id = known.map(|id| Self { list: number, id });
        replaced
    }

    /// Ends the registration, if it is in the list with this number.
    #[must_use = "a waker is dropped with no lock held"]
    pub(crate) fn deregister(self, number: u32, list: &mut WaitList) -> Option<Waker> {
        if self.list == number { list.deregister(self.id) } else { None }
    }
}

/// A [`WaitList`] with its own lock. The lock is a leaf: no other lock is taken under it, so it cannot deadlock.
#[derive(Default)]
pub(crate) struct Waiters {
    /// Guards the list and its number. Wakers are cloned before, and woken and dropped after.
    list: Mutex<(u32, WaitList)>,
    rings: AtomicU32,
}

/// An owner of a [`WaitList`] and of the lock that guards it.
pub(crate) trait Waited {
    /// Registers a waker, or updates the registration of `id`. Returns a waker to be dropped with no lock held.
    #[must_use = "a waker is dropped with no lock held"]
    fn register(&self, id: &mut Option<WaitId>, waker: Waker) -> Option<Waker>;

    /// Ends a registration. Returns its waker, to be dropped with no lock held.
    #[must_use = "a waker is dropped with no lock held"]
    fn deregister(&self, id: WaitId) -> Option<Waker>;
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
        let replaced = waited.register(&mut place.id, waker);
        drop(replaced);
        look().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

impl Waited for Waiters {
    fn register(&self, id: &mut Option<WaitId>, waker: Waker) -> Option<Waker> {
        let (number, list) = &mut *lock(&self.list);
        WaitId::register(id, *number, list, waker)
    }

    fn deregister(&self, id: WaitId) -> Option<Waker> {
        let (number, list) = &mut *lock(&self.list);
        id.deregister(*number, list)
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
        let mut list = lock(&self.list);
        list.0 = list.0.wrapping_add(1);
        let all = mem::take(&mut list.1);
        drop(list);
        all.wake();
    }
}

/// The registration of a waker. Dropping it removes the waker.
struct Registration<'a, W: Waited> {
    waited: &'a W,
    id: Option<WaitId>,
}

impl<W: Waited> Drop for Registration<'_, W> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let gone = self.waited.deregister(id);
            let _ = catch(|| drop(gone));
        }
    }
}
