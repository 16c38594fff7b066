//! The wall clock of tests: of events, snapshots and schedules.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "cron")]
use std::sync::{Arc, Weak};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::runtime::{Handle, Id};

#[cfg(feature = "cron")]
use crate::inspect::TaskId;
#[cfg(feature = "cron")]
use crate::runtime::Cell;
use crate::sync::lock;

/// The clocks that tests have set, by their runtime, and the tasks that wait for a time of day.
static CLOCKS: LazyLock<Mutex<Clocks>> = LazyLock::new(Mutex::default);

/// `true` after a clock was set, so that tests without one take no lock.
static ANY: AtomicBool = AtomicBool::new(false);

/// The lock around it is a leaf: nothing else is locked under it, so it cannot deadlock.
#[derive(Default)]
struct Clocks {
    shifts: HashMap<Id, Shift>,
    #[cfg(feature = "cron")]
    watching: HashMap<TaskId, (Id, Weak<Cell>)>,
}

/// The shift of a clock, in nanoseconds. It does not overflow, so that each shift can be undone.
#[derive(Clone, Copy, Default)]
struct Shift(i128);

/// The last time that a clock shows, in seconds since 1970: the end of the year 9999.
const LAST: i128 = 253_402_300_799;
const NANOS: i128 = 1_000_000_000;

impl Shift {
    fn of(self, time: SystemTime) -> SystemTime {
        let nanos = nanos(time).saturating_add(self.0).clamp(0, LAST * NANOS);
        let part = |nanos| u32::try_from(nanos).unwrap_or_default();
        let seconds = u64::try_from(nanos / NANOS).unwrap_or_default();
        UNIX_EPOCH.checked_add(Duration::new(seconds, part(nanos % NANOS))).unwrap_or(time)
    }

    #[cfg(feature = "cron")]
    fn by(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(i128::from(seconds) * NANOS))
    }
}

/// Returns the nanoseconds since 1970.
fn nanos(time: SystemTime) -> i128 {
    let count = |time: Duration| i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
    time.duration_since(UNIX_EPOCH).map_or_else(|before| -count(before.duration()), count)
}

/// Returns the current time. From the first call on, it follows Tokio's clock, which can be paused.
pub(crate) fn now() -> SystemTime {
    let set = ANY.load(Ordering::Relaxed).then(Handle::try_current).and_then(Result::ok);
    let shift = set.and_then(|runtime| lock(&CLOCKS).shifts.get(&runtime.id()).copied());
    shift.unwrap_or_default().of(unshifted())
}

fn unshifted() -> SystemTime {
    static START: LazyLock<(SystemTime, Instant)> = LazyLock::new(|| (SystemTime::now(), Instant::now()));

    let (time, start) = *START;
    let now = tokio::time::Instant::now().into_std();
    match now.checked_duration_since(start) {
        Some(since) => time + since,
        None => time.checked_sub(start - now).unwrap_or(UNIX_EPOCH),
    }
}

/// Returns the time of the wall clock of the supervisors of this runtime, which schedules, events and snapshots use. It
/// follows Tokio's clock, which can be paused, and `set_wall_clock` and `shift_wall_clock` (feature `cron`).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use taskvisor::prelude::*;
/// use taskvisor::test::{Script, wall_clock};
///
/// // In a test: #[tokio::test(start_paused = true)]
/// #[tokio::main(flavor = "current_thread", start_paused = true)]
/// async fn main() -> Result<(), RuntimeError> {
///     let report = Script::new("report").succeeds().into_task_spec();
///     let tree = supervise!(tasks = [report = report.with_initial_delay(Duration::from_secs(60))]);
///     tree.start().await?;
///     tokio::time::sleep(Duration::from_secs(10)).await;
///     let next = tree.supervisor().node("report").and_then(|node| node.next_at).expect("it waits");
///     let left = next.duration_since(wall_clock()).expect("it is to come");
///     assert!(left.abs_diff(Duration::from_secs(50)) < Duration::from_millis(20), "{left:?}");
///     tree.shutdown().await
/// }
/// ```
pub fn wall_clock() -> SystemTime {
    now()
}

/// Sets the wall clock of the supervisors of this runtime, as an administrator does. `time` is such as
/// `"2026-03-29T00:59:00Z"`, or `"2026-03-29T00:59:59.5Z"` with a part of a second; `"2026-03-29T02:59:00+02:00"`
/// is the same in another zone. From then on it follows Tokio's clock again. It is the clock of schedules, events and
/// snapshots; timers and backoff do not follow it.
///
/// # Panics
/// If the text is not a time of this form, or is after `"9999-12-30T22:00:00Z"`, and outside of a Tokio runtime.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use taskvisor::prelude::*;
/// use taskvisor::test::{Script, set_wall_clock};
/// use taskvisor::Schedule;
///
/// // In a test: #[tokio::test(start_paused = true)]
/// #[tokio::main(flavor = "current_thread", start_paused = true)]
/// async fn main() -> Result<(), RuntimeError> {
///     set_wall_clock("2026-03-29T00:59:00Z");
///     let report = Script::new("report").succeeds();
///     let spec = report.clone().into_task_spec().with_restart(RestartPolicy::Always { interval: None });
///     let tree = supervise!(tasks = [report = spec.with_schedule(Schedule::cron("@hourly"))]);
///     tree.start().await?;
///     tokio::time::sleep(Duration::from_secs(61)).await;
///     assert_eq!(report.tally().succeeded, 1);
///     tree.shutdown().await
/// }
/// ```
#[cfg(feature = "cron")]
#[track_caller]
pub fn set_wall_clock(time: &str) {
    let Ok(set) = time.parse::<jiff::Timestamp>() else {
        panic!("{time:?} is no time such as \"2026-03-29T00:59:00Z\", at most \"9999-12-30T22:00:00Z\"")
    };
    let ahead = set.as_nanosecond().saturating_sub(nanos(unshifted()));
    change(|_| Shift(ahead));
}

/// Shifts the wall clock of the supervisors of this runtime by this number of seconds; a negative number sets it back.
/// See [`set_wall_clock`].
///
/// The clock shows no time before 1970 and none after 9999, but a shift beyond can be undone.
///
/// # Panics
/// Outside of a Tokio runtime.
#[cfg(feature = "cron")]
#[track_caller]
pub fn shift_wall_clock(seconds: i64) {
    change(|shift| shift.by(seconds));
}

#[cfg(feature = "cron")]
#[track_caller]
fn change(to: impl FnOnce(Shift) -> Shift) {
    let Ok(runtime) = Handle::try_current() else { panic!("the wall clock belongs to a Tokio runtime") };
    ANY.store(true, Ordering::Relaxed);
    let mut clocks = lock(&CLOCKS);
    let shift = clocks.shifts.entry(runtime.id()).or_default();
    *shift = to(*shift);
    let of_runtime = clocks.watching.values().filter(|(id, _)| *id == runtime.id());
    let cells: Vec<_> = of_runtime.filter_map(|(_, cell)| cell.upgrade()).collect();
    drop(clocks);
    for cell in cells {
        cell.look_again();
    }
}

/// Wakes the task when the clock is set, until the watch is dropped. Returns `None` outside of a runtime.
#[cfg(feature = "cron")]
pub(crate) fn watch_clock(cell: &Arc<Cell>) -> Option<Watch> {
    let runtime = Handle::try_current().ok()?;
    lock(&CLOCKS).watching.insert(cell.id(), (runtime.id(), Arc::downgrade(cell)));
    Some(Watch(cell.id()))
}

/// A task that waits for a time of day.
#[cfg(feature = "cron")]
#[derive(Debug)]
pub(crate) struct Watch(TaskId);

#[cfg(feature = "cron")]
impl Drop for Watch {
    fn drop(&mut self) {
        let gone = lock(&CLOCKS).watching.remove(&self.0);
        drop(gone);
    }
}

#[cfg(all(test, feature = "cron"))]
mod tests {
    use super::*;
    use crate::{RestartPolicy, Schedule, SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};

    #[tokio::test(start_paused = true)]
    async fn an_ended_task_watches_no_clock() {
        let watches = || {
            let runtime = Handle::current().id();
            lock(&CLOCKS).watching.values().filter(|(id, _)| *id == runtime).count()
        };
        let task = TaskFn::arc("a", |_: TaskContext| async { Ok(()) });
        let spec = TaskSpec::inherit(task).with_restart(RestartPolicy::Always { interval: None });
        let spec = spec.with_schedule(Schedule::cron("@daily"));
        let tree = Tree::builder(SupervisorConfig::default()).task(spec.clone()).build();
        tree.start().await.unwrap();
        let child = tree.child("a");
        for _ in 0..10 {
            tokio::task::yield_now().await;
            assert_eq!(watches(), 1);
            child.current().unwrap().cancel().await.unwrap();
            tokio::task::yield_now().await;
            assert_eq!(watches(), 0);
            assert!(child.restart());
        }
        tree.shutdown().await.unwrap();
        assert_eq!(watches(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_keeps_parts_of_a_second_and_what_was_shifted_beyond_all_times() {
        let at = |millis: u64| UNIX_EPOCH + Duration::from_millis(1_774_656_000_000 + millis);
        set_wall_clock("2026-03-28T00:00:00.75Z");
        assert_eq!(now(), at(750));
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(now(), at(1_250));
        for seconds in [i64::MAX, -i64::MAX] {
            for _ in 0..3 {
                shift_wall_clock(seconds);
            }
            let end = if seconds < 0 { 0 } else { 253_402_300_799 };
            assert_eq!(now(), UNIX_EPOCH + Duration::from_secs(end));
            for _ in 0..3 {
                shift_wall_clock(-seconds);
            }
            assert_eq!(now(), at(1_250));
        }
    }
}
