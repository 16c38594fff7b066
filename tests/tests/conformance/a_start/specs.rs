//! A03 and A04: the settings of a spec, and invalid specs.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use taskvisor::{
    BackoffPolicy, Event, JitterPolicy, RestartPolicy, RuntimeError, Signals, Subscribe, Supervisor, SupervisorConfig,
    TaskSpec, Tree, TreeBuilder,
};
use tests::{ALWAYS, OK, Script, Step, constant, cooperative, ms, recorded, secs, settle, supervisor};
use tokio::time::Instant;

/// The message of the error for an invalid spec or config.
fn invalid<T>(result: Result<T, RuntimeError>) -> String {
    match result {
        Err(error @ RuntimeError::InvalidOption(_)) => error.to_string(),
        Err(other) => panic!("refused as {other:?}"),
        Ok(_) => panic!("it was taken"),
    }
}

#[test]
fn a03_a_spec_reads_back_the_documented_defaults() {
    let spec = Script::new([OK]).spec("plain");

    assert_eq!(spec.name(), "plain");
    assert_eq!(spec.restart(), RestartPolicy::OnFailure);
    assert_eq!(spec.every(), None);
    assert_eq!(spec.initial_delay(), Duration::ZERO);
    let BackoffPolicy { first, max, factor, jitter } = spec.backoff();
    assert_eq!((first, max, jitter), (ms(100), secs(30), JitterPolicy::None));
    assert_eq!(factor.to_bits(), 1.0_f64.to_bits());
    assert_eq!(spec.reset_after(), secs(30), "the larger of `backoff.max` and 10 s");
    assert_eq!(spec.max_retries(), None);
    assert_eq!(spec.timeout(), None);
    assert_eq!(spec.stop_timeout(), None);
}

#[test]
fn a03_a_config_has_the_documented_defaults() {
    let config = SupervisorConfig::default();

    assert_eq!(config.grace, secs(60));
    assert_eq!(config.drain, Duration::ZERO);
    assert_eq!(config.drain_timeout, secs(5));
    assert_eq!(config.timeout, Duration::ZERO);
    assert_eq!(config.stop_timeout, None);
    assert_eq!(config.max_concurrent, 0);
    assert_eq!(config.bus_capacity, 1024);
    assert_eq!(config.restart, RestartPolicy::OnFailure);
    assert_eq!(config.backoff, BackoffPolicy::default());
    assert_eq!(config.reset_after, None);
    assert_eq!(config.max_retries, None);
    assert_eq!(config.signals, Signals::default());
    assert_eq!(Plain.queue_capacity(), 1024);
}

/// A subscriber that keeps the default queue capacity.
struct Plain;

#[async_trait::async_trait]
impl Subscribe for Plain {
    async fn on_event(&self, _event: &Event) {}
}

#[test]
fn a03_a_spec_reads_back_what_was_set() {
    let backoff = BackoffPolicy { first: ms(1), max: ms(2), factor: 3.0, jitter: JitterPolicy::Full };
    let spec = Script::new([OK])
        .spec("plain")
        .with_name("renamed")
        .with_restart(ALWAYS)
        .with_every(secs(1))
        .with_initial_delay(secs(2))
        .with_backoff(backoff)
        .with_reset_after(secs(3))
        .with_max_retries(4)
        .with_timeout(secs(5))
        .with_stop_timeout(secs(6));

    assert_eq!((spec.name(), spec.task().name()), ("renamed", "plain"));
    assert_eq!((spec.restart(), spec.every()), (ALWAYS, Some(secs(1))));
    assert_eq!((spec.initial_delay(), spec.backoff()), (secs(2), backoff));
    assert_eq!((spec.reset_after(), spec.max_retries()), (secs(3), Some(4)));
    assert_eq!((spec.timeout(), spec.stop_timeout()), (Some(secs(5)), Some(secs(6))));
}

#[test]
fn a03_reset_after_is_at_least_ten_seconds_unless_it_is_set() {
    let spec = |max| Script::new([OK]).spec("s").with_backoff(constant(max));

    assert_eq!(spec(secs(2)).reset_after(), secs(10));
    assert_eq!(spec(secs(77)).reset_after(), secs(77));
    assert_eq!(spec(secs(77)).with_reset_after(secs(1)).reset_after(), secs(1));
}

/// A config in which every field differs from the default.
fn unusual() -> SupervisorConfig {
    SupervisorConfig {
        timeout: secs(7),
        stop_timeout: Some(secs(3)),
        restart: RestartPolicy::Always { interval: Some(secs(9)) },
        backoff: constant(secs(2)),
        reset_after: Some(secs(11)),
        max_retries: Some(5),
        ..SupervisorConfig::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a03_what_was_never_set_is_inherited_from_the_config() -> Result<(), RuntimeError> {
    let supervisor = Supervisor::new(unusual(), vec![]);
    let read = Script::new([Step::Wait]).spec("inherits");
    assert_eq!(read.timeout(), None, "before it is registered it has the documented default");

    let spec = supervisor.add_task(read).await?.spec();

    assert_eq!(spec.name(), "inherits");
    assert_eq!(spec.restart(), RestartPolicy::Always { interval: Some(secs(9)) });
    assert_eq!(spec.backoff(), constant(secs(2)));
    assert_eq!((spec.timeout(), spec.stop_timeout()), (Some(secs(7)), Some(secs(3))));
    assert_eq!((spec.reset_after(), spec.max_retries()), (secs(11), Some(5)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a03_what_was_set_is_not_inherited() -> Result<(), RuntimeError> {
    let supervisor = Supervisor::new(unusual(), vec![]);
    let new = |name: &str, timeout| {
        let task = Script::new([Step::Wait]).task(name);
        TaskSpec::new(task, RestartPolicy::OnFailure, BackoffPolicy::default(), timeout)
    };

    let none = supervisor.add_task(new("none", None)).await?.spec();
    let zero = supervisor.add_task(new("zero", Some(Duration::ZERO))).await?.spec();
    let some = supervisor.add_task(new("some", Some(secs(1)))).await?.spec();
    let told = supervisor.add_task(cooperative("told").with_timeout(None)).await?.spec();
    let config = SupervisorConfig { timeout: secs(4), ..SupervisorConfig::default() };
    let defaults = TaskSpec::with_defaults(Script::new([Step::Wait]).task("defaults"), &config);
    let defaults = supervisor.add_task(defaults).await?.spec();

    assert_eq!((none.restart(), none.backoff()), (RestartPolicy::OnFailure, BackoffPolicy::default()));
    assert_eq!((none.timeout(), zero.timeout(), told.timeout()), (None, None, None));
    assert_eq!(some.timeout(), Some(secs(1)));
    assert_eq!((defaults.restart(), defaults.timeout()), (RestartPolicy::OnFailure, Some(secs(4))));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a03_a_registration_runs_by_what_it_inherited() -> Result<(), RuntimeError> {
    let config = SupervisorConfig { max_retries: Some(1), restart: RestartPolicy::OnFailure, ..unusual() };
    let supervisor = Supervisor::new(config, vec![]);
    let script = Script::new([Step::Deaf]);
    let start = Instant::now();

    let outcome = supervisor.add_task(script.spec("deaf")).await?.outcome().await;

    // 7 s of timeout, 3 s of cleanup window, 2 s of backoff; then the last attempt.
    assert_eq!(script.begun_ms(start), [0, 12_000]);
    assert_eq!(start.elapsed(), secs(22));
    assert_eq!(outcome.to_string(), "exhausted after 2 failures: timed out after 7s");
    Ok(())
}

const BACKOFF: BackoffPolicy = BackoffPolicy {
    first: Duration::from_secs(1),
    max: Duration::from_secs(2),
    factor: 1.0,
    jitter: JitterPolicy::None,
};

/// Every way in which a spec can be invalid, with its message.
fn invalid_specs(script: &Arc<Script>) -> Vec<(TaskSpec, &'static str)> {
    let spec = || script.spec("bad");
    let factor = |factor| spec().with_backoff(BackoffPolicy { factor, ..BACKOFF });
    let interval = |interval| spec().with_restart(RestartPolicy::Always { interval: Some(interval) });
    vec![
        (factor(f64::NAN), "task `bad`: `backoff.factor` is NaN, expected a finite number of at least 0"),
        (factor(f64::INFINITY), "task `bad`: `backoff.factor` is inf, expected a finite number of at least 0"),
        (factor(f64::NEG_INFINITY), "task `bad`: `backoff.factor` is -inf, expected a finite number of at least 0"),
        (factor(-0.5), "task `bad`: `backoff.factor` is -0.5, expected a finite number of at least 0"),
        (
            spec().with_backoff(BackoffPolicy { first: secs(3), ..BACKOFF }),
            "task `bad`: `backoff.first` is 3s, above `backoff.max`, which is 2s, expected at most `backoff.max`",
        ),
        (spec().with_name(""), "a task: `name` is \"\", expected a name that is not empty"),
        (script.spec(""), "a task: `name` is \"\", expected a name that is not empty"),
        (
            spec().with_restart(ALWAYS).with_every(Duration::ZERO),
            "task `bad`: `every` is 0ns, expected a period longer than zero",
        ),
        (spec().with_every(secs(1)), "task `bad`: `every` is 1s, expected the restart policy `Always` beside it"),
        (
            spec().with_restart(RestartPolicy::Never).with_every(secs(1)),
            "task `bad`: `every` is 1s, expected the restart policy `Always` beside it",
        ),
        (
            interval(secs(5)).with_every(secs(1)),
            "task `bad`: `every` is 1s, expected either `every` or `interval`, not both",
        ),
        (
            interval(Duration::ZERO).with_every(secs(1)),
            "task `bad`: `every` is 1s, expected either `every` or `interval`, not both",
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn a04_an_invalid_spec_is_the_same_typed_error_everywhere() {
    let bad = Script::new([OK]);
    for (spec, expected) in invalid_specs(&bad) {
        let good = Script::new([OK]);
        let (supervisor, recorder) = recorded();
        let batch = || vec![good.spec("first"), spec.clone(), good.spec("last")];
        let tree = Tree::builder(SupervisorConfig::default()).with_subscriber(recorder.clone()).tasks(batch()).build();

        assert_eq!(invalid(supervisor.add_task(spec.clone()).await), expected);
        assert_eq!(invalid(supervisor.run(batch()).await), expected);
        assert_eq!(invalid(supervisor.run_until(batch(), pending()).await), expected);
        assert_eq!(invalid(tree.start().await), expected);
        assert_eq!(invalid(tree.start().await), expected, "an attempt to start is not a start");
        assert_eq!(invalid(tree.run().await), expected);
        assert_eq!(invalid(tree.run_until(pending()).await), expected);

        settle().await;
        assert_eq!((good.attempts(), bad.attempts()), (0, 0), "{expected}");
        assert!(supervisor.list_tasks().await.is_empty(), "{expected}");
        assert!(tree.supervisor().list_tasks().await.is_empty(), "{expected}");
        assert_eq!(recorder.kinds(), [], "{expected}");
        assert!(supervisor.run(vec![good.spec("first")]).await.is_ok(), "the supervisor is as good as before");
        assert_eq!(good.attempts(), 1);
    }
}

/// Every way in which a config can be invalid, with its message.
fn invalid_configs() -> Vec<(SupervisorConfig, &'static str)> {
    let backoff = |backoff| SupervisorConfig { backoff, ..SupervisorConfig::default() };
    let factor = |factor| backoff(BackoffPolicy { factor, ..BACKOFF });
    vec![
        (factor(f64::NAN), "config: `backoff.factor` is NaN, expected a finite number of at least 0"),
        (factor(f64::INFINITY), "config: `backoff.factor` is inf, expected a finite number of at least 0"),
        (factor(-1.0), "config: `backoff.factor` is -1, expected a finite number of at least 0"),
        (
            backoff(BackoffPolicy { first: secs(3), ..BACKOFF }),
            "config: `backoff.first` is 3s, above `backoff.max`, which is 2s, expected at most `backoff.max`",
        ),
        (
            SupervisorConfig { bus_capacity: 0, ..SupervisorConfig::default() },
            "config: `bus_capacity` is 0, expected at least 1",
        ),
    ]
}

/// The error of an invalid supervisor. Every entry point must return the same one.
async fn refused(config: SupervisorConfig, subscriber: Option<Arc<dyn Subscribe>>) -> String {
    let script = Script::new([OK]);
    let spec = || script.spec("good").with_backoff(BackoffPolicy::default());
    let subscribers = || subscriber.clone().into_iter().collect::<Vec<_>>();
    let supervisor = Supervisor::new(config.clone(), subscribers());
    let builder = Supervisor::builder(config.clone()).with_subscribers(subscribers());
    let tree = Tree::builder(config).task(spec());
    let tree = subscribers().into_iter().fold(tree, TreeBuilder::with_subscriber).build();

    let expected = invalid(builder.try_build());
    let said = [
        invalid(supervisor.add_task(spec()).await),
        invalid(supervisor.run(vec![spec()]).await),
        invalid(supervisor.run(vec![]).await),
        invalid(supervisor.run_until(vec![spec()], pending()).await),
        invalid(supervisor.cancel("good").await),
        invalid(supervisor.remove_task("good").await),
        invalid(tree.start().await),
        invalid(tree.run().await),
        invalid(tree.run_until(pending()).await),
    ];

    settle().await;
    assert_eq!(script.attempts(), 0, "{expected}");
    assert!(supervisor.list_tasks().await.is_empty(), "{expected}");
    for said in said {
        assert_eq!(said, expected);
    }
    expected
}

#[tokio::test(start_paused = true)]
async fn a04_an_invalid_config_is_the_same_typed_error_everywhere() {
    for (config, expected) in invalid_configs() {
        assert_eq!(refused(config, None).await, expected);
    }
}

/// A subscriber whose queue has no capacity.
struct NoQueue;

#[async_trait::async_trait]
impl Subscribe for NoQueue {
    async fn on_event(&self, _event: &Event) {}

    fn name(&self) -> &'static str {
        "deaf"
    }

    fn queue_capacity(&self) -> usize {
        0
    }
}

#[tokio::test(start_paused = true)]
async fn a04_a_subscriber_without_a_queue_is_the_same_typed_error_everywhere() {
    let said = refused(SupervisorConfig::default(), Some(Arc::new(NoQueue))).await;
    assert_eq!(said, "subscriber `deaf`: `queue_capacity` is 0, expected at least 1");
}

#[tokio::test(start_paused = true)]
async fn a04_what_is_odd_but_makes_sense_is_taken() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let longest = BackoffPolicy { first: Duration::MAX, max: Duration::MAX, ..BACKOFF };
    let none = BackoffPolicy { first: Duration::ZERO, max: Duration::ZERO, factor: 0.0, ..BACKOFF };
    let specs = [
        cooperative("backoff").with_backoff(longest).with_reset_after(Duration::MAX),
        cooperative("none").with_backoff(none).with_reset_after(Duration::ZERO).with_max_retries(0),
        cooperative("timeout").with_timeout(Duration::MAX).with_stop_timeout(Duration::MAX),
        cooperative("zero").with_timeout(Duration::ZERO).with_stop_timeout(Duration::ZERO),
        cooperative("every").with_restart(ALWAYS).with_every(Duration::MAX),
        cooperative("interval").with_restart(RestartPolicy::Always { interval: Some(Duration::MAX) }),
        cooperative("delay").with_initial_delay(Duration::MAX),
    ];

    for spec in specs {
        supervisor.add_task(spec).await?;
    }
    settle().await;

    assert_eq!(supervisor.snapshot(), ["backoff", "every", "interval", "none", "timeout", "zero"]);
    assert_eq!(supervisor.list_tasks().await.len(), 7);
    Ok(())
}
