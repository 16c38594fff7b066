//! The items that most programs need. `LogWriter` and `LogLevel` need the feature `logging`. `ControllerSpec`,
//! `SlotSpec` and the other items of slots need `controller`, and `Fleet` needs `fleet`. See [the
//! features](crate#features).
//!
//! The handles are in it, for functions that are given one:
//!
//! ```
//! use taskvisor::prelude::*;
//!
//! #[task]
//! async fn sync(object: String) {
//!     println!("{object}");
//! }
//!
//! async fn enqueue(objects: &GroupHandle, object: &str) -> Result<TaskHandle, RuntimeError> {
//!     objects.add_task(sync::spec(object.to_owned()).with_name(object)).await
//! }
//!
//! fn is_over(task: &ChildHandle) -> bool {
//!     task.status().is_some_and(|status| status.state == TaskState::Ended)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), RuntimeError> {
//! let tree = supervise!(tasks = [objects = group(tasks = []), first = sync { object: "a".into() }]);
//! tree.start().await?;
//! enqueue(&tree.groups.objects, "b").await?.outcome().await;
//! tree.tasks.first.outcome().await;
//! assert!(is_over(&tree.tasks.first));
//! # tree.shutdown().await
//! # }
//! ```
//!
//! So is [`Inbox`], for the fields of a task. Its [`Sender`](crate::inbox::Sender) is not, because other
//! channels have a type of that name:
//!
//! ```
//! use taskvisor::inbox;
//! use taskvisor::prelude::*;
//!
//! #[task]
//! async fn double(ctx: TaskContext, numbers: Inbox<u32>, doubled: inbox::Sender<u32>) {
//!     while let Some(number) = numbers.next(&ctx).await {
//!         ctx.run_until_cancelled(doubled.send(number * 2)).await;
//!     }
//! }
//! # let ((_, numbers), (doubled, _)) = (taskvisor::inbox(1), taskvisor::inbox(1));
//! # let _ = double { numbers, doubled };
//! ```

#[cfg(feature = "fleet")]
pub use crate::fleet::Fleet;
pub use crate::inbox::Inbox;
#[cfg(feature = "controller")]
pub use crate::{AdmissionPolicy, ControllerConfig, ControllerError, ControllerSpec, SlotHandle, SlotSpec};
pub use crate::{
    BackoffPolicy, CancellationToken, ChildHandle, Event, EventData, EventKind, Exit, Group, GroupHandle, IntoTaskSpec,
    JitterPolicy, Overrides, Probe, Ready, RejectReason, RestartPolicy, RuntimeError, SignalAction, Signals,
    StopReason, Strategy, Subscribe, Supervisor, SupervisorConfig, SupervisorHandle, TaskContext, TaskError, TaskFn,
    TaskHandle, TaskOutcome, TaskRef, TaskSpec, TaskState, TaskStatus, Tree,
};
#[cfg(feature = "logging")]
pub use crate::{LogLevel, LogWriter};
#[cfg(feature = "macros")]
pub use crate::{subscriber, supervise, supervisor, task};
