//! One attempt of a script.

use std::future::{Future, pending};
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::ScriptTally;
use crate::sync::lock;
use crate::task::{TaskContext, TaskError};

/// The steps of one attempt.
#[derive(Debug, Clone)]
pub(super) struct Act {
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Run(Duration),
    Ready,
    Beat,
    BeatEvery(Duration),
    CleanUp(Duration),
}

#[derive(Debug, Clone)]
pub(super) enum End {
    Succeed,
    Fail(String),
    RetryAfter(String, Duration),
    Fatal(String),
    Panic(String),
    GiveUp,
    Wait,
    Hang,
}

/// Runs one attempt.
pub(super) async fn play(act: Act, ctx: TaskContext, mut counted: Counted) -> Result<(), TaskError> {
    let (mut beat, mut clean_up) = (None, Duration::ZERO);
    let mut told = false;
    for step in act.steps {
        match step {
            Step::Ready => ctx.ready(),
            Step::Beat => ctx.heartbeat(),
            Step::BeatEvery(period) => {
                ctx.heartbeat();
                beat = Some(period);
            }
            Step::CleanUp(time) => clean_up = time,
            Step::Run(time) => told = beating(&ctx, beat, ctx.run_until_cancelled(pause(time))).await.is_none(),
        }
        if told {
            break;
        }
    }
    match act.end {
        _ if told => {}
        End::Wait => drop(beating(&ctx, beat, ctx.cancelled()).await),
        End::Hang => beating(&ctx, beat, pending()).await,
        End::GiveUp => return counted.end(|tally| tally.canceled += 1, Err(TaskError::Canceled)),
        End::Succeed => return counted.end(|tally| tally.succeeded += 1, Ok(())),
        End::Fail(reason) => return counted.end(|tally| tally.failed += 1, Err(TaskError::Fail { reason })),
        End::RetryAfter(reason, delay) => {
            let error = TaskError::Fail { reason }.retry_after(delay);
            return counted.end(|tally| tally.failed += 1, Err(error));
        }
        End::Fatal(reason) => return counted.end(|tally| tally.failed += 1, Err(TaskError::Fatal { reason })),
        End::Panic(message) => {
            counted.end(|tally| tally.panicked += 1, ());
            resume_unwind(Box::new(message));
        }
    }
    beating(&ctx, beat, pause(clean_up)).await;
    counted.end(|tally| tally.canceled += 1, Err(TaskError::Canceled))
}

/// Sends a heartbeat after each period until `future` completes.
async fn beating<F: Future>(ctx: &TaskContext, period: Option<Duration>, future: F) -> F::Output {
    let Some(period) = period else { return future.await };
    let mut future = pin!(future);
    loop {
        match timeout(period, future.as_mut()).await {
            Ok(output) => return output,
            Err(_) => ctx.heartbeat(),
        }
    }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

/// Counts one attempt, as dropped unless it ends before.
pub(super) struct Counted {
    /// The lock is a leaf, held to add to the numbers.
    tally: Arc<Mutex<ScriptTally>>,
    ended: bool,
}

impl Counted {
    /// Begins an attempt, and returns its number.
    pub(super) fn begin(tally: &Arc<Mutex<ScriptTally>>) -> (usize, Self) {
        let mut counts = lock(tally);
        counts.attempts += 1;
        counts.running += 1;
        counts.most_at_once = counts.most_at_once.max(counts.running);
        (counts.attempts - 1, Self { tally: Arc::clone(tally), ended: false })
    }

    fn end<T>(&mut self, count: impl FnOnce(&mut ScriptTally), with: T) -> T {
        count(&mut lock(&self.tally));
        self.ended = true;
        with
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut tally = lock(&self.tally);
        tally.running -= 1;
        tally.dropped += usize::from(!self.ended);
    }
}
