//! The wall clock of tests: of events, snapshots and schedules.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "cron")]
use std::sync::{Arc, Weak};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::runtime::{Handle, Id};

#[cfg(feature = "cron")]
use crate::runtime::Cell;
use crate::sync::lock;

/// The clocks that were set, by the runtime whose tests set them, and the tasks that wait for a time of day.
static CLOCKS: LazyLock<Mutex<Clocks>> = LazyLock::new(Mutex::default);

/// `true` once a clock was set. Most tests set none.
static ANY: AtomicBool = AtomicBool::new(false);

/// The lock around it is a leaf: nothing else is locked under it, so it cannot deadlock.
#[derive(Default)]
struct Clocks {
    shifts: HashMap<Id, Shift>,
    #[cfg(feature = "cron")]
    watching: Vec<(Id, Weak<Cell>)>,
}

/// How far a clock is ahead.
#[derive(Clone, Copy, Default)]
struct Shift {
    ahead: Duration,
    behind: Duration,
}

impl Shift {
    fn of(self, time: SystemTime) -> SystemTime {
        time.checked_add(self.ahead).and_then(|time| time.checked_sub(self.behind)).unwrap_or(UNIX_EPOCH)
    }

    #[cfg(feature = "cron")]
    fn by(self, seconds: i64) -> Self {
        let time = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 {
            Self { behind: self.behind + time, ..self }
        } else {
            Self { ahead: self.ahead + time, ..self }
        }
    }
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

/// Sets the wall clock of the supervisors of this runtime, as an administrator does; such as
/// `"2026-03-29T00:59:00Z"`. From then on it follows Tokio's clock again. It is the clock of schedules, events and
/// snapshots; timers and backoff do not follow it.
///
/// # Panics
/// If the text is no time in UTC of this form, and outside of a Tokio runtime.
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
        panic!("{time:?} is no time such as \"2026-03-29T00:59:00Z\"")
    };
    let (set, now) = (crate::runtime::instant(set.as_second()), unshifted());
    change(|_| Shift {
        ahead: set.duration_since(now).unwrap_or_default(),
        behind: now.duration_since(set).unwrap_or_default(),
    });
}

/// Shifts the wall clock of the supervisors of this runtime by so many seconds; negative to set it back. See
/// [`set_wall_clock`].
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
    clocks.watching.retain(|(_, cell)| cell.strong_count() > 0);
    let of_runtime = clocks.watching.iter().filter(|(id, _)| *id == runtime.id());
    let cells: Vec<_> = of_runtime.filter_map(|(_, cell)| cell.upgrade()).collect();
    drop(clocks);
    for cell in cells {
        cell.look_again();
    }
}

/// Wakes the task when the clock is set.
#[cfg(feature = "cron")]
pub(crate) fn watch_clock(cell: &Arc<Cell>) {
    if let Ok(runtime) = Handle::try_current() {
        lock(&CLOCKS).watching.push((runtime.id(), Arc::downgrade(cell)));
    }
}
