//! O06: a stop is heard by all who wait for it, wherever they wait and however they are polled.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use taskvisor::{
    CancellationToken, RestartPolicy, RuntimeError, StopReason, Supervisor, SupervisorConfig, TaskContext, TaskFn,
    TaskHandle, TaskRef, TaskSpec,
};
use tests::{secs, settle};
use tokio::sync::mpsc;
use tokio::time::sleep;

type Result = std::result::Result<(), RuntimeError>;
type Boxed = Pin<Box<dyn Future<Output = StopReason> + Send>>;

/// Where code waits for the stop of an attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// In the future of the attempt.
    Attempt,
    /// In a loop of the attempt that waits anew each second.
    Loop,
    /// In the attempt, below something that polls with wakers of its own.
    Below,
    Helper,
    /// In a task of Tokio that the supervisor does not know.
    Outside,
    /// First polled in the attempt, and then outside of it.
    Moved,
    /// First polled outside, and then in the attempt.
    Back,
    /// At the other end of `run_until_cancelled`.
    Run,
}

const PLACES: [Place; 8] =
    [Place::Attempt, Place::Loop, Place::Below, Place::Helper, Place::Outside, Place::Moved, Place::Back, Place::Run];

/// Polls a future with a waker of its own, and only if that was woken.
struct Below {
    inner: Boxed,
    link: Arc<Link>,
}

struct Link {
    is_woken: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl Wake for Link {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        if let Some(outer) = self.outer.lock().unwrap().take() {
            outer.wake();
        }
    }
}

impl Below {
    fn new(inner: Boxed) -> Self {
        Self { inner, link: Arc::new(Link { is_woken: AtomicBool::new(true), outer: Mutex::new(None) }) }
    }
}

impl Future for Below {
    type Output = StopReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<StopReason> {
        *self.link.outer.lock().unwrap() = Some(cx.waker().clone());
        if !self.link.is_woken.swap(false, Ordering::SeqCst) {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&self.link));
        self.inner.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

fn waits(ctx: &TaskContext) -> Boxed {
    let ctx = ctx.clone();
    Box::pin(async move { ctx.cancelled().await })
}

/// Polls a future once with the waker of the caller. It must be pending.
async fn begun(mut future: Boxed) -> Boxed {
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    future
}

/// Waits at that place, in an attempt that ends when it hears of its stop.
async fn hears(ctx: TaskContext, place: Place, heard: mpsc::UnboundedSender<StopReason>) {
    let reason = match place {
        Place::Attempt => ctx.cancelled().await,
        Place::Loop => loop {
            tokio::select! {
                reason = ctx.cancelled() => break reason,
                () = sleep(secs(1)) => {}
            }
        },
        Place::Below => Below::new(waits(&ctx)).await,
        Place::Helper => {
            let inner = ctx.clone();
            ctx.spawn(async move { drop(heard.send(inner.cancelled().await)) });
            return drop(ctx.cancelled().await);
        }
        Place::Outside => {
            let waits = waits(&ctx);
            tokio::spawn(async move { heard.send(waits.await) });
            return drop(ctx.cancelled().await);
        }
        Place::Moved => {
            let waits = begun(waits(&ctx)).await;
            tokio::spawn(async move { heard.send(waits.await) });
            return drop(ctx.cancelled().await);
        }
        Place::Back => tokio::spawn(begun(waits(&ctx))).await.unwrap().await,
        Place::Run => {
            assert_eq!(ctx.run_until_cancelled(pending::<()>()).await, None);
            ctx.cancelled().await
        }
    };
    drop(heard.send(reason));
}

/// A task that waits for its stop, and what it hears.
fn listener(place: Place) -> (TaskSpec, mpsc::UnboundedReceiver<StopReason>) {
    let (heard, reasons) = mpsc::unbounded_channel();
    let task = TaskFn::arc("listener", move |ctx: TaskContext| {
        let heard = heard.clone();
        async move {
            hears(ctx, place, heard).await;
            Ok(())
        }
    });
    (TaskSpec::inherit(task).with_restart(RestartPolicy::Never).with_stop_timeout(secs(3)), reasons)
}

fn supervisor() -> Arc<Supervisor> {
    Supervisor::new(SupervisorConfig { grace: secs(9), ..SupervisorConfig::default() }, Vec::new())
}

async fn surely<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(secs(60), future).await.expect("it hangs")
}

/// What a task at that place hears when that is done to it. It must end by itself, and all that waited with it.
async fn heard<F>(place: Place, stop: impl FnOnce(Arc<Supervisor>, TaskHandle) -> F) -> StopReason
where
    F: Future<Output = Result>,
{
    let supervisor = supervisor();
    let (spec, mut reasons) = listener(place);
    let task = supervisor.add_task(spec).await.unwrap();
    sleep(secs(5)).await;
    assert!(reasons.try_recv().is_err(), "{place:?} heard something before");
    stop(Arc::clone(&supervisor), task.clone()).await.unwrap();
    let reason = surely(reasons.recv()).await.unwrap();
    let outcome = surely(task.outcome()).await;
    assert!(!matches!(outcome, taskvisor::TaskOutcome::Aborted { .. }), "{place:?}: {outcome}");
    surely(supervisor.shutdown()).await.unwrap();
    reason
}

#[tokio::test(start_paused = true)]
async fn o06_a_stop_is_heard_wherever_code_waits_for_it() {
    for place in PLACES {
        let reason = heard(place, |_, task| async move { task.cancel().await.map(drop) }).await;
        assert_eq!(reason, StopReason::Canceled, "{place:?}");
        let reason = heard(place, |supervisor, _| async move { supervisor.shutdown().await }).await;
        assert_eq!(reason, StopReason::Shutdown, "{place:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn o06_an_exceeded_limit_is_heard_wherever_code_waits_for_it() -> Result {
    for place in PLACES {
        let supervisor = supervisor();
        let (spec, mut reasons) = listener(place);
        let task = supervisor.add_task(spec.with_timeout(secs(2)).with_cleanup(secs(2))).await?;
        assert_eq!(surely(reasons.recv()).await, Some(StopReason::Timeout), "{place:?}");
        surely(task.outcome()).await;
        surely(supervisor.shutdown()).await?;
    }
    Ok(())
}

/// Takes a token in another task while code waits without one, and cancels it if it is told to.
fn takes_token(spec: &TaskSpec, cancels: bool) -> TaskSpec {
    let inner = Arc::clone(spec.task());
    TaskSpec::inherit(TaskFn::arc("with_token", move |ctx: TaskContext| {
        let later = ctx.clone();
        tokio::spawn(async move {
            sleep(secs(2)).await;
            let token = later.token();
            sleep(secs(2)).await;
            if cancels {
                token.cancel();
            } else {
                token.cancelled().await;
            }
        });
        inner.attempt(ctx)
    }))
    .with_restart(RestartPolicy::Never)
}

#[tokio::test(start_paused = true)]
async fn o06_a_token_that_is_taken_and_canceled_later_is_heard_wherever_code_waits() -> Result {
    for (place, cancels) in PLACES.into_iter().flat_map(|place| [(place, true), (place, false)]) {
        let supervisor = supervisor();
        let (spec, mut reasons) = listener(place);
        let task = supervisor.add_task(takes_token(&spec, cancels)).await?;
        sleep(secs(3)).await;
        assert!(reasons.try_recv().is_err(), "{place:?}: the token is only taken");
        if !cancels {
            assert!(surely(task.cancel()).await?);
        }
        assert_eq!(surely(reasons.recv()).await, Some(StopReason::Canceled), "{place:?}, {cancels}");
        surely(task.outcome()).await;
        surely(supervisor.shutdown()).await?;
    }
    Ok(())
}

/// A waker that counts, or panics.
struct Counts {
    panics: bool,
    wakes: Mutex<usize>,
}

impl Counts {
    fn new(panics: bool) -> Arc<Self> {
        Arc::new(Self { panics, wakes: Mutex::new(0) })
    }
}

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        *self.wakes.lock().unwrap() += 1;
        if self.panics {
            std::panic::resume_unwind(Box::new("waker"));
        }
    }
}

/// A task that waits for its stop, and sends the context of each attempt.
fn sends_context(contexts: mpsc::UnboundedSender<TaskContext>) -> TaskRef {
    TaskFn::arc("sends", move |ctx: TaskContext| {
        contexts.send(ctx.clone()).unwrap();
        async move {
            ctx.cancelled().await;
            Ok(())
        }
    })
}

/// Starts a task that waits for its stop, and returns the context of its attempt.
async fn context_of(supervisor: &Arc<Supervisor>) -> std::result::Result<(TaskContext, TaskHandle), RuntimeError> {
    let (contexts, mut attempts) = mpsc::unbounded_channel();
    let task = supervisor.add_task(TaskSpec::inherit(sends_context(contexts))).await?;
    Ok((attempts.recv().await.unwrap(), task))
}

#[tokio::test(start_paused = true)]
async fn o06_a_wait_that_is_dropped_or_polled_again_leaves_no_waker() -> Result {
    let supervisor = supervisor();
    let (ctx, task) = context_of(&supervisor).await?;
    let [first, second] = [Counts::new(false), Counts::new(false)];
    for _ in 0..1000 {
        let mut wait = waits(&ctx);
        for counts in [&first, &second, &second] {
            let waker = Waker::from(Arc::clone(counts));
            assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 2));
    }
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1));
    assert!(surely(task.cancel()).await?);
    assert_eq!((*first.wakes.lock().unwrap(), *second.wakes.lock().unwrap()), (0, 0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o06_a_waker_that_panics_keeps_a_stop_from_nobody() -> Result {
    let supervisor = supervisor();
    let (ctx, task) = context_of(&supervisor).await?;
    let all = [Counts::new(true), Counts::new(false), Counts::new(true), Counts::new(false)];
    let mut waiting: Vec<Boxed> = Vec::new();
    for counts in &all {
        let mut wait = waits(&ctx);
        let waker = Waker::from(Arc::clone(counts));
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        waiting.push(wait);
    }
    assert!(surely(task.cancel()).await?);
    assert_eq!(all.each_ref().map(|counts| *counts.wakes.lock().unwrap()), [1; 4]);
    for wait in waiting {
        assert_eq!(surely(wait).await, StopReason::Canceled);
    }
    surely(supervisor.shutdown()).await
}

/// A wait of an attempt that is over is dropped late, and takes no place of another in the next attempt.
#[tokio::test(start_paused = true)]
async fn o06_a_late_wait_of_an_earlier_attempt_disturbs_no_other() -> Result {
    let supervisor = supervisor();
    let (contexts, mut attempts) = mpsc::unbounded_channel();
    let spec = TaskSpec::inherit(sends_context(contexts)).with_restart(RestartPolicy::Always { interval: None });
    let task = supervisor.add_task(spec).await?;
    let counts = Counts::new(false);
    let waker = Waker::from(Arc::clone(&counts));
    let mut stale = waits(&attempts.recv().await.unwrap());
    assert!(stale.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(task.restart());
    let next = waits(&surely(attempts.recv()).await.unwrap());
    let next = tokio::spawn(next);
    settle().await;
    assert_eq!(*counts.wakes.lock().unwrap(), 1);
    drop(stale);
    assert!(surely(task.cancel()).await?);
    assert_eq!(surely(next).await.unwrap(), StopReason::Canceled);
    Ok(())
}

/// Waits begin on one thread, one after another, until a stop on another thread ends them: the last that had to wait is
/// woken, though the stop came while it was listed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o06_a_stop_misses_no_wait_that_begins_at_that_moment() -> Result {
    let supervisor = supervisor();
    for round in 0..300 {
        let (ctx, task) = context_of(&supervisor).await?;
        let begins = tokio::task::spawn_blocking(move || {
            let mut last: Option<(Boxed, Arc<Counts>)> = None;
            loop {
                let counts = Counts::new(false);
                let (mut wait, waker) = (waits(&ctx), Waker::from(Arc::clone(&counts)));
                if wait.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    return last;
                }
                last = Some((wait, counts));
            }
        });
        for _ in 0..round % 9 {
            tokio::task::yield_now().await;
        }
        surely(task.cancel()).await?;
        if let Some((wait, counts)) = surely(begins).await.unwrap() {
            assert_eq!(*counts.wakes.lock().unwrap(), 1, "round {round}");
            assert_eq!(surely(wait).await, StopReason::Canceled);
        }
    }
    supervisor.shutdown().await
}

/// The runtime of a task ends, and those that wait on another one hear it.
#[test]
fn o06_the_end_of_a_runtime_is_heard_on_another() {
    let other = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let supervisor = supervisor();
    let (ctx, _task) = other.block_on(context_of(&supervisor)).unwrap();
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    own.block_on(async {
        let waits = tokio::spawn(waits(&ctx));
        settle().await;
        other.shutdown_background();
        tokio::time::timeout(secs(60), waits).await.expect("it hangs").unwrap();
    });
    assert!(ctx.is_cancelled());
}

/// The token of an attempt that is asked for after the stop is canceled, as the context is.
#[tokio::test(start_paused = true)]
async fn o06_a_late_token_and_a_late_wait_are_over_at_once() -> Result {
    let supervisor = supervisor();
    let (ctx, task) = context_of(&supervisor).await?;
    assert!(!ctx.is_cancelled());
    assert!(surely(task.cancel()).await?);
    assert!(ctx.is_cancelled() && ctx.token().is_cancelled());
    assert_eq!(ctx.run_until_cancelled(async { 7 }).await, None, "what is over does not begin anything");
    assert_eq!(surely(ctx.cancelled()).await, StopReason::Canceled);
    let detached = TaskContext::detached("x", CancellationToken::new());
    assert_eq!(detached.run_until_cancelled(async { 7 }).await, Some(7));
    Ok(())
}

/// A future that completes in the poll in which the stop comes has completed.
#[tokio::test(start_paused = true)]
async fn o06_completion_wins_a_tie_with_a_stop() -> Result {
    let supervisor = supervisor();
    let (ctx, task) = context_of(&supervisor).await?;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let inner = ctx.clone();
    let run = tokio::spawn(async move { inner.run_until_cancelled(receiver).await });
    settle().await;
    sender.send(7).unwrap();
    let mut cancel = Box::pin(task.cancel());
    assert!(cancel.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(ctx.is_cancelled());
    assert!(matches!(surely(run).await.unwrap(), Some(Ok(7))));
    assert!(surely(cancel).await?);
    Ok(())
}
