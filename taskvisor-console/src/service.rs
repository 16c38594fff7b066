//! The console as a service of HTTP requests.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use tokio::runtime;
use tower_service::Service;

use crate::access::{Access, is_same_site};
use crate::action::Action;
use crate::apart::apart;
use crate::console::Console;
use crate::live::NotJoined;
use crate::query::{self, Parameter};
use crate::reply::{Body, Reply, error, for_method, json, reply, stream, wrong_method};
use crate::{page, view};

/// The answer to a request. [`Console`] returns it.
#[must_use = "a future does nothing unless it is polled"]
pub struct Answer(Pin<Box<dyn Future<Output = Reply> + Send>>);

impl Future for Answer {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for Console {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// The body of a request is not read.
    fn call(&mut self, request: Request<B>) -> Answer {
        let (console, (request, _)) = (self.clone(), request.into_parts());
        Answer(Box::pin(async move {
            let answer = console.answer(&request).await.unwrap_or_else(|refusal| refusal);
            for_method(&request.method, answer)
        }))
    }
}

impl Console {
    async fn answer(&self, request: &Parts) -> Result<Reply, Reply> {
        let host = self.settings.hosts.check(request).map_err(|host| wrong_host(&host))?;
        let access = match self.settings.access.of(request) {
            None => {
                return Err(error(StatusCode::INTERNAL_SERVER_ERROR, "the function that decides on access panicked"));
            }
            Some(Access::Denied) => return Err(error(StatusCode::FORBIDDEN, "access is denied")),
            Some(access) => access,
        };
        let asked = query::read(request.uri.query()).map_err(|wrong| error(StatusCode::BAD_REQUEST, wrong))?;
        let is_read = request.method == Method::GET || request.method == Method::HEAD;
        let Some(Parameter { key, value }) = asked else {
            return if is_read { Ok(file("index.html")) } else { Err(wrong_method("GET, HEAD")) };
        };
        if let Some(action) = Action::of(key) {
            if request.method != Method::POST {
                return Err(wrong_method("POST"));
            }
            if !is_same_site(request, &host) {
                return Err(error(
                    StatusCode::FORBIDDEN,
                    "a request to act needs `Sec-Fetch-Site: same-origin`, or an `Origin` with the host that it asks",
                ));
            }
            if access != Access::Full {
                return Err(error(StatusCode::FORBIDDEN, "this console is read-only"));
            }
            let subject = match (action, value) {
                (Action::Shutdown, None) if self.settings.allows_shutdown => "".into(),
                (Action::Shutdown, None) => return Err(error(StatusCode::FORBIDDEN, "a shutdown is not allowed here")),
                (Action::Shutdown, Some(_)) => return Err(error(StatusCode::BAD_REQUEST, "`shutdown` has no value")),
                (_, Some(subject)) => subject,
                (_, None) => return Err(error(StatusCode::BAD_REQUEST, &needs_path(key))),
            };
            return Ok(action.carry_out(self, &subject).await);
        }
        if !is_read {
            return Err(wrong_method("GET, HEAD"));
        }
        match (key, value) {
            ("events", None) => Ok(self.events(request, access)),
            ("tree", path) => {
                let path = path.unwrap_or_default().into_owned();
                let rights = view::rights(access, &self.settings);
                self.look(move |console| Some(rights + &view::now(&console.settings, &console.hub, &path)?)).await
            }
            ("node", Some(path)) => {
                let path = path.into_owned();
                self.look(move |console| view::detail(&console.settings, &console.hub, &path)).await
            }
            ("why", Some(path)) => {
                let path = path.into_owned();
                self.look(move |console| view::why(&console.settings, &console.hub, &path)).await
            }
            ("timers", None) => self.look(|console| Some(view::timers(&console.settings))).await,
            ("log", None) => self.look(|console| Some(view::log(&console.hub))).await,
            ("node" | "why", None) => Err(error(StatusCode::NOT_FOUND, &needs_path(key))),
            (name, None) if page::file(name).is_some() => Ok(file(name)),
            _ => Err(error(StatusCode::NOT_FOUND, "there is nothing of this name")),
        }
    }

    fn events(&self, request: &Parts, access: Access) -> Reply {
        if request.method == Method::HEAD {
            return stream("");
        }
        let busy = |text| error(StatusCode::SERVICE_UNAVAILABLE, text);
        match self.hub.join(&self.settings, access) {
            Ok(client) => stream(Body::stream(client)),
            Err(NotJoined::Full) => busy("there are 32 streams already"),
            Err(NotJoined::NoRuntime) => busy("a stream needs a Tokio runtime"),
        }
    }

    /// Answers with the result of `read`, or that there is no such path. It runs on another thread, because a large
    /// tree takes long.
    async fn look(&self, read: impl FnOnce(&Self) -> Option<String> + Send + 'static) -> Result<Reply, Reply> {
        let console = self.clone();
        let read = move || read(&console);
        let read = match runtime::Handle::try_current() {
            Ok(_) => apart(read).await,
            Err(_) => Some(read()),
        };
        match read {
            Some(Some(body)) => Ok(json(StatusCode::OK, body)),
            Some(None) => Err(error(StatusCode::NOT_FOUND, "there is no task or group at this path")),
            None => Err(error(StatusCode::SERVICE_UNAVAILABLE, "the runtime is shutting down")),
        }
    }
}

fn file(name: &str) -> Reply {
    match page::file(name) {
        Some(file) => reply(StatusCode::OK, file.content_type, file.text),
        None => error(StatusCode::NOT_FOUND, "there is nothing of this name"),
    }
}

fn needs_path(key: &str) -> String {
    format!("`{key}` needs a path: `?{key}=..`")
}

fn wrong_host(host: &str) -> Reply {
    let what = if host.is_empty() {
        "a request names one host".to_owned()
    } else {
        format!("the host {host:?} is not allowed; `Console::hosts` allows it")
    };
    error(StatusCode::MISDIRECTED_REQUEST, &what)
}
