//! The test kit for trees, behind the feature `test-util`: recorded events, scripted tasks, seeded jitter, and
//! simulations.
//!
//! - A [`Recorder`] records every event of a supervisor, and [expects](EventSequence::expect) sequences of events.
//! - A [`Script`] replaces a real task: its attempts succeed, fail, panic or hang in the given order.
//! - [`seed_jitter`](crate::SupervisorHandle::seed_jitter) makes the delays of a supervisor reproducible.
//! - [`Tree::simulate`](crate::Tree::simulate) strikes the tasks of a tree with crashes, panics and hangs.
//!
//! The guide explains [testing](crate::guide::testing).
//!
//! The kit is made for paused time, with `#[tokio::test(start_paused = true)]`: an hour passes at once when all tasks
//! wait. Enable the feature for tests only: with it, schedules and the times of events do not follow a system clock that
//! is set, and a host that was suspended is behind. taskvisor is not published, so use the path of a clone:
//!
//! ```toml
//! [dev-dependencies]
//! taskvisor = { path = "<clone>/taskvisor", features = ["test-util"] }
//! tokio = { version = "1", features = ["full", "test-util"] }
//! ```
//!
//! # Examples
//! ```
//! use std::time::Duration;
//! use taskvisor::EventKind::*;
//! use taskvisor::prelude::*;
//! use taskvisor::test::{Recorder, Script};
//!
//! // In a test: #[tokio::test(start_paused = true)]
//! #[tokio::main(flavor = "current_thread", start_paused = true)]
//! async fn main() -> Result<(), RuntimeError> {
//!     let sync = Script::new("sync").fails("no route").runs(Duration::from_secs(2)).succeeds();
//!     let tree = supervise!(tasks = [sync.clone()]);
//!     let recorder = Recorder::attach(tree.supervisor());
//!     tree.run().await?;
//!
//!     recorder.of("sync").only([TaskStarting, TaskFailed, TaskStopped]).expect([
//!         TaskStarting, TaskFailed, TaskStarting, TaskStopped,
//!     ]).await;
//!     assert_eq!(recorder.restarts("sync"), 1);
//!     assert_eq!(sync.tally().succeeded, 1);
//!     Ok(())
//! }
//! ```
//!
//! # Time
//! On a paused clock the timers of your tasks are virtual, but their IO is real. A runtime that waits only for a socket
//! is idle, so the clock advances to the next timer, and timeouts fire before the answer arrives. Use fakes that answer
//! at once or after a `sleep`, or in-memory streams such as `tokio::io::duplex`. Blocking code and the blocking pool
//! take no virtual time. `std::time::Instant` and `SystemTime` stay real.

mod clock;
mod expectation;
mod fault;
mod jitter;
mod journal;
#[cfg(feature = "fleet")]
mod laws;
mod recorded;
mod recorder;
mod report;
mod script;
mod sequence;
mod simulation;
mod storm;
mod strikes;

pub use expectation::ExpectedEvent;
pub use fault::{Fault, FaultKind};
#[cfg(feature = "fleet")]
pub use laws::lease_laws;
pub use recorded::RecordedEvent;
pub use recorder::Recorder;
pub use report::SimulationReport;
pub use script::{Script, ScriptTally};
pub use sequence::EventSequence;
pub use simulation::Simulation;

pub(crate) use clock::now;
pub use clock::wall_clock;
#[cfg(feature = "cron")]
pub(crate) use clock::{Watch, watch_clock};
#[cfg(feature = "cron")]
pub use clock::{set_wall_clock, shift_wall_clock};
pub(crate) use fault::FaultLog;
