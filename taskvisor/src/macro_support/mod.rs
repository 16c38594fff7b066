//! The items that generated code refers to. Not part of the API.
//!
//! The macros expand to paths into this module, so that a user's own `Option` or `Box` does not change their meaning.
//! `function_task` is the task that `#[task]` generates, `function_subscriber` is the subscriber that `#[subscriber]`
//! generates, and `named` refuses equal names among siblings at compile time.

mod context;
mod function_subscriber;
mod function_task;
#[cfg(feature = "macros")]
pub mod keys;
mod named;
#[cfg(feature = "fleet")]
mod singleton;

pub use std::boxed::Box;
pub use std::clone::Clone;
pub use std::convert::{From, Into};
pub use std::default::Default;
pub use std::fmt::{self, Formatter, Result as FmtResult};
pub use std::iter::IntoIterator;
pub use std::ops::Deref;
pub use std::option::Option;
pub use std::primitive::{bool, str};
pub use std::string::String;
pub use std::sync::Arc;
pub use std::time::Duration;

#[cfg(feature = "controller")]
pub use crate::{AdmissionPolicy, ControllerConfig, SlotHandle, SlotSpec};

#[cfg(feature = "cron")]
pub use crate::Missed;

#[cfg(feature = "fleet")]
pub use crate::fleet::{Fleet, IntoSingleton, Overrun, Standby, Ticks};

pub use crate::events::SubscriberState;
pub use crate::task::{Fallible, IntoTaskError, IntoTaskResult, TaskArg, blocking, blocking_on_pool};
pub use crate::{
    AttemptFuture, BackoffPolicy, BoxTaskFuture, CancellationToken, ChildHandle, DeclaredGroup, DeclaredTree, Dynamic,
    Event, FromContext, Group, GroupHandle, IntoSubscriber, IntoTaskSpec, JitterPolicy, Overrides, Ready,
    RestartPolicy, SignalAction, Signals, SpanScope, Strategy, Subscribe, SupervisorConfig, Task, TaskContext,
    TaskError, TaskRef, TaskSpec, Tree, TreeBuilder,
};
pub use context::{NoContext, Probe, refuse_context};
pub use function_subscriber::{Delivery, FunctionSubscriber};
pub use function_task::{Arguments, Attempt, FunctionContext, FunctionTask, Given, Refused, always_retried};
pub use named::{
    CheckedTask, HasArgument, NamedTask, Names, OfNamed, OfNameless, Taken, check_argument, check_context, check_token,
    name_of,
};
#[cfg(feature = "fleet")]
pub use singleton::{MaybeSingleton, with_singleton};

/// Returns the name that a constant gives to a task or subscriber.
///
/// # Panics
/// If the name is invalid. This happens at compile time.
#[track_caller]
pub const fn checked_name(name: &'static str) -> &'static str {
    let bytes = name.as_bytes();
    let (mut index, mut is_blank) = (0, true);
    while index < bytes.len() {
        assert!(bytes[index] != b'/', "a `name` has no `/` in it, which parts the names in a path");
        assert!(!bytes[index].is_ascii_control(), "a `name` has no line breaks and no other control characters in it");
        is_blank = is_blank && bytes[index] == b' ';
        index += 1;
    }
    assert!(!is_blank, "`name` is empty: write what the events and the log should call it");
    name
}

/// Writes the name of a function for the `Debug` of its struct, which needs no trait of the fields.
pub fn debug(formatter: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    formatter.debug_struct(name).finish_non_exhaustive()
}

/// Writes the handles of a tree, or of a group in it.
pub fn debug_fields(
    formatter: &mut fmt::Formatter<'_>,
    name: &str,
    fields: &[(&'static str, &dyn fmt::Debug)],
) -> fmt::Result {
    let mut written = formatter.debug_struct(name);
    for (field, value) in fields {
        written.field(field, value);
    }
    written.finish()
}

/// Returns the restart policy with this interval.
#[must_use]
pub const fn always(interval: Duration) -> RestartPolicy {
    RestartPolicy::Always { interval: Some(interval) }
}

/// A builder of a tree or a group.
pub trait Parent: Sized {
    /// Adds a task.
    #[must_use]
    fn with_task(self, spec: TaskSpec) -> Self;
}

impl Parent for TreeBuilder {
    fn with_task(self, spec: TaskSpec) -> Self {
        self.task(spec)
    }
}

impl Parent for Group {
    fn with_task(self, spec: TaskSpec) -> Self {
        self.task(spec)
    }
}

/// Adds a task, and returns its name for its handle.
pub fn child<P: Parent>(parent: P, spec: TaskSpec) -> (P, String) {
    let name = spec.name().to_owned();
    (parent.with_task(spec), name)
}

/// Replaces the attempt of a task that did not compile.
pub fn detached_task() -> BoxTaskFuture {
    Box::pin(async { Err(TaskError::Canceled) })
}

/// Replaces the handle of a slot without the feature `controller`, so that the macro reports the only error.
#[cfg(not(feature = "controller"))]
#[derive(Debug, Clone, Copy)]
pub struct SlotHandle;

#[cfg(not(feature = "controller"))]
macro_rules! refused_submissions {
    ($($name:ident)+) => {
        $(pub async fn $name<T>(&self, _: T) -> Result<crate::TaskHandle, crate::RuntimeError> {
            Err(crate::RuntimeError::ShuttingDown)
        })+
    };
}

#[cfg(not(feature = "controller"))]
#[expect(clippy::unused_async, missing_docs, reason = "it has the shape of the real one")]
impl SlotHandle {
    refused_submissions!(submit queue replace drop_if_running);

    pub fn try_submit<T>(&self, _: T) -> Result<crate::TaskHandle, crate::RuntimeError> {
        Err(crate::RuntimeError::ShuttingDown)
    }

    pub async fn cancel_all(&self) -> Result<usize, crate::RuntimeError> {
        Ok(0)
    }

    #[expect(clippy::len_without_is_empty, reason = "as the real one")]
    pub fn len(&self) -> usize {
        0
    }

    pub fn is_idle(&self) -> bool {
        true
    }
}
