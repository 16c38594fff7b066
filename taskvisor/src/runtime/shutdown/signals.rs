//! The signals that request a shutdown.

use std::io;
use std::task::{Context, Poll};

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};

#[cfg(unix)]
pub(in crate::runtime) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

#[cfg(unix)]
impl Signals {
    /// Starts to listen. Needs a runtime with IO enabled.
    pub(in crate::runtime) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Returns `Ready` with the name of the next signal.
    pub(in crate::runtime) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        if let Poll::Ready(Some(())) = self.interrupt.poll_recv(cx) {
            return Poll::Ready("SIGINT");
        }
        match self.terminate.poll_recv(cx) {
            Poll::Ready(Some(())) => Poll::Ready("SIGTERM"),
            _ => Poll::Pending,
        }
    }
}

#[cfg(windows)]
pub(in crate::runtime) struct Signals {
    c: CtrlC,
    r#break: CtrlBreak,
}

#[cfg(windows)]
impl Signals {
    /// Starts to listen.
    pub(in crate::runtime) fn listen() -> io::Result<Self> {
        Ok(Self { c: ctrl_c()?, r#break: ctrl_break()? })
    }

    /// Returns `Ready` with the name of the next signal.
    pub(in crate::runtime) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        if let Poll::Ready(Some(())) = self.c.poll_recv(cx) {
            return Poll::Ready("Ctrl+C");
        }
        match self.r#break.poll_recv(cx) {
            Poll::Ready(Some(())) => Poll::Ready("Ctrl+Break"),
            _ => Poll::Pending,
        }
    }
}
