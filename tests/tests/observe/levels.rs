//! What a log writes at each of its levels, and what it costs.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use taskvisor::{
    ControllerSpec, LogLevel, LogWriter, RestartPolicy, RuntimeError, Signals, Subscribe, Supervisor, SupervisorConfig,
    TaskContext, TaskError, TaskFn, TaskSpec,
};
use tests::{FAIL, OK, Script, constant, cooperative, ms, secs};
use tokio::time::sleep;

type Result<T = ()> = std::result::Result<T, RuntimeError>;

/// Text shared by a writer and the test.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    fn get(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines of a task, without their times.
    fn of(&self, task: &str) -> Vec<String> {
        let words = |line: &str| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
        let lines = self.get();
        let of_task = |line: &&str| line.split_whitespace().nth(3) == Some(task);
        lines.lines().filter(of_task).map(words).collect()
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn supervisor(subscriber: impl Subscribe) -> Arc<Supervisor> {
    let config = SupervisorConfig { signals: Signals::NONE, ..SupervisorConfig::default() };
    Supervisor::new(config, vec![Arc::new(subscriber)])
}

fn once(name: &str, script: &Arc<Script>) -> TaskSpec {
    script.spec(name).with_restart(RestartPolicy::Never)
}

/// A terminal that is blocked in its first line until it may go on.
struct Blocked {
    text: Text,
    begins: Option<(Sender<()>, Receiver<()>)>,
}

impl Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some((begun, go_on)) = self.begins.take() {
            begun.send(()).unwrap();
            go_on.recv().unwrap();
        }
        self.text.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o40_a_burst_below_its_level_costs_a_log_no_warning() -> Result {
    let (begun, is_begun) = channel();
    let (go, go_on) = channel();
    let text = Text::default();
    let blocked = Blocked { text: text.clone(), begins: Some((begun, go_on)) };
    let supervisor = supervisor(LogWriter::new(blocked).with_level(LogLevel::Warn));
    let refused = Script::new([FAIL]);
    supervisor.add_task(once("first", &refused)).await?.outcome().await;
    tokio::task::spawn_blocking(move || is_begun.recv().unwrap()).await.unwrap();
    let jobs = Script::new([OK]);
    for n in 0..400 {
        supervisor.add_task(once(&format!("job-{n}"), &jobs)).await?.outcome().await;
    }
    supervisor.add_task(once("last", &refused)).await?.outcome().await;
    go.send(()).unwrap();
    supervisor.shutdown().await?;
    let text = text.get();
    assert!(text.contains(" first ") && text.contains(" last "), "{text}");
    assert!(!text.contains("SubscriberOverflow"), "{text}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_job_that_succeeds_takes_a_line_for_its_begin_and_one_for_its_end() -> Result {
    let text = Text::default();
    let supervisor = supervisor(LogWriter::new(text.clone()).with_level(LogLevel::Info));
    let job = ControllerSpec::queue(once("job", &Script::new([OK]))).with_slot("slot");
    supervisor.submit(job).await.unwrap().outcome().await;
    supervisor.shutdown().await?;
    assert_eq!(
        text.of("job"),
        ["INFO TaskStarting job attempt=1", "INFO ActorExhausted job attempt=1 outcome=completed"]
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_one_warning_and_the_last_failure_one_error() -> Result {
    let text = Text::default();
    let supervisor = supervisor(LogWriter::new(text.clone()).with_level(LogLevel::Warn));
    let slow = cooperative("slow").with_timeout(secs(1)).with_max_retries(1).with_backoff(constant(ms(100)));
    supervisor.add_task(slow).await?.outcome().await;
    supervisor.shutdown().await?;
    let [first, last] = &text.of("slow")[..] else { panic!("{}", text.get()) };
    assert_eq!(first, "WARN TaskFailed slow attempt=1 reason=\"timed out after 1s\"");
    assert_eq!(last, "ERROR ActorExhausted slow attempt=2 reason=\"timed out after 1s\"");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_stopped_between_attempts_says_why_it_ended() -> Result {
    let text = Text::default();
    let supervisor = supervisor(LogWriter::new(text.clone()).with_level(LogLevel::Info));
    let waits = |name| Script::new([FAIL]).spec(name).with_backoff(constant(secs(3_600)));
    let canceled = supervisor.add_task(waits("canceled")).await?;
    supervisor.add_task(waits("waits")).await?;
    supervisor.add_task(cooperative("runs")).await?;
    sleep(secs(1)).await;
    canceled.cancel().await.unwrap();
    supervisor.shutdown().await?;
    for (task, why) in [("canceled", "canceled"), ("waits", "shutdown")] {
        let lines = text.of(task);
        let [begin, failure, end] = &lines[..] else { panic!("{}", text.get()) };
        assert_eq!(*begin, format!("INFO TaskStarting {task} attempt=1"));
        assert!(failure.starts_with("WARN TaskFailed"), "{failure}");
        assert_eq!(*end, format!("INFO TaskRemoved {task} reason=\"{why}\""));
    }
    let runs = ["INFO TaskStarting runs attempt=1", "INFO TaskStopped runs attempt=1 reason=\"shutdown\""];
    assert_eq!(text.of("runs"), runs);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o40_a_log_of_errors_tells_no_recovery_from_what_it_has_not_told() -> Result {
    let text = Text::default();
    let supervisor = supervisor(LogWriter::new(text.clone()).with_level(LogLevel::Error));
    let flaky = TaskFn::arc("flaky", |ctx: TaskContext| async move {
        let refused = || TaskError::Fail { reason: "connection refused".into() };
        if ctx.attempt() > 5 { Ok(()) } else { Err(refused()) }
    });
    let flaky = TaskSpec::inherit(flaky).with_restart(RestartPolicy::OnFailure).with_backoff(constant(ms(100)));
    supervisor.add_task(flaky).await?.outcome().await;
    supervisor.shutdown().await?;
    assert_eq!(text.get(), "");
    Ok(())
}
