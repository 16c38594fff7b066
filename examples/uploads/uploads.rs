//! The jobs: submitted, counted, finished.

use std::mem;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskvisor::TaskState;
use taskvisor::prelude::*;

use crate::ledger::{File, Job, Ledger, Stage};
use crate::listing::{Found, Listing, shown};
use crate::progress::Counts;
use crate::report::Report;
use crate::upload::{Pace, upload};

/// Running jobs are finished, however long that takes, unless they are aborted.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// The files, and the jobs that copy them. Clones are cheap and share them.
#[derive(Clone)]
pub(crate) struct Uploads(Arc<Shared>);

struct Shared {
    source: PathBuf,
    destination: PathBuf,
    pace: Pace,
    jobs: Arc<Supervisor>,
    ledger: Mutex<Ledger>,
}

impl Uploads {
    pub(crate) fn new(source: PathBuf, destination: PathBuf, at_once: NonZeroUsize, pace: Pace) -> Self {
        let config = SupervisorConfig { grace: GRACE, max_concurrent: at_once.get(), ..SupervisorConfig::default() };
        let jobs = Supervisor::builder(config).with_controller(ControllerConfig::default()).build();
        Self(Arc::new(Shared { source, destination, pace, jobs, ledger: Mutex::default() }))
    }

    /// Records a listing. Returns the new and the changed files, which are to be submitted.
    pub(crate) fn news(&self, listing: Listing) -> Vec<Found> {
        self.ledger().news(listing)
    }

    /// Submits a job for each file. It replaces a job for the same file that still waits or runs.
    ///
    /// # Cancel safety
    /// The ledger marks the files that were not submitted.
    pub(crate) async fn submit(&self, files: Vec<Found>) {
        let Shared { source, destination, pace, jobs, .. } = &*self.0;
        for Found { name, .. } in files {
            // The task has the name of its slot, since a name occurs once in the destination.
            let spec = upload::spec(source.join(&name), destination.join(&name), *pace).with_name(shown(&name));
            // Waits while the queue is full.
            let job = match jobs.submit(ControllerSpec::replace(spec)).await {
                Ok(handle) => Job::Submitted(handle),
                Err(refused) => Job::Refused(refused),
            };
            if let Some(file) = self.ledger().files.get_mut(&name) {
                file.job = job;
            }
        }
    }

    /// The number of files in each stage.
    pub(crate) async fn counts(&self) -> Counts {
        let jobs: Vec<_> = {
            let ledger = self.ledger();
            ledger.files.values().map(|file| (file.job.clone(), ledger.is_gone(file))).collect()
        };
        let mut counts = Counts::default();
        for (job, gone) in jobs {
            match job.stage().await {
                Stage::Queued => counts.queued += 1,
                Stage::Running => counts.running += 1,
                Stage::Done => counts.done += 1,
                Stage::NotDone if gone => {}
                Stage::NotDone => counts.not_done += 1,
            }
        }
        counts
    }

    /// Cancels the jobs that wait, and waits for those that run, without a stop request to them.
    pub(crate) async fn finish(&self) -> Result<(), RuntimeError> {
        let handles = self.handles();
        for handle in handles.iter().filter(|handle| handle.status().state != TaskState::Running) {
            handle.cancel().await?;
        }
        for handle in &handles {
            handle.outcome().await;
        }
        self.0.jobs.shutdown().await
    }

    /// Aborts the jobs that are left.
    pub(crate) async fn abort(&self) {
        // The report names the jobs that had to be aborted.
        let _ = self.0.jobs.shutdown_now().await;
    }

    /// Waits for all jobs, and reports the files that were not copied.
    pub(crate) async fn report(&self) -> Report {
        let ledger = mem::take(&mut *self.ledger());
        Report::of(ledger, &self.0.destination).await
    }

    fn handles(&self) -> Vec<TaskHandle> {
        let handle = |file: &File| match &file.job {
            Job::Submitted(handle) => Some(handle.clone()),
            Job::NotSubmitted | Job::Refused(_) => None,
        };
        self.ledger().files.values().filter_map(handle).collect()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
