//! Supervision for Tokio: background tasks that are restarted, timed out and stopped the way you said.
//!
//! - A [`Task`] can be run again and again. `#[task]` makes one of an async function, [`TaskFn`] of a closure.
//! - A [`TaskSpec`] says when it runs again ([`RestartPolicy`]), how long it waits ([`BackoffPolicy`]) and how long it
//!   may take.
//! - A [`Supervisor`] runs tasks, and a [`Tree`] is one that was declared with its tasks, by `supervise!` or its builder.
//!   `#[supervisor]` names its type.
//! - A [`Group`] has tasks and groups that start, fail and stop together, by its [`Strategy`].
//! - A [`TaskHandle`] controls one registration and tells its [`TaskOutcome`]; a [`Subscribe`]r hears every [`Event`].
//!
//! The [`guide`] explains these one by one, from a first service to a checklist before production.
//!
//! # Examples
//! ```
//! use taskvisor::prelude::*;
//!
//! #[task(restart = "on_failure", backoff(first = "10ms", factor = 2.0, jitter = "equal"))]
//! async fn greet(ctx: TaskContext, name: String) -> Result<(), String> {
//!     if ctx.attempt() < 3 {
//!         return Err("not in the mood".into());
//!     }
//!     println!("hello, {name}");
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), RuntimeError> {
//!     let tree = supervise!(grace = "5s", tasks = [greet { name: "world".into() }]);
//!     tree.run().await
//! }
//! ```
//!
//! # Stopping
//! A task is told to stop by a cancel, a removal, a restart or a shutdown. Its token is cancelled then, and it has its
//! `stop_timeout`, or what is left of the supervisor's grace, to end; past that it is aborted. A task that takes no
//! context is dropped at once. A result that was taken before the task was told stands; after it the task is
//! *canceled*, with its error or panic kept. A task that blocks its thread cannot be stopped by anyone: its outcome is
//! *aborted*, and its name stays taken until it really ends. So it is with one under `#[task(blocking)]`, which has a
//! thread of its own.
//!
//! # Runtimes
//! Works on Tokio's current-thread and multi-thread runtimes, with time enabled, and IO where `run` listens for
//! signals. A task lives and dies with the runtime that it was added on; subscribers and the shutdown run on one of
//! those. Every `Duration` is legal, `Duration::MAX` included: what is longer than a year never comes.
//!
//! # Features
//! - `macros` (default): `#[task]`, `#[subscriber]`, `supervise!` and `#[supervisor]`.
//! - `controller`: admission slots, as `ControllerSpec` and `SlotHandle`.
//! - `logging`: `LogWriter`.
//! - `tracing`: a span for each attempt, and a line for each change, below.
//! - `metrics`: counters, gauges and histograms through the `metrics` facade, below.
//! - `serde`: events, outcomes, health and snapshots as data; see the module `json`.
//! - `systemd`: `systemd::notify`.
//! - `anyhow`: a [`TaskError`] inside an `anyhow::Error` keeps its meaning; without it, an `anyhow::Error` is an error like
//!   others.
//! - `test-util`: the module `test`, for the tests of your own trees.
//!
#![doc = include_str!("observing.md")]

mod events;
// Rustdoc shows it with any features; its code needs these to run.
#[cfg(any(
    all(doc, not(doctest)),
    all(doctest, feature = "macros", feature = "controller", feature = "logging", feature = "test-util")
))]
pub mod guide;
mod inspect;
mod panics;
mod policy;
pub mod prelude;
mod runtime;
#[cfg(feature = "controller")]
mod slots;
mod supervisor;
mod sync;
mod task;
#[cfg(feature = "test-util")]
pub mod test;
mod tree;

#[doc(hidden)]
#[path = "macro_support/mod.rs"]
pub mod __private;

#[cfg(all(doctest, feature = "macros", feature = "controller", feature = "systemd", feature = "test-util", unix))]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(feature = "serde")]
pub use inspect::json;
#[cfg(all(feature = "systemd", unix))]
pub use inspect::systemd;

pub use async_trait::async_trait;
pub use tokio_util::sync::CancellationToken;

pub use events::{Event, EventData, EventKind, EventStream, IntoSubscriber, Lagged, Reason, Subscribe};
#[cfg(feature = "logging")]
pub use events::{LogLevel, LogWriter};
pub use inspect::Probe;
pub use inspect::{Health, Problem, Unwell};
pub use inspect::{NodeKind, NodeSnapshot, TreeSnapshot};
pub use inspect::{RejectReason, TaskOutcome};
pub use inspect::{TaskId, TaskState, TaskStatus};
pub use policy::Ready;
pub use policy::{BackoffPolicy, JitterPolicy, RestartPolicy};
pub use runtime::Shutdown;
#[cfg(feature = "controller")]
pub use slots::{AdmissionPolicy, ControllerConfig, ControllerError, ControllerSpec, SlotHandle, SlotSpec};
pub use supervisor::SupervisorConfig;
pub use supervisor::{InvalidOption, RuntimeError, StopLimit};
pub use supervisor::{Supervisor, SupervisorBuilder, SupervisorHandle};
pub use task::StopReason;
pub use task::TaskHandle;
pub use task::{BoxError, TaskError};
pub use task::{BoxTaskFuture, Task, TaskFn, TaskRef};
pub use task::{FromContext, TaskContext};
pub use task::{IntoTaskError, IntoTaskResult};
pub use task::{IntoTaskSpec, TaskSpec};
#[cfg(feature = "macros")]
pub use taskvisor_macros::{subscriber, supervise, supervisor, task};
pub use tree::ChildHandle;
pub use tree::Group;
pub use tree::GroupHandle;
pub use tree::Strategy;
pub use tree::{FailureChain, FailureLink};
pub use tree::{Tree, TreeBuilder};
