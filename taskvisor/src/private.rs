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

pub use crate::result::{IntoTaskResult, TaskArg};
pub use crate::{
    BackoffPolicy, BoxTaskFuture, CancellationToken, ChildHandle, FromContext, Group, GroupHandle, IntoTaskSpec,
    JitterPolicy, Ready, RestartPolicy, Strategy, SupervisorConfig, Task, TaskContext, TaskError, TaskRef, TaskSpec,
    Tree, TreeBuilder,
};

/// Boxes the future of an attempt.
pub fn boxed<F: Future<Output = Result<(), TaskError>> + Send + 'static>(future: F) -> BoxTaskFuture {
    Box::pin(future)
}

/// Stands in for the attempt of a task that did not compile.
pub fn detached_task() -> BoxTaskFuture {
    boxed(async { Err(TaskError::Canceled) })
}
