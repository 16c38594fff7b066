//! Reports the tasks that a slow shutdown waits for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::clock::Ticks;
use super::super::core::Core;
use super::super::observe;
use crate::events::{Event, EventKind, millis};
use crate::inspect::{TaskId, TaskState};
use crate::supervisor::has_returned;

/// The time after which a shutdown is reported for the first time. Each further report comes after twice the time of
/// the report before.
const SLOW: Duration = Duration::from_secs(1);

/// The times of the reports of one shutdown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reports {
    began: Instant,
    due: Duration,
}

/// The state of a shutdown that waits for tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// The task that has been stopping for the longest time.
    pub(crate) task: Arc<str>,
    pub(crate) id: TaskId,
    /// The time since its stop request; zero before it.
    pub(crate) since: Duration,
    /// The number of tasks that have not stopped.
    pub(crate) count: usize,
    /// The number of tasks when they were first requested to stop.
    pub(crate) of: usize,
    /// The time until the end of the grace, if there is a limit.
    pub(crate) left: Option<Duration>,
    /// The number of helpers that the task waits for, if its function has returned.
    pub(crate) helpers: usize,
}

impl Reports {
    pub(super) fn new(began: Instant) -> Self {
        Self { began, due: SLOW }
    }

    pub(super) fn next(&self) -> Instant {
        self.began + self.due
    }

    /// Reports the task that the shutdown waits for, if a report is due. With `apart`, the log is written on a thread of its
    /// own: it can block this one, and the aborts are behind it.
    pub(super) fn report(&mut self, core: &Arc<Core>, apart: bool) {
        let now = Instant::now();
        if now < self.next() {
            return;
        }
        while self.next() <= now {
            self.due *= 2;
        }
        let Some(waiting) = core.waiting() else { return };
        if !apart {
            observe::shutdown_waits(&waiting);
        } else if core.stop.lines.are_written() {
            let waiting = waiting.clone();
            observe::RequestLines::write_apart(core, move || observe::shutdown_waits(&waiting));
        }
        waiting.publish(core);
    }
}

impl Core {
    /// Returns the task that the shutdown waits for, once it has taken longer than a second.
    pub(crate) fn waiting(&self) -> Option<Waiting> {
        let stopping = self.stop.stopping.get()?;
        let now = Instant::now();
        if now.saturating_duration_since(stopping.began) < SLOW {
            return None;
        }
        let mut left: Vec<_> = self.cells();
        left.retain(|cell| cell.state() != TaskState::Ended);
        // A task of a later layer is not yet requested to stop. Between two layers, no remaining task is.
        let (asked, _, task) =
            left.iter().map(|cell| (cell.stops_since(), cell.id(), cell)).min_by_key(|(asked, id, _)| (*asked, *id))?;
        let since = if asked == Ticks::MAX { now } else { self.clock.instant(asked).min(now) };
        let since = now.saturating_duration_since(since);
        Some(Waiting {
            task: Arc::clone(task.name()),
            id: task.id(),
            since,
            count: left.len(),
            of: stopping.tasks.max(left.len()),
            left: stopping.deadline.map(|deadline| deadline.saturating_duration_since(now)),
            helpers: task.left_helpers(),
        })
    }
}

impl Waiting {
    /// Publishes the report, unless the task has been removed since.
    fn publish(&self, core: &Core) {
        if !core.bus.is_active() {
            return;
        }
        let event = Event::about(EventKind::ShutdownWaiting, &self.task).because(self.progress());
        // The end of a registration is published under the same lock.
        let registry = core.registry();
        if registry.names.get(&self.task).is_some_and(|cell| cell.id() == self.id) {
            core.bus.publish(Event {
                count: Some(self.count as u64),
                delay_ms: Some(millis(self.since)),
                timeout_ms: self.left.map(millis),
                ..event
            });
        }
    }

    /// Returns everything but the task as text.
    pub(crate) fn progress(&self) -> String {
        let Self { since, count, of, left, .. } = self;
        let mut text = format!("stopping for {}, {count} of {of}", Seconds(*since));
        if let Some(left) = left {
            text = format!("{text}, {} left", Seconds(*left));
        }
        text + &self.cause()
    }

    /// Returns the reason why the task has not ended, if it is known.
    fn cause(&self) -> String {
        if self.helpers == 0 { String::new() } else { format!(": {}", has_returned(self.helpers)) }
    }
}

/// `waiting for store/pool (stopping for 4 s), 1 of 12, 3.9 s left`
impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, since, count, of, left, .. } = self;
        write!(f, "waiting for {task} (stopping for {}{}), {count} of {of}", Seconds(*since), self.cause())?;
        match left {
            Some(left) => write!(f, ", {} left", Seconds(*left)),
            None => Ok(()),
        }
    }
}

/// A time in seconds, with a tenth below 10 s, unless it is zero.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0.as_millis() / 100;
        match tenths % 10 {
            tenth if tenth > 0 && tenths < 100 => write!(f, "{}.{tenth} s", tenths / 10),
            _ => write!(f, "{} s", tenths / 10),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};
    use std::thread;

    use tokio::runtime::Builder;
    use tokio::sync::oneshot;
    use tokio::time::sleep;

    use super::*;
    use crate::policy::RestartPolicy;
    use crate::supervisor::{Supervisor, SupervisorConfig};
    use crate::task::{TaskContext, TaskFn, TaskSpec};

    #[test]
    fn o05_times_are_short() {
        let shown = |millis| Seconds(Duration::from_millis(millis)).to_string();
        assert_eq!(
            [0, 99, 100, 3_999, 4_000, 9_999, 10_500, 61_000].map(shown).join(", "),
            "0 s, 0 s, 0.1 s, 3.9 s, 4 s, 9.9 s, 10 s, 61 s"
        );
    }

    #[tokio::test]
    async fn o05_a_task_that_has_been_removed_is_not_reported() {
        let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
        let mut events = supervisor.events();
        let task = TaskFn::arc("slow", async |ctx: TaskContext| {
            ctx.cancelled().await;
            Ok(())
        });
        let task = supervisor.add_task(TaskSpec::inherit(task)).await.unwrap();
        let (since, left) = (Duration::from_secs(1), None);
        let waiting = Waiting { task: "slow".into(), id: task.id(), since, count: 1, of: 1, left, helpers: 0 };
        waiting.publish(&supervisor.core);
        task.cancel().await.unwrap();
        waiting.publish(&supervisor.core);
        supervisor.shutdown().await.unwrap();
        let mut kinds = Vec::new();
        while let Some(Ok(event)) = events.next().await {
            kinds.push(event.kind);
        }
        let at = |kind| kinds.iter().rposition(|it| *it == kind);
        let (reported, removed) = (at(EventKind::ShutdownWaiting), at(EventKind::TaskRemoved));
        assert!(reported.is_some() && reported < removed, "{kinds:?}");
    }

    /// Both are requested to stop. The one that waits for its interval needs a turn of the thread that the other blocks.
    #[test]
    fn o05_a_task_that_has_yet_to_leave_its_wait_is_not_the_one_that_stops_longest() {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
            // A shutdown that publishes events begins on a thread of its own.
            let _events = supervisor.events();
            let idle = TaskSpec::inherit(TaskFn::arc("idle", async |_: TaskContext| Ok(())));
            let hour = Duration::from_secs(3600);
            let idle = idle.with_restart(RestartPolicy::Always { interval: Some(hour) });
            let idle = supervisor.add_task(idle).await.unwrap();
            while idle.status().state != TaskState::Interval {
                sleep(Duration::from_millis(1)).await;
            }
            let (entered, is_in) = oneshot::channel();
            let (go, gate) = mpsc::channel();
            let once = Mutex::new(Some((entered, gate)));
            let deaf = TaskFn::arc("deaf", move |_: TaskContext| {
                let (entered, gate) = once.lock().unwrap().take().unwrap();
                async move {
                    entered.send(()).unwrap();
                    gate.recv().unwrap();
                    Ok(())
                }
            });
            supervisor.add_task(TaskSpec::inherit(deaf)).await.unwrap();
            is_in.await.unwrap();
            let handle = supervisor.handle();
            let seen = thread::spawn(move || {
                let waiting = loop {
                    if let Some(waiting) = handle.core.waiting() {
                        break waiting;
                    }
                    thread::sleep(Duration::from_millis(1));
                };
                go.send(()).unwrap();
                waiting
            });
            supervisor.shutdown().await.unwrap();
            let seen = seen.join().unwrap();
            assert_eq!((&*seen.task, seen.count), ("deaf", 2));
        });
    }
}
