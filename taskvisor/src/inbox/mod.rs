//! A queue of messages that outlives the attempts of the task that reads it.
//!
//! [`inbox()`](crate::inbox()) creates one. An [`Inbox`] is a field of a task: each attempt gets a clone, and continues
//! where the previous attempt ended. No message is lost over a restart, except one that an attempt took and neither
//! handled nor gave back: with [`put_back`](Inbox::put_back), or by [`hold`](Inbox::hold) in all cases.
//!
//! | | [`Inbox`] | `Arc<tokio::sync::Mutex<mpsc::Receiver<T>>>` |
//! |---|---|---|
//! | a stop request | [`next`](Inbox::next) returns `None` and takes nothing | needs `run_until_cancelled` |
//! | a message that was not handled | can be put back, also by a panic or an abort | is lost |
//! | a reader that is blocked | delays at most one message | delays all readers |
//!
//! Use a channel of Tokio for messages within one attempt, and where a message may be lost with its attempt.
//!
//! # Readers
//! Clones of an [`Inbox`] read the same queue. One reader at a time takes a message, and each message goes to one
//! reader. Readers that wait are served in the order in which they began to wait. So the tasks of one inbox share its
//! messages, and the attempts of one task, which never overlap, read them in order. An attempt that is aborted while it
//! waits leaves the queue as it was.
//!
//! # Closing
//! The inbox is closed when its last [`Inbox`] is dropped: sends fail and return their message, and queued messages are
//! dropped. A supervisor keeps the fields of a task for as long as the task can start again. When the last [`Sender`]
//! is dropped, readers get the queued messages, and then `None`.
//!
//! # Examples
//! ```
//! use taskvisor::prelude::*;
//!
//! #[task(backoff(first = "1ms"))]
//! async fn consume(ctx: TaskContext, numbers: Inbox<u32>) -> Result<(), String> {
//!     while let Some(number) = numbers.next(&ctx).await {
//!         if number == 2 && ctx.attempt() == 1 {
//!             numbers.put_back(number);
//!             return Err("not yet".into());
//!         }
//!         println!("{number}");
//!     }
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (sender, numbers) = taskvisor::inbox(8);
//!     let tree = supervise!(tasks = [consume { numbers }]);
//!     for number in 1..4 {
//!         sender.send(number).await?;
//!     }
//!     drop(sender);
//!     tree.run().await?; // prints 1, 2 and 3
//!     Ok(())
//! }
//! ```

mod block_on;
pub(crate) mod channel;
mod error;
mod held;
mod reader;
mod sender;

pub use error::{SendError, TrySendError};
pub use held::Held;
pub use reader::Inbox;
pub use sender::{Permit, Sender};
