//! The context of an attempt.

mod heartbeat;
mod repeat;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
#[cfg(feature = "cron")]
use std::time::SystemTime;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::blocking::Job;
use super::error::TaskError;
use super::stop_reason::StopReason;
use crate::inspect::TaskId;
use crate::panics::catch;
use crate::runtime::{Cell, Core, SpanRef};
use crate::supervisor::SupervisorHandle;
use crate::tree::last_segment;

/// The context of one attempt: its stop request, its identity and its helpers.
///
/// Clones are cheap and refer to the same attempt. They keep no task running and own no supervisor. An attempt that
/// takes a context or a token gets time to clean up, also after a timeout. Take one to observe stop requests, or for
/// work that a stop must not cut off. When the attempt has ended, its context is canceled. The guide explains
/// [tasks](crate::guide::tasks) and [stopping](crate::guide::stopping).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use taskvisor::{TaskContext, TaskFn};
///
/// let task = TaskFn::arc("consume", |ctx: TaskContext| async move {
///     while ctx.sleep(Duration::from_secs(1)).await {
///         println!("{} works", ctx.name());
///     }
///     Ok(())
/// });
/// ```
#[derive(Clone)]
pub struct TaskContext(Kind);

#[derive(Clone)]
enum Kind {
    Attempt { cell: Arc<Cell>, attempt: u64, span: SpanRef },
    Detached(Arc<Detached>),
}

struct Detached {
    id: TaskId,
    path: Arc<str>,
    token: CancellationToken,
}

impl TaskContext {
    pub(crate) fn new(cell: Arc<Cell>, attempt: u64, span: SpanRef) -> Self {
        Self(Kind::Attempt { cell, attempt, span })
    }

    /// Creates a context without a supervisor, for a test of a task. It is the context of a first attempt of the task
    /// at `path`. Canceling `token` cancels the context, and drops its [helpers](Self::spawn): nothing waits for them. Test
    /// their clean-up in a tree.
    pub fn detached(path: impl Into<Arc<str>>, token: CancellationToken) -> Self {
        Self(Kind::Detached(Arc::new(Detached { id: TaskId::next(), path: path.into(), token })))
    }

    /// Returns the token of the attempt. It is canceled by a stop request, and when the attempt ends. Pass it to code
    /// that must stop with the attempt and does not take a context. The first call creates the token; [`cancelled`] and
    /// [`run_until_cancelled`] need no token. Without one, they allocate nothing in the future of the attempt.
    ///
    /// [`cancelled`]: Self::cancelled
    /// [`run_until_cancelled`]: Self::run_until_cancelled
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        match &self.0 {
            Kind::Attempt { cell, attempt, .. } => cell.token(*attempt),
            Kind::Detached(detached) => detached.token.clone(),
        }
    }

    /// Waits for a stop request, a timeout or the end of the attempt. Returns the reason.
    ///
    /// The reason is the current one. A later request of a higher rank replaces it: see
    /// [`stop_reason`](Self::stop_reason). It is [`StopReason::Ended`] for code that outlives the attempt, and
    /// [`StopReason::Canceled`] if code of the attempt itself canceled the [`token`](Self::token).
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    ///
    /// # Examples
    /// ```
    /// use taskvisor::{StopReason, TaskContext};
    ///
    /// async fn worker(ctx: TaskContext) {
    ///     let reason = ctx.cancelled().await;
    ///     if reason == StopReason::Shutdown {
    ///         // The process ends: keep what the next start needs.
    ///     }
    /// }
    /// ```
    pub async fn cancelled(&self) -> StopReason {
        match &self.0 {
            Kind::Attempt { cell, attempt, .. } => cell.until_canceled(*attempt).await,
            // Boxed, so that the wait of an attempt is small.
            Kind::Detached(detached) => {
                Box::pin(detached.token.cancelled()).await;
                StopReason::Canceled
            }
        }
    }

    /// Returns `true` after a stop request, a timeout or the end of the attempt.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        match &self.0 {
            Kind::Attempt { cell, attempt, .. } => cell.is_canceled(*attempt),
            Kind::Detached(detached) => detached.token.is_cancelled(),
        }
    }

    /// Runs `future` until it completes or the attempt is canceled. Returns `None` if the attempt is canceled; `future`
    /// is dropped then.
    ///
    /// # Cancel safety
    /// The cancel safety of `future`.
    pub async fn run_until_cancelled<F: Future>(&self, future: F) -> Option<F::Output> {
        if self.is_cancelled() {
            return None;
        }
        let (mut future, mut cancelled) = (pin!(future), pin!(self.cancelled()));
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => cancelled.as_mut().poll(cx).map(|_| None),
        })
        .await
    }

    /// Sleeps for `duration`. Returns `true` after that, and `false` as soon as the attempt is canceled.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect. The next call waits for the whole time again.
    ///
    /// # Panics
    /// If it is polled outside a Tokio runtime with time enabled.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use taskvisor::TaskContext;
    ///
    /// /// Looks once a second, until the attempt is canceled.
    /// async fn poll(ctx: TaskContext) {
    ///     while ctx.sleep(Duration::from_secs(1)).await {
    ///         // look
    ///     }
    /// }
    /// ```
    #[must_use = "`false` means that the attempt is canceled, and a loop that goes on does not sleep again"]
    pub async fn sleep(&self, duration: Duration) -> bool {
        self.run_until_cancelled(tokio::time::sleep(duration)).await.is_some()
    }

    /// Spawns a helper of the attempt. When the attempt has ended, its helpers are joined; helpers that still run at
    /// the end of the clean-up time are aborted. The next attempt begins after that. A panic of a helper cancels the
    /// attempt, which then fails with that panic.
    ///
    /// A stop request cancels the context, and not the helpers, unless the context is [detached](Self::detached). A
    /// helper that waits for something else, such as the outcome of a task that stops later, needs
    /// `helper.run_until_cancelled(handle.outcome())` with a clone of the context. Otherwise it uses up the time that
    /// the task has to stop.
    ///
    /// `future` returns `()`, so that no error is lost: the attempt does not learn how a helper ended, unless it panicked.
    /// A helper handles its error, or sends it to the attempt, as below. What the attempt needs in any case, it can await
    /// itself, for example with `tokio::try_join!`.
    ///
    /// After the end of the attempt, `future` is dropped without being run.
    ///
    /// # Panics
    /// On a detached context, if there is no Tokio runtime.
    ///
    /// # Examples
    /// An attempt that fails with the error of its helper:
    /// ```
    /// use std::io;
    /// use taskvisor::TaskContext;
    /// use tokio::sync::oneshot;
    ///
    /// # async fn refresh() -> io::Result<()> { Err(io::Error::other("refused")) }
    /// async fn serve(ctx: TaskContext) -> io::Result<()> {
    ///     let (fails, failure) = oneshot::channel();
    ///     ctx.spawn(async move {
    ///         if let Err(error) = refresh().await {
    ///             // No harm if the attempt has ended.
    ///             let _ = fails.send(error);
    ///         }
    ///     });
    ///     match ctx.run_until_cancelled(failure).await {
    ///         Some(Ok(error)) => Err(error),
    ///         // A stop request, or the helper has succeeded.
    ///         None | Some(Err(_)) => Ok(()),
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let ctx = TaskContext::detached("serve", Default::default());
    /// # assert_eq!(serve(ctx).await.unwrap_err().to_string(), "refused");
    /// # }
    /// ```
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(&self, future: F) {
        match &self.0 {
            Kind::Attempt { cell, attempt, span } => cell.spawn_helper(*attempt, span, future),
            Kind::Detached(detached) => {
                let token = detached.token.clone();
                tokio::spawn(async move { token.run_until_cancelled(future).await });
            }
        }
    }

    /// Creates a job that is joined like a helper, and cannot be aborted. A panic of `work` becomes the error of the
    /// job.
    pub(crate) fn job(&self, work: impl FnOnce() -> Result<(), TaskError> + Send + 'static) -> Job {
        match &self.0 {
            Kind::Attempt { cell, attempt, span } => cell.job(*attempt, span, work),
            Kind::Detached(_) => Box::new(|| catch(work).unwrap_or_else(Err)),
        }
    }

    /// Returns the path of the task, from the root of the tree. Events and calls by name use it. For a child of the
    /// root, it is the name.
    pub fn path(&self) -> &str {
        match &self.0 {
            Kind::Attempt { cell, .. } => cell.name(),
            Kind::Detached(detached) => &detached.path,
        }
    }

    /// Returns the name of the task among its siblings: the last segment of its [`path`](Self::path).
    pub fn name(&self) -> &str {
        last_segment(self.path())
    }

    /// Returns the id of the registration.
    pub fn id(&self) -> TaskId {
        match &self.0 {
            Kind::Attempt { cell, .. } => cell.id(),
            Kind::Detached(detached) => detached.id,
        }
    }

    /// Returns the time of the [schedule](crate::Schedule) that the attempt is for; `None` if it was triggered, and for
    /// a task without a schedule. It is the time of the pattern, without the shift of the
    /// [splay](crate::TaskSpec::with_splay). A retry has the time of its run, and a late run has the time at which it
    /// was due. Use it to name the result of the run, such as the report of a day.
    ///
    /// ```
    /// use taskvisor::TaskContext;
    ///
    /// async fn report(ctx: TaskContext) {
    ///     let day = ctx.scheduled_for().unwrap_or_else(std::time::SystemTime::now);
    ///     println!("a report of the day before {day:?}");
    /// }
    /// ```
    #[cfg(feature = "cron")]
    pub fn scheduled_for(&self) -> Option<SystemTime> {
        match &self.0 {
            Kind::Attempt { cell, attempt, .. } => cell.scheduled_for(*attempt),
            Kind::Detached(_) => None,
        }
    }

    /// Returns the reason of the stop request; `None` before a request. A final attempt
    /// ([`TaskSpec::with_final_attempt`](crate::TaskSpec::with_final_attempt)) begins because of a stop request: its
    /// context has a reason, but is not canceled.
    pub fn stop_reason(&self) -> Option<StopReason> {
        match &self.0 {
            Kind::Attempt { cell, attempt, .. } => cell.stop_reason(*attempt),
            Kind::Detached(detached) => detached.token.is_cancelled().then_some(StopReason::Canceled),
        }
    }

    /// Returns the deadline of the stop: an attempt that has not ended by then is aborted. `None` before a stop
    /// request, and if there is no limit. A later request can bring it closer, and never moves it away. It is rounded
    /// down to 10 ms, and to 1 s in a supervisor that is older than 248 days.
    ///
    /// ```
    /// use tokio::time::timeout_at;
    /// use taskvisor::TaskContext;
    ///
    /// # async fn flush() {}
    /// async fn worker(ctx: TaskContext) {
    ///     ctx.cancelled().await;
    ///     if let Some(deadline) = ctx.stop_deadline() {
    ///         let _ = timeout_at(deadline, flush()).await;
    ///     }
    /// }
    /// ```
    pub fn stop_deadline(&self) -> Option<Instant> {
        match &self.0 {
            Kind::Attempt { cell, attempt, .. } => cell.stop_deadline(*attempt),
            Kind::Detached(_) => None,
        }
    }

    /// Reports progress: resets the count of consecutive failures, so that the next failure waits for the first backoff
    /// again and `max_retries` starts anew. For a consumer that fails now and then but makes progress. No effect after
    /// the end of the attempt.
    pub fn progress(&self) {
        if let Kind::Attempt { cell, attempt, .. } = &self.0 {
            cell.progress(*attempt);
        }
    }

    /// Returns the number of the attempt, counted from 1 and never reset. It saturates at [`u32::MAX`].
    pub fn attempt(&self) -> u32 {
        match &self.0 {
            Kind::Attempt { attempt, .. } => u32::try_from(*attempt).unwrap_or(u32::MAX),
            Kind::Detached(_) => 1,
        }
    }

    /// Returns the token of the lease that the attempt holds, if it belongs to a
    /// [singleton](crate::TaskSpec::with_singleton).
    ///
    /// Each acquisition of the lease has a greater token than all before it in the whole fleet. Pass the token with
    /// each write. A resource that refuses smaller tokens than it has seen is protected from an owner that has lost the
    /// lease without noticing.
    #[cfg(feature = "fleet")]
    pub fn fencing_token(&self) -> Option<crate::fleet::FencingToken> {
        match &self.0 {
            Kind::Attempt { cell, attempt, .. } => cell.fencing_token(*attempt),
            Kind::Detached(_) => None,
        }
    }

    /// Returns the time after which the attempt is dropped, unless its lease is renewed before. `None` if the attempt
    /// needs no lease.
    #[cfg(feature = "fleet")]
    pub fn lease_left(&self) -> Option<Duration> {
        match &self.0 {
            Kind::Attempt { cell, attempt, .. } => cell.lease_left(*attempt),
            Kind::Detached(_) => None,
        }
    }

    /// Returns the failure of the previous attempt. `None` for the first attempt, after a success, and after the end of
    /// the attempt.
    pub fn last_error(&self) -> Option<Arc<TaskError>> {
        match &self.0 {
            Kind::Attempt { cell, attempt, .. } => cell.error_before(*attempt),
            Kind::Detached(_) => None,
        }
    }

    /// Signals that the attempt is ready: for a task with [`Ready::Signal`](crate::Ready::Signal), the tasks that are
    /// after it start. No effect for other tasks, and after the end of the attempt.
    pub fn ready(&self) {
        if let Kind::Attempt { cell, attempt, .. } = &self.0 {
            cell.signal_ready(*attempt);
        }
    }

    /// Sends a heartbeat, for a task with a [`watchdog`](crate::TaskSpec::with_watchdog). No effect for other tasks.
    pub fn heartbeat(&self) {
        if let Kind::Attempt { cell, attempt, .. } = &self.0 {
            cell.beat(*attempt);
        }
    }

    /// Returns the `tracing` span of the attempt, for example to link another span to it with `follows_from`. It is
    /// disabled if no subscriber wants it, after the end of the attempt, in a detached context, and if the task has
    /// [no span](crate::SpanScope::None). A clone that is kept keeps the span open.
    #[cfg(feature = "tracing")]
    pub fn span(&self) -> tracing::Span {
        match &self.0 {
            Kind::Attempt { span, .. } => span.span(),
            Kind::Detached(_) => tracing::Span::none(),
        }
    }

    /// Returns a handle of the supervisor, to add and stop tasks, and to inspect the
    /// [`tree`](crate::SupervisorHandle::tree).
    ///
    /// The handle does not keep the supervisor alive: its calls fail after the last owner is dropped. The handle of a
    /// detached context is one whose supervisor has stopped: it adds and finds no task, and waits for nothing.
    #[must_use]
    pub fn supervisor(&self) -> SupervisorHandle {
        match &self.0 {
            Kind::Attempt { cell, .. } => SupervisorHandle::new(Arc::clone(cell.core())),
            Kind::Detached(_) => SupervisorHandle::new(Core::closed()),
        }
    }
}

impl_debug!(TaskContext, |context| path: context.path(), attempt: context.attempt());
