//! Reading the output of a process while waiting for its end.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::process::Output;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::group::Process;

/// Waits for the end of the process and of its output.
pub(super) async fn output(process: &mut Process, stop: CancellationToken) -> io::Result<Output> {
    let mut stdout = Reading::new(process.stdout.take());
    let mut stderr = Reading::new(process.stderr.take());
    let mut end = pin!(process.wait(stop));
    let mut status = None;
    let status = poll_fn(|cx| {
        if status.is_none() {
            if let Poll::Ready(ended) = end.as_mut().poll(cx) {
                status = Some(ended?.status);
            }
        }
        // Both are read, so that a process that fills one pipe is not blocked.
        let (stdout, stderr) = (stdout.poll(cx)?, stderr.poll(cx)?);
        match (status, stdout, stderr) {
            (Some(status), Poll::Ready(()), Poll::Ready(())) => Poll::Ready(io::Result::Ok(status)),
            _ => Poll::Pending,
        }
    })
    .await?;
    Ok(Output { status, stdout: stdout.all, stderr: stderr.all })
}

/// A pipe that is read to its end.
struct Reading<R> {
    /// `None` after its end.
    pipe: Option<R>,
    all: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Reading<R> {
    fn new(pipe: Option<R>) -> Self {
        Self { pipe, all: Vec::new() }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(pipe) = &mut self.pipe {
            let mut chunk = [0; 4096];
            let mut buffer = ReadBuf::new(&mut chunk);
            ready!(Pin::new(pipe).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                self.pipe = None;
            }
            self.all.extend_from_slice(buffer.filled());
        }
        Poll::Ready(Ok(()))
    }
}
