//! The `Task` trait, and tasks made from closures.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::context::TaskContext;
use super::error::TaskError;
use super::from_context::FromContext;
use super::spec::TaskSpec;

/// The future of one attempt.
pub type BoxTaskFuture = Pin<Box<dyn Future<Output = Result<(), TaskError>> + Send + 'static>>;

/// A shared task.
pub type TaskRef = Arc<dyn Task>;

/// A unit of work that a supervisor runs and restarts. Each attempt is a new future.
///
/// [`TaskFn`] makes a task from a closure, and `#[task]` from an async function. Implement the trait where neither
/// fits. The runtime calls [`attempt`](Self::attempt) and [`takes_context`](Self::takes_context). The guide explains
/// [tasks](crate::guide::tasks).
///
/// # Examples
/// ```
/// use taskvisor::{BoxTaskFuture, CancellationToken, Task};
///
/// struct Sync { url: String }
///
/// impl Task for Sync {
///     fn name(&self) -> &str {
///         "sync"
///     }
///
///     fn spawn(&self, token: CancellationToken) -> BoxTaskFuture {
///         let url = self.url.clone();
///         Box::pin(async move {
///             println!("fetching {url}");
///             token.cancelled().await;
///             Ok(())
///         })
///     }
/// }
/// ```
pub trait Task: Send + Sync + 'static {
    /// Returns the name of the task. A spec or a label can replace it.
    fn name(&self) -> &str;

    /// Returns the name as an `Arc`. It is shared if the task stores its name as an `Arc`.
    #[doc(hidden)]
    fn shared_name(&self) -> Arc<str> {
        self.name().into()
    }

    /// Creates the future of an attempt, which stops when `ctx` is canceled.
    fn spawn(&self, ctx: CancellationToken) -> BoxTaskFuture;

    /// Creates the future of an attempt with its context. Default: [`spawn`](Self::spawn) with the token of the
    /// context.
    fn attempt(&self, ctx: TaskContext) -> BoxTaskFuture {
        self.spawn(ctx.token())
    }

    /// Returns `true` if attempts watch their context or token. Such an attempt gets time to clean up after a stop
    /// request; any other attempt is dropped at once. Default: `true`.
    fn takes_context(&self) -> bool {
        true
    }
}

/// A task made from a closure that takes a [`CancellationToken`] or a [`TaskContext`].
///
/// The closure is called for each attempt, and clones what it uses. [`TaskError::error`] makes its error of any other, and
/// [`into_task_result`](crate::IntoTaskResult::into_task_result) its result of all that a function under `#[task]` may
/// return, as below. Options stand in a [`TaskSpec`], which [`TaskSpec::inherit`] makes of it, or in `task(..)` of
/// `supervise!`.
///
/// As it takes a context, its future is not dropped at a stop request or a timeout, also if it does not look at the context: it
/// has its time to clean up, and is aborted after that. [`run_until_cancelled`](TaskContext::run_until_cancelled) drops
/// the work at the request.
///
/// # Examples
/// ```
/// use std::io;
/// use taskvisor::{IntoTaskResult, RestartPolicy, TaskContext, TaskError, TaskFn, TaskSpec};
///
/// async fn read(path: String) -> io::Result<()> {
///     println!("reads {path}");
///     Ok(())
/// }
///
/// let path = "/etc/hostname".to_owned();
/// let reads = TaskFn::arc("reads", move |ctx: TaskContext| {
///     let work = read(path.clone());
///     async move {
///         let result = ctx.run_until_cancelled(work).await.ok_or(TaskError::Canceled)?;
///         result.into_task_result()
///     }
/// });
/// let reads = TaskSpec::inherit(reads).with_restart(RestartPolicy::Never);
/// ```
///
/// ```
/// use taskvisor::{CancellationToken, TaskContext, TaskFn, TaskRef};
///
/// let waits: TaskRef = TaskFn::arc("waits", |ctx: CancellationToken| async move {
///     ctx.cancelled().await;
///     Ok(())
/// });
/// let counts: TaskRef = TaskFn::arc("counts", |ctx: TaskContext| async move {
///     println!("attempt {}", ctx.attempt());
///     Ok(())
/// });
/// ```
pub struct TaskFn<F, C = CancellationToken> {
    name: Arc<str>,
    start: F,
    context: PhantomData<fn(C)>,
}

impl<F, C, Fut> TaskFn<F, C>
where
    F: Fn(C) -> Fut + Send + Sync + 'static,
    C: FromContext,
    Fut: Future<Output = Result<(), TaskError>> + Send + 'static,
{
    /// Creates a task from a name and a closure.
    pub fn new(name: impl Into<String>, start: F) -> Self {
        Self { name: name.into().into(), start, context: PhantomData }
    }

    /// Creates a shared task from a name and a closure. The `Arc` coerces to [`TaskRef`].
    pub fn arc(name: impl Into<String>, start: F) -> Arc<Self> {
        Arc::new(Self::new(name, start))
    }
}

impl<F, C, Fut> Task for TaskFn<F, C>
where
    F: Fn(C) -> Fut + Send + Sync + 'static,
    C: FromContext,
    Fut: Future<Output = Result<(), TaskError>> + Send + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    fn spawn(&self, ctx: CancellationToken) -> BoxTaskFuture {
        self.attempt(TaskContext::detached(&*self.name, ctx))
    }

    fn attempt(&self, ctx: TaskContext) -> BoxTaskFuture {
        Box::pin((self.start)(C::from_context(ctx)))
    }
}

impl<F, C, Fut> From<TaskFn<F, C>> for TaskSpec
where
    F: Fn(C) -> Fut + Send + Sync + 'static,
    C: FromContext + 'static,
    Fut: Future<Output = Result<(), TaskError>> + Send + 'static,
{
    fn from(task: TaskFn<F, C>) -> Self {
        Self::inherit(Arc::new(task))
    }
}

impl<F, C> fmt::Debug for TaskFn<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskFn").field("name", &self.name).finish_non_exhaustive()
    }
}
