//! A supervision library for Tokio: it restarts async tasks that fail, bounds them in time, and stops them in order.
//!
//! - A [`Task`] is a unit of work that runs again and again. `#[task]` makes a task from an async function, [`TaskFn`]
//!   from a closure.
//! - A [`TaskSpec`] is a task with its options: the [`RestartPolicy`], the [`BackoffPolicy`], timeouts and more.
//! - A [`Supervisor`] runs tasks. A [`Tree`] is a supervisor with declared tasks, made by `supervise!` or a builder.
//!   `#[supervisor]` gives the type of a tree a name.
//! - A [`Group`] holds tasks and groups that start, fail and stop together, according to its [`Strategy`].
//! - An [`Inbox`](inbox::Inbox) is a queue of messages that outlives the attempts that read it.
//! - A [`TaskHandle`] controls one registration and gives its [`TaskOutcome`]. A [`Subscribe`]r receives every
//!   [`Event`].
//!
//! The [`guide`] explains each subject, from a first service to a checklist before production.
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
//! A cancel, a removal, a restart or a shutdown requests a task to stop. The request cancels the token of the attempt.
//! The attempt then has its `stop_timeout` to end, or its share of the supervisor's grace; after that it is aborted. An
//! attempt that takes no context is dropped at once.
//!
//! A result that the attempt returned before the request stands. After the request the outcome is *canceled*, with the
//! error or panic of the attempt. Nothing can stop a task that blocks its thread: its outcome is *aborted*, and its
//! name stays taken until it has terminated. The same holds for a task under `#[task(blocking)]`, which has a thread of
//! its own.
//!
//! # Runtimes
//! taskvisor needs Rust 1.85 or newer and Tokio 1. It works on the current-thread and multi-thread runtimes of Tokio.
//! It needs time enabled, and IO if `run` listens for signals. A task lives on the runtime that it was added on.
//! Subscribers and the shutdown run on one of these runtimes. No `Duration` is too long; one of a year or more never
//! elapses.
//!
//! # Features
//!
//! | feature | default | what it gives | dependency that it adds |
//! |---|---|---|---|
//! | `macros` | yes | `#[task]`, `#[subscriber]`, `supervise!` and `#[supervisor]` | `taskvisor-macros` |
//! | `cron` | no | [calendar schedules](guide::schedules): `Schedule`, `Missed`, `ScheduledRun`; `cron`, `zone`, `missed`, `late` and `last_run` in `#[task]` and `task(..)`; `schedule` of a tree | `jiff` |
//! | `controller` | no | [admission slots](guide::slots): `ControllerSpec`, `ControllerConfig`, `ControllerError`, `AdmissionPolicy`, `SlotSpec`, `SlotHandle`, `SlotSnapshot`, `SlotTask`, `SlotPhase`; the methods `submit`, `try_submit`, `slot` and `slots` of a supervisor, `slot`, `with_slot` and `with_controller` of a tree; `slots` and `controller` in `supervise!` | |
//! | `fleet` | no | [fleets](guide::fleets): the module `fleet` with `Fleet`, `LeaseStore` and the store of one process; `with_singleton` of tasks and groups, `with_fleet` of a tree and of slots; with `cron` | `getrandom`, `rustix` |
//! | `logging` | no | `LogWriter` and `LogLevel`: a subscriber that writes a line for each event | |
//! | `history` | no | [`History`](guide::observing): a subscriber that keeps the last attempts of each path, with `PathHistory`, `HistoryEntry`, `HistoryGap`, `AttemptRecord` and `AttemptOutcome` | |
//! | `tracing` | no | [a span for each attempt and a line for each change](guide::observing); names for tokio-console | `tracing` |
//! | `metrics` | no | [counters, gauges and histograms](guide::observing) through the `metrics` facade | `metrics` |
//! | `serde` | no | `serde::Serialize` for events, outcomes, statuses, health, snapshots and histories, in the form of the module `json`; `serde::Deserialize` for [`Overrides`](guide::overrides) from files | `serde` |
//! | `systemd` | no | `systemd::notify`, on Unix: readiness, status, watchdog and stopping for a unit of `Type=notify` | `sd-notify` |
//! | `process` | no | `TaskContext::run_process`, `process_status` and `process_output`: a child process that ends with its attempt; `ProcessError` | `rustix`, on Unix |
//! | `anyhow` | no | a [`TaskError`] inside an `anyhow::Error` keeps its meaning; without the feature, an `anyhow::Error` is an error like others | `anyhow` |
//! | `test-util` | no | the module `test`: `Recorder`, `Script`, `Tree::simulate` and seeded jitter, for [tests of your own trees](guide::testing) | `tokio/test-util` |
//!
//! Enable `test-util` in `[dev-dependencies]` only. An import by name of an item whose feature is off is an error that
//! names the feature. `use taskvisor::prelude::*` gives the items of the enabled features only, and reports nothing.

#[macro_use]
mod debug;
#[macro_use]
mod labels;
mod events;
#[cfg(feature = "fleet")]
pub mod fleet;
// Rustdoc shows it with any features; its code needs these to run.
#[cfg(any(
    all(doc, not(doctest)),
    all(
        doctest,
        feature = "macros",
        feature = "controller",
        feature = "cron",
        feature = "fleet",
        feature = "history",
        feature = "logging",
        feature = "test-util"
    )
))]
pub mod guide;
#[cfg(feature = "history")]
mod history;
pub mod inbox;
mod inspect;
mod panics;
mod policy;
pub mod prelude;
#[cfg(feature = "process")]
mod process;
mod runtime;
mod settings;
#[cfg(feature = "controller")]
mod slots;
mod sorting;
mod supervisor;
mod sync;
mod task;
#[cfg(feature = "test-util")]
pub mod test;
mod tree;

#[doc(hidden)]
#[path = "macro_support/mod.rs"]
pub mod __private;

#[cfg(all(doctest, feature = "macros", feature = "logging"))]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(feature = "serde")]
pub use inspect::json;
#[cfg(all(feature = "systemd", unix))]
pub use inspect::systemd;

pub use async_trait::async_trait;
pub use tokio_util::sync::CancellationToken;

#[doc(hidden)]
pub use __private::{FunctionSubscriber, FunctionTask};
pub use events::{
    Event, EventData, EventKind, EventStream, IntoSubscriber, Lagged, Reason, Subscribe, SubscriberState,
};
#[cfg(feature = "logging")]
pub use events::{LogLevel, LogWriter};
#[cfg(feature = "history")]
pub use history::{AttemptOutcome, AttemptRecord, Histories, History, HistoryEntry, HistoryGap, PathHistory};
pub use inbox::channel::inbox;
pub use inspect::{
    Health, NodeDetail, NodeError, NodeKind, NodeSnapshot, OutcomeKind, Phase, Probe, Problem, RejectReason, TaskId,
    TaskOutcome, TaskState, TaskStatus, TreeSnapshot, Unhealthy, WaitingFor,
};
pub use panics::record_panics;
pub use policy::{BackoffPolicy, IntoTimeout, JitterPolicy, Ready, RestartPolicy, SpanScope};
#[cfg(feature = "cron")]
pub use policy::{Missed, Schedule};
#[cfg(feature = "process")]
pub use process::ProcessError;
pub use runtime::Shutdown;
pub use settings::{InvalidOverride, Origin, Overrides, Setting, Settings};
#[cfg(feature = "controller")]
pub use slots::{
    AdmissionPolicy, ControllerConfig, ControllerError, ControllerSpec, SlotHandle, SlotPhase, SlotSnapshot, SlotSpec,
    SlotTask, Submit,
};
pub use supervisor::{
    AddTask, Exit, InvalidOption, Reconciled, RuntimeError, SignalAction, Signals, StopLimit, Supervisor,
    SupervisorBuilder, SupervisorConfig, SupervisorHandle,
};
pub use task::{
    AttemptFuture, BoxError, BoxTaskFuture, Fallible, FromContext, IntoTaskError, IntoTaskResult, IntoTaskSpec, Panic,
    PanicLocation, RetryAfter, StopReason, Task, TaskArg, TaskContext, TaskError, TaskFn, TaskHandle, TaskRef,
    TaskSpec,
};
// The docs of the macros link to these pages. Only here, they can be named.
/// [guide-tasks]: crate::guide::tasks
/// [guide-restarts]: crate::guide::restarts
/// [guide-groups]: crate::guide::groups
/// [guide-slots]: crate::guide::slots
/// [guide-fleets]: crate::guide::fleets
/// [guide-overrides]: crate::guide::overrides
/// [guide-blocking]: crate::guide::blocking
/// [guide-events]: crate::guide::outcomes_and_events
#[cfg(feature = "macros")]
pub use taskvisor_macros::{subscriber, supervise, supervisor, task};
#[cfg(feature = "cron")]
pub use tree::ScheduledRun;
pub use tree::{
    ChildHandle, DeclaredGroup, DeclaredTree, Dynamic, FailureChain, FailureLink, Group, GroupHandle, Strategy, Tree,
    TreeBuilder,
};
