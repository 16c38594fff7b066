//! The items that most programs need. `LogWriter` and `LogLevel` need the feature `logging`. `ControllerSpec`,
//! `SlotSpec` and the other items of slots need `controller`, and `Fleet` needs `fleet`. See [the
//! features](crate#features).

#[cfg(feature = "fleet")]
pub use crate::fleet::Fleet;
#[cfg(feature = "controller")]
pub use crate::{AdmissionPolicy, ControllerConfig, ControllerError, ControllerSpec, SlotHandle, SlotSpec};
pub use crate::{
    BackoffPolicy, CancellationToken, Event, EventData, EventKind, Exit, Group, IntoTaskSpec, JitterPolicy, Overrides,
    Probe, Ready, RejectReason, RestartPolicy, RuntimeError, SignalAction, Signals, StopReason, Strategy, Subscribe,
    Supervisor, SupervisorConfig, SupervisorHandle, TaskContext, TaskError, TaskFn, TaskHandle, TaskOutcome, TaskRef,
    TaskSpec, TaskState, TaskStatus, Tree,
};
#[cfg(feature = "logging")]
pub use crate::{LogLevel, LogWriter};
#[cfg(feature = "macros")]
pub use crate::{subscriber, supervise, supervisor, task};
