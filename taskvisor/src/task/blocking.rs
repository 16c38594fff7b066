//! Attempts that block their thread. They run on Tokio's blocking pool.

use std::sync::{Arc, Mutex};

use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::context::TaskContext;
use super::definition::BoxTaskFuture;
use super::error::TaskError;
use crate::sync::lock;

/// The closure of one attempt. The attempt ends when the closure has returned, or is dropped before it ran.
pub(crate) type Job = Box<dyn FnOnce() -> Result<(), TaskError> + Send>;

/// Creates the attempt of a task that blocks its thread.
///
/// `work` cannot be aborted once it runs; it reads stop requests from its context. Dropping the future only ends a job
/// that still waits for a thread.
pub fn blocking<F>(context: TaskContext, work: F) -> BoxTaskFuture
where
    F: FnOnce(TaskContext) -> Result<(), TaskError> + Send + 'static,
{
    Box::pin(async move {
        let token = context.token();
        let job = context.clone().job(move || work(context));
        let mut pooled = Pooled::new(job);
        match token.run_until_cancelled(&mut pooled.handle).await {
            Some(ended) => result_of(ended),
            None if pooled.take_back() => Err(TaskError::Canceled),
            None => result_of((&mut pooled.handle).await),
        }
    })
}

/// A job on the pool. Dropping it withdraws the job, unless a thread has taken it.
struct Pooled {
    /// The lock is a leaf: the job is taken out under it, and runs or is dropped after.
    job: Arc<Mutex<Option<Job>>>,
    handle: JoinHandle<Option<Result<(), TaskError>>>,
}

impl Pooled {
    fn new(job: Job) -> Self {
        let job = Arc::new(Mutex::new(Some(job)));
        let waiting = Arc::clone(&job);
        let handle = spawn_blocking(move || {
            let job = lock(&waiting).take();
            job.map(|job| job())
        });
        Self { job, handle }
    }

    /// Returns `true` if no thread has taken the job and none will. A full pool can take long to remove an aborted job.
    fn take_back(&self) -> bool {
        let job = lock(&self.job).take();
        self.handle.abort();
        job.is_some()
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.take_back();
    }
}

/// The result of a job. A job that never ran belongs to a runtime that shuts down.
fn result_of(ended: Result<Option<Result<(), TaskError>>, JoinError>) -> Result<(), TaskError> {
    let lost = || Err(TaskError::Fail { reason: "the runtime has shut down".into() });
    ended.ok().flatten().unwrap_or_else(lost)
}
