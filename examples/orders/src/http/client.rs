//! A client.

use std::fmt::Display;
use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

/// A client. Clones share their connections.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    client: legacy::Client<HttpConnector, Body>,
    patience: Duration,
}

/// The reason why there is no answer.
#[derive(Debug)]
pub(crate) struct NoAnswer {
    /// The request did not reach the server.
    pub(crate) is_connect: bool,
}

impl Client {
    /// Keeps its connections for further requests.
    pub(crate) fn new(patience: Duration) -> Self {
        Self { client: legacy::Client::builder(TokioExecutor::new()).build_http(), patience }
    }

    /// Opens a connection for each request. Otherwise a server could close an idle connection while a request is in
    /// flight, which then has no answer, and the client could not tell whether it was read.
    pub(crate) fn without_keep_alive(patience: Duration) -> Self {
        let client = legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { client, patience }
    }

    /// Sends a request to a host and a port, and returns the status and the body of the answer.
    pub(crate) async fn send(
        &self,
        address: &(impl Display + Sync),
        method: &str,
        path: &str,
        body: String,
    ) -> Result<(u16, String), NoAnswer> {
        let lost = NoAnswer { is_connect: false };
        let request = Request::builder().method(method).uri(format!("http://{address}{path}"));
        let request = request.header("content-type", "application/json").body(Body::from(body));
        let Ok(request) = request else { return Err(lost) };
        let answer = async {
            let response = self.client.request(request).await;
            let response = response.map_err(|error| NoAnswer { is_connect: error.is_connect() })?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.map_err(|_| NoAnswer { is_connect: false })?;
            Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
        };
        timeout(self.patience, answer).await.unwrap_or(Err(lost))
    }
}
