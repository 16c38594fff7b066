//! A broker over HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Answer, Broker};
use crate::http::Client;
use crate::store::Message;

/// How long a message may take. Then it is not known whether the broker has it.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub(crate) struct HttpBroker {
    client: Client,
    address: SocketAddr,
}

impl HttpBroker {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { client: Client::new(PATIENCE), address }
    }
}

#[async_trait::async_trait]
impl Broker for HttpBroker {
    async fn send(&self, message: &Message) -> Answer {
        let path = format!("/messages/{}", message.id);
        match self.client.send(self.address, "PUT", &path, message.payload.clone()).await {
            Ok((200, _)) => Answer::Acknowledged,
            Ok((422, _)) => Answer::Refused,
            Ok((503, _)) => Answer::Down,
            Err(error) if error.is_connect => Answer::Down,
            Ok(_) | Err(_) => Answer::Unknown,
        }
    }
}
