//! The reading half of an inbox.

use std::fmt;
use std::sync::Arc;

use super::block_on::block_on;
use super::channel::Channel;
use super::held::Held;
use crate::task::TaskContext;

/// A queue of messages that outlives the attempts that read it. Clones read the same queue.
///
/// [`inbox()`](crate::inbox()) creates one, and [the module](super) explains it. It is a field of a task, for any
/// message that is `Send`. The inbox is closed when the last clone is dropped.
pub struct Inbox<T>(Arc<Readers<T>>);

/// The clones of an inbox. The last one closes it.
struct Readers<T>(Arc<Channel<T>>);

impl<T> Drop for Readers<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<T> Inbox<T> {
    pub(super) fn new(channel: Arc<Channel<T>>) -> Self {
        Self(Arc::new(Readers(channel)))
    }

    fn channel(&self) -> &Channel<T> {
        &self.0.0
    }

    /// Takes the next message. Waits for one, behind readers that wait already.
    ///
    /// Returns `None`, and takes nothing, after a stop request, a timeout or the end of the attempt; so also in a
    /// [final attempt](crate::TaskSpec::with_final_attempt). Also returns `None` if all senders are dropped and the
    /// queue is empty.
    ///
    /// The wait is no heartbeat: with a [watchdog](crate::guide::readiness#watchdog), wait in parts.
    ///
    /// # Cancel safety
    /// If the future is dropped before it completes, no message is taken.
    ///
    /// # Examples
    /// A task that handles the queued messages when it is requested to stop, also if that happens while it waits for a
    /// retry:
    /// ```
    /// use taskvisor::prelude::*;
    ///
    /// #[task(final_attempt)]
    /// async fn print(ctx: TaskContext, lines: Inbox<String>) {
    ///     while let Some(line) = lines.next(&ctx).await {
    ///         println!("{line}");
    ///     }
    ///     // Without this loop, what is queued stays there for the next run of the task.
    ///     while let Some(line) = lines.try_next() {
    ///         println!("{line}");
    ///     }
    /// }
    /// # let (sender, lines) = taskvisor::inbox(2);
    /// # sender.try_send("one".to_owned()).unwrap();
    /// # let _ = print { lines };
    /// ```
    #[doc(alias = "recv")]
    pub async fn next(&self, ctx: &TaskContext) -> Option<T> {
        // A final attempt is not canceled.
        if ctx.stop_reason().is_some() {
            return None;
        }
        let promise = ctx.run_until_cancelled(self.channel().promise()).await?;
        // A message can arrive together with the stop request. It is promised to the next reader then.
        if ctx.is_cancelled() { None } else { promise.take() }
    }

    /// Takes the next message if there is one, also after a stop request. `None` if none is queued, or all of them are
    /// promised to readers that wait.
    #[doc(alias = "try_recv")]
    pub fn try_next(&self) -> Option<T> {
        self.channel().try_promise()?.take()
    }

    /// Takes the next message on a thread that may block, such as that of a task under `#[task(blocking)]`. Returns
    /// what [`next`](Self::next) returns.
    ///
    /// # Panics
    /// If the thread runs async tasks.
    ///
    /// # Examples
    /// ```
    /// use taskvisor::prelude::*;
    ///
    /// #[task(blocking)]
    /// fn compress(ctx: TaskContext, files: Inbox<String>) {
    ///     while let Some(file) = files.blocking_next(&ctx) {
    ///         println!("{file}");
    ///     }
    /// }
    /// # let (sender, files) = taskvisor::inbox(1);
    /// # sender.try_send("one".to_owned()).unwrap();
    /// # let _ = compress { files };
    /// ```
    #[doc(alias = "blocking_recv")]
    pub fn blocking_next(&self, ctx: &TaskContext) -> Option<T> {
        block_on(self.next(ctx))
    }

    /// Puts a message in front of all others, for the next reader. Does not wait: an inbox can hold as many messages
    /// above its capacity as its readers put back.
    ///
    /// Use it for a message that was taken and not handled, such as before an attempt returns an error;
    /// [`hold`](Self::hold) does it wherever the attempt ends. A message that
    /// makes each attempt fail comes back each time; with one reader, [`BackoffPolicy`](crate::BackoffPolicy) and
    /// `max_retries` bound that. With several readers, the next one takes the message at once. For retries of each
    /// message by itself, submit a job to a slot instead.
    pub fn put_back(&self, message: T) {
        self.channel().push_front(message);
    }

    /// Holds a message that was taken: it is [put back](Self::put_back) when the returned value is dropped, unless it is
    /// [`done`](Held::done).
    ///
    /// So it also comes back if the attempt ends while the message is in hand: by an error, a panic, a timeout or an
    /// abort. Such a message may have been handled in part, and one that makes each attempt fail comes back each time, as
    /// [`put_back`](Self::put_back) says. If all senders are gone, a reader can have seen the end of the queue by then, and
    /// another has to read the message.
    ///
    /// # Examples
    /// ```
    /// use taskvisor::prelude::*;
    ///
    /// #[task(timeout = "30s", max_retries = 5)]
    /// async fn deliver(ctx: TaskContext, mails: Inbox<String>) -> Result<(), std::io::Error> {
    ///     while let Some(mail) = mails.next(&ctx).await {
    ///         let mail = mails.hold(mail);
    ///         tokio::fs::write("outbox", mail.as_bytes()).await?; // puts it back if it fails
    ///         mail.done();
    ///     }
    ///     Ok(())
    /// }
    /// # let (sender, mails) = taskvisor::inbox(1);
    /// # sender.try_send("one".to_owned()).unwrap();
    /// # let _ = deliver { mails };
    /// ```
    pub fn hold(&self, message: T) -> Held<T> {
        Held::new(message, self.clone())
    }

    /// Returns the number of queued messages.
    pub fn len(&self) -> usize {
        self.channel().len()
    }

    /// Returns `true` if no message is queued.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Clone for Inbox<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Inbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channel = self.channel();
        f.debug_struct("Inbox")
            .field("len", &channel.len())
            .field("max_capacity", &channel.capacity)
            .finish_non_exhaustive()
    }
}
