//! A connection whose writes have a time limit.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// The time for which a client may take nothing of an answer.
const STALL: Duration = Duration::from_secs(10);

/// A stream on which a write fails if nothing is taken for [`STALL`]. The time begins anew with each part that is taken,
/// so a slow client gets its whole answer, and there is no limit while nothing is to be written.
pub(super) struct Timely<S> {
    stream: S,
    /// The end of the time, while a write waits.
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Timely<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, until: None }
    }

    fn limit(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.until = None;
            return written;
        }
        ready!(self.until.get_or_insert_with(|| Box::pin(sleep(STALL))).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timely<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timely<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.limit(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.limit(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_write_of_which_nothing_is_taken_fails_and_one_that_is_slow_does_not() {
        let (mut client, server) = duplex(64);
        let mut server = Timely::new(server);
        let slow = async {
            let mut part = [0; 64];
            for _ in 0..16 {
                sleep(STALL * 9 / 10).await;
                client.read_exact(&mut part).await.expect("it comes");
            }
        };
        let (written, ()) = tokio::join!(server.write_all(&[1; 1024]), slow);
        written.expect("some of it was always taken in time");
        // Between two answers there is no limit.
        sleep(100 * STALL).await;
        let since = Instant::now();
        let stalled = server.write_all(&[1; 1024]).await.expect_err("nothing is taken");
        assert_eq!((stalled.kind(), since.elapsed().as_secs()), (io::ErrorKind::TimedOut, STALL.as_secs()));
    }
}
