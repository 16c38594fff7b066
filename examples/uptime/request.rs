//! One request to a target.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::targets::Target;

/// Web servers answer this; others at least refuse it with a line. The empty line ends the request.
const REQUEST: &[u8] = b"HEAD / HTTP/1.0\r\n\r\n";
const LONGEST_LINE: u64 = 4096;

/// Connects, sends a request line, and waits for the first line of the answer. Returns the time that this took.
pub(crate) async fn latency(target: &Target) -> io::Result<Duration> {
    let started = Instant::now();
    let mut stream = TcpStream::connect(target.as_str()).await?;
    stream.write_all(REQUEST).await?;
    let mut line = Vec::new();
    BufReader::new(stream).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
    match line.last() {
        Some(b'\n') => Ok(started.elapsed()),
        Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is no line of text")),
        None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "connection closed without an answer")),
    }
}
