//! The sending half of an inbox.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{SemaphorePermit, TryAcquireError};

use super::block_on::block_on;
use super::channel::Channel;
use super::error::{SendError, TrySendError};

/// Sends messages to an [`Inbox`](super::Inbox). Clones send to the same inbox.
///
/// [`inbox()`](crate::inbox()) creates the first one. When the last clone is dropped, readers get the queued messages,
/// and then `None`. The messages of one sender are received in the order in which they were sent.
pub struct Sender<T>(Arc<Senders<T>>);

/// The clones of a sender. The last one ends the queue.
struct Senders<T>(Arc<Channel<T>>);

impl<T> Drop for Senders<T> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<T> Sender<T> {
    pub(super) fn new(channel: Arc<Channel<T>>) -> Self {
        Self(Arc::new(Senders(channel)))
    }

    fn channel(&self) -> &Channel<T> {
        &self.0.0
    }

    /// Sends a message. Waits while the inbox is full; senders that wait are served in order.
    ///
    /// # Errors
    /// [`SendError`], with the message, if the inbox is closed.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, the message is not sent, and is dropped with the future. Use
    /// [`reserve`](Self::reserve) to keep it.
    pub async fn send(&self, message: T) -> Result<(), SendError<T>> {
        match self.channel().room().await {
            Ok(room) => self.channel().push(message, room).map_err(SendError),
            Err(_) => Err(SendError(message)),
        }
    }

    /// Waits for room for one message, and keeps it until the permit is used or dropped.
    ///
    /// # Errors
    /// [`SendError`] if the inbox is closed.
    ///
    /// # Cancel safety
    /// Dropping the future only loses its place among the senders that wait.
    ///
    /// # Examples
    /// A stage of a pipeline that loses nothing, even if it is aborted while it waits: it takes a message only when
    /// there is room for the result.
    /// ```
    /// use taskvisor::inbox::{SendError, Sender};
    /// use taskvisor::prelude::*;
    ///
    /// #[task]
    /// async fn double(ctx: TaskContext, numbers: Inbox<u32>, doubled: Sender<u32>) -> Result<(), SendError<u32>> {
    ///     while let Some(Ok(room)) = ctx.run_until_cancelled(doubled.reserve()).await {
    ///         let Some(number) = numbers.next(&ctx).await else { break };
    ///         room.send(number * 2)?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (sender, numbers) = taskvisor::inbox(1);
    /// let (doubled, results) = taskvisor::inbox(8);
    /// let tree = supervise!(tasks = [double { numbers, doubled }]);
    /// sender.send(21).await?;
    /// drop(sender);
    /// tree.run().await?;
    /// assert_eq!(results.try_next(), Some(42));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reserve(&self) -> Result<Permit<'_, T>, SendError<()>> {
        let room = self.channel().room().await.map_err(|_| SendError(()))?;
        Ok(Permit { channel: self.channel(), room })
    }

    /// Sends a message if the inbox has room now.
    ///
    /// # Errors
    /// [`TrySendError`], with the message, if the inbox is full or closed.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        match self.channel().try_room() {
            Ok(room) => self.channel().push(message, room).map_err(TrySendError::Closed),
            Err(TryAcquireError::NoPermits) => Err(TrySendError::Full(message)),
            Err(TryAcquireError::Closed) => Err(TrySendError::Closed(message)),
        }
    }

    /// Sends a message from a thread that may block, such as that of a task under `#[task(blocking)]`.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Panics
    /// If the thread runs async tasks.
    ///
    /// # Examples
    /// ```
    /// let (sender, inbox) = taskvisor::inbox(1);
    /// let thread = std::thread::spawn(move || (1..4).all(|number| sender.blocking_send(number).is_ok()));
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let ctx = taskvisor::TaskContext::detached("example", Default::default());
    /// assert_eq!(inbox.next(&ctx).await, Some(1));
    /// assert_eq!(inbox.next(&ctx).await, Some(2));
    /// # });
    /// # drop(inbox);
    /// # thread.join().unwrap();
    /// ```
    pub fn blocking_send(&self, message: T) -> Result<(), SendError<T>> {
        block_on(self.send(message))
    }

    /// Waits until the inbox is closed.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn closed(&self) {
        self.channel().closed.cancelled().await;
    }

    /// Returns `true` if the inbox is closed: its last [`Inbox`](super::Inbox) has been dropped.
    pub fn is_closed(&self) -> bool {
        self.channel().closed.is_cancelled()
    }

    /// Returns the number of messages that the inbox has room for now.
    pub fn capacity(&self) -> usize {
        self.channel().available()
    }

    /// Returns the capacity that the inbox was created with.
    pub fn max_capacity(&self) -> usize {
        self.channel().capacity
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Sender");
        debug.field("capacity", &self.capacity()).field("max_capacity", &self.max_capacity());
        debug.field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// Room for one message, from [`Sender::reserve`]. Dropping it frees the room.
#[must_use = "dropping it frees the room"]
pub struct Permit<'a, T> {
    channel: &'a Channel<T>,
    room: SemaphorePermit<'a>,
}

impl<T> Permit<'_, T> {
    /// Sends a message. Does not wait.
    ///
    /// # Errors
    /// [`SendError`], with the message, if the inbox has been closed since.
    pub fn send(self, message: T) -> Result<(), SendError<T>> {
        self.channel.push(message, self.room).map_err(SendError)
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}
