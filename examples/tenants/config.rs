//! The file of tenants, and the task that makes the running tenants equal to it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use taskvisor::prelude::*;
use taskvisor::{Reconciled, TaskSpec};

use crate::board::Board;
use crate::sync;

/// A tenant of the file. Its hash is the revision of its task: a tenant that has changed is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tenant {
    pub(crate) name: String,
    /// The time from one synchronization to the next, in milliseconds.
    every_ms: u64,
    /// The upstream. Default: the one of this program.
    pub(crate) address: Option<SocketAddr>,
}

impl Tenant {
    fn spec(self, upstream: SocketAddr) -> TaskSpec {
        let (name, every) = (self.name.clone(), Duration::from_millis(self.every_ms));
        let revision = self.clone();
        sync::sync::spec(self, upstream).with_name(name).with_every(every).with_revision(revision)
    }
}

/// The file, and the tenants that were read last.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    file: Arc<PathBuf>,
    pub(crate) tenants: Vec<Tenant>,
}

impl Config {
    /// Reads the file.
    pub(crate) fn read(file: PathBuf) -> io::Result<Self> {
        let mut config = Self { file: Arc::new(file), tenants: Vec::new() };
        config.read_again()?;
        Ok(config)
    }

    /// Reads the file again. After an error the tenants are those from before.
    pub(crate) fn read_again(&mut self) -> io::Result<()> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.file.display()));
        let text = std::fs::read(&*self.file).map_err(named)?;
        self.tenants = serde_json::from_slice(&text).map_err(io::Error::from).map_err(named)?;
        Ok(())
    }

    /// Makes the tasks in the group `tenants` equal to the tenants. After an error nothing has changed.
    async fn apply(&self, ctx: &TaskContext, upstream: SocketAddr) -> Result<Reconciled, RuntimeError> {
        let specs = self.tenants.iter().cloned().map(|tenant| tenant.spec(upstream));
        ctx.supervisor().group("tenants").reconcile(specs).await
    }
}

/// Starts the tenants, and makes them equal to the file at each SIGHUP. A tenant that was parked is started again then.
/// A file that is refused changes nothing: the status page shows the error until a later file is accepted.
#[task(restart = "always", ready = "signal", backoff(first = "100ms", max = "5s", factor = 2.0, jitter = "equal"))]
pub(crate) async fn configure(
    ctx: TaskContext,
    mut config: Config,
    address: SocketAddr,
    board: Arc<Board>,
) -> io::Result<()> {
    // Listens before the tenants start, so that no signal is lost.
    let mut hangup = Hangup::listen()?;
    board.note(config.apply(&ctx, address).await);
    ctx.ready();
    while ctx.run_until_cancelled(hangup.next()).await.is_some() {
        match config.read_again() {
            Ok(()) => board.note(config.apply(&ctx, address).await),
            Err(error) => board.note(Err::<Reconciled, _>(error)),
        }
    }
    Ok(())
}

/// The signal SIGHUP. On systems without it, the file is read once.
struct Hangup {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl Hangup {
    #[cfg(unix)]
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { signal: signal(SignalKind::hangup())? })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        self.signal.recv().await;
    }

    #[cfg(not(unix))]
    fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        std::future::pending().await
    }
}
