//! A broker over HTTP.

use std::time::Duration;

use hyper::http::uri::Authority;

use super::{Answer, Broker};
use crate::http::Client;
use crate::store::Message;

/// The timeout of a message. After it, the broker may or may not have the message.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub(crate) struct HttpBroker {
    client: Client,
    address: Authority,
}

impl HttpBroker {
    pub(crate) fn new(address: Authority) -> Self {
        Self { client: Client::new(PATIENCE), address }
    }
}

#[async_trait::async_trait]
impl Broker for HttpBroker {
    async fn send(&self, message: &Message) -> Answer {
        let path = format!("/messages/{}", message.id);
        match self.client.send(&self.address, "PUT", &path, message.payload.clone()).await {
            Ok((200, _)) => Answer::Acknowledged,
            // The broker is overloaded, or the proxy in front of it cannot reach it.
            Ok((429 | 502 | 503, _)) => Answer::Down,
            Ok((408, _)) => Answer::Unknown,
            // The broker refuses this message each time, so it is not sent again.
            Ok((400..=499, _)) => Answer::Refused,
            Err(error) if error.is_connect => Answer::Down,
            Ok(_) | Err(_) => Answer::Unknown,
        }
    }
}
