//! The tasks: groups of a hundred.

use std::future::pending;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use taskvisor::{
    BackoffPolicy, Group, JitterPolicy, RestartPolicy, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree,
};
use tokio::time::sleep;

use crate::console::Attached;

const GROUP: usize = 100;

/// The counts of attempts.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) attempts: AtomicU64,
    pub(crate) failures: AtomicU64,
}

/// Creates a tree of this many tasks. The seed determines their faults.
pub(crate) fn tree(tasks: usize, seed: u64, console: Attached, counts: &Arc<Counts>) -> Tree {
    let mut seeds = fastrand::Rng::with_seed(seed);
    let mut builder = Tree::builder(SupervisorConfig::default()).with_name("crowd").tasks(console.task);
    for subscriber in console.subscribers {
        builder = builder.with_subscriber(subscriber);
    }
    for first in (0..tasks).step_by(GROUP) {
        let group = Group::one_for_one(format!("group-{:03}", first / GROUP));
        let members = (first..tasks.min(first + GROUP)).map(|number| task(number, seeds.fork(), Arc::clone(counts)));
        // The group never fails, however often its tasks fail.
        builder = builder.group(group.with_limit(u32::MAX, Duration::from_secs(1)).tasks(members));
    }
    builder.build()
}

fn task(number: usize, random: fastrand::Rng, counts: Arc<Counts>) -> TaskSpec {
    let random = Arc::new(Mutex::new(random));
    let task = TaskFn::arc(format!("task-{number:05}"), move |ctx: TaskContext| {
        let (counts, random) = (Arc::clone(&counts), Arc::clone(&random));
        async move {
            let work = work(number, &random, &counts);
            ctx.run_until_cancelled(work).await.unwrap_or(Err(TaskError::Canceled))
        }
    });
    let backoff = BackoffPolicy {
        first: Duration::from_millis(500),
        max: Duration::from_secs(10),
        factor: 2.0,
        jitter: JitterPolicy::Equal,
    };
    TaskSpec::inherit(task)
        .with_restart(RestartPolicy::Always { interval: Some(Duration::from_secs(1)) })
        .with_backoff(backoff)
        .with_timeout(Duration::from_secs(25))
}

/// Takes a while, and succeeds, fails, panics or hangs.
async fn work(number: usize, random: &Mutex<fastrand::Rng>, counts: &Counts) -> Result<(), TaskError> {
    counts.attempts.fetch_add(1, Ordering::Relaxed);
    let draw = |below: u64| random.lock().unwrap_or_else(PoisonError::into_inner).u64(..below);
    sleep(Duration::from_millis(draw(20_000))).await;
    let luck = draw(100);
    if luck < 20 {
        counts.failures.fetch_add(1, Ordering::Relaxed);
    }
    match luck {
        0..4 => resume_unwind(Box::new("chaos: a panic")),
        4..16 => Err(TaskError::error(format!("connection {number} refused"))),
        // Hangs until the timeout.
        16..20 => pending().await,
        _ => Ok(()),
    }
}
