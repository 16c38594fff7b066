//! For the tests of your own trees, behind the feature `test-util`: what happened, tasks that follow a script, jitter
//! by a seed, and simulations.
//!
//! - A [`Recorder`] hears every event of a supervisor, and [expects](EventSequence::expect) sequences of them.
//! - A [`Script`] stands in for a real task: its attempts succeed, fail, panic or hang as it says.
//! - [`seed_jitter`](crate::SupervisorHandle::seed_jitter) makes the delays of a supervisor reproducible.
//! - [`Tree::simulate`](crate::Tree::simulate) strikes the tasks of a tree with crashes, panics and hangs.
//!
//! Made for paused time, where an hour passes at once when nobody has anything else to do:
//! `#[tokio::test(start_paused = true)]`. Give your crate the feature for its tests only; as taskvisor is not published
//! yet, by the path of a clone:
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
//! On a paused clock your tasks' timers are virtual, and their IO is not: a runtime that waits for a socket only has
//! nothing to do, so the clock goes on to the next timer, and timeouts ring before the answer is there. Test with fakes
//! that answer at once or after a `sleep`, or with in-memory streams such as `tokio::io::duplex`; what blocks or uses
//! the blocking pool counts as no time at all. `std::time::Instant` and `SystemTime` stay real.

mod expectation;
mod fault;
mod jitter;
mod journal;
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
pub use recorded::RecordedEvent;
pub use recorder::Recorder;
pub use report::SimulationReport;
pub use script::{Script, ScriptTally};
pub use sequence::EventSequence;
pub use simulation::Simulation;

pub(crate) use fault::FaultLog;
