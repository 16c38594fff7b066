//! Tasks: the units of work that a user writes and hands to a supervisor.
//!
//! `definition` has the `Task` trait, `spec` a task with its options, `context` the argument of an attempt, `error` and
//! `result` its return types, `handle` the handle of one registration. All of it is public API or data for it. The
//! state of a running task is in `runtime::task`.

mod attempt_future;
mod blocking;
mod context;
mod definition;
mod error;
mod from_context;
mod handle;
mod panic;
mod result;
mod spec;
mod stop_reason;

pub use attempt_future::AttemptFuture;
pub(crate) use blocking::Job;
pub use blocking::{blocking, blocking_on_pool};
pub use context::TaskContext;
pub use definition::{BoxTaskFuture, Task, TaskFn, TaskRef};
pub use error::{BoxError, RetryAfter, TaskError};
pub use from_context::FromContext;
pub use handle::TaskHandle;
pub use panic::{Panic, PanicLocation};
pub use result::{Fallible, IntoTaskError, IntoTaskResult, TaskArg};
pub(crate) use spec::Said;
pub use spec::{IntoTaskSpec, TaskSpec};
pub(crate) use stop_reason::StopKind;
pub use stop_reason::StopReason;
