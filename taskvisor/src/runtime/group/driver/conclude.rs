//! The decision about what follows a run of a group: it starts again, waits, or ends with an outcome.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::super::cell::Position;
use super::super::machine::{Follow, Input};
use super::super::plan::{Note, RetryIn, Why};
use super::Live;
use super::make::Making;
use crate::inspect::{TaskOutcome, TaskState};
use crate::panics::drop_caught;
use crate::runtime::observe;
use crate::runtime::task::{Ending, Facts, Next, Request, decide};
use crate::runtime::warnings::of_retries;
use crate::task::TaskError;
use crate::tree::{FailureChain, Leaf};

impl Live {
    pub(super) fn report(&self, note: Note) {
        if matches!(note, Note::Ready | Note::Delayed) {
            self.group.set_ready();
        }
        let Some(Position { parent, key, .. }) = &self.group.position else {
            if matches!(note, Note::Ready | Note::Delayed) {
                self.group.core.set_ready();
            }
            return;
        };
        if note == Note::Ready {
            self.group.passes();
        }
        // Only the end of the last member can end a group.
        drop(parent.note_of_group(&self.group, *key, self.machine.requested_epoch, note));
    }

    /// Decides what follows a run that has ended without a request.
    pub(super) fn conclude(&mut self, why: Why) {
        let follow = self.decide(why);
        let is_refused = follow == Follow::End && !self.close(why == Why::Completed);
        let follow = if is_refused { Follow::GoOn } else { follow };
        if follow != Follow::End {
            self.outcome = None;
        }
        if follow != Follow::GoOn {
            self.forget_made();
        }
        self.step(Input::Follow(follow));
    }

    /// Closes the group before its end. With `if_idle`, returns `false` if a message came that continues the group.
    pub(super) fn close(&self, if_idle: bool) -> bool {
        // Messages that came right after the last end were received together with it.
        let goes_on = self.messages.iter().any(|message| message.input.goes_on());
        !(if_idle && goes_on) && self.group.close(if_idle)
    }

    fn decide(&mut self, why: Why) -> Follow {
        let failure = self.failure(why);
        if self.group.position.is_none() {
            // The root does not restart: its failure is the failure of the supervisor.
            self.outcome = Some(failure.map_or(TaskOutcome::Completed, |failure| {
                self.group.core.tree_stops(Some(failure.clone()));
                TaskOutcome::Failed { error: Arc::new(TaskError::error(failure)) }
            }));
            return Follow::End;
        }
        // No run began if the children could not be made.
        let lived = (why != Why::Unmade).then(|| self.began.elapsed());
        let facts = Facts {
            policy: &self.policy,
            request: Request::Nothing,
            late: false,
            streak: self.streak,
            lived,
            at_once: 0,
            ticks: None,
            stopped: None,
        };
        let is_fatal =
            why == Why::Unmade && failure.as_ref().and_then(FailureChain::error).is_some_and(|error| error.is_fatal());
        let error = |chain| match self.making {
            Making::Failed(_, Some(told)) if why == Why::Unmade => TaskError::error(chain).retry_after(told),
            _ if is_fatal => TaskError::permanent(chain),
            _ => TaskError::error(chain),
        };
        let ending = Ending::Result(failure.map_or(Ok(()), |chain| Err(error(chain))));
        let mut next = decide(&facts, ending);
        self.told.correct(&mut next, &self.policy.backoff);
        #[cfg(feature = "test-util")]
        let next = {
            let (path, number) = (self.group.path(), self.group.restarts());
            self.group.core.test_hooks.redrawn(next, &self.policy.backoff, self.told, path, number)
        };
        match next {
            Next::End(outcome) => {
                if let Some(error) = outcome.error() {
                    self.group.fails_for_good(error, self.streak.saturating_add(1));
                }
                self.outcome = Some(outcome);
                Follow::End
            }
            Next::Repeat(delay) | Next::Throttle { pause: delay, .. } => {
                self.set_streak(0);
                self.group.rests(TaskState::Interval, Some(delay));
                Follow::Wait(delay)
            }
            Next::Retry { error, delay, streak, is_told } => {
                self.streak = streak;
                let due = (!self.group.is_managed()).then_some(delay);
                self.group.fails(&error, streak, delay, due);
                observe::group_failed(&self.group, &error, streak, delay);
                let _ = drop_caught(error);
                if let Some(warning) = of_retries(self.policy.is_critical_without_end(), streak) {
                    self.group.core.warn(self.group.path(), warning);
                }
                if self.group.is_managed() { Follow::Park(RetryIn::new(delay, is_told)) } else { Follow::Wait(delay) }
            }
            // A group has no schedule, and its facts contain no such requests.
            Next::Restart(_) | Next::Hold(_) | Next::Scheduled | Next::GiveUp { .. } => Follow::Wait(Duration::ZERO),
        }
    }

    pub(super) fn set_streak(&mut self, streak: u32) {
        if mem::replace(&mut self.streak, streak) != streak {
            self.group.set_failures(streak);
        }
    }

    /// Returns the failure of the group, from the leaf to this group.
    pub(super) fn failure(&self, why: Why) -> Option<FailureChain> {
        if let (Why::Limit(_), Some(failing)) = (why, self.group.own_failing()) {
            // The child may have had its final attempt in the meantime, so the stored failure is used.
            return Some((*failing).clone());
        }
        let (key, limit) = match why {
            Why::Unmade => {
                let error = if let Making::Failed(error, _) = &self.making { Some(Arc::clone(error)) } else { None };
                let failure = FailureChain::leaf(self.group.shown_path(), error, Leaf::Unmade);
                self.group.set_failure(failure.clone());
                return Some(failure);
            }
            Why::Completed | Why::Significant | Why::Requested => return None,
            Why::Limit(key) => (key, self.group.declared.limit()),
            Why::Lost(key) => (key, None),
        };
        let below = self.group.failure_of(key, matches!(why, Why::Lost(_)));
        let failure = FailureChain::above(below, self.group.shown_path(), limit);
        self.group.set_failure(failure.clone());
        Some(failure)
    }
}
