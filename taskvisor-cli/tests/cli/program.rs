//! A program with a tree and a console of it.

use std::io::ErrorKind;
use std::iter;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use taskvisor::{History, TaskSpec, Tree, TreeBuilder};
use taskvisor_console::Console;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;

/// Returns an address for a program that is started again at it. Its port is below those that the system gives to
/// connections, so none of them takes it meanwhile.
fn steady() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let is_free = |addr: &SocketAddr| std::net::TcpStream::connect(addr).is_err();
    let ports =
        iter::repeat_with(|| std::process::id().wrapping_mul(31).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)));
    let mut addresses = ports.map(|number| {
        let port = 20_000 + u16::try_from(number % 10_000).expect("it is below 10,000");
        SocketAddr::from(([127, 0, 0, 1], port))
    });
    addresses.find(is_free).expect("there is no end")
}

/// Listens at an address. A process that another test starts has the sockets of this one until it is another program, also
/// one that is closed here by then.
async fn listen(addr: SocketAddr) -> TcpListener {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match TcpListener::bind(addr).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            listener => return listener.unwrap(),
        }
    }
}

/// A tree that runs, and a server of its console.
pub(crate) struct Program {
    runtime: Runtime,
    tree: Tree,
    history: History,
    addr: SocketAddr,
}

impl Program {
    /// Starts the tree, with a console for everybody at a free port.
    pub(crate) fn start(tree: TreeBuilder) -> Self {
        Self::start_at(steady(), tree, Console::allow_actions)
    }

    pub(crate) fn start_at(addr: SocketAddr, tree: TreeBuilder, settings: impl FnOnce(Console) -> Console) -> Self {
        let runtime = Runtime::new().unwrap();
        let history = History::new();
        let tree = tree.with_name("app").with_subscriber(history.clone()).build();
        let addr = runtime.block_on(async {
            tree.start().await.unwrap();
            let console = settings(Console::new(tree.supervisor().handle()).history(history.clone()));
            let listener = listen(addr).await;
            let addr = listener.local_addr().unwrap();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    serve(stream, &console);
                }
            });
            addr
        });
        Self { runtime, tree, history, addr }
    }

    /// Serves a read-only console at a Unix socket as well.
    pub(crate) fn serve_at(&self, path: &Path) {
        let console = Console::new(self.tree.supervisor().handle());
        let _in_runtime = self.runtime.enter();
        let listener = UnixListener::bind(path).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &console);
            }
        });
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/console", self.addr)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until the tree is in some state, which the test has caused. The history follows a moment later.
    pub(crate) fn wait(&self, is_so: impl Fn(&Tree, &History) -> bool) {
        self.runtime.block_on(async {
            while !is_so(&self.tree, &self.history) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }

    /// Submits a task to a slot, or to that of a key.
    pub(crate) fn submit(&self, slot: &str, task: TaskSpec) {
        self.runtime.block_on(async { self.tree.slot(slot).submit(task).await }).unwrap();
    }

    /// Shuts the tree down, and ends the server.
    pub(crate) fn end(self) {
        self.runtime.block_on(async { self.tree.shutdown().await }).unwrap();
        self.runtime.shutdown_timeout(Duration::from_secs(5));
    }
}

fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, console: &Console) {
    let service = TowerToHyperService::new(console.clone());
    tokio::spawn(async move {
        // A client may go away.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    });
}
