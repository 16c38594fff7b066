//! The state that senders and readers share.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex};

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit, TryAcquireError};
use tokio_util::sync::CancellationToken;

use super::reader::Inbox;
use super::sender::Sender;
use crate::panics::{catch, drop_each};
use crate::sync::lock;

/// Creates an [inbox](mod@crate::inbox) with room for `capacity` messages.
///
/// # Panics
/// If `capacity` is 0, or larger than `tokio::sync::Semaphore::MAX_PERMITS`.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (sender, inbox) = taskvisor::inbox::<u32>(2);
/// sender.send(1).await?;
/// sender.try_send(2)?;
/// assert!(sender.try_send(3).is_err_and(|error| error.into_inner() == 3));
/// assert_eq!(inbox.try_next(), Some(1));
/// # Ok(())
/// # }
/// ```
#[must_use]
#[track_caller]
pub fn inbox<T>(capacity: usize) -> (Sender<T>, Inbox<T>) {
    let max = Semaphore::MAX_PERMITS;
    assert!((1..=max).contains(&capacity), "the capacity of an inbox is 1 to {max}, and not {capacity}");
    let channel = Arc::new(Channel {
        capacity,
        room: Semaphore::new(capacity),
        filled: Semaphore::new(0),
        queue: Mutex::new(Queue { messages: VecDeque::new(), surplus: 0, is_closed: false }),
        closed: CancellationToken::new(),
    });
    (Sender::new(Arc::clone(&channel)), Inbox::new(channel))
}

pub(super) struct Channel<T> {
    pub(super) capacity: usize,
    /// A permit for each message that there is room for.
    room: Semaphore,
    /// A permit for each queued message that is not promised to a waiting reader. Closed when no sender is left.
    filled: Semaphore,
    /// The lock is a leaf: under it, messages are only moved. They are dropped, and readers are woken, without it.
    queue: Mutex<Queue<T>>,
    /// Canceled when no reader is left.
    pub(super) closed: CancellationToken,
}

struct Queue<T> {
    messages: VecDeque<T>,
    /// The number of messages above the capacity: each was put back after its room was given to a sender.
    surplus: usize,
    is_closed: bool,
}

impl<T> Channel<T> {
    /// Waits for room. Fails if the inbox is closed.
    pub(super) async fn room(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.room.acquire().await
    }

    /// Takes room if there is some.
    pub(super) fn try_room(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.room.try_acquire()
    }

    pub(super) fn available(&self) -> usize {
        self.room.available_permits()
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.queue).messages.len()
    }

    /// Queues a message in reserved room. Returns the message if the inbox is closed.
    pub(super) fn push(&self, message: T, room: SemaphorePermit<'_>) -> Result<(), T> {
        let mut queue = lock(&self.queue);
        if queue.is_closed {
            drop(queue);
            return Err(message);
        }
        queue.messages.push_back(message);
        drop(queue);
        room.forget();
        add_caught(&self.filled);
        Ok(())
    }

    /// Queues a message in front of all others, also above the capacity.
    pub(super) fn push_front(&self, message: T) {
        let mut queue = lock(&self.queue);
        queue.messages.push_front(message);
        queue.surplus += 1 - self.room.forget_permits(1);
        drop(queue);
        add_caught(&self.filled);
    }

    /// Waits until the next message, or the end of the queue, is promised to this reader.
    ///
    /// A promise that is dropped goes to the next reader. At the end nothing is promised: readers that find the queue
    /// empty have read all of it, but for what is put back later.
    pub(super) async fn promise(&self) -> Promise<'_, T> {
        Promise { channel: self, permit: self.filled.acquire().await.ok() }
    }

    /// Like [`promise`](Self::promise), but `None` if there is no message.
    pub(super) fn try_promise(&self) -> Option<Promise<'_, T>> {
        match self.filled.try_acquire() {
            Ok(permit) => Some(Promise { channel: self, permit: Some(permit) }),
            Err(TryAcquireError::Closed) => Some(Promise { channel: self, permit: None }),
            Err(TryAcquireError::NoPermits) => None,
        }
    }

    /// Ends the queue: readers get the queued messages, and no more follow.
    pub(super) fn end(&self) {
        let _ = catch(|| self.filled.close());
    }

    /// Closes the inbox, which has no reader any more: sends fail, and queued messages are dropped.
    pub(super) fn close(&self) {
        let mut queue = lock(&self.queue);
        queue.is_closed = true;
        let unread = mem::take(&mut queue.messages);
        drop(queue);
        let _ = catch(|| self.room.close());
        let _ = catch(|| self.closed.cancel());
        drop_each(unread);
    }
}

/// The right to take one message.
pub(super) struct Promise<'a, T> {
    channel: &'a Channel<T>,
    permit: Option<SemaphorePermit<'a>>,
}

impl<T> Promise<'_, T> {
    /// Takes the first message.
    pub(super) fn take(self) -> Option<T> {
        let mut queue = lock(&self.channel.queue);
        let message = queue.messages.pop_front()?;
        let frees_room = queue.surplus == 0;
        queue.surplus = queue.surplus.saturating_sub(1);
        drop(queue);
        if let Some(permit) = self.permit {
            permit.forget();
        }
        if frees_room {
            add_caught(&self.channel.room);
        }
        Some(message)
    }
}

/// Adds a permit, and catches a panic of the waker of the one that gets it.
fn add_caught(semaphore: &Semaphore) {
    let _ = catch(|| semaphore.add_permits(1));
}
