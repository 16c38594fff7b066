//! Counters, gauges and histograms for `metrics`.
//!
//! Metric handles are looked up each time: a recorder can be installed after a task has begun, and a task needs no
//! memory for metrics without a recorder. Label values are shared with the task, so that a lookup only allocates its
//! key.

use std::time::Duration;

use metrics::{SharedString, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use tokio::time::Instant;

use super::super::task::Cell;
use crate::panics::catch;

const ATTEMPTS: &str = "taskvisor_attempts_total";
const DURATION: &str = "taskvisor_attempt_duration_seconds";
const RESTARTS: &str = "taskvisor_restarts_total";
const BACKOFF: &str = "taskvisor_backoff_seconds";
#[cfg(feature = "cron")]
const MISSED: &str = "taskvisor_runs_missed_total";
#[cfg(feature = "fleet")]
const LEASE_HELD: &str = "taskvisor_lease_held";
#[cfg(feature = "fleet")]
const LEASE_CHANGES: &str = "taskvisor_lease_transitions_total";
#[cfg(feature = "fleet")]
const LEASE_RENEW: &str = "taskvisor_lease_renew_seconds";
#[cfg(feature = "fleet")]
const LEASE_FAILURES: &str = "taskvisor_lease_renew_failures_total";
#[cfg(feature = "fleet")]
const LEASE_LEFT: &str = "taskvisor_lease_left_seconds";
const RUNNING: &str = "taskvisor_running";
#[cfg(feature = "controller")]
const QUEUED: &str = "taskvisor_queued";
#[cfg(feature = "controller")]
const SLOT_DEPTH: &str = "taskvisor_slot_depth";
const PAUSED: &str = "taskvisor_paused";
const LOST: &str = "taskvisor_subscriber_lost_events_total";

/// The label of tasks without a place in a declared tree.
const DYNAMIC: &str = "dynamic";
/// The label of slots that are not declared.
#[cfg(feature = "controller")]
const OTHER: &str = "other";

/// The begin of the current attempt.
#[derive(Default)]
pub(super) struct Stopwatch(Option<Instant>);

impl Stopwatch {
    /// Records the end of the attempt, once.
    pub(super) fn stop(&mut self, cell: &Cell, outcome: impl FnOnce() -> &'static str) {
        let Some(began) = self.0.take() else { return };
        let outcome = outcome();
        let (lived, task) = (began.elapsed().as_secs_f64(), task_label(cell));
        tell(|| gauge!(RUNNING, "task" => task.clone()).decrement(1.0));
        tell(|| histogram!(DURATION, "task" => task.clone()).record(lived));
        tell(|| counter!(ATTEMPTS, "task" => task, "outcome" => outcome).increment(1));
    }
}

/// Calls the recorder. A panic of the recorder loses only this call.
fn tell(f: impl FnOnce()) {
    let _ = catch(f);
}

/// Returns the `metric_label` of the task. Without one, it is the path of a declared task, or the path of the group of
/// an added task. So the number of series is bounded by the places of the tree and the given labels.
fn task_label(cell: &Cell) -> SharedString {
    if let Some(label) = &cell.policy().metric_label {
        return label.clone().into();
    }
    let group = || cell.member().map(|member| member.group.path()).filter(|path| !path.is_empty());
    match Some(cell.name()).filter(|_| !cell.was_added()).or_else(group) {
        Some(path) => path.clone().into(),
        None => SharedString::const_str(DYNAMIC),
    }
}

pub(in crate::runtime) fn describe() {
    tell(|| {
        describe_counter!(ATTEMPTS, Unit::Count, "Attempts that have ended, by outcome.");
        describe_histogram!(DURATION, Unit::Seconds, "How long attempts took, their helpers included.");
        describe_counter!(
            RESTARTS,
            Unit::Count,
            "Attempts after the first of their task; of a periodic task, after a failure."
        );
        describe_histogram!(BACKOFF, Unit::Seconds, "How long failed tasks wait before they begin again.");
        #[cfg(feature = "cron")]
        describe_counter!(MISSED, Unit::Count, "Runs of schedules that did not begin on time.");
        #[cfg(feature = "fleet")]
        {
            describe_gauge!(LEASE_HELD, Unit::Count, "1 for a singleton whose lease this process holds.");
            describe_counter!(LEASE_CHANGES, Unit::Count, "Leases that were acquired, lost and released.");
            describe_histogram!(LEASE_RENEW, Unit::Seconds, "How long successful renewals of the session took.");
            describe_counter!(LEASE_FAILURES, Unit::Count, "Renewals that failed or were not answered.");
            describe_gauge!(LEASE_LEFT, Unit::Seconds, "The time until work is dropped unless the session is renewed.");
        }
        describe_gauge!(RUNNING, Unit::Count, "Attempts under way.");
        #[cfg(feature = "controller")]
        describe_gauge!(QUEUED, Unit::Count, "Submissions that wait, in all slots.");
        #[cfg(feature = "controller")]
        describe_gauge!(SLOT_DEPTH, Unit::Count, "Submissions that a slot has, its owner included.");
        describe_gauge!(PAUSED, Unit::Count, "Tasks, groups and slots that are paused by themselves.");
        describe_counter!(LOST, Unit::Count, "Events that a subscriber lost because its queue was full.");
    });
}

pub(super) fn begin(cell: &Cell, attempt: u32) -> Stopwatch {
    let task = task_label(cell);
    if attempt > 1 && (!cell.policy().is_periodic() || cell.status().restarts > 0) {
        tell(|| counter!(RESTARTS, "task" => task.clone()).increment(1));
    }
    tell(|| gauge!(RUNNING, "task" => task).increment(1.0));
    Stopwatch(Some(Instant::now()))
}

#[cfg(feature = "cron")]
pub(super) fn runs_missed(cell: &Cell, count: u64) {
    tell(|| counter!(MISSED, "task" => task_label(cell)).increment(count));
}

pub(super) fn backoff(cell: &Cell, delay: Duration) {
    tell(|| histogram!(BACKOFF, "task" => task_label(cell)).record(delay.as_secs_f64()));
}

/// Changes the number of pauses.
#[expect(clippy::cast_precision_loss, reason = "there is no memory for so many")]
pub(in crate::runtime) fn pauses(before: usize, now: usize) {
    tell(|| gauge!(PAUSED).increment(now as f64 - before as f64));
}

#[cfg(feature = "controller")]
pub(super) fn queued(change: f64) {
    tell(|| gauge!(QUEUED).increment(change));
}

/// Changes the depth of the slot of a submission.
#[cfg(feature = "controller")]
pub(super) fn slot(cell: &Cell, change: f64) {
    let Some(slot) = cell.slot() else { return };
    let is_declared = cell.core().is_declared_slot(slot);
    let label = if is_declared { slot.clone().into() } else { SharedString::const_str(OTHER) };
    tell(|| gauge!(SLOT_DEPTH, "slot" => label).increment(change));
}

/// Records a change of a lease.
#[cfg(feature = "fleet")]
pub(super) fn lease(path: &std::sync::Arc<str>, change: &'static str, is_held: bool) {
    tell(|| counter!(LEASE_CHANGES, "task" => path.clone(), "change" => change).increment(1));
    tell(|| gauge!(LEASE_HELD, "task" => path.clone()).set(if is_held { 1.0 } else { 0.0 }));
}

/// Records a renewal, and the time that is left. `took` is `None` if it has failed.
#[cfg(feature = "fleet")]
pub(in crate::runtime) fn renewed(took: Option<Duration>, left: Duration) {
    match took {
        Some(took) => tell(|| histogram!(LEASE_RENEW).record(took.as_secs_f64())),
        None => tell(|| counter!(LEASE_FAILURES).increment(1)),
    }
    tell(|| gauge!(LEASE_LEFT).set(left.as_secs_f64()));
}

pub(crate) fn lost(subscriber: &std::sync::Arc<str>, count: u64) {
    tell(|| counter!(LOST, "subscriber" => subscriber.clone()).increment(count));
}
