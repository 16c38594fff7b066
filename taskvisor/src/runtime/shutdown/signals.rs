//! The signals that request a shutdown.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::super::core::{Core, is_alive};
use super::super::observe::Background;
use super::super::registry::Admission;
use super::watch::{Watch, has_workers};
use crate::panics::catch;
use crate::supervisor::{RuntimeError, SignalAction, Signals};
use crate::sync::lock;

/// Returns `Ready` when the next signal of its kind arrives.
type Receive = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<()>> + Send>;

/// A signal of the system with the response to it, of those that [`Signals`] has.
struct Source {
    name: &'static str,
    action: fn(&Signals) -> SignalAction,
    receive: Receive,
}

impl Source {
    fn interrupt(
        name: &'static str,
        receive: impl FnMut(&mut Context<'_>) -> Poll<Option<()>> + Send + 'static,
    ) -> Self {
        Self { name, action: |signals| signals.interrupt, receive: Box::new(receive) }
    }

    fn terminate(
        name: &'static str,
        receive: impl FnMut(&mut Context<'_>) -> Poll<Option<()>> + Send + 'static,
    ) -> Self {
        Self { name, action: |signals| signals.terminate, receive: Box::new(receive) }
    }
}

/// A signal that the process received.
#[derive(Debug, Clone, Copy)]
pub(in crate::runtime) struct Signal {
    name: &'static str,
    action: SignalAction,
}

/// The receiver of signals, and the state of those that were received.
pub(in crate::runtime) struct Listener {
    /// SIGINT and SIGTERM, or their equivalents on Windows.
    sources: Vec<Source>,
    heard: Heard,
    /// The task that listens between `start` and `run`. While it is set, only this task polls, because a receiver wakes
    /// only the last task that polled it.
    task: Option<AbortHandle>,
    /// The calls that rely on it. A refused one withdraws, and the last of them ends it.
    calls: usize,
    /// `true` when a `run` polls, and no task is to do it.
    taken_over: bool,
    /// Where the signals arrive, if the runtime of the caller has workers that user code can block.
    _watch: Option<Watch>,
}

/// The signals that had an effect.
#[derive(Debug, Default)]
struct Heard {
    /// The time of the last such signal.
    last: Option<Instant>,
}

/// The effect of a signal.
#[derive(Debug, PartialEq, Eq)]
enum Effect {
    /// None: the signal belongs to the previous request.
    None,
    /// Requests the shutdown, with or without the drain.
    Request(SignalAction),
    /// The tasks are requested to stop.
    EndDrain,
    /// The remaining tasks are aborted.
    Force,
}

impl Heard {
    fn hear(&mut self, action: SignalAction, now: Instant, force_after: Duration, drains: bool) -> Effect {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < force_after) {
            return Effect::None;
        }
        match (self.last.replace(now), drains) {
            (None, _) => Effect::Request(action),
            (Some(_), true) => Effect::EndDrain,
            (Some(_), false) => Effect::Force,
        }
    }
}

impl Listener {
    /// Starts to listen. Needs a runtime with IO enabled.
    #[cfg(unix)]
    fn sources() -> io::Result<Vec<Source>> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(vec![
            Source::interrupt("SIGINT", move |cx| interrupt.poll_recv(cx)),
            Source::terminate("SIGTERM", move |cx| terminate.poll_recv(cx)),
        ])
    }

    /// Starts to listen. After the close of its console, or at a shutdown, Windows ends the process in any case: after
    /// 5 s and 20 s, or what the system is set to.
    #[cfg(windows)]
    fn sources() -> io::Result<Vec<Source>> {
        let (mut c, mut r#break, mut close, mut shutdown) = (ctrl_c()?, ctrl_break()?, ctrl_close()?, ctrl_shutdown()?);
        Ok(vec![
            Source::interrupt("Ctrl+C", move |cx| c.poll_recv(cx)),
            Source::terminate("Ctrl+Break", move |cx| r#break.poll_recv(cx)),
            Source::interrupt("console closed", move |cx| close.poll_recv(cx)),
            Source::terminate("system shutdown", move |cx| shutdown.poll_recv(cx)),
        ])
    }

    /// Starts to listen. On Unix a runtime without IO has no signals, which can only be detected by a panic.
    ///
    /// A worker that is blocked may be the one that waits for the signals of its runtime. So those of a runtime with
    /// workers arrive on the [watch](super::watch), if it can be had.
    fn new() -> Result<Self, RuntimeError> {
        let watch = Handle::try_current().ok().filter(has_workers).and_then(|_| Watch::get());
        let entered = watch.as_ref().map(|watch| watch.runtime().enter());
        let sources = catch(Self::sources).unwrap_or_else(|panic| Err(io::Error::other(panic)));
        drop(entered);
        let sources = sources.map_err(|error| RuntimeError::Signals(Arc::new(error)))?;
        Ok(Self { sources, heard: Heard::default(), task: None, calls: 1, taken_over: false, _watch: watch })
    }

    fn poll(&mut self, signals: Signals, cx: &mut Context<'_>) -> Poll<Signal> {
        for Source { name, action, receive } in &mut self.sources {
            if receive(cx) == Poll::Ready(Some(())) {
                return Poll::Ready(Signal { name, action: action(&signals) });
            }
        }
        Poll::Pending
    }
}

/// Keeps a listener, unless another call has made one in the meantime. Returns the one that is not kept, to be dropped
/// with no lock held.
fn keep(place: &mut Option<Listener>, listener: Listener) -> Option<Listener> {
    if join(place) {
        return Some(listener);
    }
    place.replace(listener)
}

/// Relies on a listener that another call has made. Returns `false` if there is none.
fn join(place: &mut Option<Listener>) -> bool {
    place.as_mut().map(|listener| listener.calls += 1).is_some()
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl Core {
    /// Starts to listen to signals, unless the supervisor already listens. A call that is refused later
    /// [withdraws](Self::listens_no_more); one that goes on polls, or has a task poll.
    pub(in crate::runtime) fn listen(&self) -> Result<(), RuntimeError> {
        if join(&mut lock(&self.listener)) {
            return Ok(());
        }
        let listener = Listener::new()?;
        let spare = keep(&mut lock(&self.listener), listener);
        drop(spare);
        Ok(())
    }

    /// Withdraws a call of [`listen`](Self::listen). Other calls still listen.
    pub(in crate::runtime) fn listens_no_more(&self) {
        let mut place = lock(&self.listener);
        if let Some(listener) = &mut *place {
            listener.calls = listener.calls.saturating_sub(1);
        }
        let left = place.take_if(|listener| listener.calls == 0);
        drop(place);
        drop(left);
    }

    /// Starts the tree, and listens to signals from then on.
    pub(crate) fn start_listening(
        self: &Arc<Self>,
        start: impl FnOnce() -> Result<(), RuntimeError>,
    ) -> Result<(), RuntimeError> {
        self.check()?;
        let Some(runtime) = Handle::try_current().ok().filter(|_| self.config.signals.listen) else { return start() };
        match self.listen() {
            Err(_) if !is_alive(&runtime) => return Err(RuntimeError::NoRuntime),
            listens => listens?,
        }
        let started = start();
        match &started {
            Ok(()) => self.listen_on(&runtime),
            Err(_) => self.listens_no_more(),
        }
        started
    }

    /// Listens in a task until a `run` takes over, or until the supervisor has stopped. Does nothing if one of them
    /// listens already.
    fn listen_on(self: &Arc<Self>, runtime: &Handle) {
        let core = Arc::downgrade(self);
        let listening: Background = Box::pin(poll_fn(move |cx| {
            let Some(core) = core.upgrade() else { return Poll::Ready(()) };
            core.carry_out_signals(true, cx);
            Poll::Pending
        }));
        // Under the lock, so that the first poll finds the task.
        if let Some(listener) = &mut *lock(&self.listener) {
            // The task of another call can have ended with its runtime.
            if !listener.taken_over && listener.task.as_ref().is_none_or(AbortHandle::is_finished) {
                listener.task = Some(runtime.spawn(listening).abort_handle());
            }
        }
    }

    /// Ends the task that listens. The caller listens instead.
    pub(in crate::runtime) fn take_over_signals(&self) {
        let task = lock(&self.listener).as_mut().and_then(|listener| {
            listener.taken_over = true;
            listener.task.take()
        });
        if let Some(task) = task {
            task.abort();
        }
    }

    /// Stops listening.
    pub(in crate::runtime) fn stop_listening(&self) {
        let listener = lock(&self.listener).take();
        drop(listener);
    }

    /// Carries out the signals that have arrived, and registers for the next.
    pub(in crate::runtime) fn poll_signals(self: &Arc<Self>, cx: &mut Context<'_>) {
        self.carry_out_signals(false, cx);
    }

    fn carry_out_signals(self: &Arc<Self>, by_task: bool, cx: &mut Context<'_>) {
        while let Poll::Ready(signal) = self.next_signal(by_task, cx) {
            self.heed(signal);
        }
    }

    pub(in crate::runtime) fn poll_signal(&self, cx: &mut Context<'_>) -> Poll<Signal> {
        self.next_signal(false, cx)
    }

    fn next_signal(&self, by_task: bool, cx: &mut Context<'_>) -> Poll<Signal> {
        match &mut *lock(&self.listener) {
            Some(listener) if listener.task.is_some() == by_task => listener.poll(self.config.signals, cx),
            _ => Poll::Pending,
        }
    }

    /// Carries out a signal.
    pub(in crate::runtime) fn heed(self: &Arc<Self>, Signal { name, action }: Signal) {
        let drains = self.registry().admission == Admission::Closing;
        let effect = match &mut *lock(&self.listener) {
            Some(listener) => listener.heard.hear(action, Instant::now(), self.config.signals.force_after, drains),
            None => return,
        };
        if matches!(effect, Effect::Request(_) | Effect::Force) {
            self.stops_uncalled();
        }
        match effect {
            Effect::None => {}
            Effect::Request(SignalAction::Drain) => self.shut_down(name, self.config.drain),
            Effect::Request(SignalAction::Stop) => {
                self.shut_down(name, Duration::ZERO);
                self.end_drain(name);
            }
            Effect::EndDrain => self.end_drain(name),
            // The thread with the signal that requests the shutdown can be behind.
            Effect::Force => drop(self.shutdown(name, true)),
        }
    }

    /// Records that the shutdown that follows is requested by no call from outside of the tree, unless there is one
    /// already.
    pub(super) fn stops_uncalled(&self) {
        if !self.is_stopping() {
            self.stop.uncalled.store(true, Ordering::Relaxed);
        }
    }

    /// Returns `true` if the tree has failed or has ended with a significant task, or a signal or one of its tasks stopped
    /// it: no call from outside of the tree requested the shutdown.
    pub(in crate::runtime) fn ends_by_itself(&self) -> bool {
        self.stop.failure().is_some() || self.stop.uncalled.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
#[path = "signals_test.rs"]
mod tests;
