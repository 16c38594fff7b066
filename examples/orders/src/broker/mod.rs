//! The message broker that gets a message for each order. `client` sends messages over HTTP; `server` is a broker with
//! the failures of real ones, which records the acknowledged messages.

mod client;
mod server;

pub(crate) use client::HttpBroker;
pub(crate) use server::{FakeBroker, Ledger};

use crate::store::Message;

/// The answer of the broker to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The broker has stored the message.
    Acknowledged,
    /// The broker will never accept this message.
    Refused,
    /// It is not known whether the broker has the message. It can be sent again: the broker recognizes messages by
    /// their ids.
    Unknown,
    /// The broker accepts no message at present.
    Down,
}

#[async_trait::async_trait]
pub(crate) trait Broker: Send + Sync + 'static {
    async fn send(&self, message: &Message) -> Answer;
}
