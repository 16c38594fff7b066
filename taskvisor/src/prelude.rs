//! What most programs need.

#[cfg(feature = "controller")]
pub use crate::{AdmissionPolicy, ControllerConfig, ControllerError, ControllerSpec, SlotHandle, SlotSpec};
pub use crate::{
    BackoffPolicy, CancellationToken, Event, EventKind, Group, JitterPolicy, Ready, RejectReason, RestartPolicy,
    RuntimeError, StopReason, Strategy, Subscribe, Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn,
    TaskHandle, TaskOutcome, TaskRef, TaskSpec, TaskState, TaskStatus,
};
#[cfg(feature = "logging")]
pub use crate::{LogLevel, LogWriter};
#[cfg(feature = "macros")]
pub use crate::{subscriber, supervise, supervisor, task};
