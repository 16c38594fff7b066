//! A message in hand.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::reader::Inbox;

/// A message that goes back to its inbox unless it is [`done`](Self::done), from [`Inbox::hold`].
///
/// It can move to a helper of the attempt. While it is held, it keeps its inbox open.
#[must_use = "dropping it puts the message back"]
pub struct Held<T> {
    /// `None` once it is done.
    message: Option<T>,
    inbox: Inbox<T>,
}

impl<T> Held<T> {
    pub(super) fn new(message: T, inbox: Inbox<T>) -> Self {
        Self { message: Some(message), inbox }
    }

    /// Returns the message, which does not go back any more.
    #[allow(clippy::must_use_candidate, reason = "mostly the message has been used")]
    #[allow(clippy::missing_panics_doc, reason = "the message is present")]
    pub fn done(mut self) -> T {
        self.message.take().expect(PRESENT)
    }
}

const PRESENT: &str = "only `done` takes the message, and `done` takes `self`";

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.message.as_ref().expect(PRESENT)
    }
}

impl<T> DerefMut for Held<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.message.as_mut().expect(PRESENT)
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            self.inbox.put_back(message);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&**self).finish()
    }
}
