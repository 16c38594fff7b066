//! Stops and restarts of a group.

use std::mem;
#[cfg(any(feature = "metrics", feature = "fleet"))]
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::children::Epoch;
use super::super::machine::Input;
use super::super::member::Member;
use super::super::shared::GroupRef;
use super::GroupCell;
use crate::inspect::{TaskOutcome, TaskState};
use crate::panics::drop_caught;
use crate::runtime::task::{ABORT, StopBy};
use crate::supervisor::RuntimeError;
use crate::task::StopReason;

impl GroupCell {
    /// Returns the path of the group, or of the innermost declared group around it, unless that is the root.
    #[cfg(any(feature = "metrics", feature = "fleet"))]
    pub(in crate::runtime) fn declared_path(&self) -> Option<&Arc<str>> {
        let declared = self.with_parents().find(|group| !group.is_dynamic)?;
        Some(declared.path()).filter(|path| !path.is_empty())
    }

    /// Returns `true` if a stop of the group, or of a group around it, has begun.
    pub(in crate::runtime) fn is_stopping(&self) -> bool {
        self.with_parents().any(|group| group.stopping.load(Ordering::Acquire))
    }

    pub(in crate::runtime::group) fn stop_for_good(&self, epoch: Option<Epoch>, by: StopBy) -> bool {
        let mut inbox = self.lock();
        let first = inbox.state != TaskState::Ended && !mem::replace(&mut inbox.stopped, true);
        inbox.stopped_by_parent |= first && epoch.is_some();
        self.ring(inbox, Input::Stop(epoch), Some(by));
        first
    }

    /// Stops the group for good, within the supervisor's grace. Returns `true` for the first request.
    pub(crate) async fn cancel(&self, group: &GroupRef) -> Result<bool, RuntimeError> {
        let grace = self.core.config.grace;
        self.lock().leaves = true;
        let first = self.stop_for_good(None, StopBy::within(grace));
        // A call from a task of the group, or from a task that the group waits for, must not wait for itself.
        let Some(_wait) = self.core.enter_wait(|| Member::Group(group.clone())) else { return Ok(first) };
        let ended = async { drop(drop_caught(self.outcome().await)) };
        match self.core.timeout(grace.saturating_add(ABORT), ended).await {
            Some(()) => Ok(first),
            None => Err(RuntimeError::TaskRemoveTimeout { name: self.path.to_string(), timeout: grace }),
        }
    }

    /// Stops the group and starts it again. Returns `false` if it has ended or stops for good.
    pub(crate) fn restart(&self) -> bool {
        let inbox = self.lock();
        let restarts = inbox.open && inbox.state != TaskState::Ended;
        if restarts {
            self.ring(inbox, Input::Restart, Some(StopBy::within(self.core.config.grace)));
        }
        restarts
    }

    /// Restarts the group, and waits until a run after that is ready. Returns `false` if the restart was refused, or
    /// the group has ended before.
    pub(crate) async fn restart_and_wait(&self, group: &GroupRef) -> bool {
        let runs = self.lock().runs;
        if !self.restart() {
            return false;
        }
        // A call from a task of the group must not wait for its own end.
        let Some(_wait) = self.core.enter_wait(|| Member::Group(group.clone())) else { return true };
        let look = || {
            let inbox = self.lock();
            // Such a run was ready, also if it has failed since.
            if inbox.ready_run > runs { Some(true) } else { (inbox.state == TaskState::Ended).then_some(false) }
        };
        self.core.await_ready(look).await
    }

    /// Returns `true` if the next run of its parent registers the added group again, which has just ended.
    pub(in crate::runtime) fn returns(&self, outcome: &TaskOutcome) -> bool {
        let by_parent = matches!(
            outcome,
            TaskOutcome::Canceled { reason: StopReason::GroupStopped | StopReason::GroupFailed { .. }, .. }
        );
        let inbox = self.lock();
        by_parent && inbox.stopped_by_parent && !inbox.leaves
    }

    /// Returns `true` if its parent stopped the group. The parent decides whether it starts again.
    pub(in crate::runtime) fn is_stopped_by_parent(&self) -> bool {
        self.lock().stopped_by_parent
    }
}
