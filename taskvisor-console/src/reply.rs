//! Answers: their headers, and their bodies.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body::{Frame, SizeHint};
use serde_json::json;

use crate::live::Client;

/// The body of an answer.
#[derive(Debug)]
pub struct Body(Content);

#[derive(Debug)]
enum Content {
    /// The whole body, until it is read.
    Whole(Bytes),
    /// The messages of a stream.
    Stream(Client),
}

impl Body {
    pub(crate) fn stream(client: Client) -> Self {
        Self(Content::Stream(client))
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(whole: T) -> Self {
        Self(Content::Whole(whole.into()))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.get_mut().0 {
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Stream(client) => client.poll_message(cx).map(|message| message.map(|data| Ok(Frame::data(data)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Content::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

pub(crate) type Reply = Response<Body>;

const JSON: &str = "application/json";

/// The content security policy: no resource of another origin, no inline script or style, no frame around the page, and
/// no form.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The headers of every answer.
const HEADERS: [(&str, &str); 7] = [
    ("cache-control", "no-store"),
    ("content-security-policy", POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

pub(crate) fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Reply {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

pub(crate) fn json(status: StatusCode, body: impl Into<Body>) -> Reply {
    reply(status, JSON, body)
}

/// Returns a stream of server-sent events. Without the header, nginx keeps them until a buffer is full.
pub(crate) fn stream(events: impl Into<Body>) -> Reply {
    let mut reply = reply(StatusCode::OK, "text/event-stream", events);
    reply.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    reply
}

/// Returns an answer with an error message.
pub(crate) fn error(status: StatusCode, message: &str) -> Reply {
    json(status, json!({ "error": message }).to_string())
}

/// Returns the answer to a method that the query does not allow.
pub(crate) fn wrong_method(allowed: &'static str) -> Reply {
    let mut reply = error(StatusCode::METHOD_NOT_ALLOWED, &format!("this is for {allowed}"));
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// Removes the body of the answer to a `HEAD`, whose headers are those of a `GET`.
pub(crate) fn for_method(method: &Method, mut reply: Reply) -> Reply {
    if *method == Method::HEAD {
        if let Some(length) = http_body::Body::size_hint(reply.body()).exact() {
            reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        *reply.body_mut() = Bytes::new().into();
    }
    reply
}
