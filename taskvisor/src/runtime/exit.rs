//! `run_to_exit`, and its thread that ends the process even if the runtime does not respond.

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::pin::pin;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::thread;
use std::time::Duration;

#[cfg(all(feature = "systemd", unix))]
use tokio::runtime::Handle;
use tokio::sync::Notify;
#[cfg(all(feature = "systemd", unix))]
use tokio::time::timeout;
use tokio::time::{Instant, timeout_at};

use super::core::Core;
use super::own_runtime::{OwnRuntime, start_thread};
use super::run::Running;
use super::shutdown::{Signal, Stuck};
use super::task::Stage;
use super::timer::deadline_from;
use crate::inspect::escaped;
use crate::panics::{catch, drop_caught};
use crate::supervisor::{Exit, RuntimeError, StopLimit, left};

/// The time that a shutdown may take beyond its drain and its grace.
const SPARE: Duration = Duration::from_secs(1);
/// The time that a forced shutdown may take.
const FORCED: Duration = Duration::from_millis(500);
/// The time that a last message to standard error or to systemd may take, so that a full pipe does not keep the process
/// alive.
const MESSAGE: Duration = Duration::from_millis(250);
/// The time that the thread of a last message may take to begin. It then waits for a processor, and not for a pipe.
const BEGIN: Duration = Duration::from_secs(1);
/// The time between two looks at that thread.
const SLICE: Duration = Duration::from_millis(10);

/// The time for the last messages, after `run` has returned.
const MESSAGES: Duration = BEGIN.saturating_add(MESSAGE.saturating_mul(2));

// The stages of work on another thread, in their order.
const AHEAD: u8 = 0;
const BEGUN: u8 = 1;
const DONE: u8 = 2;

/// The handle of the thread that ends the process if `run` does not return in time, or if the work after `run` does not
/// end. The thread ends when this value is dropped.
struct ExitGuard {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// `true` when the guard is dropped.
    over: AtomicBool,
    changed: Notify,
    /// The exit status of the result, and the time by which the last messages must be written. The messages may block
    /// the thread or the runtime of `run`.
    result: OnceLock<(u8, Instant)>,
    /// `true` when a thread writes the message about the end of the process. Only one thread may.
    explains: AtomicBool,
    /// `true` when a thread ends the process. Only one thread may.
    ends: AtomicBool,
}

/// The next event for the thread.
enum Next {
    Over,
    Signal(Signal),
    /// The deadline may have changed: a shutdown was requested or forced, or `run` has returned.
    Changed,
    Late,
}

impl Core {
    /// Waits for the end of the run that `claim` starts, and ends the process.
    pub(crate) async fn run_to_exit(
        self: &Arc<Self>,
        claim: impl FnOnce(bool) -> Result<Running, RuntimeError>,
        stays: bool,
    ) -> ! {
        let state = Arc::new(State::default());
        // The thread listens to signals.
        let guard = ExitGuard::new(self, &state, self.config.signals.listen);
        let result = match &guard {
            Ok(_) => match claim(false) {
                Ok(running) => running.wait(stays).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error.clone()),
        };
        let exit = Exit::from(result);
        let status = exit.code();
        state.has_result(status);
        state.explains();
        if let Some(message) = exit.message() {
            say(message);
        }
        // Without timers, nothing has run.
        #[cfg(all(feature = "systemd", unix))]
        if self.notifiers.receiver_count() > 0 && Handle::try_current().is_ok_and(|here| self.has_timers(&here)) {
            let _ = timeout(MESSAGE, self.notifiers.closed()).await;
        }
        state.end(status)
    }

    /// Returns the time by which the process must have ended, once a shutdown was requested.
    fn ends_by(&self) -> Option<Instant> {
        let (requested, stops) = self.stop.times()?;
        let mut time = self.config.grace.saturating_add(SPARE);
        if self.stop.delivers() {
            time = time.saturating_add(self.config.drain_timeout);
        }
        let by = deadline_from(stops, time);
        let forced = self.stop.verdict.forced().map(|after| requested + after + FORCED);
        by.into_iter().chain(forced).min()
    }

    /// Returns the message and the exit status of a shutdown that does not end. Calls no user code.
    fn unfinished(&self) -> (String, u8) {
        let cells = self.cells();
        let running = cells.iter().filter(|cell| cell.lock().machine().stage != Stage::Ended);
        let running = running.map(|cell| Stuck::of(cell, StopLimit::Grace)).collect();
        let forced = self.stop.verdict.forced();
        // A task that ends after the verdict is named there only, so the verdict is looked for last.
        let verdict = self.stop.verdict.get().unwrap_or_else(|| self.judge(running, forced));
        let rest = verdict.as_ref().err().map_or(&[][..], RuntimeError::stuck);
        match (&verdict, self.stop.failure()) {
            (_, Some(failure)) => (format!("{failure}{}", left(rest)), 1),
            (Err(error), None) => (error.to_string(), error.exit_code()),
            (Ok(()), None) => {
                let status = if forced.is_some() { 4 } else { 3 };
                ("every task has stopped, but the runtime of the process does not respond".into(), status)
            }
        }
    }
}

impl ExitGuard {
    /// Starts the thread, and listens to signals there if `listens` is set.
    fn new(core: &Arc<Core>, state: &Arc<State>, listens: bool) -> Result<Self, RuntimeError> {
        let refused = |error| RuntimeError::Signals(Arc::new(error));
        core.check()?;
        let runtime = OwnRuntime::new().map_err(refused)?;
        if listens {
            let _entered = runtime.enter();
            core.listen()?;
            core.take_over_signals();
        }
        let (core, shared) = (Arc::clone(core), Arc::clone(state));
        let run = move |runtime: &OwnRuntime| {
            // A panic of a user's waker must not end the thread.
            while let Err(panic) = catch(|| shared.guard(&core, runtime)) {
                let _ = drop_caught(panic);
            }
        };
        runtime.on_thread("taskvisor-exit", run).map_err(refused)?;
        Ok(Self { state: Arc::clone(state) })
    }
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::Release);
        self.state.changed.notify_one();
    }
}

impl State {
    /// The loop of the thread: carries out signals, and ends the process if a shutdown takes too long. Signals are
    /// carried out outside of the runtime of the thread, so that a shutdown runs on the runtime of the tasks.
    fn guard(&self, core: &Arc<Core>, runtime: &OwnRuntime) {
        loop {
            match runtime.drive(self.next(core)) {
                Next::Over => return core.stop_listening(),
                Next::Signal(signal) => heed(core, signal),
                Next::Changed => {}
                Next::Late if self.ends_by(core).is_some_and(|by| by > Instant::now()) => {}
                Next::Late => {
                    if let Some((status, _)) = self.result.get() {
                        self.end(*status);
                    }
                    self.explains();
                    let (message, status) = core.unfinished();
                    say(escaped(&message));
                    self.end(status)
                }
            }
        }
    }

    async fn next(&self, core: &Core) -> Next {
        // Read before the deadline: what is requested in between is heard below.
        let is_requested = core.stop.times().is_some();
        let by = self.ends_by(core);
        let (forced, given) = (core.stop.verdict.forced().is_some(), core.stop.verdict.is_given());
        let mut changed = pin!(self.changed.notified());
        let mut requested = pin!(core.readiness.changed.wait(|| core.stop.times().map(drop)));
        let mut interrupted = pin!(core.stop.verdict.interrupted());
        let next = poll_fn(|cx| {
            if self.over.load(Ordering::Acquire) {
                return Poll::Ready(Next::Over);
            }
            if let Poll::Ready(signal) = core.poll_signal(cx) {
                return Poll::Ready(Next::Signal(signal));
            }
            let is_changed = changed.as_mut().poll(cx).is_ready()
                || (!is_requested && requested.as_mut().poll(cx).is_ready())
                || (!forced && !given && interrupted.as_mut().poll(cx).is_ready());
            if is_changed { Poll::Ready(Next::Changed) } else { Poll::Pending }
        });
        match by {
            Some(by) => timeout_at(by, next).await.unwrap_or(Next::Late),
            None => next.await,
        }
    }

    /// Returns the time by which the process must have ended.
    fn ends_by(&self, core: &Core) -> Option<Instant> {
        self.result.get().map_or_else(|| core.ends_by(), |(_, by)| Some(*by))
    }

    /// Records that `run` has returned, and that the last messages follow.
    fn has_result(&self, status: u8) {
        let _ = self.result.set((status, Instant::now() + MESSAGES));
        self.changed.notify_one();
    }

    /// Claims the right to write the message about the end of the process. If another thread has it, this never
    /// returns.
    fn explains(&self) {
        while self.explains.swap(true, Ordering::AcqRel) {
            thread::park();
        }
    }

    /// Ends the process. If another thread ends it, this never returns.
    fn end(&self, status: u8) -> ! {
        while self.ends.swap(true, Ordering::AcqRel) {
            thread::park();
        }
        process::exit(status.into())
    }
}

/// Carries out a signal on another thread, and does not wait for it for long: the log of the program, which is told of it,
/// can block its thread.
fn heed(core: &Arc<Core>, signal: Signal) {
    let core = Arc::clone(core);
    apart("taskvisor-heeds", move || {
        let _ = catch(|| core.heed(signal));
    });
}

/// Writes the message, which is on one line, to standard error on another thread, and does not wait for it for long.
fn say(message: String) {
    apart("taskvisor-says", move || {
        let _ = writeln!(io::stderr(), "Error: {message}");
    });
}

/// Does this on another thread, and does not wait for it for long. If no thread can be started, it is done here.
fn apart(name: &str, work: impl Fn() + Send + Sync + 'static) {
    let shared = Arc::new((work, AtomicU8::new(AHEAD)));
    let (done, caller) = (Arc::clone(&shared), thread::current());
    let run = move || {
        done.1.store(BEGUN, Ordering::Release);
        caller.unpark();
        (done.0)();
        done.1.store(DONE, Ordering::Release);
        caller.unpark();
    };
    if start_thread(name.into(), Box::new(run)).is_err() {
        return (shared.0)();
    }
    until_done(&shared.1, thread::park_timeout);
}

/// Waits for work on another thread: for its begin, and then for its end. Time is counted in slices, so that a pause of
/// the process, or of this thread alone, counts as one of them.
fn until_done(stage: &AtomicU8, mut park: impl FnMut(Duration)) {
    for (awaited, time) in [(BEGUN, BEGIN), (DONE, MESSAGE)] {
        let mut left = time;
        while stage.load(Ordering::Acquire) < awaited && !left.is_zero() {
            park(SLICE);
            left = left.saturating_sub(SLICE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits for work that begins and ends after these times, and returns the time of the wait.
    fn wait(begins: Duration, ends: Duration) -> Duration {
        let (stage, mut waited) = (AtomicU8::new(AHEAD), Duration::ZERO);
        until_done(&stage, |slice| {
            waited += slice;
            let now = if waited >= ends { DONE } else { u8::from(waited >= begins) };
            stage.store(now, Ordering::Release);
        });
        waited
    }

    #[test]
    fn o03_a_thread_that_begins_late_has_the_time_of_a_message_from_then_on() {
        let late = 2 * MESSAGE;
        assert_eq!(wait(SLICE, 2 * SLICE), 2 * SLICE);
        assert_eq!(wait(late, late), late);
        assert_eq!(wait(late, late + MESSAGE), late + MESSAGE);
        assert_eq!(wait(late, Duration::MAX), late + MESSAGE, "a full pipe");
        assert_eq!(wait(Duration::MAX, Duration::MAX), BEGIN + MESSAGE, "no processor");
    }

    #[test]
    fn o03_what_is_done_apart_is_waited_for() {
        let (sender, said) = std::sync::mpsc::channel();
        apart("says", move || sender.send(()).unwrap());
        assert_eq!(said.try_recv(), Ok(()));
    }
}
