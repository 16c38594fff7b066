//! A task whose attempts follow a script.

mod play;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::sync::lock;
use crate::task::{BoxTaskFuture, Task, TaskContext, TaskSpec};
use play::{Act, Counted, End, Step, play};

/// A task whose attempts do what a script says, one after another.
///
/// What an attempt does is written in the order in which it does it: any number of steps ([`runs`](Self::runs),
/// [`becomes_ready`](Self::becomes_ready), [`beats`](Self::beats), ..), then how it ends ([`succeeds`](Self::succeeds),
/// [`fails`](Self::fails), [`hangs`](Self::hangs), ..), which closes the attempt; the next step belongs to the next
/// one. Past the end of the script, attempts [wait](Self::waits), unless it [repeats its last](Self::repeats_last)
/// attempt or [starts over](Self::starts_over); so does a last one that has no end.
///
/// Clones share the [`tally`](Self::tally): keep one, and give the tree another. A script is a
/// [`Task`] that takes a context, and converts into a [`TaskSpec`] that inherits all.
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
    /// The steps of the attempt that has no end yet.
    open: Vec<Step>,
    after: After,
    tally: Arc<Mutex<ScriptTally>>,
}

/// What the attempts of a [`Script`] have come to so far, in all its clones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ScriptTally {
    /// Attempts that began.
    pub attempts: usize,
    /// Attempts that run now.
    pub running: usize,
    /// The most that ever ran at once.
    pub most_at_once: usize,
    /// Ended in success.
    pub succeeded: usize,
    /// Ended in failure, fatal ones included.
    pub failed: usize,
    /// Ended in a panic.
    pub panicked: usize,
    /// Gave up, or ended because they were told to.
    pub canceled: usize,
    /// Were dropped before they ended: aborted, past a timeout, or struck by a simulation.
    pub dropped: usize,
}

/// What attempts past the end of the script do.
#[derive(Debug, Clone, Copy)]
enum After {
    Wait,
    RepeatLast,
    StartOver,
}

impl Script {
    /// A script of that name, in which nothing is written yet.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), attempts: Vec::new(), open: Vec::new(), after: After::Wait, tally: Arc::default() }
    }

    /// The attempt takes this long, by Tokio's clock. Told to stop meanwhile, it ends as canceled.
    pub fn runs(self, time: Duration) -> Self {
        self.step(Step::Run(time))
    }

    /// The attempt says that it is ready.
    pub fn becomes_ready(self) -> Self {
        self.step(Step::Ready)
    }

    /// The attempt gives one heartbeat.
    pub fn beats(self) -> Self {
        self.step(Step::Beat)
    }

    /// The attempt gives a heartbeat now, and from now on after each `period` until it ends; also while it hangs. A
    /// period below 1 ms counts as 1 ms.
    pub fn beats_every(self, period: Duration) -> Self {
        self.step(Step::BeatEvery(period.max(Duration::from_millis(1))))
    }

    /// The attempt takes this long to end once it is told to stop. Default: no time.
    pub fn cleans_up_for(self, time: Duration) -> Self {
        self.step(Step::CleanUp(time))
    }

    /// The attempt ends in success.
    pub fn succeeds(self) -> Self {
        self.end(End::Succeed)
    }

    /// The attempt fails, and may be retried.
    pub fn fails(self, reason: impl Into<String>) -> Self {
        self.end(End::Fail(reason.into()))
    }

    /// The attempt fails for good.
    pub fn fails_fatally(self, reason: impl Into<String>) -> Self {
        self.end(End::Fatal(reason.into()))
    }

    /// The attempt panics. The panic hook is not called, as it would print what is no failure of the test.
    pub fn panics(self, message: impl Into<String>) -> Self {
        self.end(End::Panic(message.into()))
    }

    /// The attempt ends as canceled of its own accord, which ends the task.
    pub fn gives_up(self) -> Self {
        self.end(End::GiveUp)
    }

    /// The attempt waits until it is told to stop, and ends as canceled.
    pub fn waits(self) -> Self {
        self.end(End::Wait)
    }

    /// The attempt goes on until it is dropped, whatever it is told.
    pub fn hangs(self) -> Self {
        self.end(End::Hang)
    }

    /// Attempts past the end of the script do as the last one that is written.
    pub fn repeats_last(mut self) -> Self {
        self.after = After::RepeatLast;
        self
    }

    /// Attempts past the end of the script do as the first one, the second one, and so on.
    pub fn starts_over(mut self) -> Self {
        self.after = After::StartOver;
        self
    }

    /// What its attempts have come to so far.
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

    /// What attempt `number` does, counted from 0.
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
