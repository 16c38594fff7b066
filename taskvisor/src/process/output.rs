//! Reading the output of a process while waiting for its end.

use std::future::{Future, poll_fn};
use std::io;
#[cfg(unix)]
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::process::Output;
use std::task::{Context, Poll, ready};

#[cfg(unix)]
use rustix::io::Errno;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::group::Process;

/// Waits for the end of the process and of its output. When `stop` is canceled, on Unix the output of the process is
/// complete with its end: what is written later comes from a process that has left the group, and may never end.
pub(super) async fn output(process: &mut Process, stop: CancellationToken) -> io::Result<Output> {
    let mut stdout = Reading::new(process.stdout.take());
    let mut stderr = Reading::new(process.stderr.take());
    let mut end = pin!(process.wait(stop.clone()));
    #[cfg(unix)]
    let mut stopped = pin!(stop.cancelled());
    let mut status = None;
    let status = poll_fn(|cx| {
        if status.is_none() {
            if let Poll::Ready(ended) = end.as_mut().poll(cx) {
                status = Some(ended?.status);
            }
        }
        // Both are read, so that a process that fills one pipe is not blocked.
        let are_read = (stdout.poll(cx)?, stderr.poll(cx)?) == (Poll::Ready(()), Poll::Ready(()));
        let Some(status) = status else { return Poll::Pending };
        #[cfg(unix)]
        if !are_read {
            ready!(stopped.as_mut().poll(cx));
            stdout.read_at_once()?;
            stderr.read_at_once()?;
        }
        // On other systems, nothing tells what is in a pipe before its end.
        #[cfg(not(unix))]
        if !are_read {
            return Poll::Pending;
        }
        Poll::Ready(io::Result::Ok(status))
    })
    .await?;
    Ok(Output { status, stdout: stdout.all, stderr: stderr.all })
}

/// A pipe that is read to its end.
struct Reading<R> {
    /// `None` after the end of the pipe.
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

#[cfg(unix)]
impl<R: AsFd> Reading<R> {
    /// Reads what is in the pipe, also if the runtime has not heard of it yet.
    fn read_at_once(&mut self) -> io::Result<()> {
        let Some(pipe) = self.pipe.take() else { return Ok(()) };
        let mut chunk = [0; 4096];
        // Not up to the end: another process can write as fast as this reads.
        let mut left = rustix::io::ioctl_fionread(&pipe)?;
        while left > 0 {
            let most = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
            match rustix::io::retry_on_intr(|| rustix::io::read(&pipe, &mut chunk[..most])) {
                // The pipe of a child is non-blocking.
                Ok(0) | Err(Errno::AGAIN) => break,
                Ok(length) => {
                    self.all.extend_from_slice(&chunk[..length]);
                    left = left.saturating_sub(length as u64);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;

    /// A stream that is full, to which a thread goes on writing, and its length.
    fn written_to() -> (UnixStream, usize) {
        let (mut from, to) = UnixStream::pair().unwrap();
        from.set_nonblocking(true).unwrap();
        to.set_nonblocking(true).unwrap();
        let mut full = 0;
        while let Ok(more) = from.write(&[0; 1000]) {
            full += more;
        }
        from.set_nonblocking(false).unwrap();
        thread::spawn(move || while from.write_all(&[1; 1000]).is_ok() {});
        (to, full)
    }

    #[test]
    fn o51_what_is_written_while_a_pipe_is_read_at_once_is_left_out() {
        for _ in 0..100 {
            let (pipe, full) = written_to();
            let mut reading = Reading { pipe: Some(pipe), all: b"before".to_vec() };
            reading.read_at_once().unwrap();
            assert_eq!(reading.all.len(), b"before".len() + full);
        }
    }
}
