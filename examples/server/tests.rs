//! The stop of the server, with real sockets.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use taskvisor::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use crate::database::Pool;
use crate::{Limits, Tree, tree};

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(20);
/// The time that a request for `/rows` takes.
const ROWS: Duration = Duration::from_millis(200);

struct Service {
    tree: Tree,
    pool: Pool,
    address: SocketAddr,
}

async fn service(limits: Limits) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, pool) = (listener.local_addr().unwrap(), Pool::new(4));
    let tree = tree(listener, pool.clone(), limits);
    tree.start().await.unwrap();
    tree.wait_ready().await;
    Service { tree, pool, address }
}

impl Service {
    async fn client(&self, request: &str) -> Client {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        Client(stream)
    }

    /// Returns a client of `/rows` whose request uses the pool.
    async fn in_flight(&self) -> Client {
        let before = self.pool.in_use();
        let client = self.client("GET /rows HTTP/1.1\r\nHost: test\r\n\r\n").await;
        while self.pool.in_use() == before {
            sleep(Duration::from_millis(1)).await;
        }
        client
    }

    /// Returns a client of `/chat` that has received its first message.
    async fn chatting(&self) -> Client {
        let mut client = self
            .client(
                "GET /chat HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .await;
        assert!(client.read_to("\r\n\r\n").await.starts_with("HTTP/1.1 101 "));
        // A masked text of two bytes, with a mask of zeros.
        client.0.write_all(b"\x81\x82\0\0\0\0hi").await.unwrap();
        assert_eq!(client.read_to("hi").await, "\u{fffd}\u{2}hi");
        client
    }
}

struct Client(TcpStream);

impl Client {
    async fn read_to(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            read.push(self.0.read_u8().await.unwrap());
        }
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Reads until the server closes the connection.
    async fn rest(mut self) -> io::Result<String> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).await?;
        Ok(String::from_utf8_lossy(&rest).into_owned())
    }
}

#[tokio::test]
async fn o53_a_stop_finishes_what_is_in_flight_and_closes_idle_clients_and_then_the_pool() {
    let service = service(Limits { finish: LONG, stop: LONG }).await;
    let silent = service.client("").await;
    let mut idle = service.client("GET / HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert!(idle.read_to("hello\n").await.starts_with("HTTP/1.1 200 "));
    let mut chatting = service.chatting().await;
    let in_flight = service.in_flight().await;

    let stopped = tokio::spawn(service.tree.shutdown());
    // Idle connections are closed soon and without a message, although `finish` is long.
    assert_eq!(idle.rest().await.unwrap(), "");
    assert_eq!(silent.rest().await.unwrap(), "");
    // The WebSocket sends the reason, and waits for the answer of its client. The pool is open until then.
    let goodbye = chatting.read_to("the server stops").await;
    assert_eq!(goodbye.as_bytes()[goodbye.len() - 16..], *b"the server stops");
    let answer = in_flight.rest().await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("42 rows\n"), "{answer}");
    assert!(service.pool.rows(SHORT).await.is_ok());
    chatting.0.write_all(b"\x88\x82\0\0\0\0\x03\xe9").await.unwrap();
    assert_eq!(chatting.rest().await.unwrap(), "");

    stopped.await.unwrap().unwrap();
    assert!(service.pool.rows(SHORT).await.is_err());
    assert_eq!(outcome(&service, "pool").await, "canceled (shutdown)");
}

#[tokio::test]
async fn o53_a_request_that_was_sent_before_the_stop_request_is_answered() {
    let service = service(Limits { finish: LONG, stop: LONG }).await;
    let mut client = service.client("").await;
    // The connection was accepted, because a later one was answered.
    let mut later = service.client("GET / HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert!(later.read_to("hello\n").await.starts_with("HTTP/1.1 200 "));
    // No other task runs in between: the server has the request, and has not read it.
    client.0.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    // A restart has no drain, during which the request would be read.
    assert!(service.tree.child("serve").restart());
    let answer = client.rest().await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello\n"), "{answer:?}");
    service.tree.shutdown().await.unwrap();
}

#[tokio::test]
async fn o53_clients_that_are_slow_are_closed_in_time() {
    let service = service(Limits { finish: SHORT, stop: LONG }).await;
    let half = service.client("GET / HTTP/1.1\r\nHost:").await;
    let chatting = service.chatting().await;
    let (began, in_flight) = (Instant::now(), service.in_flight().await);
    // Nothing is aborted, so the stop is a success.
    service.tree.shutdown().await.unwrap();
    let may_have_rows = began.elapsed() >= ROWS;
    assert_eq!(outcome(&service, "serve").await, "canceled (shutdown)");
    assert_eq!(outcome(&service, "pool").await, "canceled (shutdown)");
    // The connection was closed, or reset because of unread data.
    assert_eq!(half.rest().await.unwrap_or_default(), "");
    assert!(in_flight.rest().await.unwrap_or_default().is_empty() || may_have_rows);
    assert!(chatting.rest().await.unwrap_or_default().ends_with("the server stops"));
}

#[tokio::test]
async fn o53_the_stop_timeout_aborts_what_is_left_and_then_the_pool_is_closed() {
    let service = service(Limits { finish: LONG, stop: SHORT }).await;
    let chatting = service.chatting().await;
    let (began, in_flight) = (Instant::now(), service.in_flight().await);
    let error = service.tree.shutdown().await.unwrap_err();
    let may_have_rows = began.elapsed() >= ROWS;
    assert!(matches!(&error, RuntimeError::GraceExceeded { stuck, .. } if stuck == &["serve"]), "{error}");
    // The aborted handler has returned its connection to the pool.
    assert_eq!(outcome(&service, "pool").await, "canceled (shutdown)");
    assert!(in_flight.rest().await.unwrap_or_default().is_empty() || may_have_rows);
    chatting.rest().await.unwrap_or_default();
}

/// The outcome of the task, with its error.
async fn outcome(service: &Service, task: &str) -> String {
    service.tree.child(task).outcome().await.unwrap().to_string()
}
