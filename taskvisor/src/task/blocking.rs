//! Attempts that block their thread: on a thread of their own, or on Tokio's blocking pool.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, spawn_blocking};

use super::context::TaskContext;
use super::definition::BoxTaskFuture;
use super::error::TaskError;
use crate::panics::{catch, drop_caught};
use crate::runtime::start_thread;
use crate::sync::lock;

/// The closure of one attempt. The attempt ends when the closure has returned, or is dropped before it ran.
pub(crate) type Job = Box<dyn FnOnce() -> Result<(), TaskError> + Send>;

/// Creates the attempt of a task that blocks its thread: a thread of its own, with the name of the task.
///
/// `work` cannot be aborted once it runs; it reads stop requests from its context. It can use the runtime through
/// [`Handle::current`].
pub fn blocking<F>(context: TaskContext, work: F) -> BoxTaskFuture
where
    F: FnOnce(TaskContext) -> Result<(), TaskError> + Send + 'static,
{
    Box::pin(run(context, work, Threads::Own))
}

/// Creates the attempt of a task that blocks a thread of Tokio's blocking pool for a short time.
///
/// `work` cannot be aborted once it runs. Dropping the future withdraws a job that still waits for a thread.
pub fn blocking_on_pool<F>(context: TaskContext, work: F) -> BoxTaskFuture
where
    F: FnOnce(TaskContext) -> Result<(), TaskError> + Send + 'static,
{
    Box::pin(run(context, work, Threads::Pool))
}

/// The closure that a thread runs.
type Work = Box<dyn FnOnce() + Send>;

/// The threads on which attempts run.
#[derive(Clone, Copy)]
enum Threads {
    /// A thread for each attempt.
    Own,
    /// Tokio's blocking pool.
    Pool,
}

impl Threads {
    /// Starts the work; `name` is the name of the task. Returns the abort handle of work on the pool, which removes it
    /// from the queue.
    fn start(self, name: &str, work: Work) -> Result<Option<AbortHandle>, TaskError> {
        match self {
            Self::Own => on_own_thread(name, work).map(|()| None),
            // Tokio panics if there is no thread, and none can be created.
            Self::Pool => catch(|| spawn_blocking(work)).map(|queued| Some(queued.abort_handle())).map_err(no_thread),
        }
    }
}

async fn run<F>(context: TaskContext, work: F, threads: Threads) -> Result<(), TaskError>
where
    F: FnOnce(TaskContext) -> Result<(), TaskError> + Send + 'static,
{
    let token = context.token();
    let name = context.name().to_owned();
    let job = context.clone().job(move || work(context));
    let mut started = Started::new(&name, job, threads)?;
    match token.run_until_cancelled(&mut started.ended).await {
        Some(ended) => result_of(ended),
        None if started.take_back() => Err(TaskError::Canceled),
        None => result_of((&mut started.ended).await),
    }
}

fn on_own_thread(name: &str, work: Work) -> Result<(), TaskError> {
    let runtime = Handle::try_current().ok();
    // The name of a thread must not contain NUL. Linux shows its first 15 bytes.
    let name = name.replace('\0', "");
    let work = move || {
        let _entered = runtime.as_ref().map(Handle::enter);
        work();
    };
    let thread = start_thread(name, Box::new(work)).map_err(|error| TaskError::error(NoThread(error)))?;
    #[cfg(feature = "test-util")]
    if is_paused() {
        // Tokio does not advance paused time while its blocking pool has work. This job keeps time from advancing until
        // the thread ends.
        drop(spawn_blocking(move || thread.join()));
        return Ok(());
    }
    drop(thread);
    Ok(())
}

/// Returns `true` if Tokio's clock is paused: it stands still while the system's clock advances.
#[cfg(feature = "test-util")]
fn is_paused() -> bool {
    let (shown, started) = (tokio::time::Instant::now(), std::time::Instant::now());
    while started.elapsed().is_zero() {
        std::hint::spin_loop();
    }
    shown == tokio::time::Instant::now()
}

/// A job that has a thread, or waits for one. Dropping it withdraws the job, unless a thread has taken it.
struct Started {
    /// The lock is a leaf: the job is taken out under it, and runs or is dropped after.
    job: Arc<Mutex<Option<Job>>>,
    ended: oneshot::Receiver<Result<(), TaskError>>,
    queued: Option<AbortHandle>,
}

impl Started {
    fn new(name: &str, job: Job, threads: Threads) -> Result<Self, TaskError> {
        let (sender, ended) = oneshot::channel();
        // Made first, because it takes the job back: Tokio keeps what it has queued also if there is no thread for it.
        let mut started = Self { job: Arc::new(Mutex::new(Some(job))), ended, queued: None };
        let waiting = Arc::clone(&started.job);
        let work = move || {
            let Some(job) = lock(&waiting).take() else { return };
            // If the attempt was aborted, the receiver is gone, and the result is dropped here. Its drop is user code.
            let _ = drop_caught(sender.send(job()));
        };
        started.queued = threads.start(name, Box::new(work))?;
        Ok(started)
    }

    /// Takes the job back. Returns `true` if no thread has taken it. The job is removed here, because a full pool can
    /// take long to drop an aborted one.
    fn take_back(&self) -> bool {
        let job = lock(&self.job).take();
        if let Some(queued) = &self.queued {
            queued.abort();
        }
        job.is_some()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.take_back();
    }
}

/// Returns the result of a job. A job that was dropped before it ran belongs to a runtime that shuts down.
fn result_of(ended: Result<Result<(), TaskError>, oneshot::error::RecvError>) -> Result<(), TaskError> {
    ended.unwrap_or_else(|_| Err(TaskError::Fail { reason: "the runtime has shut down".into() }))
}

/// Returns the failure of an attempt on the pool, by the message of the panic.
#[cold]
fn no_thread(panic: TaskError) -> TaskError {
    let reason = match panic {
        TaskError::Panicked(panic) => panic.message().to_owned(),
        other => other.to_string(),
    };
    TaskError::Fail { reason: format!("cannot create a thread for the attempt: {reason}") }
}

/// The operating system refused to create a thread.
#[derive(Debug)]
struct NoThread(io::Error);

impl fmt::Display for NoThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot create a thread for the attempt")
    }
}

impl Error for NoThread {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use tokio::runtime::Builder;
    use tokio::time::timeout;

    use super::*;
    use crate::policy::BackoffPolicy;
    use crate::supervisor::{Supervisor, SupervisorConfig};
    use crate::task::{TaskFn, TaskSpec};

    /// Each thread of the pool of this runtime would have a stack that is too large.
    #[test]
    fn o14_a_thread_of_the_pool_that_cannot_be_made_is_a_failure_and_its_job_is_not_kept() {
        let runtime = Builder::new_current_thread().enable_all().thread_stack_size(usize::MAX / 8 * 7).build().unwrap();
        runtime.block_on(async {
            let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
            let ran = Arc::new(AtomicU32::new(0));
            let runs = Arc::clone(&ran);
            let pooled = TaskFn::arc("pooled", move |context: TaskContext| {
                let runs = Arc::clone(&runs);
                blocking_on_pool(context, move |_| {
                    runs.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                })
            });
            let first = Duration::from_millis(1);
            let backoff = BackoffPolicy { first, ..BackoffPolicy::default() };
            let spec = TaskSpec::inherit(pooled).with_backoff(backoff).with_max_retries(2);
            let task = supervisor.add_task(spec).await.unwrap();
            let outcome = timeout(Duration::from_secs(60), task.outcome()).await.expect("the attempt does not end");
            assert!(outcome.to_string().contains("cannot create a thread for the attempt"), "{outcome}");
            assert_eq!((task.status().attempt, ran.load(Ordering::Relaxed)), (3, 0));
            supervisor.shutdown().await.unwrap();
        });
    }
}
