//! Requests to a console. Each has a connection of its own.

use std::fmt::Write as _;
use std::future::Future;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::failure::Failure;
use crate::reply::Refusal;
use crate::target::{Place, Target};

/// The largest answer that is read.
const LARGEST: usize = 256 * 1024 * 1024;

/// Makes requests to one console.
#[derive(Debug)]
pub(crate) struct Client {
    target: Target,
    timeout: Duration,
}

/// An answer, as text and as a value.
pub(crate) struct Answer<T> {
    pub(crate) text: String,
    pub(crate) value: T,
}

impl Client {
    pub(crate) fn new(target: Target, timeout: Duration) -> Self {
        Self { target, timeout }
    }

    /// Gets the answer to a query.
    pub(crate) async fn get<T: DeserializeOwned>(&self, query: &str) -> Result<Answer<T>, Failure> {
        self.in_time(false, self.answer(Method::GET, query)).await
    }

    /// Requests an action.
    pub(crate) async fn post<T: DeserializeOwned>(&self, query: &str) -> Result<Answer<T>, Failure> {
        self.in_time(true, self.answer(Method::POST, query)).await
    }

    /// Opens a stream of server-sent events.
    pub(crate) async fn stream(&self, query: &str) -> Result<Body, Failure> {
        self.in_time(false, async {
            let response = self.request(Method::GET, query).await?;
            if !is_of_type(&response, "text/event-stream") {
                return Err(self.not_a_console(&response));
            }
            Ok(Body { incoming: response.into_body(), at: self.target.to_string() })
        })
        .await
    }

    pub(crate) fn at(&self) -> String {
        self.target.to_string()
    }

    async fn in_time<T>(&self, changes: bool, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let late = Failure::Late { at: self.at(), timeout: self.timeout, changes };
        timeout(self.timeout, work).await.unwrap_or(Err(late))
    }

    async fn answer<T: DeserializeOwned>(&self, method: Method, query: &str) -> Result<Answer<T>, Failure> {
        let response = self.request(method, query).await?;
        if !is_of_type(&response, "application/json") {
            return Err(self.not_a_console(&response));
        }
        let mut body = Body { incoming: response.into_body(), at: self.at() };
        let text = body.text().await?;
        let not_a_console = |found: String| Failure::NotAConsole { at: self.at(), found };
        let text = String::from_utf8(text).map_err(|_| not_a_console("its answer is not UTF-8".to_owned()))?;
        match serde_json::from_str(&text) {
            Ok(value) => Ok(Answer { text, value }),
            Err(error) => Err(not_a_console(format!("its JSON has another form ({error})"))),
        }
    }

    /// Returns a successful response, or the failure for any other status.
    async fn request(&self, method: Method, query: &str) -> Result<Response<Incoming>, Failure> {
        let broken = |error: &dyn std::error::Error| Failure::Broken { at: self.at(), error: chain(error) };
        let request = self.head(method, query).map_err(|error| broken(&error))?;
        let mut sender = self.connect().await?;
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    fn head(&self, method: Method, query: &str) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
        let mut request = Request::builder()
            .uri(format!("{}?{query}", self.target.path))
            .header(HOST, &self.target.host)
            .header(USER_AGENT, concat!("taskvisor-cli/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json, text/event-stream")
            .header(CONNECTION, "close");
        if method == Method::POST {
            // A console accepts a change only from its own site. A browser sets this header by itself, so that a page
            // of another site cannot send it.
            request = request.header("sec-fetch-site", "same-origin");
        }
        if let Some(authorization) = &self.target.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.method(method).body(Empty::new())
    }

    async fn connect(&self) -> Result<http1::SendRequest<Empty<Bytes>>, Failure> {
        let not_there = |error| Failure::NotThere { at: self.at(), error };
        match &self.target.place {
            Place::Tcp(host, port) => {
                let stream = TcpStream::connect((&**host, *port)).await.map_err(not_there)?;
                self.shake_hands(stream).await
            }
            #[cfg(feature = "rustls")]
            Place::Tls(host, port) => {
                let stream = TcpStream::connect((&**host, *port)).await.map_err(not_there)?;
                let stream = crate::tls::connect(host, stream).await;
                let stream = stream.map_err(|error| Failure::Tls { at: self.at(), error })?;
                self.shake_hands(stream).await
            }
            #[cfg(unix)]
            Place::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(not_there)?;
                self.shake_hands(stream).await
            }
            #[cfg(not(unix))]
            Place::Unix(_) => Err(not_there(std::io::ErrorKind::Unsupported.into())),
        }
    }

    async fn shake_hands(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<http1::SendRequest<Empty<Bytes>>, Failure> {
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|error| Failure::Broken { at: self.at(), error: chain(&error) })?;
        // Errors of the connection are returned by the request or the body as well.
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn refusal(&self, response: Response<Incoming>) -> Failure {
        let (status, is_json) = (response.status(), is_of_type(&response, "application/json"));
        let not_a_console = self.not_a_console(&response);
        let mut body = Body { incoming: response.into_body(), at: self.at() };
        // Another server may send a page instead of JSON.
        let text = if is_json { body.text().await.unwrap_or_default() } else { Vec::new() };
        let said = serde_json::from_slice(&text).ok().map(|Refusal { error }| error);
        let at = self.at();
        match (status, said) {
            (StatusCode::NOT_FOUND, Some(said)) => Failure::NoSuchPath { said },
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, said) => {
                Failure::Denied { at, said: said.unwrap_or_else(|| status.to_string()) }
            }
            (StatusCode::MISDIRECTED_REQUEST, said) => {
                Failure::Host { at, said: said.unwrap_or_else(|| status.to_string()) }
            }
            (_, Some(said)) => Failure::Refused { at, status: status.as_u16(), said },
            (_, None) if status.is_server_error() => {
                Failure::Refused { at, status: status.as_u16(), said: "it cannot answer".to_owned() }
            }
            (_, None) => not_a_console,
        }
    }

    fn not_a_console(&self, response: &Response<Incoming>) -> Failure {
        let text =
            |value: Option<&HeaderValue>| value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let found = match (response.status(), text(response.headers().get(LOCATION))) {
            (status, Some(location)) if status.is_redirection() => format!("it redirects to {location}"),
            (status, _) => {
                let kind = text(response.headers().get(CONTENT_TYPE)).unwrap_or_else(|| "no content type".to_owned());
                format!("it answers with status {} and {kind}", status.as_u16())
            }
        };
        Failure::NotAConsole { at: self.at(), found }
    }
}

/// The body of an answer.
pub(crate) struct Body {
    incoming: Incoming,
    at: String,
}

impl Body {
    /// Waits for the next part. `None` at the end.
    pub(crate) async fn part(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            match self.incoming.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(part) = frame.into_data() {
                        return Ok(Some(part));
                    }
                }
                Some(Err(error)) => return Err(Failure::Broken { at: self.at.clone(), error: chain(&error) }),
            }
        }
    }

    async fn text(&mut self) -> Result<Vec<u8>, Failure> {
        let mut text = Vec::new();
        while let Some(part) = self.part().await? {
            if text.len() + part.len() > LARGEST {
                let error = format!("its answer has more than {} MiB", LARGEST >> 20);
                return Err(Failure::Broken { at: self.at.clone(), error });
            }
            text.extend_from_slice(&part);
        }
        Ok(text)
    }
}

fn is_of_type<B>(response: &Response<B>, expected: &str) -> bool {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(expected))
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A query with a value, percent-encoded.
pub(crate) fn query(key: &str, value: &str) -> String {
    let mut query = format!("{key}=");
    for &byte in value.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            query.push(char::from(byte));
        } else {
            let _ = write!(query, "%{byte:02X}");
        }
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_encoded_but_for_what_every_url_can_have() {
        assert_eq!(query("why", "store/pool-1.a_b~"), "why=store/pool-1.a_b~");
        assert_eq!(query("why", "a b&c=d?#%+é"), "why=a%20b%26c%3Dd%3F%23%25%2B%C3%A9");
    }
}
