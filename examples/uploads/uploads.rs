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

/// What runs is finished, however long that takes: who does not want to wait aborts it.
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

    /// Takes down what was found. Gives what is new or has changed, which is to be submitted.
    pub(crate) fn news(&self, listing: Listing) -> Vec<Found> {
        self.ledger().news(listing)
    }

    /// Submits a job for each. One that still waits or runs for the same file makes way.
    ///
    /// # Cancel safety
    /// Those that were not submitted are known as such.
    pub(crate) async fn submit(&self, files: Vec<Found>) {
        let Shared { source, destination, pace, jobs, .. } = &*self.0;
        for Found { name, .. } in files {
            // The task's name is that of its slot: in the destination there is one file of a name.
            let spec = upload::spec(source.join(&name), destination.join(&name), *pace).with_name(shown(&name));
            // Waits while too many are waiting already.
            let job = match jobs.submit(ControllerSpec::replace(spec)).await {
                Ok(handle) => Job::Submitted(handle),
                Err(refused) => Job::Refused(refused),
            };
            if let Some(file) = self.ledger().files.get_mut(&name) {
                file.job = job;
            }
        }
    }

    /// How many files are how far.
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

    /// Cancels the jobs that wait, and waits for those that run. They are not told to stop: it would end them.
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
        // Who had to be aborted is told by name in the report.
        let _ = self.0.jobs.shutdown_now().await;
    }

    /// Waits for all jobs, and tells what was not done.
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
