//! Serves the console on a TCP port.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, ToSocketAddrs, lookup_host};

use super::connections::serve;
use crate::Console;
use crate::settings::Granted;

impl Console {
    /// Serves the console on a port of its own, over HTTP/1.1. It never returns `Ok`: dropping the future closes the
    /// port and all connections. A task that takes a context must respond to stop requests itself: wrap the future in
    /// [`run_until_cancelled`](taskvisor::TaskContext::run_until_cancelled), as below. Otherwise a stop takes until its
    /// deadline.
    ///
    /// On an address other than loopback, [`access`](Self::access) must be set, so that access is a decision. The names
    /// under which the console is reached must be set as [`hosts`](Self::hosts). There is no TLS; use a proxy for it.
    ///
    /// There are 128 connections at a time. One that does not send the head of a request within 10 s is closed, as is one
    /// whose client takes nothing of its answer for 10 s.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for an address beyond the loopback interface without
    /// [`access`](Self::access). The errors of [`TcpListener::bind`].
    ///
    /// # Cancel safety
    /// Dropping the future ends the service.
    ///
    /// # Examples
    /// ```no_run
    /// use taskvisor::prelude::*;
    /// use taskvisor_console::Console;
    ///
    /// #[task(restart = "always")]
    /// async fn console(ctx: TaskContext) -> std::io::Result<()> {
    ///     let console = Console::new(ctx.supervisor());
    ///     ctx.run_until_cancelled(console.serve("127.0.0.1:9000")).await.unwrap_or(Ok(()))
    /// }
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), RuntimeError> {
    ///     supervise!(tasks = [console {}]).run().await
    /// }
    /// ```
    pub async fn serve(self, addr: impl ToSocketAddrs) -> io::Result<()> {
        let addrs: Vec<_> = lookup_host(addr).await?.collect();
        addrs.iter().try_for_each(|addr| self.check(*addr))?;
        self.serve_on(TcpListener::bind(&*addrs).await?).await
    }

    /// Like [`serve`](Self::serve), on a bound listener.
    ///
    /// # Errors
    /// The same as for [`serve`](Self::serve).
    ///
    /// # Cancel safety
    /// The same as for [`serve`](Self::serve).
    pub async fn serve_on(self, listener: TcpListener) -> io::Result<()> {
        self.check(listener.local_addr()?)?;
        serve(self, async || listener.accept().await.map(|(stream, _)| stream)).await
    }

    fn check(&self, addr: SocketAddr) -> io::Result<()> {
        if addr.ip().to_canonical().is_loopback() || matches!(self.settings.access, Granted::By(_)) {
            return Ok(());
        }
        let text = format!("{addr} can be reached from other hosts, so `Console::access` has to say who may look");
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }
}
