//! The state machine of one slot: the owners, and the waiting jobs. Plain data; the time is passed in.

use std::collections::VecDeque;
use std::time::Duration;

use super::AdmissionPolicy;
use crate::inspect::RejectReason;

/// A slot that is busy, or in which jobs wait. An idle slot has no state.
///
/// ```text
/// idle --submit--> running --replace--> stopping
///   ^                 |                    |
///   '---- the last owner leaves -----------'      a job waits: running again, or waiting until it can start
/// ```
#[derive(Debug)]
pub(crate) struct Slot<O, J> {
    /// The oldest owner. `None` while jobs only wait: for their time, for a place that keys share, or for the end of a
    /// pause.
    owner: Option<O>,
    /// `true` if the oldest owner was requested to stop, to make way.
    stops: bool,
    /// The job that starts ahead of the queue.
    next: Option<J>,
    queue: VecDeque<J>,
    /// Rarely used state.
    aside: Option<Box<Aside<O>>>,
}

#[derive(Debug)]
struct Aside<O> {
    /// The owners after the oldest.
    more: Vec<O>,
    /// The time at which the job ahead of the queue can start.
    due: Option<Duration>,
    /// The limit of `due`: the latest start of the last of the jobs that supersede each other.
    by: Duration,
    /// `true` while the slot waits for a place in its pool.
    in_line: bool,
}

impl<O> Default for Aside<O> {
    fn default() -> Self {
        Self { more: Vec::new(), due: None, by: Duration::MAX, in_line: false }
    }
}

/// The times that submissions wait for a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Debounce {
    /// The time without a newer submission.
    pub(crate) quiet: Duration,
    /// The time since the first of the submissions that supersede each other.
    pub(crate) most: Option<Duration>,
}

labels! {
    /// The phase of a slot.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum SlotPhase: Display {
        /// No task runs or waits in it.
        Idle = "idle",
        /// No task runs in it, and at least one waits: for the time of `debounce` or `rate`, for a place that its keys
        /// share, or for the end of a pause.
        Waiting = "waiting",
        /// A task runs in it.
        Running = "running",
        /// The oldest task in it was requested to make way for a replacement.
        Stopping = "stopping",
    }
}

impl SlotPhase {
    /// Returns a short, stable name of the phase, for metrics and logs.
    pub const fn as_label(&self) -> &'static str {
        self.label()
    }
}

/// The decision about a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It owns a place from now on.
    Start,
    /// It waits at the end of the queue.
    Wait,
    /// It waits ahead of the queue, and supersedes an earlier one. The oldest owner must be requested to stop, unless
    /// that was done.
    Replace {
        displaces: bool,
        stops: bool,
    },
    /// It waits ahead of the queue, and supersedes an earlier one.
    Latest {
        displaces: bool,
    },
    Busy,
    Full,
}

impl Decision {
    /// Returns the reason of a rejection. A paused slot counts as busy.
    pub(crate) fn rejection(self, is_paused: bool) -> Option<RejectReason> {
        match self {
            Self::Busy if is_paused => Some(RejectReason::Paused),
            Self::Busy => Some(RejectReason::Busy),
            Self::Full => Some(RejectReason::Full),
            Self::Start | Self::Wait | Self::Replace { .. } | Self::Latest { .. } => None,
        }
    }

    /// Returns `true` if one more submission waits after this decision.
    pub(crate) fn is_to_wait(self) -> bool {
        matches!(self, Self::Wait | Self::Replace { displaces: false, .. } | Self::Latest { displaces: false })
    }
}

impl<O, J> Slot<O, J> {
    /// Creates a slot with an owner and no waiting job.
    pub(crate) fn of(owner: O) -> Self {
        Self { owner: Some(owner), ..Self::vacant() }
    }

    /// Creates a slot without owners and jobs. The caller must add one.
    pub(crate) fn vacant() -> Self {
        Self { owner: None, stops: false, next: None, queue: VecDeque::new(), aside: None }
    }

    /// Returns `true` if nothing runs or waits in the slot. The caller must then drop it.
    pub(crate) fn is_vacant(&self) -> bool {
        self.owner.is_none() && self.next.is_none() && self.queue.is_empty()
    }

    /// Decides on a submission to a queue of this capacity. `free` is `true` if a place is free for it, and `waits` if
    /// it must wait for newer ones even then.
    pub(crate) fn decide(
        &self,
        admission: AdmissionPolicy,
        free: bool,
        waits: bool,
        capacity: impl FnOnce() -> usize,
    ) -> Decision {
        match admission {
            _ if free && !waits => Decision::Start,
            AdmissionPolicy::DropIfRunning => Decision::Busy,
            AdmissionPolicy::Replace => {
                Decision::Replace { displaces: self.next.is_some(), stops: !self.stops && self.owner.is_some() }
            }
            AdmissionPolicy::Latest => Decision::Latest { displaces: self.next.is_some() },
            AdmissionPolicy::Queue if self.queue.len() >= capacity() => Decision::Full,
            AdmissionPolicy::Queue => Decision::Wait,
        }
    }

    /// Adds an owner.
    pub(crate) fn own(&mut self, owner: O) {
        if self.owner.is_none() {
            self.owner = Some(owner);
        } else {
            self.aside.get_or_insert_default().more.push(owner);
        }
    }

    /// Adds a job at the end of the queue.
    pub(crate) fn wait(&mut self, job: J) {
        self.queue.push_back(job);
    }

    /// Makes the job the next one, while the oldest owner stops. Returns the job that was the next before.
    pub(crate) fn replace(&mut self, job: J) -> Option<J> {
        self.stops = self.owner.is_some();
        self.forget_time();
        self.next.replace(job)
    }

    /// Makes the job the next one, which starts at once, or when no newer one has come for the time of the debounce.
    /// Returns the job that was the next before.
    pub(crate) fn latest(&mut self, job: J, debounce: Option<(Debounce, Duration)>) -> Option<J> {
        match debounce {
            None => self.forget_time(),
            Some((Debounce { quiet, most }, now)) => {
                let aside = self.aside.get_or_insert_default();
                if aside.due.is_none() {
                    aside.by = most.map_or(Duration::MAX, |most| now.saturating_add(most));
                }
                aside.due = Some(now.saturating_add(quiet).min(aside.by));
            }
        }
        self.next.replace(job)
    }

    /// Removes the job ahead of the queue, and its time.
    pub(crate) fn supersede(&mut self) -> Option<J> {
        self.forget_time();
        self.next.take()
    }

    /// Removes an owner that has ended. Returns `false` if there is no such owner.
    pub(crate) fn leave(&mut self, is: impl Fn(&O) -> bool) -> bool {
        if self.owner.as_ref().is_some_and(&is) {
            let more = self.aside.as_mut().map(|aside| &mut aside.more).filter(|more| !more.is_empty());
            self.owner = more.map(|more| more.remove(0));
            self.stops = false;
            return true;
        }
        let Some(aside) = &mut self.aside else { return false };
        let position = aside.more.iter().position(is);
        position.map(|position| aside.more.remove(position)).is_some()
    }

    /// Returns the time at which the next job can start, if it waits for a time.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.aside.as_ref()?.due
    }

    /// Returns the job that waits for a time, with that time, unless it waits for a place.
    pub(crate) fn timed(&self) -> Option<(&J, Duration)> {
        let aside = self.aside.as_ref().filter(|aside| !aside.in_line)?;
        Some((self.next.as_ref()?, aside.due?))
    }

    /// Returns `true` if a job waits only for a place.
    pub(crate) fn is_due(&self, now: impl FnOnce() -> Duration) -> bool {
        !self.queue.is_empty() || (self.next.is_some() && self.due().is_none_or(|due| due <= now()))
    }

    /// Removes the job that starts next. The caller must then add its owner. Returns `None` if no job can start.
    pub(crate) fn pop(&mut self, now: impl FnOnce() -> Duration) -> Option<J> {
        if self.next.is_some() && self.due().is_none_or(|due| due <= now()) {
            return self.supersede();
        }
        self.queue.pop_front()
    }

    /// Removes the time of the next job, which then starts as soon as a place is free.
    pub(crate) fn forget_time(&mut self) {
        if let Some(aside) = &mut self.aside {
            aside.due = None;
        }
    }

    /// Notes whether the slot waits for a place in its pool. Returns what was noted before.
    pub(crate) fn line_up(&mut self, in_line: bool) -> bool {
        std::mem::replace(&mut self.aside.get_or_insert_default().in_line, in_line)
    }

    /// Removes one waiting job.
    pub(crate) fn withdraw(&mut self, is: impl Fn(&J) -> bool) -> Option<J> {
        if let Some(next) = self.next.take_if(|next| is(next)) {
            self.forget_time();
            return Some(next);
        }
        let position = self.queue.iter().position(is)?;
        self.queue.remove(position)
    }

    /// Removes all waiting jobs, in order.
    pub(crate) fn withdraw_all(&mut self) -> impl Iterator<Item = J> + use<O, J> {
        self.supersede().into_iter().chain(std::mem::take(&mut self.queue))
    }

    /// Returns the oldest owner.
    pub(crate) fn owner(&self) -> Option<&O> {
        self.owner.as_ref()
    }

    /// Returns the owners, the oldest first.
    pub(crate) fn owners(&self) -> impl Iterator<Item = &O> {
        self.owner.iter().chain(self.aside.iter().flat_map(|aside| &aside.more))
    }

    /// Returns the number of owners.
    pub(crate) fn running(&self) -> usize {
        usize::from(self.owner.is_some()) + self.aside.as_ref().map_or(0, |aside| aside.more.len())
    }

    pub(crate) fn phase(&self) -> SlotPhase {
        match self.owner {
            None => SlotPhase::Waiting,
            Some(_) if self.stops => SlotPhase::Stopping,
            Some(_) => SlotPhase::Running,
        }
    }

    /// Returns the job ahead of the queue.
    pub(crate) fn next(&self) -> Option<&J> {
        self.next.as_ref()
    }

    /// Returns the waiting job that starts first.
    pub(crate) fn first(&self) -> Option<&J> {
        self.next.as_ref().or_else(|| self.queue.front())
    }

    /// Returns the jobs in the queue.
    pub(crate) fn queue(&self) -> impl Iterator<Item = &J> {
        self.queue.iter()
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
