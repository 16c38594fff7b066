//! The signals that request a shutdown.

use std::io;
use std::task::{Context, Poll};

#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{ctrl_break, ctrl_c};

/// Returns `Ready` when the next signal of its kind arrives.
type Receive = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<()>> + Send>;

/// The signals by name.
pub(in crate::runtime) struct Signals([(&'static str, Receive); 2]);

impl Signals {
    /// Starts to listen. Needs a runtime with IO enabled.
    #[cfg(unix)]
    pub(in crate::runtime) fn listen() -> io::Result<Self> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let interrupt: Receive = Box::new(move |cx| interrupt.poll_recv(cx));
        Ok(Self([("SIGINT", interrupt), ("SIGTERM", Box::new(move |cx| terminate.poll_recv(cx)))]))
    }

    /// Starts to listen.
    #[cfg(windows)]
    pub(in crate::runtime) fn listen() -> io::Result<Self> {
        let (mut c, mut r#break) = (ctrl_c()?, ctrl_break()?);
        let c: Receive = Box::new(move |cx| c.poll_recv(cx));
        Ok(Self([("Ctrl+C", c), ("Ctrl+Break", Box::new(move |cx| r#break.poll_recv(cx)))]))
    }

    /// Returns `Ready` with the name of the next signal.
    pub(in crate::runtime) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        for (name, receive) in &mut self.0 {
            if receive(cx) == Poll::Ready(Some(())) {
                return Poll::Ready(name);
            }
        }
        Poll::Pending
    }
}
