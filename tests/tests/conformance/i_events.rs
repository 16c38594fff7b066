//! I. Events and subscribers.

mod choice;
mod sequences;
mod streams;

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use taskvisor::{
    Event, EventKind, RestartPolicy, RuntimeError, Signals, Subscribe, Supervisor, SupervisorConfig, SupervisorHandle,
    TaskError, TaskFn, TaskOutcome, TaskSpec,
};
use tests::{OK, Recorder, Script, Step, WITHOUT_PAUSE, cooperative, ms, secs, settle};
use tokio::sync::Semaphore;
use tokio::time::Instant;

type Result = std::result::Result<(), RuntimeError>;

/// A generous limit on real time, against hanging.
const FOREVER: Duration = secs(60);

fn is_diagnostic(kind: EventKind) -> bool {
    matches!(kind, EventKind::SubscriberPanicked | EventKind::SubscriberOverflow)
}

/// Adds tasks that wait for an hour before they begin: exactly two events each.
async fn add_sleepers(supervisor: &Supervisor, names: std::ops::Range<usize>) -> Result {
    for n in names {
        supervisor.add_task(cooperative(&n.to_string()).with_initial_delay(secs(3600))).await?;
    }
    Ok(())
}

/// The counts in the reports of this kind.
fn reports(recorder: &Recorder, kind: EventKind) -> Vec<u64> {
    recorder.seen().iter().filter(|seen| seen.kind == kind).map(|seen| seen.count.unwrap()).collect()
}

/// A subscriber that panics on each event.
#[derive(Default)]
struct Panics {
    calls: AtomicU64,
    at_once: bool,
}

impl Subscribe for Panics {
    fn on_event<'a, 'e, 'f>(&'a self, _: &'e Event) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>>
    where
        'a: 'f,
        'e: 'f,
    {
        self.calls.fetch_add(1, Ordering::SeqCst);
        assert!(!self.at_once, "no future");
        Box::pin(async { panic!("no luck") })
    }

    fn name(&self) -> &'static str {
        "panics"
    }
}

#[tokio::test(start_paused = true)]
async fn i02_a_subscriber_that_panics_is_called_once_per_event_and_reported_once_per_burst() -> Result {
    for (at_once, message) in [(false, "panicked: no luck"), (true, "panicked: no future")] {
        // given
        let (recorder, panics) = (Recorder::new(), Arc::new(Panics { at_once, ..Panics::default() }));
        let subscribers: Vec<Arc<dyn Subscribe>> = vec![recorder.clone(), panics.clone()];
        let supervisor = Supervisor::new(SupervisorConfig::default(), subscribers);
        for (burst, calls) in [(0..50, 101), (50..70, 142)] {
            // when
            add_sleepers(&supervisor, burst).await?;
            tokio::time::sleep(ms(10)).await;
            // then
            assert_eq!(panics.calls.load(Ordering::SeqCst), calls, "each event, and each report, once");
        }
        assert_eq!(reports(&recorder, EventKind::SubscriberPanicked), [100, 40]);
        assert_eq!(reports(&recorder, EventKind::SubscriberOverflow), [0; 0]);
        let seen = recorder.seen();
        let report = seen.iter().find(|seen| seen.kind == EventKind::SubscriberPanicked).unwrap();
        assert_eq!((report.task.as_deref(), report.reason.as_deref()), (Some("panics"), Some(message)));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i02_the_last_report_comes_before_run_returns() -> Result {
    let (recorder, panics) = (Recorder::new(), Arc::new(Panics::default()));
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![panics.clone(), recorder.clone()]);
    supervisor.run_until(vec![cooperative("x")], tokio::time::sleep(secs(1))).await?;
    let told = recorder.kinds().into_iter().filter(|kind| !is_diagnostic(*kind)).count();
    assert_eq!(told, 7, "two for its addition, one for its start, two for its end, two for the shutdown");
    assert_eq!(reports(&recorder, EventKind::SubscriberPanicked).iter().sum::<u64>(), 7, "each panic was reported");
    Ok(())
}

/// A subscriber whose future stays pending.
struct Pending {
    capacity: usize,
}

#[async_trait::async_trait]
impl Subscribe for Pending {
    async fn on_event(&self, _: &Event) {
        std::future::pending::<()>().await;
    }

    fn name(&self) -> &'static str {
        "pending"
    }

    fn queue_capacity(&self) -> usize {
        self.capacity
    }
}

#[tokio::test(start_paused = true)]
async fn i03_a_subscriber_that_stays_pending_loses_only_its_own_events_and_run_returns() {
    // given
    let (recorder, pending) = (Recorder::new(), Arc::new(Pending { capacity: 8 }));
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![pending, recorder.clone()]);
    let script = Script::new([OK]);
    let spec = script.spec("tick").with_restart(RestartPolicy::Always { interval: Some(ms(100)) });
    // when
    let start = Instant::now();
    let result = supervisor.run_until(vec![spec], tokio::time::sleep(secs(10))).await;
    // then
    assert!(result.is_ok());
    assert_eq!(start.elapsed(), secs(15), "the time of the run, and `drain_timeout` for the one that is stuck");
    let count = |kind| recorder.count(kind);
    assert!((95..=101).contains(&script.attempts()), "it delays a start by 1 ms at most: {}", script.attempts());
    assert_eq!(count(EventKind::TaskStarting), script.attempts());
    assert_eq!(count(EventKind::TaskStopped), script.attempts());
    assert_eq!([EventKind::TaskAdded, EventKind::TaskRemoved, EventKind::AllStoppedWithinGrace].map(count), [1; 3]);
    // It has room for eight events, and for the verdict, which no subscriber loses.
    let lost = recorder.kinds().into_iter().filter(|kind| !is_diagnostic(*kind)).count() as u64 - 9;
    assert_eq!(reports(&recorder, EventKind::SubscriberOverflow), [lost], "one report, with the exact count");
}

#[tokio::test(start_paused = true)]
async fn i03_a_stop_does_not_wait_for_a_subscriber_that_is_stuck() -> Result {
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![Arc::new(Pending { capacity: 1 })]);
    let start = Instant::now();
    let task = supervisor.add_task(cooperative("x")).await?;
    tokio::time::sleep(ms(10)).await;
    assert!(supervisor.is_alive("x").await);
    assert!(supervisor.cancel("x").await?);
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None, .. }));
    assert_eq!(start.elapsed(), ms(10));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn i04_seq_grows_for_each_subscriber_with_tasks_on_many_threads() -> Result {
    // given
    let recorders = [Recorder::new(), Recorder::new(), Recorder::new()];
    let subscribers = recorders.iter().map(|recorder| recorder.clone() as Arc<dyn Subscribe>).collect();
    let supervisor = Supervisor::new(SupervisorConfig::default(), subscribers);
    // when
    let mut steps = vec![OK; 200];
    steps.push(Step::Cancel);
    let specs = (0..8).map(|n| Script::new(&*steps).spec(&n.to_string()).with_restart(WITHOUT_PAUSE)).collect();
    tokio::time::timeout(FOREVER, supervisor.run(specs)).await.expect("hangs")?;
    // then
    for recorder in recorders {
        let seen = recorder.seen();
        assert!(seen.windows(2).all(|pair| pair[0].seq < pair[1].seq));
        assert_eq!(recorder.count(EventKind::TaskStarting), 8 * 201);
        for task in 0..8 {
            let attempts: Vec<_> = seen
                .iter()
                .filter(|seen| seen.kind == EventKind::TaskStarting && seen.task == Some(task.to_string()))
                .filter_map(|seen| seen.attempt)
                .collect();
            assert!(attempts.iter().copied().eq(1..=201), "the attempts of each task come in order");
        }
    }
    Ok(())
}

/// A subscriber that takes one event for each permit, and records what it took.
struct Gated {
    gate: Semaphore,
    capacity: usize,
    taken: Mutex<Vec<(EventKind, Option<u64>)>>,
}

impl Gated {
    fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { gate: Semaphore::new(0), capacity, taken: Mutex::default() })
    }

    fn open(&self) {
        self.gate.add_permits(1 << 20);
    }

    fn close(&self) {
        self.gate.forget_permits(usize::MAX);
    }

    /// The number of events other than reports that it took, and the counts in the reports.
    fn taken(&self) -> (u64, Vec<u64>) {
        let taken = self.taken.lock().unwrap();
        let reports = taken.iter().filter(|(kind, _)| *kind == EventKind::SubscriberOverflow);
        let reports: Vec<_> = reports.map(|(_, count)| count.unwrap()).collect();
        (taken.len() as u64 - reports.len() as u64, reports)
    }
}

#[async_trait::async_trait]
impl Subscribe for Gated {
    async fn on_event(&self, event: &Event) {
        self.gate.acquire().await.unwrap().forget();
        self.taken.lock().unwrap().push((event.kind, event.count));
    }

    fn name(&self) -> &'static str {
        "gated"
    }

    fn queue_capacity(&self) -> usize {
        self.capacity
    }
}

/// Two events that occupy the subscriber, then a burst that fills the rest of its queue and overflows it.
async fn overflow(supervisor: &Supervisor, names: std::ops::Range<usize>) -> Result {
    add_sleepers(supervisor, names.start..names.start + 1).await?;
    tokio::time::sleep(ms(10)).await;
    add_sleepers(supervisor, names.start + 1..names.end).await?;
    tokio::time::sleep(ms(10)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i05_overflow_is_one_report_with_the_exact_count() -> Result {
    // given
    let (recorder, gated) = (Recorder::new(), Gated::new(7));
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![gated.clone(), recorder.clone()]);
    let mut expected = Vec::new();
    for (burst, lost) in [(0..100, 193), (100..150, 93), (150..153, 0)] {
        // when
        gated.close();
        overflow(&supervisor, burst).await?;
        gated.open();
        tokio::time::sleep(ms(10)).await;
        // then
        expected.extend((lost > 0).then_some(lost));
        assert_eq!(reports(&recorder, EventKind::SubscriberOverflow), expected);
        assert_eq!(gated.taken().1, expected, "it hears of its own losses");
    }
    assert_eq!(gated.taken().0 + expected.iter().sum::<u64>(), 306);
    let report = recorder.seen().into_iter().find(|seen| seen.kind == EventKind::SubscriberOverflow).unwrap();
    assert_eq!((report.task.as_deref(), report.id), (Some("gated"), None));
    assert_eq!(report.reason.as_deref(), Some("queue full, lost 193 events"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i05_what_a_slow_subscriber_lost_is_reported_to_it_before_run_returns() -> Result {
    for others in [vec![], vec![Recorder::new()]] {
        // given
        let gated = Gated::new(4);
        let mut subscribers: Vec<Arc<dyn Subscribe>> = vec![gated.clone()];
        subscribers.extend(others.iter().map(|other| other.clone() as Arc<dyn Subscribe>));
        let supervisor = Supervisor::new(SupervisorConfig::default(), subscribers);
        overflow(&supervisor, 0..50).await?;
        // when it resumes in the middle of the shutdown
        let shutdown = supervisor.shutdown();
        tokio::time::sleep(secs(1)).await;
        gated.open();
        shutdown.await?;
        // then
        let (taken, heard) = gated.taken();
        assert_eq!(heard.len(), 1, "{taken} of 152 taken, the rest lost without a word");
        assert_eq!(taken + heard[0], 50 * 3 + 2);
        for other in others {
            assert_eq!(reports(&other, EventKind::SubscriberOverflow), heard);
        }
    }
    Ok(())
}

/// A subscriber that counts its events and has a queue of one.
#[derive(Default)]
struct Narrow {
    taken: AtomicU64,
}

#[async_trait::async_trait]
impl Subscribe for Narrow {
    async fn on_event(&self, event: &Event) {
        self.taken.fetch_add(u64::from(!is_diagnostic(event.kind)), Ordering::SeqCst);
    }

    fn name(&self) -> &'static str {
        "narrow"
    }

    fn queue_capacity(&self) -> usize {
        1
    }
}

/// 10,000 tasks: every second one fails, and another caller stops the others.
async fn with_no_room() -> Result {
    // given
    let (recorder, narrow) = (Recorder::new(), Arc::new(Narrow::default()));
    let config = SupervisorConfig { bus_capacity: 1, signals: Signals::NONE, ..SupervisorConfig::default() };
    let supervisor = Supervisor::new(config, vec![narrow.clone(), recorder.clone()]);
    let run = tokio::spawn({
        let supervisor = Arc::clone(&supervisor);
        async move { supervisor.run(vec![cooperative("first")]).await }
    });
    supervisor.wait_ready().await;
    // when
    let fails = TaskFn::arc("fails", |_: taskvisor::TaskContext| async { Err(TaskError::Fail { reason: "x".into() }) });
    let mut tasks = Vec::new();
    for n in 0..10_000 {
        let name = n.to_string();
        let spec = if n % 2 == 0 {
            TaskSpec::inherit(fails.clone()).with_name(name).with_restart(RestartPolicy::Never)
        } else {
            cooperative(&name)
        };
        tasks.push(supervisor.add_task(spec).await?);
    }
    for n in (1..10_000).step_by(2) {
        supervisor.remove_task(&n.to_string()).await?;
    }
    let mut outcomes = [0, 0];
    for (n, task) in tasks.iter().enumerate() {
        match task.outcome().await {
            TaskOutcome::Failed { .. } if n % 2 == 0 => outcomes[0] += 1,
            TaskOutcome::Canceled { error: None, .. } if n % 2 == 1 => outcomes[1] += 1,
            other => panic!("{n}: {other}"),
        }
    }
    // then
    assert_eq!(outcomes, [5_000, 5_000]);
    assert_eq!(supervisor.list_tasks().await, ["first"]);
    assert!(!run.is_finished());
    assert!(supervisor.cancel("first").await?);
    run.await.unwrap()?;
    let count = |kind| recorder.count(kind);
    assert_eq!([EventKind::TaskAdded, EventKind::TaskRemoved].map(count), [10_001; 2]);
    assert_eq!(
        [EventKind::TaskFailed, EventKind::ActorExhausted, EventKind::TaskRemoveRequested].map(count),
        [5_000, 5_000, 5_001]
    );
    let published = recorder.kinds().into_iter().filter(|kind| !is_diagnostic(*kind)).count() as u64;
    let lost: u64 = reports(&recorder, EventKind::SubscriberOverflow).iter().sum();
    assert_eq!(narrow.taken.load(Ordering::SeqCst) + lost, published, "what it lost was reported");
    Ok(())
}

#[tokio::test]
async fn i06_with_room_for_one_event_registry_outcomes_and_run_are_exact() -> Result {
    tokio::time::timeout(FOREVER, with_no_room()).await.expect("hangs")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i06_with_room_for_one_event_all_is_exact_on_two_threads_too() -> Result {
    tokio::time::timeout(FOREVER, with_no_room()).await.expect("hangs")
}

/// A subscriber that sends commands in response to events.
#[derive(Default)]
struct Meddler {
    supervisor: OnceLock<SupervisorHandle>,
    capacity: usize,
    waits_for_shutdown: bool,
}

#[async_trait::async_trait]
impl Subscribe for Meddler {
    async fn on_event(&self, event: &Event) {
        let Some(supervisor) = self.supervisor.get() else { return };
        match (event.kind, event.task.as_deref()) {
            (EventKind::TaskStarting, Some("first")) => {
                supervisor.add_task(cooperative("second")).await.unwrap();
                assert_eq!(supervisor.list_tasks().await, ["first", "second"]);
            }
            (EventKind::TaskStarting, Some("second")) => assert!(supervisor.cancel("first").await.unwrap()),
            (EventKind::TaskRemoved, Some("first")) => {
                assert_eq!(supervisor.snapshot(), ["second"]);
                let shutdown = supervisor.shutdown();
                if self.waits_for_shutdown {
                    shutdown.await.unwrap();
                }
            }
            _ => {}
        }
    }

    fn name(&self) -> &'static str {
        "meddler"
    }

    fn queue_capacity(&self) -> usize {
        self.capacity
    }
}

/// Runs a supervisor that its own subscriber shuts down.
async fn meddle(capacity: usize, waits_for_shutdown: bool) -> Arc<Recorder> {
    let recorder = Recorder::new();
    let meddler = Arc::new(Meddler { capacity, waits_for_shutdown, ..Meddler::default() });
    let config = SupervisorConfig { signals: Signals::NONE, ..SupervisorConfig::default() };
    let supervisor = Supervisor::new(config, vec![meddler.clone(), recorder.clone()]);
    meddler.supervisor.set(supervisor.handle()).unwrap();
    assert!(supervisor.run(vec![cooperative("first")]).await.is_ok());
    assert!(supervisor.list_tasks().await.is_empty());
    recorder
}

#[tokio::test(start_paused = true)]
async fn i07_a_subscriber_may_add_cancel_and_shut_down() {
    let start = Instant::now();
    let recorder = meddle(1024, false).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    let count = |kind| recorder.count(kind);
    assert_eq!([EventKind::TaskAdded, EventKind::TaskRemoved, EventKind::TaskStopped].map(count), [2; 3]);
    assert_eq!(count(EventKind::SubscriberPanicked), 0);
    assert_eq!(recorder.kinds().last(), Some(&EventKind::AllStoppedWithinGrace));
}

#[tokio::test(start_paused = true)]
async fn i07_a_subscriber_that_waits_for_the_shutdown_is_told_at_once_that_it_cannot() {
    let start = Instant::now();
    let recorder = meddle(1024, true).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(recorder.kinds().last(), Some(&EventKind::AllStoppedWithinGrace));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i07_a_subscriber_may_call_back_on_two_threads() {
    for _ in 0..50 {
        let recorder = tokio::time::timeout(FOREVER, meddle(1024, false)).await.expect("hangs");
        assert_eq!(recorder.count(EventKind::SubscriberPanicked), 0);
        assert_eq!(recorder.count(EventKind::TaskRemoved), 2);
    }
}

/// A subscriber that counts its events and keeps the last sequence number.
#[derive(Default)]
struct Counter {
    taken: AtomicU64,
    last: AtomicU64,
}

#[async_trait::async_trait]
impl Subscribe for Counter {
    async fn on_event(&self, event: &Event) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        self.last.store(event.seq, Ordering::Relaxed);
    }
}

/// A burst loses nothing. Attempts wait for a reader for 100 ms, and a busy machine may not run the thread of the reader
/// for as long: then another one shows it.
async fn burst(tasks: u32) {
    for _ in 0..5 {
        if loses_nothing(tasks).await {
            return;
        }
    }
    panic!("each burst loses events");
}

/// At least 100,000 events from this many tasks, which end by themselves.
async fn loses_nothing(tasks: u32) -> bool {
    // given
    let attempts = 50_100 / tasks;
    let spins = TaskFn::arc("spins", move |ctx: taskvisor::TaskContext| {
        let last = ctx.attempt() == attempts;
        async move { if last { Err(TaskError::Canceled) } else { Ok(()) } }
    });
    let counter = Arc::new(Counter::default());
    let config = SupervisorConfig { signals: Signals::NONE, drain_timeout: FOREVER, ..SupervisorConfig::default() };
    let supervisor = Supervisor::new(config, vec![counter.clone()]);
    let spec = |n: u32| TaskSpec::inherit(spins.clone()).with_name(n.to_string()).with_restart(WITHOUT_PAUSE);
    // when
    supervisor.run((0..tasks).map(spec).collect()).await.unwrap();
    // then two events for the addition of each task, two for each attempt, and one for the removal
    let expected = u64::from(tasks * (3 + 2 * attempts));
    assert!(expected >= 100_000);
    // Without a report that some were lost, which has a number too.
    let seen = [&counter.taken, &counter.last].map(|count| count.load(Ordering::Relaxed));
    println!("{seen:?} of {expected}");
    seen == [expected; 2]
}

#[tokio::test]
async fn i08_a_burst_from_one_task_loses_nothing() {
    burst(1).await;
}

#[tokio::test]
async fn i08_a_burst_from_16_tasks_loses_nothing() {
    burst(16).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i08_a_burst_from_one_task_loses_nothing_on_two_threads() {
    tokio::time::timeout(FOREVER, tokio::spawn(burst(1))).await.expect("hangs").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i08_a_burst_from_16_tasks_loses_nothing_on_two_threads() {
    tokio::time::timeout(FOREVER, tokio::spawn(burst(16))).await.expect("hangs").unwrap();
}

#[tokio::test(start_paused = true)]
async fn i08_events_of_a_supervisor_that_never_had_a_task_arrive_too() -> Result {
    let recorder = Recorder::new();
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![recorder.clone()]);
    supervisor.shutdown().await?;
    settle().await;
    assert_eq!(recorder.kinds(), [EventKind::ShutdownRequested, EventKind::AllStoppedWithinGrace]);
    Ok(())
}

/// Panics when its future is polled, and again when the future is dropped.
#[derive(Default)]
struct PanicsTwice(AtomicU64);

struct Bomb;

impl Future for Bomb {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        panic!("polled")
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped")
    }
}

impl Subscribe for PanicsTwice {
    fn on_event<'a, 'e, 'f>(&'a self, _: &'e Event) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>>
    where
        'a: 'f,
        'e: 'f,
    {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(Bomb)
    }
}

#[tokio::test(start_paused = true)]
async fn i02_a_future_that_panics_in_its_poll_and_in_its_drop_ends_nothing() -> Result {
    let (bombs, recorder) = (Arc::new(PanicsTwice::default()), Recorder::new());
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![bombs.clone(), recorder.clone()]);
    add_sleepers(&supervisor, 0..10).await?;
    supervisor.shutdown().await?;
    let others = recorder.seen().iter().filter(|seen| !is_diagnostic(seen.kind)).count() as u64;
    assert!(bombs.0.load(Ordering::SeqCst) >= others, "it was called for each event");
    assert!(recorder.count(EventKind::SubscriberPanicked) > 0);
    Ok(())
}

/// A refused configuration is no shutdown.
#[tokio::test(start_paused = true)]
async fn i01_a_supervisor_that_ran_nothing_says_nothing_when_it_is_dropped() -> Result {
    let invalid = SupervisorConfig { start_timeout: Duration::ZERO, ..SupervisorConfig::default() };
    for (config, is_refused) in [(invalid, true), (SupervisorConfig::default(), false)] {
        let recorder = Arc::new(Recorder::default());
        let supervisor = Supervisor::new(config, vec![recorder.clone()]);
        let handle = supervisor.handle();
        if is_refused {
            assert!(supervisor.run(vec![cooperative("a")]).await.is_err());
        }
        // It has no owner any more: calls are refused, waits end, and a stream of events has its end.
        let mut stream = handle.events();
        drop(supervisor);
        assert!(handle.add_task(cooperative("late")).await.is_err());
        handle.wait_ready().await;
        assert!(stream.next().await.is_none());
        settle().await;
        assert_eq!(recorder.seen().len(), 0);
    }
    Ok(())
}
