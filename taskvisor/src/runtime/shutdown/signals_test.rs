use std::future::pending;
use std::task::Waker;

use super::*;
use crate::{EventKind, Supervisor, SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};

const AFTER: Duration = Duration::from_secs(1);

fn heard(signals: &[(u64, bool)], force_after: Duration) -> Vec<Effect> {
    let (start, mut heard) = (Instant::now(), Heard::default());
    let hear = |(at, drains): &(u64, bool)| {
        heard.hear(SignalAction::Drain, start + Duration::from_millis(*at), force_after, *drains)
    };
    signals.iter().map(hear).collect()
}

#[test]
fn o01_doubled_signals_are_one_request_and_a_later_one_forces() {
    let request = || Effect::Request(SignalAction::Drain);
    let doubled = heard(&[(0, false), (0, false), (999, false), (1_000, false), (1_500, false)], AFTER);
    assert_eq!(doubled, [request(), Effect::None, Effect::None, Effect::Force, Effect::None]);
    // A doubled signal counts once, even if it ends the drain.
    let drained = heard(&[(0, false), (3_000, true), (3_001, false), (4_100, false)], AFTER);
    assert_eq!(drained, [request(), Effect::EndDrain, Effect::None, Effect::Force]);
    let at_once = heard(&[(0, false), (0, false)], Duration::ZERO);
    assert_eq!(at_once, [request(), Effect::Force]);
}

/// Of two calls at once, the later one must not end the task that listens for the first.
#[tokio::test]
async fn o01_a_listener_that_another_call_has_made_is_kept_with_its_task() {
    let task = tokio::spawn(std::future::pending::<()>());
    let mut first = Listener::new().unwrap();
    first.task = Some(task.abort_handle());
    let mut place = None;
    assert!(keep(&mut place, first).is_none());
    let spare = keep(&mut place, Listener::new().unwrap());
    assert!(spare.is_some_and(|spare| spare.task.is_none()));
    assert!(place.is_some_and(|kept| kept.task.is_some()));
}

#[test]
fn o02_the_first_signal_decides_whether_there_is_a_drain() {
    for action in [SignalAction::Drain, SignalAction::Stop] {
        for drains in [false, true] {
            let effect = Heard::default().hear(action, Instant::now(), AFTER, drains);
            assert_eq!(effect, Effect::Request(action));
        }
    }
}

#[cfg(windows)]
#[tokio::test]
async fn o02_the_events_of_a_console_count_as_signals() {
    let signals = Signals { interrupt: SignalAction::Drain, terminate: SignalAction::Stop, ..Signals::default() };
    let listener = Listener::new().unwrap();
    let heard: Vec<_> = listener.sources.iter().map(|source| (source.name, (source.action)(&signals))).collect();
    let expected = [
        ("Ctrl+C", SignalAction::Drain),
        ("Ctrl+Break", SignalAction::Stop),
        ("console closed", SignalAction::Drain),
        ("system shutdown", SignalAction::Stop),
    ];
    assert_eq!(heard, expected);
}

/// Listens to signals that have arrived, in this task.
fn listen_in(core: &Core, task: Option<AbortHandle>) {
    let arrived = |_: &mut Context<'_>| Poll::Ready(Some(()));
    let sources = vec![Source::interrupt("SIGINT", arrived), Source::terminate("SIGTERM", arrived)];
    *lock(&core.listener) =
        Some(Listener { sources, heard: Heard::default(), task, calls: 1, taken_over: false, _watch: None });
}

/// A receiver wakes only the last that polled it.
#[tokio::test]
async fn o04_only_the_one_that_listens_polls() {
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let core = &supervisor.core;
    let cx = &mut Context::from_waker(Waker::noop());
    for has_task in [true, false] {
        let task = tokio::spawn(pending::<()>());
        listen_in(core, has_task.then(|| task.abort_handle()));
        for by_task in [true, false] {
            assert_eq!(core.next_signal(by_task, cx).is_ready(), by_task == has_task);
        }
        core.take_over_signals();
        assert!(core.next_signal(false, cx).is_ready() && core.next_signal(true, cx).is_pending());
    }
}

#[tokio::test]
async fn o04_the_task_that_listens_ends() {
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    for end in [Core::take_over_signals, Core::stop_listening] {
        let task = tokio::spawn(pending::<()>());
        listen_in(&supervisor.core, Some(task.abort_handle()));
        end(&supervisor.core);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(task.is_finished());
    }
}

#[tokio::test]
async fn o04_a_tree_listens_from_its_start_until_it_has_stopped() -> Result<(), RuntimeError> {
    let tree = Tree::builder(SupervisorConfig::default()).build();
    let core = &tree.supervisor().core;
    let listens = || lock(&core.listener).is_some();
    assert!(!listens());
    tree.start().await?;
    assert!(listens());
    tree.shutdown().await?;
    assert!(!listens());
    Ok(())
}

/// Returns `true` if a task listens.
fn has_listening_task(core: &Core) -> bool {
    lock(&core.listener).as_ref().is_some_and(|it| it.task.as_ref().is_some_and(|task| !task.is_finished()))
}

/// The call that made the listener is refused, for example because its runtime has no timers.
#[tokio::test]
async fn o01_of_two_starts_at_once_the_refused_one_leaves_the_listener_to_the_other() {
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let core = &supervisor.core;
    // The other one is started before the first is refused.
    let refused = core.start_listening(|| {
        core.start_listening(|| Ok(())).unwrap();
        Err(RuntimeError::NoRuntime)
    });
    assert!(refused.is_err() && has_listening_task(core));
    core.stop_listening();
    // The first is refused before the other one is started.
    core.listen().unwrap();
    core.start_listening(|| {
        core.listens_no_more();
        Ok(())
    })
    .unwrap();
    assert!(has_listening_task(core));
    core.stop_listening();
    // Both are refused.
    let refused = core.start_listening(|| core.start_listening(|| Err(RuntimeError::NoRuntime)));
    assert!(refused.is_err() && lock(&core.listener).is_none());
}

#[tokio::test]
async fn o01_a_refused_run_leaves_the_listener_to_the_started_tree() -> Result<(), RuntimeError> {
    let task = || {
        TaskSpec::inherit(TaskFn::arc("a", async |ctx: TaskContext| {
            ctx.cancelled().await;
            Ok(())
        }))
    };
    let tree = Tree::builder(SupervisorConfig::default()).task(task()).build();
    tree.start().await?;
    assert!(tree.supervisor().run(vec![task()]).await.is_err());
    assert!(has_listening_task(&tree.supervisor().core));
    tree.shutdown().await
}

/// A start must not take the signals from a `run`, because its runtime can end before that of the `run`.
#[tokio::test]
async fn o01_a_run_that_listens_goes_on_beside_a_start() {
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let core = &supervisor.core;
    let running = core.claim(true, || Ok(())).unwrap();
    core.start_listening(|| Ok(())).unwrap();
    let taken_over = || lock(&core.listener).as_ref().map(|listener| listener.task.is_none());
    assert_eq!(taken_over(), Some(true));
    drop(running);
}

/// The runtime of the first start has ended.
#[test]
fn o01_a_task_that_has_ended_with_its_runtime_does_not_keep_another_from_listening() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let core = &supervisor.core;
    runtime().block_on(async { core.start_listening(|| Ok(())) }).unwrap();
    assert!(!has_listening_task(core));
    let second = runtime();
    second.block_on(async { core.start_listening(|| Ok(())) }).unwrap();
    assert!(has_listening_task(core));
}

/// The first signal was heard, and its thread has not come to the request yet.
#[tokio::test]
async fn o02_a_force_comes_after_the_request_also_if_the_thread_with_the_request_is_behind() {
    let signals = Signals { force_after: Duration::ZERO, ..Signals::default() };
    let supervisor = Supervisor::new(SupervisorConfig { signals, ..SupervisorConfig::default() }, vec![]);
    let core = &supervisor.core;
    let mut events = supervisor.events();
    listen_in(core, None);
    let first = Signal { name: "SIGINT", action: SignalAction::Drain };
    let heard = lock(&core.listener).as_mut().map(|it| it.heard.hear(first.action, Instant::now(), AFTER, false));
    assert_eq!(heard, Some(Effect::Request(SignalAction::Drain)));
    core.heed(Signal { name: "SIGTERM", action: SignalAction::Drain });
    core.shut_down(first.name, Duration::ZERO);
    supervisor.wait().await.unwrap();
    let mut kinds = Vec::new();
    while let Some(Ok(event)) = events.next().await {
        kinds.push(event.kind);
    }
    let at = |kind| kinds.iter().position(|it| *it == kind);
    let (requested, forced) = (at(EventKind::ShutdownRequested), at(EventKind::ShutdownForced));
    assert!(requested.is_some() && requested < forced, "{kinds:?}");
    assert!(core.ends_by_itself(), "no call requested it");
}
