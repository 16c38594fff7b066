//! A broker over HTTP.

use std::time::Duration;

use hyper::http::uri::Authority;

use super::{Answer, Broker};
use crate::http::Client;
use crate::store::Message;

/// How long a message may take. Then it is not known whether the broker has it.
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
            // It is busy, or behind a proxy that has lost it.
            Ok((429 | 502 | 503, _)) => Answer::Down,
            Ok((408, _)) => Answer::Unknown,
            // It will say the same of this message each time: to send it again for ever would help nobody.
            Ok((400..=499, _)) => Answer::Refused,
            Err(error) if error.is_connect => Answer::Down,
            Ok(_) | Err(_) => Answer::Unknown,
        }
    }
}
