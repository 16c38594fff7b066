//! taskvisor.

mod child;
mod config;
mod context;
mod engine;
mod error;
mod events;
mod handle;
mod outcome;
mod panics;
mod policy;
mod result;
mod runtime_error;
mod settings;
mod spec;
mod status;
mod supervisor;
mod sync;
mod task;
mod tree;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use tokio_util::sync::CancellationToken;

pub use child::ChildHandle;
pub use config::SupervisorConfig;
pub use context::{FromContext, TaskContext};
pub use engine::Shutdown;
pub use error::{BoxError, TaskError};
#[cfg(feature = "logging")]
pub use events::LogWriter;
pub use events::{Event, EventKind, IntoSubscriber, Reason, Subscribe};
pub use handle::TaskHandle;
pub use outcome::TaskOutcome;
pub use policy::{BackoffPolicy, JitterPolicy, RestartPolicy};
pub use result::{IntoTaskError, IntoTaskResult};
pub use runtime_error::{InvalidOption, RuntimeError};
pub use spec::TaskSpec;
pub use status::{TaskId, TaskState, TaskStatus};
pub use supervisor::{Supervisor, SupervisorBuilder, SupervisorHandle};
pub use task::{BoxTaskFuture, Task, TaskFn, TaskRef};
#[cfg(feature = "macros")]
pub use taskvisor_macros::{supervise, task};
pub use tree::{Tree, TreeBuilder};

/// What most programs need.
pub mod prelude {
    #[cfg(feature = "logging")]
    pub use crate::LogWriter;
    pub use crate::{
        BackoffPolicy, CancellationToken, Event, EventKind, JitterPolicy, RestartPolicy, RuntimeError, Subscribe,
        Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskHandle, TaskOutcome, TaskRef, TaskSpec,
    };
    #[cfg(feature = "macros")]
    pub use crate::{supervise, task};
}
