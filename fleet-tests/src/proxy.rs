//! A network that fails.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What a [`Proxy`] does with bytes.
///
/// What is held is delivered when the link is open again, as TCP does after a partition that was short. What is dropped
/// is lost, and that direction of the connection is mute from then on, as after a firewall has forgotten it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Passes them.
    Open,
    /// Holds them both ways. A connection can still be made, to the proxy.
    Stalled,
    /// Holds those to the server.
    RequestsHeld,
    /// Holds those from the server: requests are carried out, and not answered.
    RepliesHeld,
    /// Drops those to the server.
    RequestsDropped,
    /// Drops those from the server: requests are carried out, and never answered.
    RepliesDropped,
    /// Closes all connections, and new ones at once.
    Cut,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Request,
    Reply,
}

#[derive(PartialEq, Eq)]
enum Flow {
    Pass,
    Hold,
    Drop,
}

impl Link {
    fn flow(self, way: Way) -> Flow {
        match (self, way) {
            (Self::Stalled, _) | (Self::RequestsHeld, Way::Request) | (Self::RepliesHeld, Way::Reply) => Flow::Hold,
            (Self::Cut, _) | (Self::RequestsDropped, Way::Request) | (Self::RepliesDropped, Way::Reply) => Flow::Drop,
            _ => Flow::Pass,
        }
    }
}

/// A TCP proxy on a port of the loopback interface. It runs on the runtime that it was started on, until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    upstream: Arc<Mutex<SocketAddr>>,
    link: watch::Sender<Link>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

/// What has passed.
#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    to_server: AtomicU64,
    from_server: AtomicU64,
}

impl Proxy {
    /// Starts a proxy for a server.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (link, watched) = watch::channel(Link::Open);
        let counts = Arc::new(Counts::default());
        let upstream = Arc::new(Mutex::new(upstream));
        let task = tokio::spawn(accept(listener, Arc::clone(&upstream), watched, Arc::clone(&counts)));
        Ok(Self { address, upstream, link, counts, task })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what it does with bytes, on all connections.
    pub fn set(&self, link: Link) {
        self.link.send_replace(link);
    }

    /// Closes all connections; new ones pass.
    pub async fn cut(&self) {
        self.set(Link::Cut);
        // Each connection has a receiver, which it drops when it has closed; the listener keeps the last.
        while self.link.receiver_count() > 1 {
            tokio::task::yield_now().await;
        }
        self.set(Link::Open);
    }

    /// Leads new connections to another server.
    pub fn lead_to(&self, upstream: SocketAddr) {
        *self.upstream.lock().unwrap_or_else(PoisonError::into_inner) = upstream;
    }

    /// Returns how many connections it has accepted.
    pub fn accepted(&self) -> u64 {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// Returns how many bytes it has passed to the server, and from it.
    pub fn bytes(&self) -> (u64, u64) {
        (self.counts.to_server.load(Ordering::SeqCst), self.counts.from_server.load(Ordering::SeqCst))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    upstream: Arc<Mutex<SocketAddr>>,
    link: watch::Receiver<Link>,
    counts: Arc<Counts>,
) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { return };
        counts.connections.fetch_add(1, Ordering::SeqCst);
        while connections.try_join_next().is_some() {}
        if *link.borrow() == Link::Cut {
            continue;
        }
        let upstream = *upstream.lock().unwrap_or_else(PoisonError::into_inner);
        connections.spawn(connection(client, upstream, link.clone(), Arc::clone(&counts)));
    }
}

async fn connection(mut client: TcpStream, upstream: SocketAddr, mut link: watch::Receiver<Link>, counts: Arc<Counts>) {
    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let requests = pump(from_client, to_server, Way::Request, link.clone(), &counts.to_server);
    let replies = pump(from_server, to_client, Way::Reply, link.clone(), &counts.from_server);
    tokio::select! {
        _ = link.wait_for(|link| *link == Link::Cut) => {}
        _ = async { tokio::join!(requests, replies) } => {}
    }
}

/// Copies one way, until the end of the bytes.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: Way,
    mut link: watch::Receiver<Link>,
    passed: &AtomicU64,
) -> io::Result<()> {
    let mut bytes = [0; 8 * 1024];
    let mut is_mute = false;
    loop {
        let count = from.read(&mut bytes).await?;
        let Ok(state) = link.wait_for(|link| link.flow(way) != Flow::Hold).await.map(|link| *link) else {
            return Ok(());
        };
        is_mute |= state.flow(way) == Flow::Drop;
        match (count, is_mute) {
            (0, true) => std::future::pending().await,
            (0, false) => return to.shutdown().await,
            (_, true) => {}
            (_, false) => {
                to.write_all(&bytes[..count]).await?;
                passed.fetch_add(count as u64, Ordering::SeqCst);
            }
        }
    }
}
