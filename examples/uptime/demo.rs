//! Two servers to watch if no targets are given.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use taskvisor::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::print;
use crate::targets::Target;

const PATIENCE: Duration = Duration::from_secs(1);

/// Answers one request for each connection, and drops every `unlucky`-th connection instead.
#[task]
pub(crate) async fn serve(listener: Arc<TcpListener>, unlucky: Option<u64>) -> io::Result<()> {
    let mut connections: u64 = 0;
    loop {
        let (stream, _) = listener.accept().await?;
        connections += 1;
        let drops = unlucky.is_some_and(|unlucky| connections % unlucky == 0);
        if !drops {
            // An error of a client is no failure of the server.
            let _ = timeout(PATIENCE, answer(stream)).await;
        }
    }
}

async fn answer(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut lines = (&mut stream).lines();
    // Reads up to the empty line: closing with a part of the request unread would reset the connection.
    while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}
    stream.write_all(b"HTTP/1.0 204 No Content\r\n\r\n").await
}

/// A steady server and one that drops every third connection. Returns their addresses, and the tasks to run.
pub(crate) async fn servers() -> io::Result<(Vec<Target>, Vec<TaskSpec>)> {
    let steady = TcpListener::bind("127.0.0.1:0").await?;
    let flaky = TcpListener::bind("127.0.0.1:0").await?;
    let targets = vec![Target::from(steady.local_addr()?), Target::from(flaky.local_addr()?)];
    let (first, second) = (&targets[0], &targets[1]);
    print(&format!("No targets given: {first} is steady, {second} drops every third connection.\n")).await?;
    let specs = vec![
        serve::spec(Arc::new(steady), None).with_name("steady"),
        serve::spec(Arc::new(flaky), Some(3)).with_name("flaky"),
    ];
    Ok((targets, specs))
}
