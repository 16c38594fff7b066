//! What generated code names. Not part of the API.

pub use std::convert::{From, Into};
pub use std::default::Default;
pub use std::fmt;
pub use std::iter::IntoIterator;
pub use std::ops::Deref;
pub use std::option::Option;
pub use std::primitive::{str, u32, u64};
pub use std::string::String;
pub use std::sync::Arc;
pub use std::time::Duration;

use std::pin::Pin;

pub use crate::events::SubscriberState;
pub use crate::result::{IntoTaskResult, TaskArg};
pub use crate::{
    BackoffPolicy, BoxTaskFuture, CancellationToken, ChildHandle, Event, FromContext, Group, GroupHandle, IntoTaskSpec,
    JitterPolicy, Ready, RestartPolicy, Strategy, Subscribe, SupervisorConfig, Task, TaskContext, TaskError, TaskRef,
    TaskSpec, Tree, TreeBuilder,
};

/// The future in which a subscriber takes an event.
pub type Delivery<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Boxes the future in which a subscriber takes an event.
pub fn boxed_delivery<'a, F: Future<Output = ()> + Send + 'a>(future: F) -> Delivery<'a> {
    Box::pin(future)
}

/// Boxes the future of an attempt.
pub fn boxed<F: Future<Output = Result<(), TaskError>> + Send + 'static>(future: F) -> BoxTaskFuture {
    Box::pin(future)
}

/// An attempt of a task that has no supervisor.
pub fn spawn(task: &dyn Task, token: CancellationToken) -> BoxTaskFuture {
    task.attempt(TaskContext::detached(task.name(), token))
}

/// The name in a spec, for those who still need it when the spec is gone.
pub fn name_of(spec: &TaskSpec) -> String {
    spec.name().to_owned()
}

/// Stands in for the attempt of a task that did not compile.
pub fn detached_task() -> BoxTaskFuture {
    boxed(async { Err(TaskError::Canceled) })
}
