//! The console, and its builder methods.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use taskvisor::{History, SupervisorHandle};

use crate::access::{Access, Hosts};
use crate::live::Hub;
use crate::settings::{Granted, Settings};

/// A page that shows a supervisor and its tree live, and the reason why a task does not run.
///
/// It is a [`tower_service::Service`] of HTTP requests, for any body and any path. It reads only the query, so it can
/// be mounted anywhere, and behind a proxy that changes the path. Without settings, it is read-only, and answers only
/// requests that name a host of the loopback interface. Clones are cheap, and share their streams.
///
/// Without a client it costs nothing: it has no task, timer, stream of events or copy of the tree. It does not keep the
/// supervisor alive, and does not delay its shutdown: its streams end as soon as one is requested.
///
/// The functions that it takes run during a request, and must not block.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use taskvisor::{History, SupervisorConfig, TaskContext, TaskFn, Tree};
/// use taskvisor_console::{Access, Console};
/// use tower_service::Service;
///
/// let web = TaskFn::arc("web", |ctx: TaskContext| async move {
///     ctx.cancelled().await;
///     Ok(())
/// });
/// let history = History::new();
/// let tree = Tree::builder(SupervisorConfig::default()).with_subscriber(history.clone()).task(web).build();
/// tree.start().await?;
///
/// let mut console = Console::new(tree.supervisor().handle())
///     .history(history)
///     .hosts(["ops.example.com"])
///     .access(|request| if request.headers.contains_key("x-operator") { Access::Full } else { Access::ReadOnly });
///
/// let request = http::Request::get("/?why=web").header("host", "ops.example.com").body(())?;
/// assert_eq!(console.call(request).await?.status(), 200);
/// let request = http::Request::get("/?why=web").header("host", "evil.example").body(())?;
/// assert_eq!(console.call(request).await?.status(), 421);
/// # tree.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "it does nothing unless it is mounted or served"]
pub struct Console {
    pub(crate) settings: Arc<Settings>,
    pub(crate) hub: Arc<Hub>,
}

impl Console {
    /// Creates a console of this supervisor: read-only, without a history, for hosts of the loopback interface.
    pub fn new(supervisor: SupervisorHandle) -> Self {
        let settings = Settings {
            supervisor,
            history: None,
            hosts: Hosts::loopback(),
            access: Granted::Everybody(Access::ReadOnly),
            allows_shutdown: false,
            redact: None,
        };
        Self { settings: Arc::new(settings), hub: Arc::new(Hub::new()) }
    }

    /// Shows the last attempts of each path from this history. Give a clone of the same history to the tree as a
    /// subscriber.
    pub fn history(self, history: History) -> Self {
        self.with(|settings| settings.history = Some(history))
    }

    /// Allows requests that name these hosts, beside those of the loopback interface: `ops.example.com` with any port,
    /// or `ops.example.com:8443` with this one. A request that names another host is answered with 421, so that a page
    /// of another site cannot reach the console under a name of its own.
    pub fn hosts<H: AsRef<str>>(self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.with(|settings| hosts.into_iter().for_each(|host| settings.hosts.allow(host.as_ref())))
    }

    /// Decides by this function what each request may do, after its host was checked. It replaces
    /// [`allow_actions`](Self::allow_actions). If it panics, the answer is 500, and nothing is done.
    pub fn access(self, access: impl Fn(&Parts) -> Access + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.access = Granted::By(Arc::new(access)))
    }

    /// Grants every request [`Access::Full`]: it may restart, trigger, cancel, pause and resume. It replaces
    /// [`access`](Self::access).
    pub fn allow_actions(self) -> Self {
        self.with(|settings| settings.access = Granted::Everybody(Access::Full))
    }

    /// Allows requests with [`Access::Full`] to request a shutdown of the supervisor.
    pub fn allow_shutdown(self) -> Self {
        self.with(|settings| settings.allows_shutdown = true)
    }

    /// Passes each text of an error through this function before it is shown: messages, their sources, and the reasons
    /// of events. Names and paths are shown as they are. If it panics, the error is replaced by a fixed text.
    pub fn redact(self, redact: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.redact = Some(Arc::new(redact)))
    }

    /// Returns the number of open streams, of pages and of other clients. There can be 32.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.hub.streams()
    }

    /// Changes the settings. The shown data depends on them, so the console shares its streams with no earlier clone.
    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Arc::unwrap_or_clone(self.settings);
        change(&mut settings);
        let hub = if Arc::strong_count(&self.hub) == 1 { self.hub } else { Arc::new(Hub::new()) };
        Self { settings: Arc::new(settings), hub }
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("settings", &self.settings).field("hub", &self.hub).finish()
    }
}
