//! The files that were found, and the job of each.

use std::collections::BTreeMap;
use std::ffi::OsString;

use taskvisor::TaskState;
use taskvisor::prelude::*;

use crate::listing::{Found, Listing, Version};

/// The known state of the directory.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) files: BTreeMap<OsString, File>,
    /// The entries that are not copied, with the reason.
    pub(crate) skipped: BTreeMap<OsString, &'static str>,
    /// The number of times that a file was found to have changed.
    pub(crate) changes: usize,
    /// The number of listings so far.
    looks: u64,
}

/// A file in its last known version, with its latest job. Earlier jobs no longer matter.
pub(crate) struct File {
    version: Option<Version>,
    /// The number of the last listing with this file.
    found: u64,
    pub(crate) job: Job,
}

/// The attempt to have a file copied.
#[derive(Clone)]
pub(crate) enum Job {
    NotSubmitted,
    Submitted(TaskHandle),
    Refused(ControllerError),
}

/// The progress of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Queued,
    Running,
    Done,
    NotDone,
}

impl Ledger {
    /// Records a listing. Returns the new and the changed files, which are to be submitted.
    pub(crate) fn news(&mut self, listing: Listing) -> Vec<Found> {
        self.looks += 1;
        self.skipped = listing.skipped;
        listing.files.into_iter().filter(|found| self.is_news(found)).collect()
    }

    fn is_news(&mut self, found: &Found) -> bool {
        let (version, look) = (found.version, self.looks);
        let new = File { version, found: look, job: Job::NotSubmitted };
        match self.files.get_mut(&found.name) {
            None => {
                self.files.insert(found.name.clone(), new);
                true
            }
            // A file that was gone for a while counts as another one.
            Some(file) if file.version != version || file.found + 1 < look => {
                *file = new;
                self.changes += 1;
                true
            }
            Some(file) => {
                file.found = look;
                matches!(file.job, Job::NotSubmitted)
            }
        }
    }

    /// Returns whether the file was missing in the last listing.
    pub(crate) fn is_gone(&self, file: &File) -> bool {
        file.found < self.looks
    }
}

impl Job {
    /// Reads the stage from the handle, so that no state has to be kept up to date.
    pub(crate) async fn stage(&self) -> Stage {
        let handle = match self {
            Self::NotSubmitted => return Stage::Queued,
            Self::Refused(_) => return Stage::NotDone,
            Self::Submitted(handle) => handle,
        };
        match handle.status().state {
            TaskState::Running | TaskState::Stopping => Stage::Running,
            // The outcome exists, so that this does not wait.
            TaskState::Ended if handle.outcome().await.is_completed() => Stage::Done,
            TaskState::Ended => Stage::NotDone,
            _ => Stage::Queued,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(ledger: &mut Ledger, files: &[(&str, Option<Version>)]) -> Vec<OsString> {
        let found = |(name, version): &(&str, _)| Found { name: name.into(), version: *version };
        let listing = Listing { files: files.iter().map(found).collect(), ..Listing::default() };
        let news = ledger.news(listing).into_iter().map(|found| found.name).collect();
        for file in ledger.files.values_mut() {
            file.job = Job::Refused(ControllerError::ShuttingDown);
        }
        news
    }

    #[test]
    fn a_file_is_news_when_it_is_new_and_when_it_has_changed() {
        let version = Some(Version::of(&std::fs::metadata("Cargo.toml").expect("a file")));
        let mut ledger = Ledger::default();
        assert_eq!(look(&mut ledger, &[("a", version)]), ["a"]);
        assert!(look(&mut ledger, &[("a", version)]).is_empty());
        assert_eq!(look(&mut ledger, &[("a", None), ("b", None)]), ["a", "b"]);
        assert_eq!(ledger.changes, 1);
    }

    #[test]
    fn a_file_is_news_until_it_is_submitted() {
        let mut ledger = Ledger::default();
        look(&mut ledger, &[("a", None)]);
        ledger.files.values_mut().for_each(|file| file.job = Job::NotSubmitted);
        assert_eq!(look(&mut ledger, &[("a", None)]), ["a"]);
        assert_eq!(ledger.changes, 0);
    }

    #[test]
    fn a_file_that_is_gone_is_news_when_it_comes_back() {
        let mut ledger = Ledger::default();
        look(&mut ledger, &[("a", None)]);
        look(&mut ledger, &[]);
        assert!(ledger.files.values().all(|file| ledger.is_gone(file)));
        assert_eq!(look(&mut ledger, &[("a", None)]), ["a"]);
        assert!(!ledger.files.values().any(|file| ledger.is_gone(file)));
    }
}
