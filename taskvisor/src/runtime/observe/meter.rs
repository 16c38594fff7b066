//! Counters, gauges and histograms for `metrics`.
//!
//! Metric handles are looked up when they are used: a recorder can be installed after a task has begun. A task that is
//! restarted within a second keeps them for its next attempts, because a lookup costs more than a restart. Label values
//! are shared with the task, so that a lookup only allocates its key. Without a recorder, an attempt costs one check
//! for it.

use std::cell::Cell as Flag;
use std::mem;
use std::num::NonZeroUsize;
use std::ptr;
#[cfg(feature = "fleet")]
use std::sync::Arc;
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, IntoF64, NoopRecorder, Recorder, SharedString, Unit, counter, describe_counter,
    describe_gauge, describe_histogram, gauge, histogram, with_recorder,
};
use tokio::time::Instant;

use super::super::task::Cell;
use crate::inspect::Health;
use crate::panics::{catch, drop_caught};

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
const LIVE: &str = "taskvisor_live";
const READY: &str = "taskvisor_ready";
const LOST: &str = "taskvisor_subscriber_lost_events_total";

/// The label of tasks without a place in a declared tree.
const DYNAMIC: &str = "dynamic";
/// The label of slots that are not declared.
#[cfg(feature = "controller")]
const OTHER: &str = "other";

/// The time that handles are kept. A recorder may discard metrics that are idle for longer, without losing an update.
const KEPT: Duration = Duration::from_secs(1);

/// The current attempt, and the handles of a task that is restarted often.
#[derive(Default)]
pub(super) struct Stopwatch {
    attempt: Attempt,
    /// The begin of an attempt whose begin was recorded, or that waits.
    began: Option<Instant>,
    series: Option<Box<Series>>,
}

/// The part of an attempt that is to be recorded at its end.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Nothing: there is no attempt, or it began without a recorder and has not waited.
    #[default]
    Nothing,
    /// Like `Nothing`, for a first attempt. If the attempt itself installs the recorder, its end is recorded.
    First,
    /// The attempt began without a recorder and waits, or the recorder ignored its begin.
    Waits,
    /// The begin was recorded.
    Told,
}

/// The value 1.0, which sets the flag when the recorder reads it. Only then the end of the attempt or of the lease
/// decrements the gauge again.
struct One<'a>(&'a Flag<bool>);

impl IntoF64 for One<'_> {
    fn into_f64(self) -> f64 {
        self.0.set(true);
        1.0
    }
}

/// The handles of the metrics of one task that were looked up so far.
struct Series {
    recorder: NonZeroUsize,
    until: Instant,
    restarts: Option<Counter>,
    running: Option<Gauge>,
    duration: Option<Histogram>,
    backoff: Option<Histogram>,
    /// The counter of the last outcome, with that outcome.
    attempts: Option<(&'static str, Counter)>,
}

impl Series {
    fn new(recorder: NonZeroUsize, until: Instant) -> Self {
        Self { recorder, until, restarts: None, running: None, duration: None, backoff: None, attempts: None }
    }
}

impl Stopwatch {
    #[inline]
    pub(super) fn begin(&mut self, cell: &Cell, attempt: u32) {
        self.attempt = if attempt == 1 { Attempt::First } else { Attempt::Nothing };
        if let Some(recorder) = recorder() {
            self.tell_begin(cell, attempt, recorder);
        }
    }

    #[inline(never)]
    fn tell_begin(&mut self, cell: &Cell, attempt: u32, recorder: NonZeroUsize) {
        let now = Instant::now();
        self.began = Some(now);
        self.keep(attempt, now, recorder);
        if attempt > 1 && (!cell.policy().is_periodic() || cell.lock().machine().restarts(cell.policy()) > 0) {
            let kept = self.series.as_mut().map(|series| &mut series.restarts);
            each(kept, || counter!(RESTARTS, "task" => task_label(cell)), |restarts| restarts.increment(1));
        }
        let is_asked = Flag::new(false);
        self.running(cell, |running| running.increment(One(&is_asked)));
        self.attempt = if is_asked.get() { Attempt::Told } else { Attempt::Waits };
    }

    /// Records that the attempt waits since `now`. If a recorder is installed later, this counts as the begin.
    pub(super) fn waits(&mut self, now: Instant) {
        if self.attempt != Attempt::Told {
            (self.attempt, self.began) = (Attempt::Waits, Some(now));
        }
    }

    /// Ends the attempt. Returns `None` if there is nothing to record, or no recorder.
    #[inline]
    pub(super) fn stop(&mut self) -> Option<Attempt> {
        match mem::take(&mut self.attempt) {
            Attempt::Nothing => None,
            Attempt::Told => Some(Attempt::Told),
            untold => recorder().map(|_| untold),
        }
    }

    /// Records the end of the attempt, and the delay of a failed task.
    #[inline]
    pub(super) fn tell_end(&mut self, cell: &Cell, attempt: Attempt, outcome: &'static str, delay: Option<Duration>) {
        let began = self.began.filter(|_| attempt != Attempt::First);
        let lived = began.map(|began| Instant::now().saturating_duration_since(began));
        if lived >= Some(KEPT) {
            self.forget();
        }
        if attempt == Attempt::Told {
            self.running(cell, |running| running.decrement(1.0));
        }
        if let Some(lived) = lived {
            let kept = self.series.as_mut().map(|series| &mut series.duration);
            let look_up = || histogram!(DURATION, "task" => task_label(cell));
            each(kept, look_up, |duration| duration.record(lived.as_secs_f64()));
        }
        let look_up = || (outcome, counter!(ATTEMPTS, "task" => task_label(cell), "outcome" => outcome));
        let mut kept = self.series.as_mut().map(|series| &mut series.attempts);
        // Equal labels can have different addresses. They are then only looked up again.
        let is_other = |(label, _): &mut (&'static str, Counter)| !ptr::eq(*label, outcome);
        if let Some(other) = kept.as_mut().and_then(|kept| kept.take_if(is_other)) {
            let _ = drop_caught(other);
        }
        each(kept, look_up, |(_, attempts)| attempts.increment(1));
        if let Some(delay) = delay {
            let kept = self.series.as_mut().map(|series| &mut series.backoff);
            let look_up = || histogram!(BACKOFF, "task" => task_label(cell));
            each(kept, look_up, |waits| waits.record(delay.as_secs_f64()));
        }
    }

    fn running(&mut self, cell: &Cell, f: impl FnOnce(&Gauge)) {
        let kept = self.series.as_mut().map(|series| &mut series.running);
        each(kept, || gauge!(RUNNING, "task" => task_label(cell)), f);
    }

    /// Keeps handles from the third attempt on, for at most the time of [`KEPT`] and as long as the recorder is the
    /// same.
    fn keep(&mut self, attempt: u32, now: Instant, recorder: NonZeroUsize) {
        if attempt < 3 {
            return;
        }
        let is_current = |series: &Series| series.recorder == recorder && now < series.until;
        if !self.series.as_deref().is_some_and(is_current) {
            self.forget();
            self.series = Some(Box::new(Series::new(recorder, now + KEPT)));
        }
    }

    #[inline(never)]
    fn forget(&mut self) {
        let _ = drop_caught(self.series.take());
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        if self.series.is_some() {
            self.forget();
        }
    }
}

/// Returns the address of the recorder of this thread, or else of the process; `None` without one.
#[inline(never)]
fn recorder() -> Option<NonZeroUsize> {
    with_recorder(|recorder| {
        let seen = ptr::from_ref(recorder);
        // Without a recorder, `metrics` uses its `NoopRecorder`. It has no fields, so its address means nothing, and
        // only the vtable of the pointer identifies it. The compiler may emit two vtables for one type. Then this
        // returns an address, and the no-op recorder is called without effect.
        let none: *const dyn Recorder = ptr::without_provenance::<NoopRecorder>(seen.addr());
        if ptr::eq(seen, none) { None } else { NonZeroUsize::new(seen.addr()) }
    })
}

/// Calls `f` with a handle, which is looked up unless it was kept.
fn each<T>(kept: Option<&mut Option<T>>, look_up: impl FnOnce() -> T, f: impl FnOnce(&T)) {
    tell(|| match kept {
        Some(kept) => f(kept.get_or_insert_with(look_up)),
        None => f(&look_up()),
    });
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
    match Some(cell.name()).filter(|_| !cell.is_dynamic()).or_else(|| cell.declared_group()) {
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
            describe_gauge!(LEASE_HELD, Unit::Count, "Leases of singletons that this process holds.");
            describe_counter!(LEASE_CHANGES, Unit::Count, "Leases that were acquired, lost and released.");
            describe_histogram!(LEASE_RENEW, Unit::Seconds, "How long successful renewals of the session took.");
            describe_counter!(LEASE_FAILURES, Unit::Count, "Renewals that failed or were not answered.");
            describe_gauge!(LEASE_LEFT, Unit::Seconds, "The time until work is dropped unless the session is renewed.");
        }
        describe_gauge!(RUNNING, Unit::Count, "Attempts under way.");
        #[cfg(feature = "controller")]
        describe_gauge!(QUEUED, Unit::Count, "Submissions that wait, in all slots.");
        #[cfg(feature = "controller")]
        describe_gauge!(SLOT_DEPTH, Unit::Count, "Submissions that a slot has, in all its keys, its owners included.");
        describe_gauge!(PAUSED, Unit::Count, "Tasks, groups and slots that are paused by themselves.");
        describe_gauge!(LIVE, Unit::Count, "1 if the last check of the health of the tree found it live, else 0.");
        describe_gauge!(READY, Unit::Count, "1 if the last check of the health of the tree found it ready, else 0.");
        describe_counter!(LOST, Unit::Count, "Events that a subscriber lost because its queue was full.");
    });
}

#[cfg(feature = "cron")]
pub(super) fn runs_missed(cell: &Cell, count: u64) {
    tell(|| counter!(MISSED, "task" => task_label(cell)).increment(count));
}

/// Changes the number of pauses.
#[expect(clippy::cast_precision_loss, reason = "there is no memory for so many")]
pub(in crate::runtime) fn pauses(before: usize, now: usize) {
    tell(|| gauge!(PAUSED).increment(now as f64 - before as f64));
}

/// Records the result of a check of the whole tree. If the recorder itself checks the tree, it is not called again for
/// that check.
pub(in crate::runtime) fn checked(health: &Health) {
    thread_local! {
        static IS_RECORDING: Flag<bool> = const { Flag::new(false) };
    }
    // The recorder is not called while the thread ends.
    if IS_RECORDING.try_with(|flag| flag.replace(true)) != Ok(false) {
        return;
    }
    let of = |is_well| if is_well { 1.0 } else { 0.0 };
    tell(|| gauge!(LIVE).set(of(health.is_live())));
    tell(|| gauge!(READY).set(of(health.is_ready())));
    let _ = IS_RECORDING.try_with(|flag| flag.set(false));
}

#[cfg(feature = "controller")]
pub(super) fn queued(change: f64) {
    tell(|| gauge!(QUEUED).increment(change));
}

/// Changes the depth of the slot of a submission. The keys of a slot share its series: there can be any number of them.
#[cfg(feature = "controller")]
pub(super) fn slot(cell: &Cell, change: f64) {
    let Some(slot) = cell.slot() else { return };
    let declared = cell.core().declared_slot(slot);
    let label = declared.map_or(SharedString::const_str(OTHER), |name| name.clone().into());
    tell(|| gauge!(SLOT_DEPTH, "slot" => label).increment(change));
}

/// A lease that the gauge counts, with its label, until this is dropped.
#[cfg(feature = "fleet")]
#[derive(Default)]
pub(in crate::runtime) struct Counted(Option<Arc<str>>);

#[cfg(feature = "fleet")]
impl Counted {
    fn new(label: &Arc<str>) -> Self {
        // A lease that was taken without a recorder is not counted, so that its end is not counted either.
        let is_asked = Flag::new(false);
        tell(|| gauge!(LEASE_HELD, "task" => label.clone()).increment(One(&is_asked)));
        Self(is_asked.get().then(|| Arc::clone(label)))
    }
}

#[cfg(feature = "fleet")]
impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(label) = self.0.take() {
            tell(|| gauge!(LEASE_HELD, "task" => label).decrement(1.0));
        }
    }
}

/// Records a change of a lease. Called by the engine, with no lock held.
#[cfg(feature = "fleet")]
pub(super) fn lease(label: &Arc<str>, change: &'static str, is_held: bool, counted: &mut Counted) {
    tell(|| counter!(LEASE_CHANGES, "task" => label.clone(), "change" => change).increment(1));
    *counted = Counted::default();
    if is_held {
        *counted = Counted::new(label);
    }
}

/// Records a renewal, and the time that is left. `took` is `None` if the renewal has failed.
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
