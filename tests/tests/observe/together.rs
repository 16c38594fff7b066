//! All features on one tree at once: each of them reports the same number of attempts.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::{Value, to_value};
use taskvisor::test::Recorder;
use taskvisor::{
    ControllerSpec, EventKind, Group, LogWriter, RestartPolicy, Signals, SlotSpec, SupervisorConfig, Tree,
};
use tests::{ALWAYS, FAIL, OK, PANIC, Script, Step, constant, ms, secs};
use tokio::time::sleep;

use super::log::{Log, What};
use super::metrics::{Recorded, watched};

/// The number of attempts by path.
type Attempts = BTreeMap<String, usize>;

fn count(paths: impl IntoIterator<Item = String>) -> Attempts {
    let mut attempts = Attempts::new();
    for path in paths {
        *attempts.entry(path).or_default() += 1;
    }
    attempts
}

/// Text shared by a writer and the test.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The attempts in the lines of a `LogWriter`.
fn written(text: &Text) -> Attempts {
    let text = String::from_utf8(text.0.lock().unwrap().clone()).unwrap();
    let path = |line: &str| {
        let mut words = line.split_whitespace().skip(2);
        (words.next() == Some("TaskStarting")).then(|| words.next().unwrap().to_owned())
    };
    count(text.lines().filter_map(path))
}

/// The attempts in events as JSON.
fn serialized(events: &[Value]) -> Attempts {
    let starts = events.iter().filter(|event| event["kind"] == "TaskStarting");
    count(starts.map(|event| event["task"].as_str().unwrap().to_owned()))
}

/// The attempts in spans, each of which must be opened and closed once.
fn spans(log: &Log) -> Attempts {
    let of = |what| {
        let ours = |name: &String| name.contains('#');
        let mut names: Vec<_> =
            log.entries().into_iter().filter(|it| it.what == what).filter_map(|it| it.span).filter(ours).collect();
        names.sort_unstable();
        names
    };
    let opened = of(What::Opened);
    assert_eq!(opened, of(What::Closed));
    count(opened.iter().map(|name| name.split('#').next().unwrap().to_owned()))
}

/// The attempts in counters and in histograms.
fn metered(figures: &Recorded) -> [Attempts; 2] {
    let task = |name: &str| name.split("task=").nth(1)?.split([',', '}']).next().map(str::to_owned);
    let mut counted = Attempts::new();
    for name in figures.numbers.keys().filter(|name| name.starts_with("taskvisor_attempts_total")) {
        *counted.entry(task(name).unwrap()).or_default() += usize::try_from(figures.number(name).unwrap()).unwrap();
    }
    let durations =
        figures.histograms.iter().filter(|(name, _)| name.starts_with("taskvisor_attempt_duration_seconds"));
    [counted, durations.map(|(name, values)| (task(name).unwrap(), values.len())).collect()]
}

/// The attempts in a snapshot as JSON, which contains only the current registration of each task.
fn seen(node: &Value, attempts: &mut Attempts) {
    if let Some(attempt) = node["attempt"].as_u64() {
        attempts.insert(node["path"].as_str().unwrap().to_owned(), usize::try_from(attempt).unwrap());
    }
    for child in node["children"].as_array().into_iter().flatten() {
        seen(child, attempts);
    }
}

#[test]
fn all_agree_on_the_number_of_attempts() {
    // given
    let flaky = Script::new([FAIL, PANIC, Step::Deaf, OK, FAIL, Step::Wait]);
    let leader = Script::new([Step::Fail(secs(2)), Step::Fail(secs(2)), Step::Wait]);
    let follower = Script::new([Step::Wait]);
    let once = Script::new([Step::Fatal]);
    let job = Script::new([FAIL, OK]);
    let scripts =
        [("flaky", &flaky), ("pair/leader", &leader), ("pair/follower", &follower), ("once", &once), ("job", &job)];

    let text = Text::default();
    let pair = Group::rest_for_one("pair").with_limit(10, secs(60));
    let tree = Tree::builder(SupervisorConfig { signals: Signals::NONE, ..SupervisorConfig::default() })
        .with_subscriber(LogWriter::new(text.clone()))
        .with_slot(SlotSpec::new("jobs"))
        .task(
            flaky
                .spec("flaky")
                .with_restart(ALWAYS)
                .with_timeout(secs(5))
                .with_stop_timeout(secs(1))
                .with_backoff(constant(ms(100))),
        )
        .group(pair.task(leader.spec("leader")).task(follower.spec("follower")))
        .task(once.spec("once").with_restart(RestartPolicy::Never))
        .build();
    let recorder = Recorder::attach(tree.supervisor());
    let mut events = tree.supervisor().events();
    let log = Log::default();
    let (mut streamed, mut snapshot) = (Vec::new(), Attempts::new());

    // when
    let figures = log.during(|| {
        watched(|_| async {
            tree.start().await.unwrap();
            let spec = job.spec("job").with_restart(RestartPolicy::OnFailure).with_max_retries(1);
            let submitted = tree.supervisor().submit(ControllerSpec::queue(spec).with_slot("jobs")).await.unwrap();
            assert!(submitted.outcome().await.is_completed());
            sleep(secs(9)).await;
            seen(&to_value(tree.snapshot()).unwrap()["root"], &mut snapshot);
            tree.shutdown().await.unwrap();
            while let Some(event) = events.next().await {
                streamed.push(to_value(event.unwrap()).unwrap());
            }
        })
    });

    // then
    let ran: Attempts = scripts.iter().map(|(path, script)| ((*path).to_owned(), script.attempts())).collect();
    assert_eq!(ran.values().copied().collect::<Vec<_>>(), [6, 2, 1, 3, 3], "flaky, job, once, follower, leader");
    assert_eq!(serialized(&streamed), ran, "the stream, as JSON");
    assert_eq!(written(&text), ran, "the lines");
    assert_eq!(spans(&log), ran, "the spans");
    for (path, attempts) in &ran {
        assert_eq!(recorder.attempts(path), *attempts, "{path}");
    }
    assert_eq!(recorder.count(EventKind::TaskStarting), ran.values().sum::<usize>());

    // All tasks that are not declared share one series.
    let mut labelled = ran.clone();
    let jobs = labelled.remove("job").unwrap();
    labelled.insert("dynamic".into(), jobs);
    for metered in metered(&figures) {
        assert_eq!(metered, labelled, "the metrics");
    }
    for (path, attempts) in &labelled {
        let restarts = figures.number(&format!("taskvisor_restarts_total{{task={path}}}")).unwrap_or(0);
        assert_eq!(usize::try_from(restarts), Ok(attempts - 1), "{path}");
    }

    // No attempt began after the snapshot. Tasks that had ended by then are not in it.
    assert_eq!(snapshot.get("flaky"), ran.get("flaky"));
    assert_eq!(snapshot.get("pair/leader"), ran.get("pair/leader"));
    assert_eq!(snapshot.get("pair/follower"), ran.get("pair/follower"));
}
