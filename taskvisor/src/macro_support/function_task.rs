//! The task that `#[task]` generates from a function.

use std::ops::Deref;
use std::sync::Arc;

use crate::{AttemptFuture, BoxTaskFuture, CancellationToken, FromContext, Task, TaskContext, TaskError, TaskSpec};

/// The names of arguments, if they are known.
pub type Arguments = Option<&'static [&'static str]>;

/// A task from a function.
///
/// It has no supertraits, and [`Given`] takes any type, so that an argument of an invalid type is reported once, at its
/// [`TaskArg`](crate::TaskArg).
pub trait FunctionTask: Clone {
    /// The name of the task.
    const NAME: &'static str;
    /// Its arguments that have the name of an option; `None` for a function that was refused.
    const LIKE_OPTIONS: Arguments = Some(&[]);
    /// The part of the context that the function takes. It is a type, because a constant takes longer to compile.
    type Context: FunctionContext;

    /// See [`Task::attempt`]. It takes a clone of the task.
    fn attempt(self, context: Self::Context) -> BoxTaskFuture;

    /// Returns the spec of the task, with the options of the function. It is not a method, so that the expressions of
    /// options cannot use `self`.
    fn spec_of(task: Self) -> TaskSpec;
}

#[doc(hidden)]
#[diagnostic::do_not_recommend]
impl<T: FunctionTask> From<T> for TaskSpec {
    fn from(task: T) -> Self {
        T::spec_of(task)
    }
}

/// The part of the context of an attempt that a function takes: the context, its token, or nothing.
pub trait FunctionContext {
    /// See [`Task::takes_context`].
    const IS_TAKEN: bool;
    /// `true` for the context itself, which has `ready()` and `heartbeat()`.
    const IS_WHOLE: bool;

    /// Extracts it.
    #[must_use]
    fn of(context: TaskContext) -> Self;
}

impl<C: FromContext> FunctionContext for C {
    const IS_TAKEN: bool = true;
    const IS_WHOLE: bool = C::IS_WHOLE;

    fn of(context: TaskContext) -> Self {
        Self::from_context(context)
    }
}

impl FunctionContext for () {
    const IS_TAKEN: bool = false;
    const IS_WHOLE: bool = false;

    fn of(_: TaskContext) {}
}

#[doc(hidden)]
#[diagnostic::do_not_recommend]
impl<T: FunctionTask + Send + Sync + 'static> Task for T {
    fn name(&self) -> &str {
        T::NAME
    }

    fn spawn(&self, token: CancellationToken) -> BoxTaskFuture {
        FunctionTask::attempt(self.clone(), T::Context::of(TaskContext::detached(T::NAME, token)))
    }

    fn attempt(&self, context: TaskContext) -> BoxTaskFuture {
        FunctionTask::attempt(self.clone(), T::Context::of(context))
    }

    fn takes_context(&self) -> bool {
        T::Context::IS_TAKEN
    }
}

/// A task from a function that is about to get its spec.
///
/// Method resolution finds [`Given::taskvisor_spec`] if all arguments are valid, and otherwise the method of
/// [`Refused`], to which `Given` dereferences.
#[derive(Debug)]
pub struct Given<T>(pub T);

impl<T: FunctionTask + Send + Sync + 'static> Given<T> {
    /// Returns the spec of the task.
    pub fn taskvisor_spec(self) -> TaskSpec {
        TaskSpec::inherit(Arc::new(self.0))
    }
}

impl<T> Deref for Given<T> {
    type Target = Refused;

    fn deref(&self) -> &Refused {
        &Refused
    }
}

/// A task that did not compile.
#[derive(Debug, Clone, Copy)]
pub struct Refused;

impl Refused {
    /// Returns the spec of this task, which does nothing.
    pub fn taskvisor_spec(self) -> TaskSpec {
        TaskSpec::inherit(Arc::new(self))
    }
}

impl FunctionTask for Refused {
    const NAME: &'static str = "refused";
    type Context = ();

    fn attempt(self, (): ()) -> BoxTaskFuture {
        Box::pin(async { Err(TaskError::Canceled) })
    }

    fn spec_of(task: Self) -> TaskSpec {
        task.taskvisor_spec()
    }
}

/// The future of a function, which makes an attempt.
///
/// For a future that is not `Send` the compiler names what is not, and nothing else: this trait has one implementation, and
/// no bound stands at its method.
pub trait Attempt: Future {
    /// Returns the future of the attempt. `convert` is [`IntoTaskResult::into_task_result`](crate::IntoTaskResult), or asks
    /// `retry_if`.
    fn attempt<C>(self, convert: C) -> BoxTaskFuture
    where
        C: Fn(Self::Output) -> Result<(), TaskError> + Send + 'static;
}

impl<F: Future + Send + 'static> Attempt for F {
    fn attempt<C>(self, convert: C) -> BoxTaskFuture
    where
        C: Fn(F::Output) -> Result<(), TaskError> + Send + 'static,
    {
        Box::pin(AttemptFuture::new(self, convert))
    }
}

/// Returns a function with the type that `retry_if` must have for the error of this result.
pub fn always_retried<E>(_: &Result<(), E>) -> fn(&E) -> bool {
    |_| true
}
