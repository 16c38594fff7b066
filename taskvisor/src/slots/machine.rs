//! The state machine of one slot: the owner, and the waiting jobs. Plain data.

use std::collections::VecDeque;

use super::AdmissionPolicy;
use crate::inspect::RejectReason;

/// A busy slot: its owner and the waiting jobs. An idle slot has no state.
///
/// ```text
/// idle --submit--> running --replace--> stopping
///   ^                 |                    |
///   '---- release, no job waits -----------'      release while a job waits: running again
/// ```
#[derive(Debug)]
pub(crate) struct Slot<O, J> {
    owner: O,
    /// `true` if the owner was requested to stop, to make way.
    stops: bool,
    /// The job that replaces the owner, ahead of the queue.
    next: Option<J>,
    queue: VecDeque<J>,
}

labels! {
    /// The phase of a slot.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Phase: Display {
        Idle = "idle",
        Running = "running",
        Stopping = "stopping",
    }
}

/// The decision about a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It owns the slot from now on.
    Start,
    /// It waits at the end of the queue.
    Wait,
    /// It waits ahead of the queue, and supersedes an earlier one. The owner must be requested to stop, unless it was.
    Replace {
        displaces: bool,
        stops: bool,
    },
    Busy,
    Full,
}

impl Decision {
    /// Returns the reason of a rejection.
    pub(crate) fn rejection(self) -> Option<RejectReason> {
        match self {
            Self::Busy => Some(RejectReason::Busy),
            Self::Full => Some(RejectReason::Full),
            Self::Start | Self::Wait | Self::Replace { .. } => None,
        }
    }

    /// Returns `true` if one more submission waits after this decision.
    pub(crate) fn is_to_wait(self) -> bool {
        matches!(self, Self::Wait | Self::Replace { displaces: false, .. })
    }
}

impl<O, J> Slot<O, J> {
    /// Creates a slot with an owner and no waiting job.
    pub(crate) fn of(owner: O) -> Self {
        Self { owner, stops: false, next: None, queue: VecDeque::new() }
    }

    /// Decides about a submission, if up to `capacity` jobs may wait in the queue.
    pub(crate) fn decide(&self, admission: AdmissionPolicy, capacity: impl FnOnce() -> usize) -> Decision {
        match admission {
            AdmissionPolicy::DropIfRunning => Decision::Busy,
            AdmissionPolicy::Replace => Decision::Replace { displaces: self.next.is_some(), stops: !self.stops },
            AdmissionPolicy::Queue if self.queue.len() >= capacity() => Decision::Full,
            AdmissionPolicy::Queue => Decision::Wait,
        }
    }

    /// Adds a job at the end of the queue.
    pub(crate) fn wait(&mut self, job: J) {
        self.queue.push_back(job);
    }

    /// Makes the job the next one, while the owner stops. Returns the job that was the next before.
    pub(crate) fn replace(&mut self, job: J) -> Option<J> {
        self.stops = true;
        self.next.replace(job)
    }

    /// Handles the end of the owner. Returns the next job, which must start and whose `owner` has the slot now. If there
    /// is none, the slot is idle and must be dropped.
    pub(crate) fn release(&mut self, owner: impl FnOnce(&J) -> O) -> Option<J> {
        let next = self.next.take().or_else(|| self.queue.pop_front())?;
        self.owner = owner(&next);
        self.stops = false;
        Some(next)
    }

    /// Removes one waiting job.
    pub(crate) fn withdraw(&mut self, is: impl Fn(&J) -> bool) -> Option<J> {
        if let Some(next) = self.next.take_if(|next| is(next)) {
            return Some(next);
        }
        let position = self.queue.iter().position(is)?;
        self.queue.remove(position)
    }

    /// Removes all waiting jobs, in order.
    pub(crate) fn withdraw_all(&mut self) -> impl Iterator<Item = J> + use<O, J> {
        self.next.take().into_iter().chain(std::mem::take(&mut self.queue))
    }

    pub(crate) fn owner(&self) -> &O {
        &self.owner
    }

    pub(crate) fn phase(&self) -> Phase {
        if self.stops { Phase::Stopping } else { Phase::Running }
    }

    /// Returns the number of jobs in the queue.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Returns the number of waiting jobs, in the queue or ahead of it.
    pub(crate) fn waiting(&self) -> usize {
        usize::from(self.next.is_some()) + self.queue.len()
    }
}
