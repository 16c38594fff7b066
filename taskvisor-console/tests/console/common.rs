//! A tree with a console, and requests to it without a server.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use http::{HeaderMap, Method, Request, StatusCode};
use http_body::Body as _;
use serde_json::Value;
use taskvisor::{
    BackoffPolicy, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskRef, TaskSpec, Tree, TreeBuilder,
};
use taskvisor_console::{Body, Console};
use tokio::time::timeout;
use tower_service::Service;

/// Longer than anything in a test takes. It is only waited for by a test that fails.
const LONG: Duration = Duration::from_secs(60);

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn runs(name: &str) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, |ctx: TaskContext| async move {
        ctx.cancelled().await;
        Ok(())
    }))
}

/// A task that fails, and waits for its backoff for a long time.
pub(crate) fn fails(name: &str, error: &'static str) -> TaskSpec {
    let task = TaskFn::arc(name, move |_: TaskContext| async move { Err(TaskError::Fail { reason: error.into() }) });
    TaskSpec::inherit(task).with_backoff(BackoffPolicy { first: HOUR, max: HOUR, ..BackoffPolicy::default() })
}

pub(crate) fn task(name: &str) -> TaskRef {
    TaskFn::arc(name, |_: TaskContext| async { Ok(()) })
}

pub(crate) fn builder() -> TreeBuilder {
    Tree::builder(SupervisorConfig::default())
}

pub(crate) async fn started(builder: TreeBuilder) -> Tree {
    let tree = builder.build();
    tree.start().await.expect("it starts");
    // Some trees of tests never are.
    let _ = timeout(Duration::from_millis(50), tree.wait_ready()).await;
    tree
}

pub(crate) fn console(tree: &Tree) -> Console {
    Console::new(tree.supervisor().handle())
}

/// An answer with its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

pub(crate) fn request(method: impl Into<Method>, query: &str) -> Request<()> {
    let method = method.into();
    let request = Request::builder().method(method.clone()).uri(format!("/{query}")).header("host", "localhost");
    let request = if method == Method::POST { request.header("sec-fetch-site", "same-origin") } else { request };
    request.body(()).expect("a valid request")
}

pub(crate) async fn ask(console: &Console, request: Request<()>) -> Answer {
    let (parts, mut body) = begin(console, request).await.into_parts();
    let mut text = String::new();
    while let Some(more) = next(&mut body).await {
        text.push_str(&more);
    }
    Answer { status: parts.status, headers: parts.headers, text }
}

pub(crate) async fn begin(console: &Console, request: Request<()>) -> http::Response<Body> {
    timeout(LONG, console.clone().call(request)).await.expect("it answers").expect("it is infallible")
}

async fn next(body: &mut Body) -> Option<String> {
    let frame = timeout(LONG, poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx))).await.expect("it goes on");
    let data = frame?.expect("it is infallible").into_data().expect("there are no trailers");
    Some(String::from_utf8(data.to_vec()).expect("it is text"))
}

pub(crate) async fn get(console: &Console, query: &str) -> Answer {
    ask(console, request(Method::GET, query)).await
}

pub(crate) async fn post(console: &Console, query: &str) -> Answer {
    ask(console, request(Method::POST, query)).await
}

/// A stream that is read.
pub(crate) struct Stream {
    body: Body,
    text: String,
}

/// A message of a stream.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

impl Stream {
    pub(crate) async fn open(console: &Console) -> Self {
        let answer = begin(console, request(Method::GET, "?events")).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { body: answer.into_body(), text: String::new() }
    }

    /// Returns the next message, without comments. `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            while let Some((message, rest)) = self.text.split_once("\n\n") {
                let message = parse(message);
                self.text = rest.into();
                if let Some(message) = message {
                    return Some(message);
                }
            }
            let more = next(&mut self.body).await?;
            self.text.push_str(&more);
        }
    }

    /// Returns the next message in which this holds.
    pub(crate) async fn until(&mut self, holds: impl Fn(&Message) -> bool) -> Message {
        loop {
            let message = self.next().await.expect("the stream goes on");
            if holds(&message) {
                return message;
            }
        }
    }
}

fn parse(message: &str) -> Option<Message> {
    let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data = serde_json::from_str(field("data")?).expect("JSON");
    Some(Message { event: field("event")?.into(), id: field("id")?.into(), data })
}

/// Returns the node at a path.
pub(crate) fn node<'a>(of: &'a Value, path: &str) -> Option<&'a Value> {
    of["nodes"].as_array()?.iter().find(|node| node["path"] == path)
}
