//! Attempts that block their thread: they run on Tokio's blocking pool.

use std::sync::{Arc, Mutex};

use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::context::TaskContext;
use super::definition::BoxTaskFuture;
use super::error::TaskError;
use crate::sync::lock;

/// What one attempt does on the pool. The attempt goes on until this has returned, or is dropped unrun.
pub(crate) type Job = Box<dyn FnOnce() -> Result<(), TaskError> + Send>;

/// The attempt of a task that blocks its thread.
///
/// Nothing can end `work` once it runs: it has its context to notice that it is to stop. Dropping the future ends only
/// a job that still waits for a thread.
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

/// A job on the pool. It is taken back when this is dropped, unless a thread has taken it.
struct Pooled {
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

    /// Whether no thread has taken the job, and none will. A pool that is full may take long to look at an aborted one.
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

/// What the job came to. One that was never run belongs to a runtime that goes away.
fn result_of(ended: Result<Option<Result<(), TaskError>>, JoinError>) -> Result<(), TaskError> {
    let lost = || Err(TaskError::Fail { reason: "the runtime has shut down".into() });
    ended.ok().flatten().unwrap_or_else(lost)
}
