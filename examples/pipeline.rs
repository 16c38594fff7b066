//! A pipeline of bounded channels: a source, a parser and a store, whose parts fail now and then. It stops beginning
//! with its source, and loses nothing.
//!
//! ```text
//! cargo run --example pipeline                # for a second
//! cargo run --example pipeline -- 10 --seed 7 # for ten seconds, with other failures
//! ```
//!
//! - Each part is after the one that it sends to. So the source is requested to stop first, and a part is requested to
//!   stop when the parts before it have terminated.
//! - The channels are inboxes. They outlive attempts, so a failed part continues where it was.
//! - A part holds the message that it works on, so it comes back if the part fails.
//! - When a part is requested to stop, it handles the queued messages. With `final_attempt`, it also does so if the
//!   request comes while it waits for its retry.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use taskvisor::Tree;
use taskvisor::inbox::{SendError, Sender};
use taskvisor::prelude::*;
use tokio::time::sleep;

/// Sends lines.
#[task(restart = "always")]
async fn source(ctx: TaskContext, made: Arc<AtomicU64>, lines: Sender<String>) -> Result<(), SendError<String>> {
    while !ctx.is_cancelled() {
        let number = made.fetch_add(1, Ordering::Relaxed);
        // A stop does not drop this send. It completes, because the parser, which makes room, stops later.
        lines.send(number.to_string()).await?;
        ctx.run_until_cancelled(sleep(Duration::from_micros(100))).await;
    }
    Ok(())
}

/// Turns lines into numbers.
#[task(backoff(first = "1ms", max = "5ms", factor = 2.0), final_attempt)]
async fn parse(ctx: TaskContext, lines: Inbox<String>, numbers: Sender<u64>, luck: Luck) -> Result<(), BoxError> {
    while let Some(line) = next(&ctx, &lines).await {
        let line = lines.hold(line);
        luck.try_once(&ctx).await?;
        numbers.send(line.parse()?).await?;
        line.done();
    }
    Ok(())
}

/// Stores numbers.
#[task(backoff(first = "1ms", max = "5ms", factor = 2.0), final_attempt)]
async fn store(ctx: TaskContext, numbers: Inbox<u64>, stored: Stored, luck: Luck) -> Result<(), BoxError> {
    while let Some(number) = next(&ctx, &numbers).await {
        let number = numbers.hold(number);
        luck.try_once(&ctx).await?;
        stored.lock().unwrap_or_else(PoisonError::into_inner).push(number.done());
    }
    Ok(())
}

/// Returns the next message, or after a stop request the next queued one. The parts before this one have terminated
/// then, so no message is added any more.
async fn next<T>(ctx: &TaskContext, inbox: &Inbox<T>) -> Option<T> {
    match inbox.next(ctx).await {
        Some(message) => Some(message),
        None => inbox.try_next(),
    }
}

type Stored = Arc<Mutex<Vec<u64>>>;
type BoxError = Box<dyn Error + Send + Sync>;

/// An operation that fails now and then.
#[derive(Clone)]
struct Luck(Arc<Mutex<fastrand::Rng>>);

impl Luck {
    fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    /// Performs the operation once. A stopped task is not retried, so after a stop request the operation is repeated
    /// until it succeeds.
    async fn try_once(&self, ctx: &TaskContext) -> Result<(), BoxError> {
        while self.0.lock().unwrap_or_else(PoisonError::into_inner).u8(..) < 3 {
            if ctx.stop_reason().is_none() {
                return Err("the disk is busy".into());
            }
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

/// Returns the tree, the number of sent lines, and the stored numbers.
fn pipeline(seed: u64) -> (Tree, Arc<AtomicU64>, Stored) {
    let (made, stored) = (Arc::<AtomicU64>::default(), Stored::default());
    let (lines, unparsed) = taskvisor::inbox(16);
    let (numbers, unstored) = taskvisor::inbox(16);
    let tree = supervise!(
        grace = "30s",
        tasks = [
            store { numbers: unstored, stored: Arc::clone(&stored), luck: Luck::new(seed) },
            task(parse { lines: unparsed, numbers, luck: Luck::new(seed + 1) }, after = [store]),
            task(source { made: Arc::clone(&made), lines }, after = [parse]),
        ],
    );
    (tree.into(), made, stored)
}

/// Returns `true` if each number was stored once, in order.
fn is_whole(made: &AtomicU64, stored: &Stored) -> bool {
    let stored = stored.lock().unwrap_or_else(PoisonError::into_inner);
    stored.iter().copied().eq(0..made.load(Ordering::Relaxed))
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (mut seconds, mut seed) = (1, 1);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seed" => seed = arguments.next().ok_or("`--seed` needs a number")?.parse()?,
            _ => seconds = argument.parse()?,
        }
    }
    let (tree, made, stored) = pipeline(seed);
    tree.run_until(sleep(Duration::from_secs(seconds))).await?;
    let is_whole = is_whole(&made, &stored);
    println!("{} lines made, {}", made.load(Ordering::Relaxed), if is_whole { "all stored" } else { "some LOST" });
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn o53_a_pipeline_that_stops_from_its_source_loses_nothing() {
        for seed in 0..100 {
            let (tree, made, stored) = pipeline(seed);
            tree.run_until(sleep(Duration::from_millis(seed % 20))).await.unwrap();
            assert!(is_whole(&made, &stored), "seed {seed}: {made:?} {stored:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn o53_a_pipeline_on_two_workers_loses_nothing() {
        for seed in 0..100 {
            let (tree, made, stored) = pipeline(seed);
            tree.run_until(sleep(Duration::from_millis(seed % 20))).await.unwrap();
            assert!(is_whole(&made, &stored), "seed {seed}: {made:?} {stored:?}");
        }
    }
}
