//! A stream of events.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::bus::Bus;
use super::exchange::Outlet;
use super::lane::{Batch, Entry};
use super::{Event, EventKind};
use crate::runtime::is_within;

/// The default capacity of a stream.
const CAPACITY: usize = 1024;

/// A stream of the events of a supervisor, from its creation on.
///
/// A stream has its own bounded queue. A stream that is read slowly delays no task, and loses only its own events; it
/// reports the loss in order. It ends after a `shutdown`, with the supervisor; the end of `run` alone does not end it.
/// Read it with [`next`](Self::next), or as a [`Stream`].
///
/// [`SupervisorHandle::events`](crate::SupervisorHandle::events) creates it. The guide explains
/// [outcomes and events](crate::guide::outcomes_and_events).
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
    filter: Filter,
}

/// The filter.
#[derive(Debug, Default)]
struct Filter {
    /// The kinds to keep; `None` means all kinds.
    kinds: Option<Vec<EventKind>>,
    path: Option<Arc<str>>,
}

/// A stream was read too slowly, and lost this many events, before its filter was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{count} events were lost")]
pub struct Lagged {
    /// The number of lost events.
    pub count: u64,
}

impl EventStream {
    pub(crate) fn new(bus: Arc<Bus>) -> Self {
        let outlet = bus.exchange.open_stream(CAPACITY);
        Self { bus, outlet, batch: None, filter: Filter::default() }
    }

    /// Keeps only events of these kinds.
    pub fn of_kinds(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.filter.kinds = Some(kinds.into_iter().collect());
        self
    }

    /// Keeps only events of the task or group at `path`, and of everything in it; the empty path is that of the whole
    /// tree. Events without a task, such as [`EventKind::ShutdownRequested`], are dropped.
    pub fn within(mut self, path: impl Into<Arc<str>>) -> Self {
        self.filter.path = Some(path.into());
        self
    }

    /// Sets the number of events that wait while the stream is behind. Beyond that the newest are lost. The minimum is
    /// 1. Default: 1024.
    pub fn with_capacity(self, capacity: usize) -> Self {
        self.bus.exchange.change(&self.outlet, |lane| lane.capacity = capacity.max(1));
        self
    }

    /// Returns the next event. `None` after the supervisor has ended and all events were read.
    ///
    /// # Errors
    /// [`Lagged`] with the number of lost events. The stream then continues.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Result<Event, Lagged>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Lagged>>> {
        loop {
            while let Some(event) = self.batch.as_ref().and_then(Batch::next) {
                if self.filter.lets_through(event) {
                    return Poll::Ready(Some(Ok(event.clone())));
                }
            }
            self.batch = None;
            match ready!(self.bus.exchange.poll_next(&self.outlet, cx)) {
                None => return Poll::Ready(None),
                Some(Entry::Lost(count)) => return Poll::Ready(Some(Err(Lagged { count }))),
                Some(Entry::Events(batch)) => self.batch = Some(batch),
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
        self.bus.exchange.close_stream(&self.outlet);
    }
}

impl Filter {
    fn lets_through(&self, event: &Event) -> bool {
        let kind = self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.kind));
        kind && self.path.as_ref().is_none_or(|path| {
            !event.kind.is_diagnostic() && event.task.as_ref().is_some_and(|task| is_within(task, path))
        })
    }
}

impl_debug!(EventStream, |stream| filter: stream.filter);
