//! The HTTP API: `routes` has what customers call, `pages` what operators and orchestrators look at, and `connection` has
//! the task. `problem` is an answer that is no success. `client` is for the other side: the load and the broker.

mod client;
mod connection;
mod pages;
mod problem;
mod routes;

pub(crate) use client::Client;
pub(crate) use connection::serve;

use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use taskvisor::History;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::store::Store;

/// What the server needs. It outlives the attempts of the task.
#[derive(Clone)]
pub(crate) struct Server {
    /// Bound before the tree: a restart of the server keeps the socket, and a port that is taken ends the program.
    pub(crate) listener: Arc<TcpListener>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) metrics: PrometheusHandle,
    /// The last attempts of each task, for the console.
    pub(crate) history: History,
    /// One for each request that is answered at a time.
    pub(crate) places: Arc<Semaphore>,
    /// One for each connection. More wait in the queue of the socket, and use up no file descriptors.
    pub(crate) connections: Arc<Semaphore>,
    /// How long a request may take.
    pub(crate) patience: Duration,
}
