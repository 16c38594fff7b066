//! The task of a tenant.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use taskvisor::prelude::*;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::config::Tenant;

/// Requests news from the upstream.
///
/// - The start of a tenant lasts until its first success, and the group limits how many start at one time.
/// - The limit parks a tenant that fails six times within a minute. Its siblings and its group are not affected.
/// - Without `readiness`, `/readyz` reports a bad tenant but stays at 200, because the others are served.
/// - The `splay` spreads tenants of equal periods.
#[task(
    restart = "always",
    every = "250ms",
    splay = "200ms",
    ready = "first_success",
    timeout = "2s",
    backoff(first = "50ms", max = "1s", factor = 2.0, jitter = "equal"),
    limit(max_restarts = 5, within = "60s"),
    metric_label = "tenant",
    readiness = false
)]
pub(crate) async fn sync(tenant: Tenant, upstream: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(tenant.address.unwrap_or(upstream)).await?;
    stream.write_all(format!("{}\n", tenant.name).as_bytes()).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    if answer == "ok\n" { Ok(()) } else { Err(io::Error::new(ErrorKind::InvalidData, format!("answered {answer:?}"))) }
}
