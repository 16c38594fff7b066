//! The HTTP API: `routes` has the API of customers, `pages` has the pages for operators and orchestrators, and
//! `connection` has the task. `problem` is an error response. `client` is used by the load and by the client of the
//! broker.

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

/// The parts of the server that outlive the attempts of the task.
#[derive(Clone)]
pub(crate) struct Server {
    /// Bound before the tree: a restart of the server keeps the socket, and a port that is taken ends the program.
    pub(crate) listener: Arc<TcpListener>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) metrics: PrometheusHandle,
    /// The last attempts of each task, for the console.
    pub(crate) history: History,
    /// A permit for each concurrent request.
    pub(crate) places: Arc<Semaphore>,
    /// A permit for each connection. Further connections wait in the queue of the socket, without file descriptors.
    pub(crate) connections: Arc<Semaphore>,
    /// The timeout of a request.
    pub(crate) patience: Duration,
}
