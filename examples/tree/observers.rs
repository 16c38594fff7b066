//! The observers: a server that reports the state of the tree, and a task that visits it and ends the service in order.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use taskvisor::prelude::*;
use taskvisor::{Probe, Tree};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::chaos::Chaos;
use crate::ingest::Outbox;
use crate::{BEAT, Failure, say};

/// The longest wait for all tasks to be up again and for the store to have the last records. The six layers of the tree
/// stop one after another, each in its share of the grace.
const SETTLE: Duration = Duration::from_secs(3);
/// Answers `GET /livez`, `/readyz` and `/tree`.
#[task(restart = "always", ready = "signal", watchdog = "500ms", stop_timeout = "2s", critical)]
pub(crate) async fn serve(
    ctx: TaskContext,
    listener: Arc<TcpListener>,
    view: View,
    chaos: Chaos,
) -> Result<(), Failure> {
    ctx.ready();
    loop {
        ctx.heartbeat();
        match ctx.run_until_cancelled(timeout(BEAT, listener.accept())).await {
            None => return Ok(()),
            Some(Err(_)) => chaos.strike(&ctx).await?,
            Some(Ok(accepted)) => {
                let (stream, _) = accepted?;
                let view = view.clone();
                ctx.spawn(async move {
                    // A slow or disconnected client is no failure of the server.
                    let _ = timeout(Duration::from_secs(1), answer(stream, &view)).await;
                });
            }
        }
    }
}

/// Visits the service from outside. It starts last and stops first, so that it can end the service in order.
#[task]
pub(crate) async fn visit(
    ctx: TaskContext,
    addr: SocketAddr,
    seconds: Option<Duration>,
    outbox: Outbox,
    chaos: Chaos,
    view: View,
) -> Result<(), Failure> {
    say(&format!("serving http://{addr}/livez, /readyz and /tree"));
    let stay = async {
        for path in ["/readyz", "/tree"] {
            let shown = get(addr, path).await.unwrap_or_else(|error| format!("{error}\n"));
            say(&format!("\nGET {path}\n{}", shown.trim_end()));
        }
        match seconds {
            Some(seconds) => sleep(seconds).await,
            None => pending().await,
        }
    };
    ctx.run_until_cancelled(stay).await;

    chaos.end();
    outbox.close();
    let others = |tree: &Tree| tree.health().not_ready.iter().any(|who| who.path != ctx.path());
    let unsettled = || outbox.with(|it| !it.waiting.is_empty()) || view.look(others) == Some(true);
    let settled = async {
        while unsettled() {
            sleep(BEAT).await;
        }
    };
    let _ = timeout(SETTLE, settled).await;
    if let Some(snapshot) = view.look(|tree| tree.snapshot().to_string()) {
        say(&format!("\nthe tree as it was\n{}", snapshot.trim_end()));
    }
    drop(ctx.supervisor().shutdown());
    Ok(())
}

/// The tree, for the tasks in it. It holds a weak reference, since an owning one would keep the tree alive.
#[derive(Clone, Default)]
pub(crate) struct View(Arc<OnceLock<Weak<dyn Deref<Target = Tree> + Send + Sync>>>);

impl View {
    /// Makes this tree visible.
    pub(crate) fn of<T: Deref<Target = Tree> + Send + Sync + 'static>(&self, tree: T) -> Arc<T> {
        let tree = Arc::new(tree);
        let seen: Weak<T> = Arc::downgrade(&tree);
        let _ = self.0.set(seen);
        tree
    }

    pub(crate) fn look<T>(&self, f: impl FnOnce(&Tree) -> T) -> Option<T> {
        let tree = self.0.get()?.upgrade()?;
        Some(f(&tree))
    }
}

/// Answers one request.
pub(crate) async fn answer(mut stream: TcpStream, view: &View) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if request.len() > 8192 || stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let request = String::from_utf8_lossy(&request);
    let mut words = request.split_ascii_whitespace();
    let (status, body) = match (words.next(), words.next()) {
        (Some("GET"), Some(path)) => view.look(|tree| page(path, tree)).unwrap_or((503, String::new())),
        _ => (405, "only GET\n".to_owned()),
    };
    // The reason phrase may be empty.
    let head = format!(
        "HTTP/1.1 {status} \r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        Probe::CONTENT_TYPE,
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await?;
    stream.shutdown().await
}

pub(crate) fn page(path: &str, tree: &Tree) -> (u16, String) {
    let of = |probe: Probe| (probe.status, probe.body);
    match path {
        "/livez" => of(tree.health().livez()),
        "/readyz" => of(tree.health().readyz()),
        "/tree" => (200, tree.snapshot().to_string()),
        _ => (404, "there are /livez, /readyz and /tree\n".to_owned()),
    }
}

/// Requests a page, and retries while there is no answer.
pub(crate) async fn get(addr: SocketAddr, path: &str) -> io::Result<String> {
    let ask = async {
        let mut stream = TcpStream::connect(addr).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.lines().next().unwrap_or_default().trim_start_matches("HTTP/1.1 ").trim_end();
        Ok(format!("{status}\n{body}"))
    };
    // Longer than it takes to replace a server that hangs.
    timeout(Duration::from_secs(5), ask).await.unwrap_or_else(|late| Err(late.into()))
}
