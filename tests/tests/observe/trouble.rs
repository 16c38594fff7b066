//! Subscribers and recorders that panic, call back, or are not there.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use taskvisor::{
    ControllerSpec, Group, RestartPolicy, Supervisor, SupervisorConfig, SupervisorHandle, TaskContext, TaskError,
    TaskFn, TaskOutcome, TaskSpec, Tree,
};
use tests::{FAIL, OK, Script, constant, cooperative, deaf, ms, secs, settle};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};

use super::run;

/// A subscriber that calls `act` with the name of the method whenever one of its methods is called.
struct Trap<F>(F, AtomicU64);

impl<F: Fn(&str) + Send + Sync + 'static> Trap<F> {
    fn new(act: F) -> Self {
        Self(act, AtomicU64::new(1))
    }
}

impl<F: Fn(&str) + Send + Sync + 'static> Subscriber for Trap<F> {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        if metadata.target() == "taskvisor" {
            (self.0)("enabled");
        }
        true
    }

    fn register_callsite(&self, _: &'static tracing::Metadata<'static>) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        (self.0)("new_span");
        Id::from_u64(self.1.fetch_add(1, Ordering::SeqCst))
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        (self.0)("event");
    }

    fn enter(&self, _: &Id) {
        (self.0)("enter");
    }

    fn exit(&self, _: &Id) {
        (self.0)("exit");
    }

    fn try_close(&self, _: Id) -> bool {
        (self.0)("try_close");
        true
    }
}

const METHODS: [&str; 6] = ["enabled", "new_span", "event", "enter", "exit", "try_close"];

/// Runs tasks, groups and slots with many kinds of results; returns the outcomes.
async fn much(supervisor: &Arc<Supervisor>, tree: &Tree) -> Vec<String> {
    let helped = TaskFn::arc("helped", |ctx: TaskContext| async move {
        ctx.spawn(async { tokio::time::sleep(ms(1)).await });
        if ctx.attempt() < 3 { Err(TaskError::Fail { reason: "again".into() }) } else { Ok(()) }
    });
    let slow = deaf("slow").with_timeout(ms(5)).with_stop_timeout(ms(5)).with_max_retries(0);
    let mut handles = Vec::new();
    for spec in [TaskSpec::inherit(helped).with_backoff(constant(ms(3))), slow] {
        handles.push(supervisor.add_task(spec).await.unwrap());
    }
    for name in ["one", "two"] {
        let job = ControllerSpec::queue(Script::new([OK]).spec(name)).with_slot("slot");
        handles.push(supervisor.submit(job).await.unwrap());
    }
    let refused = ControllerSpec::drop_if_running(cooperative("three")).with_slot("slot");
    handles.push(supervisor.submit(refused).await.unwrap());
    tree.start().await.unwrap();
    let mut outcomes = Vec::new();
    for handle in &handles {
        outcomes.push(handle.outcome().await.as_label().to_owned());
    }
    tokio::time::sleep(secs(1)).await;
    outcomes.push(format!("{:?}", tree.shutdown().await.is_ok()));
    outcomes.push(format!("{:?}", supervisor.shutdown().await.is_ok()));
    outcomes
}

const EXPECTED: [&str; 7] = ["completed", "exhausted", "completed", "completed", "rejected", "true", "true"];

fn failing_group() -> Tree {
    let failing = Script::new([FAIL, FAIL, OK]).spec("f").with_restart(RestartPolicy::Never).critical();
    let group = Group::one_for_all("g").task(failing).task(cooperative("sibling")).with_backoff(constant(ms(1)));
    Tree::builder(SupervisorConfig::default()).group(group).task(cooperative("t")).build()
}

#[test]
#[cfg_attr(tokio_unstable, ignore = "Tokio itself calls the subscriber then")]
fn a_subscriber_that_panics_takes_nothing_down() {
    for method in METHODS {
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        let trap = Trap::new(move |called| {
            if called == method {
                count.fetch_add(1, Ordering::SeqCst);
                panic!("the subscriber panics in `{called}`");
            }
        });
        let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
        let outcomes =
            tracing::subscriber::with_default(trap, || run(async { much(&supervisor, &failing_group()).await }));
        assert_eq!(outcomes, EXPECTED, "{method}");
        assert!(calls.load(Ordering::SeqCst) > 3, "{method}");
    }
}

#[test]
#[cfg_attr(tokio_unstable, ignore = "Tokio itself calls the subscriber then")]
fn a_subscriber_may_call_the_supervisor() {
    let handle: Arc<OnceLock<SupervisorHandle>> = Arc::default();
    let calls = Arc::new(AtomicUsize::new(0));
    let (known, count) = (Arc::clone(&handle), Arc::clone(&calls));
    // If a lock were held, one of these calls would never return.
    let trap = Trap::new(move |_| {
        let Some(supervisor) = known.get() else { return };
        let _ = (supervisor.snapshot(), supervisor.health());
        for name in ["helped", "slow", "one", "two"] {
            supervisor.task(name).map(|task| (task.status(), task.trigger()));
        }
        count.fetch_add(1, Ordering::SeqCst);
    });
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let outcomes = tracing::subscriber::with_default(trap, || {
        run(async {
            handle.set(supervisor.handle()).unwrap();
            much(&supervisor, &failing_group()).await
        })
    });
    assert_eq!(outcomes, EXPECTED);
    assert!(calls.load(Ordering::SeqCst) > 20);
}

/// A recorder that calls `act` whenever one of its methods is called.
struct Pitfall<F>(F);

impl<F: Fn()> Recorder for Pitfall<F> {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        (self.0)();
    }

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        (self.0)();
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        (self.0)();
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        (self.0)();
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        (self.0)();
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        (self.0)();
        Histogram::noop()
    }
}

#[test]
fn a_recorder_that_panics_takes_nothing_down() {
    let calls = AtomicUsize::new(0);
    let pitfall = Pitfall(|| {
        calls.fetch_add(1, Ordering::SeqCst);
        panic!("the recorder panics");
    });
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let outcomes = metrics::with_local_recorder(&pitfall, || run(async { much(&supervisor, &failing_group()).await }));
    assert_eq!(outcomes, EXPECTED);
    assert!(calls.load(Ordering::SeqCst) > 20);
}

#[test]
fn a_recorder_may_call_the_supervisor() {
    let handle: OnceLock<SupervisorHandle> = OnceLock::new();
    let calls = AtomicUsize::new(0);
    let pitfall = Pitfall(|| {
        let Some(supervisor) = handle.get() else { return };
        let _ = (supervisor.snapshot(), supervisor.health());
        supervisor.task("helped").map(|task| (task.status(), task.trigger()));
        calls.fetch_add(1, Ordering::SeqCst);
    });
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let outcomes = metrics::with_local_recorder(&pitfall, || {
        run(async {
            handle.set(supervisor.handle()).unwrap();
            much(&supervisor, &failing_group()).await
        })
    });
    assert_eq!(outcomes, EXPECTED);
    assert!(calls.load(Ordering::SeqCst) > 20);
}

/// An error that counts how often it is formatted.
#[derive(Debug, Clone, Default)]
struct Shy(Arc<AtomicUsize>);

impl fmt::Display for Shy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fetch_add(1, Ordering::SeqCst);
        f.write_str("shy")
    }
}

impl Error for Shy {}

/// Returns the allocations per restart, and how often the error was formatted.
fn cost_of_restarts() -> (u64, usize) {
    const FEW: u32 = 200;
    const MANY: u32 = 1200;
    let formatted = Arc::new(AtomicUsize::new(0));
    let allocations = |retries| {
        let error = Shy(Arc::clone(&formatted));
        let task = TaskFn::arc("t", move |_: TaskContext| {
            let error = error.clone();
            async move { Err(TaskError::error(error)) }
        });
        let spec = TaskSpec::inherit(task).with_backoff(constant(ms(0))).with_max_retries(retries);
        let measured = allocation_counter::measure(|| {
            run(async {
                let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
                let outcome = supervisor.add_task(spec).await.unwrap().outcome().await;
                assert!(matches!(outcome, TaskOutcome::Exhausted { .. }));
                settle().await;
            });
        });
        measured.count_total
    };
    allocations(FEW);
    let few = allocations(FEW);
    let many = allocations(MANY);
    ((many - few) / u64::from(MANY - FEW), formatted.load(Ordering::SeqCst))
}

/// A subscriber that disables everything of the library.
struct Deaf;

impl Subscriber for Deaf {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() != "taskvisor"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        panic!("not enabled")
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        panic!("not enabled")
    }

    fn enter(&self, _: &Id) {
        panic!("not enabled")
    }

    fn exit(&self, _: &Id) {
        panic!("not enabled")
    }
}

#[test]
#[cfg_attr(tokio_unstable, ignore = "Tokio itself calls the subscriber then")]
fn a_subscriber_that_wants_nothing_costs_no_allocation_and_no_formatting() {
    // The attempt's future, its error, the context's share of the error, and the keys of the metrics, which cannot be
    // disabled.
    const ATTEMPT: u64 = 4;
    const METRICS: u64 = 6;
    let (none, formatted) =
        tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), cost_of_restarts);
    assert_eq!(formatted, 0);
    assert!(none <= ATTEMPT + METRICS, "{none}");
    let (unheard, formatted) = tracing::subscriber::with_default(Deaf, cost_of_restarts);
    assert_eq!((unheard, formatted), (none, 0));
    let log = super::log::Log::default();
    let (heard, formatted) = log.during(cost_of_restarts);
    assert!(heard > none, "the measure sees what a subscriber costs");
    assert!(formatted > 1000);
}
