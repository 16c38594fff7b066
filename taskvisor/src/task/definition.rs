//! What can be supervised.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::context::{FromContext, TaskContext};
use super::error::TaskError;

/// The future of one attempt.
pub type BoxTaskFuture = Pin<Box<dyn Future<Output = Result<(), TaskError>> + Send + 'static>>;

/// A shared task.
pub type TaskRef = Arc<dyn Task>;

/// Something that can be run again and again: each attempt is a new future.
///
/// [`TaskFn`] makes a task of a closure, and `#[task]` of an async function; implement the trait where neither fits.
/// The engine calls [`attempt`](Self::attempt) and [`takes_context`](Self::takes_context); implement one of `spawn`
/// and `attempt` in terms of the other.
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
    /// The name that the task is registered under, unless its spec or a label says otherwise.
    fn name(&self) -> &str;

    /// The name, shared where it can be.
    #[doc(hidden)]
    fn shared_name(&self) -> Arc<str> {
        self.name().into()
    }

    /// Starts an attempt that stops when `ctx` is cancelled.
    fn spawn(&self, ctx: CancellationToken) -> BoxTaskFuture;

    /// Starts an attempt with its full context. By default [`spawn`](Self::spawn) with the context's token.
    fn attempt(&self, ctx: TaskContext) -> BoxTaskFuture {
        self.spawn(ctx.token())
    }

    /// Whether attempts watch their context or token. One that does not is dropped as soon as it is told to stop; one
    /// that does is given time to clean up. Default: true.
    fn takes_context(&self) -> bool {
        true
    }
}

/// A task made of a closure that takes a [`CancellationToken`] or a [`TaskContext`].
///
/// # Examples
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
    /// Names a closure.
    pub fn new(name: impl Into<String>, start: F) -> Self {
        Self { name: name.into().into(), start, context: PhantomData }
    }

    /// Names a closure and puts it in an `Arc`, which is a [`TaskRef`] where one is expected.
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

impl<F, C> fmt::Debug for TaskFn<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskFn").field("name", &self.name).finish_non_exhaustive()
    }
}
