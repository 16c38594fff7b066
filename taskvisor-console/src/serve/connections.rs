//! Serves the connections of a listener.

use std::future::Future;
use std::io;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower_service::Service;

use super::timely::Timely;
use crate::Console;

/// The largest number of connections at once: 32 streams, and those of single requests.
const MOST: usize = 128;
/// The time for the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// The pause after a connection that could not be accepted, as when there is no free file descriptor.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the connections that `accept` returns. Dropping the future closes all connections.
///
/// # Cancel safety
/// A connection that was accepted is not lost: it is served or closed.
pub(super) async fn serve<S, A>(console: Console, mut accept: impl FnMut() -> A) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Future<Output = io::Result<S>>,
{
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MOST {
            connections.join_next().await;
        }
        let accepted = tokio::select! {
            accepted = accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok(stream) => _ = connections.spawn(connection(console.clone(), stream)),
            // The client has closed the connection, or a resource is exhausted.
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn connection(console: Console, stream: impl AsyncRead + AsyncWrite + Unpin + Send) {
    let service = service_fn(|request| console.clone().call(request));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    // A client that closes the connection, sends something other than HTTP, or does not read its answer, is no failure
    // of the console.
    let _ = http.serve_connection(TokioIo::new(Timely::new(stream)), service).await;
}

#[cfg(test)]
mod tests {
    use taskvisor::{SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::sync::{Mutex, mpsc};
    use tokio::time::timeout;

    use super::*;

    /// A file needs no other thread, for whose work a paused clock does not wait.
    const HEAD_OF_FILE: &str = "GET /?app.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const HEAD_OF_EVENTS: &str = "GET /?events HTTP/1.1\r\nHost: localhost\r\n\r\n";

    /// A console, and what opens connections to it.
    async fn served() -> (Tree, mpsc::UnboundedSender<DuplexStream>) {
        let task = TaskFn::arc("web", |ctx: TaskContext| async move {
            ctx.cancelled().await;
            Ok(())
        });
        let tree = Tree::builder(SupervisorConfig::default()).task(TaskSpec::inherit(task)).build();
        tree.start().await.expect("it starts");
        let (sender, receiver) = mpsc::unbounded_channel();
        let console = Console::new(tree.supervisor().handle());
        tokio::spawn(async move {
            let receiver = Mutex::new(receiver);
            serve(console, async || receiver.lock().await.recv().await.ok_or_else(|| io::Error::other("closed"))).await
        });
        (tree, sender)
    }

    /// Opens a connection whose client has room for so many bytes.
    async fn open(to: &mpsc::UnboundedSender<DuplexStream>, room: usize, head: &str) -> DuplexStream {
        let (mut client, server) = duplex(room);
        to.send(server).expect("it is served");
        client.write_all(head.as_bytes()).await.expect("it is sent");
        client
    }

    /// Reads up to this text.
    async fn read_until(client: &mut DuplexStream, end: &str) -> String {
        let mut text = Vec::new();
        while !String::from_utf8_lossy(&text).contains(end) {
            assert_ne!(client.read_buf(&mut text).await.expect("it is read"), 0, "it ended");
        }
        String::from_utf8(text).expect("text")
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_do_not_read_keep_the_others_waiting_for_10_s_at_most() {
        let (tree, to) = served().await;
        let mut silent = Vec::new();
        for n in 0..MOST {
            silent.push(open(&to, 128, if n % 4 == 0 { HEAD_OF_EVENTS } else { HEAD_OF_FILE }).await);
        }
        // A client sends into a buffer, whether or not it is served.
        let mut other = open(&to, 4096, HEAD_OF_FILE).await;
        let answer = timeout(Duration::from_secs(11), read_until(&mut other, "\r\n\r\n")).await;
        let answer = answer.expect("a connection is free by then");
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        drop(silent);
        tree.shutdown().await.expect("it stops");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_read_stays_open() {
        let (tree, to) = served().await;
        let mut page = open(&to, 64 * 1024, HEAD_OF_EVENTS).await;
        read_until(&mut page, "event: snapshot").await;
        for _ in 0..30 {
            sleep(Duration::from_secs(60)).await;
            assert!(tree.child("web").pause() && tree.child("web").resume());
            read_until(&mut page, "event: ").await;
        }
        tree.shutdown().await.expect("it stops");
        read_until(&mut page, "event: bye").await;
    }
}
