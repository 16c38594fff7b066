//! The log events about registrations, groups, leases, pauses and the shutdown.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::Level;

#[cfg(feature = "fleet")]
use super::super::LeaseChange;
use super::{TARGET, is_heard, is_within_quiet, level_of_end, level_of_failure, shown, tell};
use crate::events::Tell;
#[cfg(feature = "controller")]
use crate::inspect::RejectReason;
use crate::inspect::{TaskId, TaskOutcome, now, one_line};
use crate::runtime::group::GroupCell;
use crate::runtime::shutdown::Waiting;
use crate::runtime::task::Cell;
use crate::supervisor::RuntimeError;
use crate::sync::lock;
use crate::task::TaskError;

pub(in crate::runtime) fn added(cell: &Cell) {
    if !is_heard() || is_within_quiet(cell.core(), cell.name()) {
        return;
    }
    tell(|| tracing::debug!(target: TARGET, path = &**cell.name(), id = %cell.id(), "task added"));
}

pub(in crate::runtime::observe) fn removed(cell: &Cell) {
    if !is_heard() || is_within_quiet(cell.core(), cell.name()) {
        return;
    }
    tell(|| tracing::debug!(target: TARGET, path = &**cell.name(), id = %cell.id(), "task removed"));
}

#[cfg(feature = "controller")]
pub(in crate::runtime::observe) fn not_run(cell: &Cell) {
    if !is_heard() {
        return;
    }
    let slot = cell.slot();
    let outcome = cell.try_outcome();
    let (reason, rejected) = match &outcome {
        Some(TaskOutcome::Rejected { reason: reason @ RejectReason::Superseded }) => (reason.as_label(), None),
        Some(TaskOutcome::Rejected { reason }) => (reason.as_label(), slot),
        _ => ("canceled", None),
    };
    let told = rejected.map(|slot| lock(&cell.core().told.rejections).rejected(slot, reason, now()));
    let repeated = match told {
        Some(Tell::Nothing) => return,
        Some(Tell::Again(often)) => Some(often.to_string()),
        Some(Tell::Whole) | None => None,
    };
    let (slot, repeated) = (slot.map(|slot| &**slot), repeated.as_deref());
    tell(|| {
        tracing::info!(
            target: TARGET,
            path = &**cell.name(),
            id = %cell.id(),
            slot,
            reason,
            repeated,
            "submission not run"
        );
    });
}

pub(in crate::runtime) fn group_failed(group: &GroupCell, error: &Arc<TaskError>, failures: u32, delay: Duration) {
    if !is_heard() {
        return;
    }
    let (path, told) = (group.shown_path(), &group.core.told);
    // The text of the user's error, inside `catch`.
    let text = tell(|| one_line(&**error));
    told.has_groups.store(true, Ordering::Relaxed);
    let repeated = match lock(&told.repeats).group_failed(Arc::clone(path), &text, now()) {
        Tell::Whole => None,
        Tell::Again(often) => Some(often.to_string()),
        Tell::Nothing => return,
    };
    tell(|| {
        event_at!(
            level_of_failure(failures),
            path = &**path,
            error = display(&text),
            failures,
            ?delay,
            repeated,
            "group failed"
        );
    });
}

pub(in crate::runtime) fn group_ended(group: &GroupCell, outcome: &TaskOutcome) {
    if !is_heard() {
        return;
    }
    let (path, told) = (group.shown_path(), &group.core.told);
    let is_quiet = matches!(outcome, TaskOutcome::Canceled { error: None, .. }) && is_within_quiet(&group.core, path);
    lock(&told.repeats).ended(path, now());
    if is_quiet {
        return;
    }
    tell(|| {
        event_at!(
            level_of_end(outcome),
            path = &**path,
            outcome = outcome.as_label(),
            error = outcome.error().map(shown),
            "group ended"
        );
    });
}

#[cfg(feature = "fleet")]
pub(in crate::runtime::observe) fn lease(path: &str, key: &str, change: LeaseChange<'_>) {
    tell(|| match change {
        LeaseChange::Acquired(token) => tracing::info!(target: TARGET, path, key, token, "lease acquired"),
        LeaseChange::Lost(reason) => tracing::warn!(target: TARGET, path, key, reason, "lease lost"),
        LeaseChange::Released(token) => tracing::info!(target: TARGET, path, key, token, "lease released"),
        LeaseChange::Overrun => tracing::error!(target: TARGET, path, key, "lease overrun"),
    });
}

#[cfg(feature = "fleet")]
pub(in crate::runtime::observe) fn fleet(fleet: &str, failure: Option<&str>) {
    tell(|| {
        if let Some(reason) = failure {
            tracing::warn!(target: TARGET, fleet, reason, "fleet unreachable");
        } else {
            tracing::info!(target: TARGET, fleet, "fleet reachable");
        }
    });
}

#[cfg(feature = "cron")]
pub(in crate::runtime::observe) fn runs_missed(cell: &Cell, count: u64, reason: &str) {
    let (path, id) = (&**cell.name(), cell.id());
    tell(|| tracing::warn!(target: TARGET, path, %id, count, reason, "runs missed"));
}

pub(in crate::runtime) fn warned(path: &str, id: Option<TaskId>, reason: &str) {
    tell(|| tracing::warn!(target: TARGET, path, id = id.map(display), reason, "warning"));
}

/// Logs that a task or group was paused, or a slot.
pub(in crate::runtime) fn paused(path: Option<&str>, slot: Option<&str>) {
    tell(|| tracing::info!(target: TARGET, path, slot, "paused"));
}

pub(in crate::runtime) fn resumed(path: Option<&str>, slot: Option<&str>) {
    tell(|| tracing::info!(target: TARGET, path, slot, "resumed"));
}

pub(in crate::runtime) fn shutdown_requested(why: &str) {
    tell(|| tracing::info!(target: TARGET, reason = why, "shutdown requested"));
}

pub(in crate::runtime) fn shutdown_waits(waiting: &Waiting) {
    let Waiting { task, id, count, .. } = waiting;
    tell(
        || tracing::info!(target: TARGET, path = &**task, %id, waiting = count, reason = waiting.progress(), "shutdown waits"),
    );
}

pub(in crate::runtime) fn drain_ended(why: &str) {
    tell(|| tracing::info!(target: TARGET, reason = why, "drain ended"));
}

pub(in crate::runtime) fn shutdown_over(result: &Result<(), RuntimeError>) {
    tell(|| match result {
        Ok(()) => tracing::info!(target: TARGET, "shutdown complete"),
        Err(error) => {
            tracing::error!(target: TARGET, error = %one_line(error), kind = error.as_label(), "shutdown failed");
        }
    });
}
