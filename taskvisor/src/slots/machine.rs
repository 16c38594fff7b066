//! One slot: a plain state machine, which says who runs, who waits and who goes.

use std::collections::VecDeque;
use std::fmt;

use super::AdmissionPolicy;
use crate::inspect::RejectReason;

/// A slot: its owner, and the jobs that wait.
///
/// ```text
/// idle --submit--> running --replace--> stopping
///   ^                 |                    |
///   '---- release, nobody waits -----------'      with somebody who waits: running again
/// ```
#[derive(Debug)]
pub(crate) struct Slot<O, J> {
    owner: Owner<O>,
    /// Came to replace the owner, and goes before the queue.
    next: Option<J>,
    queue: VecDeque<J>,
}

#[derive(Debug)]
enum Owner<O> {
    Nobody,
    Running(O),
    /// Was told to stop, to make way.
    Stopping(O),
}

/// What a slot does, without with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle,
    Running,
    Stopping,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Stopping => "stopping",
        })
    }
}

/// What becomes of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It owns the slot from now.
    Start,
    /// It waits at the end of the queue.
    Wait,
    /// It waits before the queue, instead of another that did. The owner is to be told to stop, unless it was.
    Replace {
        displaces: bool,
        stops: bool,
    },
    Busy,
    Full,
}

impl Decision {
    /// Why the submission will not run, if that is decided.
    pub(crate) fn rejection(self) -> Option<RejectReason> {
        match self {
            Self::Busy => Some(RejectReason::Busy),
            Self::Full => Some(RejectReason::Full),
            Self::Start | Self::Wait | Self::Replace { .. } => None,
        }
    }

    /// Whether one more waits then.
    pub(crate) fn is_to_wait(self) -> bool {
        matches!(self, Self::Wait | Self::Replace { displaces: false, .. })
    }
}

impl<O, J> Default for Slot<O, J> {
    fn default() -> Self {
        Self { owner: Owner::Nobody, next: None, queue: VecDeque::new() }
    }
}

impl<O, J> Slot<O, J> {
    /// A slot that somebody owns, where nobody waits.
    pub(crate) fn of(owner: O) -> Self {
        Self { owner: Owner::Running(owner), ..Self::default() }
    }

    /// What becomes of a submission, if up to `capacity` may wait in the queue.
    pub(crate) fn decide(&self, admission: AdmissionPolicy, capacity: usize) -> Decision {
        let stops = match self.owner {
            Owner::Nobody => return Decision::Start,
            Owner::Running(_) => true,
            Owner::Stopping(_) => false,
        };
        match admission {
            AdmissionPolicy::DropIfRunning => Decision::Busy,
            AdmissionPolicy::Replace => Decision::Replace { displaces: self.next.is_some(), stops },
            AdmissionPolicy::Queue if self.queue.len() >= capacity => Decision::Full,
            AdmissionPolicy::Queue => Decision::Wait,
        }
    }

    /// Somebody owns the slot, which is idle.
    pub(crate) fn start(&mut self, owner: O) {
        self.owner = Owner::Running(owner);
    }

    /// The job waits at the end of the queue.
    pub(crate) fn wait(&mut self, job: J) {
        self.queue.push_back(job);
    }

    /// The job is the next, and the owner is stopping. Gives the one that was the next before.
    pub(crate) fn replace(&mut self, job: J) -> Option<J> {
        self.owner = match std::mem::replace(&mut self.owner, Owner::Nobody) {
            Owner::Running(owner) | Owner::Stopping(owner) => Owner::Stopping(owner),
            Owner::Nobody => Owner::Nobody,
        };
        self.next.replace(job)
    }

    /// The owner has ended, and the slot is idle. Gives the next, which is to start.
    pub(crate) fn release(&mut self) -> Option<J> {
        self.owner = Owner::Nobody;
        self.next.take().or_else(|| self.queue.pop_front())
    }

    /// Takes out one that waits.
    pub(crate) fn withdraw(&mut self, is: impl Fn(&J) -> bool) -> Option<J> {
        if let Some(next) = self.next.take_if(|next| is(next)) {
            return Some(next);
        }
        let position = self.queue.iter().position(is)?;
        self.queue.remove(position)
    }

    /// Takes out all that wait, in their order.
    pub(crate) fn withdraw_all(&mut self) -> impl Iterator<Item = J> + use<O, J> {
        self.next.take().into_iter().chain(std::mem::take(&mut self.queue))
    }

    pub(crate) fn owner(&self) -> Option<&O> {
        match &self.owner {
            Owner::Nobody => None,
            Owner::Running(owner) | Owner::Stopping(owner) => Some(owner),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.owner {
            Owner::Nobody => Phase::Idle,
            Owner::Running(_) => Phase::Running,
            Owner::Stopping(_) => Phase::Stopping,
        }
    }

    /// How many wait in the queue.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// How many wait, in the queue or before it.
    pub(crate) fn waiting(&self) -> usize {
        usize::from(self.next.is_some()) + self.queue.len()
    }
}
