//! Events as a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::bus::Bus;
use super::exchange::Outlet;
use super::lane::{Batch, Next};
use super::{Event, EventKind};
use crate::panics::drop_caught;

/// How many events may wait in a stream that is behind, unless it says otherwise.
const CAPACITY: usize = 1024;

/// What happens in a supervisor, from when the stream was made on.
///
/// It has a bounded queue of its own: one that is read slowly delays nobody, and loses only its own events, which the
/// stream then says, in the place where they would have come. It ends when the supervisor has. Read it with
/// [`next`](Self::next), or as a [`Stream`] with any crate of combinators.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), taskvisor::RuntimeError> {
/// use taskvisor::{EventKind, Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec};
///
/// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
/// let mut failures = supervisor.events().of_kinds([EventKind::TaskFailed]).within("import");
///
/// let import = TaskFn::arc("import", |ctx: TaskContext| async move {
///     if ctx.attempt() == 1 { Err(TaskError::Fail { reason: "no such file".into() }) } else { Ok(()) }
/// });
/// supervisor.add_task(TaskSpec::inherit(import)).await?.outcome().await;
/// # supervisor.shutdown().await?;
///
/// while let Some(event) = failures.next().await {
///     match event {
///         Ok(event) => println!("{:?}: {:?}", event.task, event.reason),
///         Err(lagged) => println!("{lagged}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream does nothing unless it is read"]
pub struct EventStream {
    bus: Arc<Bus>,
    outlet: Arc<Outlet>,
    batch: Option<Batch>,
    /// How many of the batch were read.
    read: usize,
    filter: Filter,
}

/// What to let through.
#[derive(Debug, Default)]
struct Filter {
    /// A bit for each kind; none is all.
    kinds: Option<u64>,
    path: Option<Arc<str>>,
}

/// A stream was read too slowly, and lost this many events, whether it would have let them through or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{count} events were lost")]
pub struct Lagged {
    /// How many.
    pub count: u64,
}

impl EventStream {
    pub(crate) fn new(bus: Arc<Bus>) -> Self {
        let outlet = bus.exchange().open_stream(CAPACITY);
        Self { bus, outlet, batch: None, read: 0, filter: Filter::default() }
    }

    /// Lets through events of these kinds only.
    pub fn of_kinds(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.filter.kinds = Some(kinds.into_iter().fold(0, |kinds, kind| kinds | kind.bit()));
        self
    }

    /// Lets through events of the task or group of that path, and of what is in it. Those about no task, such as
    /// [`EventKind::ShutdownRequested`], are left out.
    pub fn within(mut self, path: impl Into<Arc<str>>) -> Self {
        self.filter.path = Some(path.into());
        self
    }

    /// Sets how many events may wait while the stream is behind; the newest are lost beyond that. At least 1 does.
    /// Default: 1024.
    pub fn with_capacity(self, capacity: usize) -> Self {
        self.bus.exchange().resize_stream(&self.outlet, capacity.max(1));
        self
    }

    /// The next event, or how many were lost; `None` once the supervisor has ended and all was read.
    ///
    /// # Errors
    /// [`Lagged`], and the stream goes on.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Event, Lagged>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Lagged>>> {
        loop {
            while let Some(batch) = &self.batch {
                let Some(event) = batch.events().get(self.read) else { break };
                self.read += 1;
                batch.one_done();
                if self.filter.lets_through(event) {
                    return Poll::Ready(Some(Ok(event.clone())));
                }
            }
            if self.batch.is_some() {
                // Errors of the user's are dropped with the batch.
                let _ = drop_caught(self.batch.take());
            }
            match ready!(self.bus.exchange().poll_next(&self.outlet, cx)) {
                Next::Over => return Poll::Ready(None),
                Next::Lost(count) => return Poll::Ready(Some(Err(Lagged { count }))),
                Next::Events(batch) => (self.batch, self.read) = (Some(batch), 0),
            }
        }
    }
}

impl Stream for EventStream {
    type Item = Result<Event, Lagged>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_event(cx)
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.bus.exchange().close_stream(&self.outlet);
        let _ = drop_caught(self.batch.take());
    }
}

impl Filter {
    fn lets_through(&self, event: &Event) -> bool {
        let kind = self.kinds.is_none_or(|kinds| kinds & event.kind.bit() != 0);
        kind && self.path.as_ref().is_none_or(|path| {
            let rest = event.task.as_ref().and_then(|task| task.strip_prefix(&**path));
            !event.kind.is_diagnostic() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("filter", &self.filter).finish_non_exhaustive()
    }
}
