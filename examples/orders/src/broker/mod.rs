//! The message broker that is told of each order. `client` talks to it over HTTP; `server` is one that fails as real ones
//! do, and counts what it has acknowledged.

mod client;
mod server;

pub(crate) use client::HttpBroker;
pub(crate) use server::{FakeBroker, Ledger};

use crate::store::Message;

/// The answer of the broker to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has the message, and keeps it.
    Acknowledged,
    /// It will never take this message.
    Refused,
    /// It does not say whether it has the message. It can be sent again: the broker knows messages by their ids.
    Unknown,
    /// It takes no message at all now.
    Down,
}

#[async_trait::async_trait]
pub(crate) trait Broker: Send + Sync + 'static {
    async fn send(&self, message: &Message) -> Answer;
}
