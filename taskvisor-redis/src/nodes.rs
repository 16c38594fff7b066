//! The addresses to connect to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, RedisError};
use tokio::time::timeout;

/// The timeout of a connection and of an answer. The fleet drops a call after a fifth of its time to live.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A node to connect to, and its turn.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) client: Client,
    pub(crate) turn: usize,
}

/// The addresses of a server, of which one is the current one.
#[derive(Debug, Clone)]
pub(crate) struct Nodes {
    clients: Vec<Client>,
}

impl Nodes {
    pub(crate) fn new(first: Client) -> Self {
        Self { clients: vec![first] }
    }

    pub(crate) fn push(&mut self, client: Client) {
        self.clients.push(client);
    }

    pub(crate) fn count(&self) -> usize {
        self.clients.len()
    }

    pub(crate) fn get(&self, turn: &Turn) -> &Client {
        &self.clients[turn.number() % self.clients.len()]
    }
}

/// The position of the next node to use.
#[derive(Debug, Default)]
pub(crate) struct Turn(AtomicUsize);

impl Turn {
    pub(crate) fn next(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn number(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Goes back to the turn of a node that was slow, and whose connection is used.
    pub(crate) fn set(&self, number: usize) {
        self.0.store(number, Ordering::Relaxed);
    }
}

/// Returns a client for the node of a cluster that another node has named, as `host:port`.
pub(crate) fn moved_to(address: &str, from: &Client) -> Result<Client, RedisError> {
    let info: ConnectionInfo = from.get_connection_info().clone();
    let parsed = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let Some((host, port)) = parsed else {
        return Err((ErrorKind::Client, "a node of the cluster has no address", address.to_owned()).into());
    };
    // A node that does not know its own name sends none.
    let known = |old: &str| if matches!(host, "" | "?") { old.to_owned() } else { host.to_owned() };
    let addr = match info.addr() {
        ConnectionAddr::Tcp(old, _) => ConnectionAddr::Tcp(known(old), port),
        ConnectionAddr::TcpTls { host: old, insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host: known(old), port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        _ => ConnectionAddr::Tcp(known("127.0.0.1"), port),
    };
    Client::open(info.set_addr(addr))
}

/// Connects for calls.
pub(crate) async fn connect(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// Connects for messages.
pub(crate) async fn listen(client: &Client) -> Result<PubSub, RedisError> {
    timeout(PATIENCE, client.get_async_pubsub()).await.unwrap_or_else(|_| Err(no_answer()))
}

pub(crate) fn no_answer() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

#[cfg(test)]
mod tests {
    use redis::Client;

    use super::moved_to;

    fn moved(address: &str) -> String {
        let from = Client::open("redis://me:secret@10.0.0.1:6379").unwrap();
        let client = moved_to(address, &from).unwrap();
        let info = client.get_connection_info();
        assert_eq!(info.redis_settings().username(), Some("me"));
        info.addr().to_string()
    }

    #[test]
    fn the_node_that_another_names_has_the_same_user() {
        assert_eq!(moved("10.0.0.2:7000"), "10.0.0.2:7000");
        assert_eq!(moved("node-2.example:7000"), "node-2.example:7000");
        assert_eq!(moved("fe80::1:7000"), "fe80::1:7000");
        assert_eq!(moved(":7000"), "10.0.0.1:7000");
        assert_eq!(moved("?:7000"), "10.0.0.1:7000");
        assert!(moved_to("nowhere", &Client::open("redis://10.0.0.1").unwrap()).is_err());
    }
}
