//! The metrics and their labels.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use taskvisor::{
    ControllerSpec, Event, EventKind, Group, RestartPolicy, Signals, SlotSpec, Subscribe, Supervisor, SupervisorConfig,
    TaskContext, TaskError, TaskFn, TaskSpec, Tree, TreeBuilder,
};
use tests::{FAIL, OK, PANIC, Script, Step, constant, cooperative, deaf, ms, secs, settle, supervisor};
use tokio::time::sleep;

use super::dashboard::values_of;
use super::run;

/// The recorded metrics, by name and labels in the form `name{label=value}`.
#[derive(Default)]
pub(crate) struct Recorded {
    pub(crate) numbers: BTreeMap<String, f64>,
    pub(crate) histograms: BTreeMap<String, Vec<f64>>,
}

impl Recorded {
    /// Adds the values since the last call, which a snapshot takes out of the recorder.
    pub(crate) fn look(&mut self, snapshotter: &Snapshotter) {
        for (key, _, _, value) in snapshotter.snapshot().into_vec() {
            let labels: Vec<_> = key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            let name = format!("{}{{{}}}", key.key().name(), labels.join(","));
            match value {
                DebugValue::Counter(count) => {
                    *self.numbers.entry(name).or_default() += f64::from(u32::try_from(count).unwrap());
                }
                DebugValue::Gauge(change) => *self.numbers.entry(name).or_default() += change.into_inner(),
                DebugValue::Histogram(values) => {
                    self.histograms.entry(name).or_default().extend(values.into_iter().map(Into::<f64>::into));
                }
            }
        }
    }

    /// The value of a counter or gauge. All of them are whole numbers.
    #[expect(clippy::cast_possible_truncation, reason = "the tests count to thousands")]
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.numbers.get(name).map(|number| number.round() as i64)
    }

    fn histogram(&self, name: &str) -> Vec<f64> {
        self.histograms.get(name).cloned().unwrap_or_default()
    }

    fn series(&self) -> usize {
        self.numbers.len() + self.histograms.len()
    }

    /// All values of a label.
    pub(super) fn values_of(&self, label: &str) -> BTreeSet<String> {
        let names = self.numbers.keys().chain(self.histograms.keys());
        let value = |name: &String| {
            let (_, labels) = name.trim_end_matches('}').split_once('{')?;
            let value = labels.split(',').find_map(|pair| pair.strip_prefix(label)?.strip_prefix('='))?;
            Some(value.to_owned())
        };
        names.filter_map(value).collect()
    }
}

/// Runs a future with a recorder, into which the snapshotter can look meanwhile.
pub(crate) fn watched<F: Future<Output = ()>>(test: impl FnOnce(Snapshotter) -> F) -> Recorded {
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || run(test(recorder.snapshotter())));
    let mut rest = Recorded::default();
    rest.look(&recorder.snapshotter());
    rest
}

/// Runs one declared task to its end, and returns the metrics.
fn of_task(spec: TaskSpec) -> Recorded {
    let tree =
        Tree::builder(SupervisorConfig { signals: Signals::NONE, ..SupervisorConfig::default() }).task(spec).build();
    watched(|_| async move { tree.run().await.unwrap() })
}

fn attempts(recorded: &Recorded) -> Vec<(String, i64)> {
    let counters = recorded.numbers.keys().filter_map(|name| {
        let outcome = name.strip_prefix("taskvisor_attempts_total{task=t,outcome=")?.trim_end_matches('}');
        Some((outcome.to_owned(), recorded.number(name)?))
    });
    counters.collect()
}

#[test]
fn attempts_are_counted_by_outcome() {
    let once = |step: Step| Script::new([step]).spec("t").with_restart(RestartPolicy::Never);
    let slow = once(Step::Deaf).with_timeout(secs(1)).with_stop_timeout(Duration::ZERO);
    let silent = once(Step::Deaf).with_watchdog(secs(1)).with_stop_timeout(Duration::ZERO);
    for (spec, outcome) in [
        (once(OK), "completed"),
        (once(FAIL), "failed"),
        (once(PANIC), "panicked"),
        (once(Step::Fatal), "fatal"),
        (once(Step::Cancel), "canceled"),
        (slow, "timeout"),
        (silent, "silent"),
    ] {
        let recorded = of_task(spec);
        assert!(values_of("outcome").contains(outcome), "the guide lists {outcome}");
        assert_eq!(attempts(&recorded), [(outcome.to_owned(), 1)]);
        assert_eq!(recorded.number("taskvisor_running{task=t}"), Some(0), "{outcome}");
        assert_eq!(recorded.histogram("taskvisor_attempt_duration_seconds{task=t}").len(), 1, "{outcome}");
        assert_eq!(recorded.number("taskvisor_restarts_total{task=t}"), None, "{outcome}");
    }
}

#[test]
fn what_was_told_to_stop_is_canceled_or_aborted() {
    for (spec, outcome) in [(cooperative("t"), "canceled"), (deaf("t").with_stop_timeout(secs(1)), "aborted")] {
        let tree = Tree::builder(SupervisorConfig::default()).task(spec).build();
        let recorded = watched(|snapshotter| async move {
            tree.start().await.unwrap();
            sleep(secs(2)).await;
            let mut meanwhile = Recorded::default();
            meanwhile.look(&snapshotter);
            assert_eq!(meanwhile.number("taskvisor_running{task=t}"), Some(1));
            assert_eq!(attempts(&meanwhile), []);
            tree.child("t").cancel().await.unwrap();
            tree.shutdown().await.unwrap();
        });
        assert_eq!(attempts(&recorded), [(outcome.to_owned(), 1)]);
        assert_eq!(recorded.number("taskvisor_running{task=t}"), Some(-1), "since the look");
        let lived = recorded.histogram("taskvisor_attempt_duration_seconds{task=t}");
        assert_eq!(lived, [if outcome == "canceled" { 2.0 } else { 3.0 }]);
    }
}

#[test]
fn an_attempt_that_was_aborted_for_a_restart_is_aborted() {
    let tree = Tree::builder(SupervisorConfig::default()).task(deaf("t").with_stop_timeout(secs(1))).build();
    let recorded = watched(|_| async move {
        tree.start().await.unwrap();
        settle().await;
        tree.child("t").restart();
        sleep(secs(2)).await;
        // The task does not stop this time either.
        assert!(tree.shutdown().await.is_err());
    });
    assert_eq!(attempts(&recorded), [("aborted".to_owned(), 2)]);
}

#[test]
fn restarts_backoff_and_durations_add_up() {
    let steps = [Step::Fail(ms(500)), Step::Fail(ms(250)), Step::Succeed(secs(1))];
    let recorded = of_task(Script::new(steps).spec("t").with_backoff(constant(ms(200))));
    assert_eq!(attempts(&recorded), [("completed".to_owned(), 1), ("failed".to_owned(), 2)]);
    assert_eq!(recorded.number("taskvisor_restarts_total{task=t}"), Some(2));
    assert_eq!(recorded.histogram("taskvisor_backoff_seconds{task=t}"), [0.2, 0.2]);
    assert_eq!(recorded.histogram("taskvisor_attempt_duration_seconds{task=t}"), [0.5, 0.25, 1.0]);
    assert_eq!(recorded.number("taskvisor_running{task=t}"), Some(0));
}

#[test]
fn a_start_that_timed_out_before_it_began_is_no_attempt() {
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let late = cooperative("t").with_ready(taskvisor::Ready::Signal).with_start_timeout(secs(1));
    let tree = Tree::builder(config).task(cooperative("other")).task(late.with_restart(RestartPolicy::Never)).build();
    let recorded = watched(|_| async move {
        tree.start().await.unwrap();
        tree.child("t").outcome().await.unwrap();
        tree.shutdown().await.unwrap();
    });
    assert_eq!(attempts(&recorded), []);
    assert_eq!(recorded.number("taskvisor_running{task=t}"), None);
}

#[test]
fn slots_tell_how_many_they_have_and_how_many_wait() {
    let tree = Tree::builder(SupervisorConfig::default())
        .with_slot(SlotSpec::new("uploads").with_capacity(2))
        .with_slot(SlotSpec::new("deploy"))
        .build();
    let recorded = watched(|snapshotter| async move {
        tree.start().await.unwrap();
        let mut now = Recorded::default();
        let mut seen = |uploads: Option<i64>, deploy: Option<i64>, other: Option<i64>, queued: Option<i64>| {
            now.look(&snapshotter);
            let depth = |slot: &str| now.number(&format!("taskvisor_slot_depth{{slot={slot}}}"));
            assert_eq!((depth("uploads"), depth("deploy"), depth("other")), (uploads, deploy, other));
            assert_eq!(now.number("taskvisor_queued{}"), queued);
        };
        let (uploads, deploy) = (tree.slot("uploads"), tree.slot("deploy"));
        for name in ["a", "b", "c"] {
            uploads.queue(cooperative(name)).await.unwrap();
        }
        seen(Some(3), None, None, Some(2));
        uploads.queue(cooperative("full")).await.unwrap().outcome().await;
        uploads.drop_if_running(cooperative("busy")).await.unwrap().outcome().await;
        seen(Some(3), None, None, Some(2));

        deploy.replace(cooperative("first")).await.unwrap();
        settle().await;
        seen(Some(3), Some(1), None, Some(2));
        let second = deploy.replace(cooperative("second")).await.unwrap();
        let third = deploy.replace(cooperative("third")).await.unwrap();
        seen(Some(3), Some(2), None, Some(3));
        second.outcome().await;
        settle().await;
        seen(Some(3), Some(1), None, Some(2));
        assert_eq!(third.status().state.to_string(), "running");

        let own = ControllerSpec::queue(cooperative("x")).with_slot("a slot of its own");
        tree.supervisor().submit(own).await.unwrap();
        seen(Some(3), Some(1), Some(1), Some(2));
        tree.supervisor().cancel("a").await.unwrap();
        settle().await;
        seen(Some(2), Some(1), Some(1), Some(1));
        uploads.cancel_all().await.unwrap();
        seen(Some(0), Some(1), Some(1), Some(0));
        for name in ["d", "e"] {
            uploads.queue(cooperative(name)).await.unwrap();
        }
        tree.shutdown().await.unwrap();
        seen(Some(0), Some(0), Some(0), Some(0));
    });
    assert!(recorded.numbers.values().all(|number| number.abs() < 0.5), "nothing happens after the end");
}

#[test]
fn o31_the_keys_of_a_slot_share_the_series_of_the_slot() {
    let slots = ["jobs", "jobs/eu"].map(|name| SlotSpec::new(name).with_keys());
    let tree = slots.into_iter().fold(Tree::builder(SupervisorConfig::default()), TreeBuilder::with_slot);
    let tree = tree.build();
    let recorded = watched(|snapshotter| async move {
        tree.start().await.unwrap();
        let (jobs, eu) = (tree.slot("jobs"), tree.slot("jobs/eu"));
        for key in ["a", "a", "b"] {
            jobs.key(key).queue(cooperative("t")).await.unwrap();
        }
        eu.key("a").queue(cooperative("t")).await.unwrap();
        let ok = Script::new([OK]);
        for key in 0..100 {
            jobs.key(&key.to_string()).queue(ok.spec("t")).await.unwrap().outcome().await;
        }
        settle().await;
        let mut now = Recorded::default();
        now.look(&snapshotter);
        assert_eq!(now.number("taskvisor_slot_depth{slot=jobs}"), Some(3), "of both keys");
        assert_eq!(now.number("taskvisor_slot_depth{slot=jobs/eu}"), Some(1));
        assert_eq!(now.values_of("slot"), ["jobs", "jobs/eu"].map(str::to_owned).into());
        jobs.key("a").cancel_all().await.unwrap();
        now.look(&snapshotter);
        assert_eq!(now.number("taskvisor_slot_depth{slot=jobs}"), Some(1));
        tree.shutdown().await.unwrap();
        now.look(&snapshotter);
        assert_eq!(now.number("taskvisor_slot_depth{slot=jobs}"), Some(0));
    });
    assert!(recorded.numbers.values().all(|number| number.abs() < 0.5), "nothing happens after the end");
}

/// Without an interval, paused time would stand still.
pub(crate) const OFTEN: RestartPolicy = RestartPolicy::Always { interval: Some(ms(1)) };

pub(crate) struct Slow;

#[async_trait::async_trait]
impl Subscribe for Slow {
    async fn on_event(&self, _: &Event) {
        sleep(secs(1)).await;
    }

    fn name(&self) -> &'static str {
        "slow"
    }

    fn queue_capacity(&self) -> usize {
        2
    }
}

#[test]
fn events_that_a_subscriber_loses_are_counted() {
    let listener = tests::Recorder::new();
    let subscribers: Vec<Arc<dyn Subscribe>> = vec![Arc::new(Slow), listener.clone()];
    let config = SupervisorConfig { drain_timeout: secs(3600), ..SupervisorConfig::default() };
    let supervisor = Supervisor::new(config, subscribers);
    let script = Script::new([OK]);
    let recorded = watched(|_| async move {
        supervisor.add_task(script.spec("t").with_restart(OFTEN)).await.unwrap();
        sleep(ms(500)).await;
        supervisor.shutdown().await.unwrap();
    });
    let lost = listener.seen().iter().filter_map(|seen| seen.count).sum::<u64>();
    assert!(lost > 0);
    let counted = recorded.number("taskvisor_subscriber_lost_events_total{subscriber=slow}");
    assert_eq!(counted, i64::try_from(lost).ok(), "as many as were reported");
    assert_eq!(recorded.values_of("subscriber").len(), 1, "the other lost none");
}

#[test]
fn what_a_subscriber_loses_is_counted_while_it_is_still_behind() {
    let config = SupervisorConfig { drain_timeout: secs(3600), ..SupervisorConfig::default() };
    let listener = tests::Recorder::new();
    let supervisor = Supervisor::new(config, vec![Arc::new(Slow), listener.clone()]);
    let lost = "taskvisor_subscriber_lost_events_total{subscriber=slow}";
    let mut seen = Recorded::default();
    let (heard, early) = (Arc::clone(&listener), &mut seen);
    let rest = watched(|snapshotter| async move {
        supervisor.add_task(Script::new([OK]).spec("t").with_restart(OFTEN)).await.unwrap();
        sleep(ms(500)).await;
        assert_eq!(heard.count(EventKind::SubscriberOverflow), 0, "it has not caught up");
        early.look(&snapshotter);
        supervisor.shutdown().await.unwrap();
    });
    let (early, late) = (seen.number(lost).unwrap_or(0), rest.number(lost).unwrap_or(0));
    assert!(early > 0);
    let reported = listener.seen().iter().filter_map(|seen| seen.count).sum::<u64>();
    assert_eq!(u64::try_from(early + late), Ok(reported), "none of them twice");
}

#[test]
fn k6j_a_task_that_is_added_at_runtime_has_the_label_that_was_given() {
    let recorded = watched(|_| async {
        let supervisor = supervisor();
        for name in ["a", "b", "c"] {
            let spec = Script::new([OK]).spec(name);
            let spec = if name == "c" { spec } else { spec.with_metric_label("upload") };
            supervisor.add_task(spec).await.unwrap().outcome().await;
        }
    });
    assert_eq!(recorded.number("taskvisor_attempts_total{task=upload,outcome=completed}"), Some(2));
    assert_eq!(recorded.values_of("task"), ["dynamic", "upload"].map(str::to_owned).into());
}

#[test]
fn k6j_groups_that_are_added_have_the_label_of_the_declared_group_around_them() {
    let inner = Group::one_for_one("inner");
    let tree = Tree::builder(SupervisorConfig::default()).group(Group::one_for_one("pool").group(inner)).build();
    let recorded = watched(|_| async move {
        tree.start().await.unwrap();
        for n in 0..100 {
            let deep = Group::one_for_one("deep").task(Script::new([OK]).spec("job"));
            let added = Group::one_for_one(format!("tenant-{n}")).task(Script::new([OK]).spec("job")).group(deep);
            let parent = if n % 4 == 0 { tree.group("") } else { tree.group("pool/inner") };
            let added = parent.add_group(added).unwrap();
            added.outcome().await;
        }
        tree.shutdown().await.unwrap();
    });
    assert_eq!(recorded.number("taskvisor_attempts_total{task=pool/inner,outcome=completed}"), Some(150));
    assert_eq!(recorded.number("taskvisor_attempts_total{task=dynamic,outcome=completed}"), Some(50));
    assert_eq!(recorded.values_of("task"), ["dynamic", "pool/inner"].map(str::to_owned).into());
    assert_eq!(recorded.values_of("group").len(), 0);
}

#[test]
fn ten_thousand_dynamic_tasks_make_a_handful_of_series() {
    let group = Group::one_for_one("pool").task(cooperative("own"));
    let tree = Tree::builder(SupervisorConfig::default()).task(cooperative("t")).group(group).build();
    let recorded = watched(|_| async move {
        tree.start().await.unwrap();
        settle().await;
        let ok = Script::new([OK]);
        for n in 0..10_000_u32 {
            let name = format!("job-{n}");
            let spec = ok.spec(&name);
            match n % 3 {
                0 => tree.supervisor().add_task(spec).await.unwrap(),
                1 => tree.group("pool").add_task(spec).await.unwrap(),
                _ => tree.supervisor().submit(ControllerSpec::queue(spec).with_slot(name)).await.unwrap(),
            }
            .outcome()
            .await;
        }
        tree.shutdown().await.unwrap();
    });
    assert_eq!(recorded.number("taskvisor_attempts_total{task=dynamic,outcome=completed}"), Some(6_667));
    assert_eq!(recorded.number("taskvisor_attempts_total{task=pool,outcome=completed}"), Some(3_333));
    assert_eq!(recorded.values_of("task"), ["dynamic", "pool", "pool/own", "t"].map(str::to_owned).into());
    assert_eq!(recorded.values_of("slot"), ["other".to_owned()].into());
    assert!(recorded.series() < 20, "{}", recorded.series());
    assert_eq!(recorded.number("taskvisor_slot_depth{slot=other}"), Some(0));
}

#[test]
fn each_check_of_the_health_of_a_tree_says_whether_it_is_live_and_ready() {
    let group = Group::one_for_one("pool").task(cooperative("own"));
    let late = cooperative("late").with_ready(taskvisor::Ready::Signal);
    let tree = Tree::builder(SupervisorConfig::default()).task(late).group(group).build();
    watched(|snapshotter| async move {
        // A snapshot takes the values out of the recorder, so a value that was not set again is 0 here.
        let look = || {
            let mut now = Recorded::default();
            now.look(&snapshotter);
            (now.number("taskvisor_live{}"), now.number("taskvisor_ready{}"))
        };
        tree.start().await.unwrap();
        settle().await;
        assert!(tree.group("pool").health().is_ready());
        assert_eq!(look(), (None, None), "nothing has checked the tree");
        assert!(!tree.health().is_ready());
        assert_eq!(look(), (Some(1), Some(0)));
        tree.shutdown().await.unwrap();
        assert!(!tree.health().is_ready());
        assert_eq!(look().1, Some(0));
    });
    let tree = Tree::builder(SupervisorConfig::default()).task(cooperative("t")).build();
    let recorded = watched(|_| async move {
        tree.start().await.unwrap();
        settle().await;
        assert!(tree.health().is_ready());
        tree.shutdown().await.unwrap();
    });
    assert_eq!((recorded.number("taskvisor_live{}"), recorded.number("taskvisor_ready{}")), (Some(1), Some(1)));
}

#[test]
fn a_recorder_that_comes_late_is_told_from_then_on() {
    let supervisor = supervisor();
    let task = TaskFn::arc("t", |_: TaskContext| async {
        sleep(secs(1)).await;
        Err(TaskError::Fail { reason: "again".into() })
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        supervisor.add_task(TaskSpec::inherit(task).with_backoff(constant(secs(1)))).await.unwrap();
        sleep(ms(1500)).await;
    });
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || runtime.block_on(async { sleep(secs(4)).await }));
    let mut seen = Recorded::default();
    seen.look(&recorder.snapshotter());
    assert_eq!(seen.number("taskvisor_attempts_total{task=dynamic,outcome=failed}"), Some(2));
}

#[test]
fn an_attempt_in_which_the_recorder_comes_is_told_at_its_end_alone() {
    let supervisor = supervisor();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let spec = Script::new([Step::Succeed(secs(2))]).spec("t").with_restart(RestartPolicy::Never);
        supervisor.add_task(spec.with_metric_label("t")).await.unwrap();
        sleep(secs(1)).await;
    });
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, || runtime.block_on(async { sleep(secs(2)).await }));
    let mut seen = Recorded::default();
    seen.look(&recorder.snapshotter());
    assert_eq!(attempts(&seen), [("completed".to_owned(), 1)]);
    assert_eq!(seen.histogram("taskvisor_attempt_duration_seconds{task=t}"), [2.0]);
    assert_eq!(seen.number("taskvisor_running{task=t}"), None, "its begin was not told");
}

#[test]
fn a_first_attempt_that_installs_the_recorder_is_told() {
    // On a thread of its own, which keeps the recorder until it ends.
    let seen = std::thread::spawn(|| {
        let recorder: &'static DebuggingRecorder = Box::leak(Box::new(DebuggingRecorder::new()));
        let supervisor = supervisor();
        let task = TaskFn::arc("t", |_: TaskContext| async {
            std::mem::forget(metrics::set_default_local_recorder(recorder));
            Ok(())
        });
        let spec = TaskSpec::inherit(task).with_restart(RestartPolicy::Never).with_metric_label("t");
        run(async { supervisor.add_task(spec).await.unwrap().outcome().await });
        let mut seen = Recorded::default();
        seen.look(&recorder.snapshotter());
        seen
    });
    assert_eq!(attempts(&seen.join().unwrap()), [("completed".to_owned(), 1)]);
}

#[test]
fn t2_pauses_are_counted_until_they_end() {
    let slots = [SlotSpec::new("declared").with_paused(true), SlotSpec::new("jobs")];
    let tree = Tree::builder(SupervisorConfig::default())
        .group(Group::one_for_one("g").with_paused(true).task(cooperative("a")))
        .task(cooperative("t").with_paused(true));
    let tree = slots.into_iter().fold(tree, taskvisor::TreeBuilder::with_slot).build();
    let recorded = watched(|snapshotter| async move {
        let mut meanwhile = Recorded::default();
        let mut count = || {
            meanwhile.look(&snapshotter);
            meanwhile.number("taskvisor_paused{}")
        };
        tree.start().await.unwrap();
        assert_eq!(count(), Some(3), "a group, a task and a slot that are declared as paused");
        assert!(tree.group("g").resume() && tree.slot("jobs").pause() && tree.group("").pause());
        assert_eq!(count(), Some(4), "the root is one");
        assert!(!tree.group("").pause() && tree.group("").resume() && tree.slot("jobs").resume());
        let added = tree.supervisor().add_task(cooperative("added").with_paused(true)).await.unwrap();
        settle().await;
        assert_eq!(count(), Some(3));
        added.cancel().await.unwrap();
        assert_eq!(count(), Some(2), "its name is free");
        tree.shutdown().await.unwrap();
    });
    assert_eq!(recorded.number("taskvisor_paused{}"), Some(-2), "since the last look");
}

#[test]
fn t2_pauses_of_made_children_are_counted_until_they_are_not_made_again() {
    let calls = AtomicUsize::new(0);
    let group = Group::one_for_all("g").fresh(move || {
        let is_first = calls.fetch_add(1, Ordering::Relaxed) == 0;
        let child = if is_first { cooperative("first").with_paused(true) } else { cooperative("other") };
        async move { Ok::<_, String>([child]) }
    });
    let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
    watched(|snapshotter| async move {
        let mut meanwhile = Recorded::default();
        let mut count = || {
            meanwhile.look(&snapshotter);
            meanwhile.number("taskvisor_paused{}")
        };
        tree.start().await.unwrap();
        settle().await;
        assert_eq!(count(), Some(1), "it is declared as paused");
        assert!(tree.group("g").restart());
        settle().await;
        assert_eq!(count(), Some(0), "it is no place any more");
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn a_further_run_of_a_periodic_task_is_no_restart() {
    let steps = [Step::Succeed(ms(1)), Step::Fail(ms(1)), Step::Succeed(ms(1)), Step::Succeed(ms(1)), Step::Fatal];
    let always = RestartPolicy::Always { interval: Some(secs(10)) };
    let recorded = of_task(Script::new(steps).spec("t").with_restart(always).with_backoff(constant(ms(200))));
    let attempts = attempts(&recorded);
    assert_eq!(attempts.iter().map(|(_, count)| count).sum::<i64>(), 5, "{attempts:?}");
    assert_eq!(recorded.number("taskvisor_restarts_total{task=t}"), Some(1), "the one after the failure");
}
