//! A scripted task.

mod play;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::sync::lock;
use crate::task::{BoxTaskFuture, Task, TaskContext, TaskSpec};
use play::{Act, Counted, End, Step, play};

/// A task whose attempts follow a script.
///
/// A script lists the steps of each attempt in order: any number of steps ([`runs`](Self::runs),
/// [`becomes_ready`](Self::becomes_ready), [`beats`](Self::beats), ..), and then its end ([`succeeds`](Self::succeeds),
/// [`fails`](Self::fails), [`hangs`](Self::hangs), ..). The next step belongs to the next attempt. After the script,
/// attempts [wait](Self::waits), unless the script [repeats its last](Self::repeats_last) attempt or [starts
/// over](Self::starts_over). A last attempt without an end waits as well.
///
/// Clones share the [`tally`](Self::tally): keep one clone, and give another to the tree. A script is a [`Task`] that
/// takes a context, and converts to a [`TaskSpec`] that inherits all options.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use taskvisor::prelude::*;
/// use taskvisor::test::Script;
///
/// #[tokio::main(flavor = "current_thread", start_paused = true)]
/// async fn main() -> Result<(), RuntimeError> {
///     let second = Duration::from_secs(1);
///     let pool = Script::new("pool")
///         .fails("no route to host")                                  // the first attempt
///         .runs(second).becomes_ready().runs(60 * second).panics("bug") // the second
///         .becomes_ready().waits();                                   // the third
///     let tree = supervise!(tasks = [task(pool.clone(), ready = "signal")]);
///     tree.start().await?;
///     tokio::time::sleep(120 * second).await;
///     assert!(tree.health().is_ready());
///     tree.shutdown().await?;
///
///     let tally = pool.tally();
///     assert_eq!((tally.attempts, tally.failed, tally.panicked, tally.canceled), (3, 1, 1, 1));
///     Ok(())
/// }
/// ```
#[derive(Clone)]
#[must_use = "a script does nothing until it is run"]
pub struct Script {
    name: Arc<str>,
    attempts: Vec<Act>,
    /// The steps of the last attempt, which has no end yet.
    open: Vec<Step>,
    after: After,
    /// A leaf: numbers are counted and copied under it.
    tally: Arc<Mutex<ScriptTally>>,
}

/// The counts of the attempts of a [`Script`] and its clones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ScriptTally {
    /// The number of attempts that began.
    pub attempts: usize,
    /// The number of running attempts.
    pub running: usize,
    /// The largest number of attempts that ran at once.
    pub most_at_once: usize,
    /// The number of successes.
    pub succeeded: usize,
    /// The number of failures, with fatal ones.
    pub failed: usize,
    /// The number of panics.
    pub panicked: usize,
    /// The number of attempts that ended as canceled.
    pub canceled: usize,
    /// The number of attempts that were dropped before their end: aborted, past a timeout, or struck by a simulation.
    pub dropped: usize,
}

/// The behavior of attempts after the script.
#[derive(Debug, Clone, Copy)]
enum After {
    Wait,
    RepeatLast,
    StartOver,
}

impl Script {
    /// Creates an empty script for a task of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), attempts: Vec::new(), open: Vec::new(), after: After::Wait, tally: Arc::default() }
    }

    /// The attempt takes this time, by Tokio's clock. A stop request ends it as canceled.
    pub fn runs(self, time: Duration) -> Self {
        self.step(Step::Run(time))
    }

    /// The attempt signals that it is ready.
    pub fn becomes_ready(self) -> Self {
        self.step(Step::Ready)
    }

    /// The attempt sends one heartbeat.
    pub fn beats(self) -> Self {
        self.step(Step::Beat)
    }

    /// The attempt sends a heartbeat now, and after each `period` until it ends, also while it hangs. A period below 1
    /// ms counts as 1 ms.
    pub fn beats_every(self, period: Duration) -> Self {
        self.step(Step::BeatEvery(period.max(Duration::from_millis(1))))
    }

    /// The attempt takes this time to end after a stop request. Default: no time.
    pub fn cleans_up_for(self, time: Duration) -> Self {
        self.step(Step::CleanUp(time))
    }

    /// The attempt ends in success.
    pub fn succeeds(self) -> Self {
        self.end(End::Succeed)
    }

    /// The attempt fails with a retryable error.
    pub fn fails(self, reason: impl Into<String>) -> Self {
        self.end(End::Fail(reason.into()))
    }

    /// The attempt fails with an error that [requests](crate::TaskError::retry_after) a retry after this time.
    pub fn fails_and_retries_after(self, reason: impl Into<String>, delay: Duration) -> Self {
        self.end(End::RetryAfter(reason.into(), delay))
    }

    /// The attempt fails for good.
    pub fn fails_fatally(self, reason: impl Into<String>) -> Self {
        self.end(End::Fatal(reason.into()))
    }

    /// The attempt panics. The panic hook is not called, because this is not a failure of the test.
    pub fn panics(self, message: impl Into<String>) -> Self {
        self.end(End::Panic(message.into()))
    }

    /// The attempt returns `Canceled`, which ends the task.
    pub fn gives_up(self) -> Self {
        self.end(End::GiveUp)
    }

    /// The attempt waits for a stop request, and ends as canceled.
    pub fn waits(self) -> Self {
        self.end(End::Wait)
    }

    /// The attempt runs until it is dropped, and ignores stop requests.
    pub fn hangs(self) -> Self {
        self.end(End::Hang)
    }

    /// Attempts after the script repeat the last attempt of the script.
    pub fn repeats_last(mut self) -> Self {
        self.after = After::RepeatLast;
        self
    }

    /// Attempts after the script start again with the first attempt of the script.
    pub fn starts_over(mut self) -> Self {
        self.after = After::StartOver;
        self
    }

    /// Returns the counts of its attempts.
    #[must_use]
    pub fn tally(&self) -> ScriptTally {
        *lock(&self.tally)
    }

    fn step(mut self, step: Step) -> Self {
        self.open.push(step);
        self
    }

    fn end(mut self, end: End) -> Self {
        let steps = std::mem::take(&mut self.open);
        self.attempts.push(Act { steps, end });
        self
    }

    /// Returns the steps of attempt `number`, counted from 0.
    fn act(&self, number: usize) -> Act {
        let open = (!self.open.is_empty()).then(|| Act { steps: self.open.clone(), end: End::Wait });
        let acts: Vec<&Act> = self.attempts.iter().chain(&open).collect();
        let index = match self.after {
            After::Wait => number,
            After::RepeatLast => number.min(acts.len().saturating_sub(1)),
            After::StartOver => number % acts.len().max(1),
        };
        acts.get(index).map_or(Act { steps: Vec::new(), end: End::Wait }, |act| (*act).clone())
    }
}

impl Task for Script {
    fn name(&self) -> &str {
        &self.name
    }

    fn spawn(&self, ctx: CancellationToken) -> BoxTaskFuture {
        self.attempt(TaskContext::detached(Arc::clone(&self.name), ctx))
    }

    fn attempt(&self, ctx: TaskContext) -> BoxTaskFuture {
        let (number, counted) = Counted::begin(&self.tally);
        Box::pin(play(self.act(number), ctx, counted))
    }
}

impl From<Script> for TaskSpec {
    fn from(script: Script) -> Self {
        Self::inherit(Arc::new(script))
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("name", &self.name).field("tally", &self.tally()).finish_non_exhaustive()
    }
}
