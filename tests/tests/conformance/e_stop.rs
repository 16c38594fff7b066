//! E. Stop.

mod trees;

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use taskvisor::{
    CancellationToken, EventKind, RestartPolicy, RuntimeError, Supervisor, SupervisorConfig, TaskContext, TaskError,
    TaskFn, TaskHandle, TaskOutcome, TaskSpec, TaskState, Tree,
};
use tests::{
    ALWAYS, FAIL, OK, Recorder, Script, Step, constant, cooperative, deaf, ms, recorded, recorded_with, secs, settle,
    supervisor,
};
use tokio::time::Instant;

type Result = std::result::Result<(), RuntimeError>;

/// A generous guard against hanging: what takes this long on real time will not come.
const FOREVER: Duration = secs(60);

/// What a task ends with once it was told to stop.
type Answer = fn() -> std::result::Result<(), TaskError>;

fn with_grace(grace: Duration) -> SupervisorConfig {
    SupervisorConfig { grace, ..SupervisorConfig::default() }
}

/// The names in a verdict of stragglers.
fn stuck(result: Result) -> Vec<String> {
    match result {
        Err(RuntimeError::GraceExceeded { stuck, .. }) => stuck,
        other => panic!("expected GraceExceeded, not {other:?}"),
    }
}

fn is_shutting_down<T>(result: &std::result::Result<T, RuntimeError>) -> bool {
    matches!(result, Err(RuntimeError::ShuttingDown))
}

/// Told to stop, takes that long, and returns that.
fn answers(name: &str, after: Duration, answer: Answer) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| async move {
        ctx.cancelled().await;
        tokio::time::sleep(after).await;
        answer()
    }))
}

#[tokio::test(start_paused = true)]
async fn e01_a_cooperative_task_is_canceled_and_a_deaf_one_aborted_after_its_stop_timeout() -> Result {
    // given
    let (supervisor, recorder) = recorded();
    let polite = supervisor.add_task(cooperative("polite").with_stop_timeout(secs(1))).await?;
    let rude = supervisor.add_task(deaf("rude").with_stop_timeout(secs(1))).await?;
    settle().await;
    // when
    let start = Instant::now();
    let result = supervisor.shutdown().await;
    // then
    assert_eq!(start.elapsed(), secs(1));
    assert_eq!(stuck(result), ["rude"]);
    assert!(matches!(polite.outcome().await, TaskOutcome::Canceled { error: None }));
    assert!(matches!(rude.outcome().await, TaskOutcome::Aborted { error: None }));
    assert_eq!(recorder.kinds_of("polite")[3..], [EventKind::TaskStopped, EventKind::TaskRemoved]);
    assert_eq!(recorder.kinds_of("rude")[3..], [EventKind::TaskFailed, EventKind::TaskRemoved]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e01_without_a_stop_timeout_a_deaf_task_has_the_grace() -> Result {
    let (supervisor, _) = recorded_with(with_grace(secs(7)));
    supervisor.add_task(deaf("rude")).await?;
    supervisor.add_task(deaf("ruder").with_stop_timeout(secs(100))).await?;
    settle().await;
    let start = Instant::now();
    let result = supervisor.shutdown().await;
    assert_eq!(start.elapsed(), secs(7), "the grace covers a longer `stop_timeout` as well");
    assert_eq!(result.unwrap_err().to_string(), "2 tasks not stopped in time (grace 7s): rude, ruder");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e01_run_gives_the_verdict_and_a_stop_in_time_is_ok() {
    let (supervisor, recorder) = recorded_with(with_grace(secs(5)));
    let start = Instant::now();
    let slow = answers("slow", secs(4), || Ok(()));
    let result = supervisor.run_until(vec![slow], tokio::time::sleep(secs(1))).await;
    assert!(result.is_ok());
    assert_eq!(start.elapsed(), secs(5));
    assert_eq!(recorder.kinds().last(), Some(&EventKind::AllStoppedWithinGrace));
}

#[tokio::test(start_paused = true)]
async fn e02_a_stop_timeout_of_zero_aborts_at_once_and_siblings_get_theirs() -> Result {
    // given
    let supervisor = supervisor();
    let rude = supervisor.add_task(deaf("rude").with_stop_timeout(Duration::ZERO)).await?;
    let slow = supervisor.add_task(answers("slow", secs(2), || Ok(())).with_stop_timeout(secs(3))).await?;
    settle().await;
    // when
    let start = Instant::now();
    let shutdown = supervisor.shutdown();
    // then
    assert!(matches!(rude.outcome().await, TaskOutcome::Aborted { .. }));
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(slow.status().state, TaskState::Stopping);
    assert_eq!(stuck(shutdown.await), ["rude"]);
    assert_eq!(start.elapsed(), secs(2));
    assert!(matches!(slow.outcome().await, TaskOutcome::Canceled { error: None }));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e02_a_grace_of_zero_leaves_those_alone_that_only_wait() -> Result {
    let (supervisor, recorder) = recorded_with(with_grace(Duration::ZERO));
    let waits = supervisor.add_task(Script::new([FAIL]).spec("waits").with_backoff(constant(secs(9)))).await?;
    supervisor.add_task(deaf("rude")).await?;
    settle().await;
    assert_eq!(stuck(supervisor.shutdown().await), ["rude"], "nothing of the other had to be aborted");
    assert!(matches!(waits.outcome().await, TaskOutcome::Canceled { error: None }));
    assert_eq!(recorder.kinds_of("waits").last(), Some(&EventKind::TaskRemoved));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e03_ten_deaf_tasks_take_the_longest_of_their_times_and_not_the_sum() -> Result {
    let supervisor = supervisor();
    let mut names = Vec::new();
    for n in 1..=10 {
        let task = supervisor.add_task(deaf(&format!("deaf-{n}")).with_stop_timeout(secs(n))).await?;
        names.push(task.name().to_owned());
    }
    settle().await;
    let start = Instant::now();
    assert_eq!(stuck(supervisor.shutdown().await), names, "in the order of registration");
    assert_eq!(start.elapsed(), secs(10));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e04_whatever_a_task_answers_the_stop_is_clean_and_the_outcome_tells_the_truth() -> Result {
    // given
    let (supervisor, recorder) = recorded();
    let mut tasks = Vec::new();
    let all: [(&str, Answer, Option<&str>); 5] = [
        ("ok", || Ok(()), None),
        ("canceled", || Err(TaskError::Canceled), None),
        ("fails", || Err(TaskError::Fail { reason: "dirty".into() }), Some("dirty")),
        ("fatal", || Err(TaskError::Fatal { reason: "dead".into() }), Some("dead")),
        ("panics", || panic!("boom"), Some("panicked: boom")),
    ];
    for (name, answer, error) in all {
        let spec = answers(name, Duration::ZERO, answer).with_restart(ALWAYS);
        tasks.push((supervisor.add_task(spec).await?, error));
    }
    settle().await;
    // when
    let result = supervisor.shutdown().await;
    // then
    assert!(result.is_ok());
    for (task, expected) in tasks {
        let outcome = task.outcome().await;
        let TaskOutcome::Canceled { error } = &outcome else { panic!("{}: {outcome}", task.name()) };
        assert_eq!(error.as_ref().map(ToString::to_string).as_deref(), expected, "{}", task.name());
        assert_eq!(outcome.source().is_some(), expected.is_some());
        let end = [EventKind::TaskStarting, EventKind::TaskStopped, EventKind::TaskRemoved];
        assert_eq!(recorder.kinds_of(task.name())[2..], end, "{}: one attempt", task.name());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e06_tasks_that_wait_stop_at_once() -> Result {
    // given
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let (supervisor, recorder) = recorded_with(config);
    let always = RestartPolicy::Always { interval: Some(secs(100)) };
    let [backoff, interval, delayed, permit] = [
        Script::new([FAIL]).spec("backoff").with_backoff(constant(secs(100))),
        Script::new([OK]).spec("interval").with_restart(always),
        cooperative("delayed").with_initial_delay(secs(100)),
        cooperative("permit"),
    ];
    let mut tasks = Vec::new();
    for spec in [backoff, interval, delayed, cooperative("holder"), permit] {
        tasks.push(supervisor.add_task(spec).await?);
    }
    settle().await;
    let states: Vec<_> = tasks.iter().map(|task| task.status().state).collect();
    let running = TaskState::Running;
    assert_eq!(states, [TaskState::Backoff, TaskState::Interval, TaskState::Delayed, running, TaskState::Pending]);
    // when
    let start = Instant::now();
    let result = supervisor.shutdown().await;
    // then
    assert!(result.is_ok());
    assert_eq!(start.elapsed(), Duration::ZERO);
    for (task, attempts) in tasks.iter().zip([1, 1, 0, 1, 0]) {
        assert_eq!(task.status().attempt, attempts, "{}", task.name());
        assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None }), "{}", task.name());
    }
    let after: Vec<_> = recorder.kinds().into_iter().skip_while(|kind| *kind != EventKind::ShutdownRequested).collect();
    assert!(!after.contains(&EventKind::BackoffScheduled) && !after.contains(&EventKind::TaskStarting));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e06_a_task_that_is_canceled_while_it_waits_for_a_permit_takes_none() -> Result {
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let (supervisor, _) = recorded_with(config);
    let holder = supervisor.add_task(cooperative("holder")).await?;
    let first = supervisor.add_task(cooperative("first")).await?;
    let second = supervisor.add_task(cooperative("second")).await?;
    settle().await;
    assert!(first.cancel().await?);
    assert_eq!(first.status().attempt, 0);
    assert!(!supervisor.is_alive("second").await);
    assert!(holder.cancel().await?);
    settle().await;
    assert!(supervisor.is_alive("second").await, "the permit went to the next in the queue");
    assert!(second.cancel().await?);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e07_after_the_stop_every_call_is_a_typed_error_at_once() -> Result {
    // given
    let supervisor = supervisor();
    let task = supervisor.add_task(cooperative("gone")).await?;
    supervisor.shutdown().await?;
    let start = Instant::now();
    // then
    assert!(is_shutting_down(&supervisor.add_task(cooperative("late")).await));
    assert!(is_shutting_down(&supervisor.remove_task("gone").await));
    assert!(is_shutting_down(&supervisor.cancel("gone").await));
    assert!(is_shutting_down(&supervisor.cancel_with_timeout("gone", secs(1)).await));
    assert!(is_shutting_down(&supervisor.run(vec![cooperative("late")]).await));
    assert!(is_shutting_down(&supervisor.run(vec![]).await));
    assert!(is_shutting_down(&supervisor.run_until(vec![], std::future::pending()).await));
    assert!(supervisor.shutdown().await.is_ok(), "the same result as before");
    assert!(supervisor.shutdown_now().await.is_ok(), "the same result as before");
    supervisor.wait_ready().await;
    assert!(supervisor.list_tasks().await.is_empty() && supervisor.snapshot().is_empty());
    assert!(!supervisor.is_alive("gone").await);
    assert!(supervisor.task("gone").is_none());
    assert!(!task.cancel().await? && !task.restart() && !task.trigger());
    assert_eq!(start.elapsed(), Duration::ZERO);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e07_a_tree_that_was_stopped_does_not_start() {
    let tree = Tree::builder(SupervisorConfig::default()).task(cooperative("never")).build();
    assert!(tree.shutdown().await.is_ok());
    assert!(is_shutting_down(&tree.start().await));
    assert!(is_shutting_down(&tree.run().await));
    assert!(matches!(tree.child("never").cancel().await, Ok(false)));
}

#[tokio::test(start_paused = true)]
async fn e07_a_handle_without_an_owner_fails_with_a_typed_error() -> Result {
    let supervisor = supervisor();
    let task = supervisor.add_task(cooperative("orphan")).await?;
    let handle = supervisor.handle();
    drop(supervisor);
    assert!(is_shutting_down(&handle.add_task(cooperative("late")).await));
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None }));
    assert!(handle.shutdown().await.is_ok());
    assert!(is_shutting_down(&handle.remove_task("orphan").await));
    Ok(())
}

/// Adds until it is refused, and gives what it added.
async fn add_until_refused(supervisor: Arc<Supervisor>, name: usize) -> Vec<TaskHandle> {
    let mut added = Vec::new();
    loop {
        let name = format!("{name}-{}", added.len());
        let spec = if added.len() % 2 == 0 { cooperative(&name) } else { Script::new([OK]).spec(&name) };
        match supervisor.add_task(spec).await {
            Ok(task) => added.push(task),
            Err(RuntimeError::ShuttingDown) => return added,
            Err(other) => panic!("{other}"),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn e08_an_add_that_races_with_the_shutdown_is_drained_or_refused() {
    for round in 0..100 {
        // given
        let (supervisor, recorder) = recorded();
        let adders: Vec<_> = (0..3).map(|n| tokio::spawn(add_until_refused(Arc::clone(&supervisor), n))).collect();
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        // when
        let result = tokio::time::timeout(FOREVER, supervisor.shutdown()).await.expect("hangs");
        // then
        assert!(result.is_ok(), "{result:?}");
        let mut added = 0;
        for adder in adders {
            for task in adder.await.unwrap() {
                assert_eq!(task.status().state, TaskState::Ended, "the verdict was given before {task:?} had ended");
                let outcome = task.outcome().await;
                assert!(matches!(outcome, TaskOutcome::Completed | TaskOutcome::Canceled { error: None }), "{outcome}");
                added += 1;
            }
        }
        assert!(supervisor.list_tasks().await.is_empty());
        assert_eq!([EventKind::TaskAdded, EventKind::TaskRemoved].map(|kind| recorder.count(kind)), [added; 2]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn e08_a_batch_that_races_with_the_shutdown_runs_whole_or_not_at_all() {
    for round in 0..200 {
        // given
        let (supervisor, recorder) = recorded_with(SupervisorConfig { signals: false, ..SupervisorConfig::default() });
        let specs = (0..8).map(|n| cooperative(&n.to_string())).collect();
        let run = tokio::spawn({
            let supervisor = Arc::clone(&supervisor);
            async move { supervisor.run(specs).await }
        });
        for _ in 0..round % 16 {
            std::hint::spin_loop();
        }
        // when
        let verdict = tokio::time::timeout(FOREVER, supervisor.shutdown()).await.expect("hangs");
        let result = tokio::time::timeout(FOREVER, run).await.expect("hangs").unwrap();
        // then
        assert!(verdict.is_ok());
        let started = match result {
            Ok(()) => 8,
            Err(RuntimeError::ShuttingDown) => 0,
            Err(other) => panic!("{other}"),
        };
        assert_eq!([EventKind::TaskAdded, EventKind::TaskRemoved].map(|kind| recorder.count(kind)), [started; 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn e09_all_who_ask_for_a_shutdown_share_one_and_its_result() -> Result {
    // given
    let (supervisor, recorder) = recorded_with(with_grace(secs(10)));
    supervisor.add_task(deaf("rude")).await?;
    settle().await;
    let start = Instant::now();
    // when
    let first = supervisor.shutdown();
    tokio::time::sleep(secs(3)).await;
    let (second, handle) = (supervisor.shutdown(), supervisor.handle());
    let third = tokio::spawn(async move { handle.shutdown().await });
    // then
    let results = [first.await, second.await, third.await.unwrap(), supervisor.shutdown().await].map(stuck);
    assert_eq!(start.elapsed(), secs(10), "asking again hastens nothing");
    assert!(results.iter().all(|stuck| stuck == &["rude"]), "{results:?}");
    assert_eq!(recorder.count(EventKind::ShutdownRequested), 1);
    assert_eq!(recorder.count(EventKind::GraceExceeded), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e09_a_shutdown_goes_on_when_nobody_waits_for_it() -> Result {
    let supervisor = supervisor();
    let task = supervisor.add_task(cooperative("polite")).await?;
    drop(supervisor.shutdown());
    assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None }));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e09_shutdown_now_hastens_the_shutdown_that_goes_on() {
    // given
    let (supervisor, recorder) = recorded_with(with_grace(secs(1000)));
    let start = Instant::now();
    let force = async {
        tokio::time::sleep(secs(2)).await;
        drop(supervisor.shutdown());
        tokio::time::sleep(secs(3)).await;
        supervisor.shutdown_now().await
    };
    // when
    let batch = vec![cooperative("polite"), deaf("rude"), answers("slow", secs(100), || Ok(()))];
    let (result, forced) = tokio::join!(supervisor.run_until(batch, std::future::pending()), force);
    // then
    assert_eq!(start.elapsed(), secs(5));
    assert_eq!([stuck(result), stuck(forced)], [["rude", "slow"]; 2]);
    assert_eq!(recorder.count(EventKind::ShutdownRequested), 1);
    assert_eq!(recorder.kinds_of("slow")[3..], [EventKind::TaskFailed, EventKind::TaskRemoved]);
}

#[tokio::test(start_paused = true)]
async fn e09_shutdown_now_cuts_the_drain_short() -> Result {
    let config = SupervisorConfig { drain: secs(50), ..SupervisorConfig::default() };
    let (supervisor, _) = recorded_with(config);
    let rude = supervisor.add_task(deaf("rude")).await?;
    settle().await;
    let start = Instant::now();
    let first = supervisor.shutdown();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(stuck(supervisor.shutdown_now().await), ["rude"]);
    assert_eq!(stuck(first.await), ["rude"]);
    assert_eq!(start.elapsed(), secs(1));
    assert!(matches!(rude.outcome().await, TaskOutcome::Aborted { error: None }));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e09_shutdown_now_of_tasks_that_only_wait_is_clean() -> Result {
    let (supervisor, recorder) = recorded();
    let waits = supervisor.add_task(Script::new([FAIL]).spec("waits").with_backoff(constant(secs(9)))).await?;
    let later = supervisor.add_task(cooperative("later").with_initial_delay(secs(9))).await?;
    settle().await;
    let result = supervisor.shutdown_now().await;
    assert!(result.is_ok(), "there was no attempt to abort: {result:?}");
    for task in [waits, later] {
        assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None }));
    }
    assert_eq!(recorder.kinds().last(), Some(&EventKind::AllStoppedWithinGrace));
    Ok(())
}

#[test]
fn e09_a_shutdown_that_was_requested_on_another_runtime_outlives_it() {
    // given
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let supervisor = supervisor();
    let task = own.block_on(supervisor.add_task(cooperative("polite"))).unwrap();
    // when
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    other.block_on(async { drop(supervisor.shutdown()) });
    drop(other);
    // then
    let outcome = own.block_on(async { tokio::time::timeout(secs(5), task.outcome()).await });
    assert!(matches!(outcome, Ok(TaskOutcome::Canceled { error: None })), "{outcome:?}");
    assert!(own.block_on(supervisor.shutdown()).is_ok());
}

#[cfg(unix)]
mod signals {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Child, ChildStdout, Command, Stdio};
    use std::time::Instant;

    use super::{Duration, FOREVER, ms};

    const LONG: &str = "86400000";

    /// A supervisor in a process of its own.
    struct Victim {
        process: Child,
        stdout: BufReader<ChildStdout>,
    }

    /// How it ended.
    struct Ended {
        status: Option<i32>,
        stdout: String,
        stderr: String,
        after: Duration,
    }

    impl Victim {
        /// Starts it, and waits until its tasks run.
        fn start(arguments: &[&str]) -> Self {
            let mut process = Command::new(env!("CARGO_BIN_EXE_victim"))
                .args(arguments)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let stdout = BufReader::new(process.stdout.take().unwrap());
            let mut victim = Self { process, stdout };
            assert_eq!(victim.line(), "ready\n");
            victim
        }

        fn line(&mut self) -> String {
            let mut line = String::new();
            self.stdout.read_line(&mut line).unwrap();
            line
        }

        fn signal(&self, signal: &str) {
            let kill = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
            assert!(kill.success());
        }

        /// Waits for its end, and how long that takes.
        fn wait(mut self) -> Ended {
            let start = Instant::now();
            let status = loop {
                match self.process.try_wait().unwrap() {
                    Some(status) => break status,
                    None if start.elapsed() < FOREVER => std::thread::sleep(ms(2)),
                    None => panic!("does not end"),
                }
            };
            let (after, mut stdout, mut stderr) = (start.elapsed(), String::new(), String::new());
            self.stdout.read_to_string(&mut stdout).unwrap();
            self.process.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            Ended { status: status.code(), stdout, stderr, after }
        }
    }

    impl Drop for Victim {
        fn drop(&mut self) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }

    #[test]
    fn e10_a_signal_stops_cooperative_tasks_and_the_process_ends_well() {
        for (signal, name) in [("-INT", "SIGINT"), ("-TERM", "SIGTERM")] {
            for how in ["return", "exit"] {
                let victim = Victim::start(&[LONG, how, "cooperative"]);
                victim.signal(signal);
                let ended = victim.wait();
                assert_eq!(ended.status, Some(0), "{}", ended.stderr);
                let mut lines: Vec<_> = ended.stdout.lines().collect();
                lines.sort_unstable();
                assert_eq!(lines, ["cleaned up", &format!("stopping because of {name}")]);
                assert_eq!(ended.stderr, "");
            }
        }
    }

    #[test]
    fn e10_a_deaf_task_fails_the_process_after_the_grace() {
        for signal in ["-INT", "-TERM"] {
            let victim = Victim::start(&["300", "return", "cooperative", "deaf"]);
            let start = Instant::now();
            victim.signal(signal);
            let ended = victim.wait();
            assert_eq!(ended.status, Some(1));
            assert!(start.elapsed() >= ms(300), "before its grace, after {:?}", ended.after);
            assert!(ended.stderr.contains(r#"stuck: ["deaf"]"#), "{}", ended.stderr);
            assert!(ended.stdout.contains("cleaned up"));
        }
    }

    #[test]
    fn e10_two_signals_end_it_at_once() {
        for signals in [["-INT", "-INT"], ["-TERM", "-TERM"], ["-INT", "-TERM"]] {
            let mut victim = Victim::start(&[LONG, "return", "deaf"]);
            victim.signal(signals[0]);
            assert!(victim.line().starts_with("stopping"));
            victim.signal(signals[1]);
            let ended = victim.wait();
            assert_eq!(ended.status, Some(1), "a day has not passed");
            assert!(ended.stderr.contains(r#"stuck: ["deaf"]"#), "{}", ended.stderr);
        }
    }

    fn ends_though_it_blocks(task: &str) {
        let victim = Victim::start(&["100", "exit", task]);
        victim.signal("-TERM");
        let ended = victim.wait();
        assert_eq!(ended.status, Some(1));
        assert_eq!(ended.stderr, format!("Error: 1 task not stopped in time (grace 100ms): {task}\n"));
    }

    #[test]
    fn e10_run_to_exit_does_not_wait_for_a_blocked_thread() {
        ends_though_it_blocks("blocking");
    }

    #[test]
    fn e10_a_signal_is_heard_though_a_task_blocks_its_thread_after_a_wait() {
        ends_though_it_blocks("blocking-later");
    }
}

/// A task that blocks its thread.
struct Blocker {
    spec: TaskSpec,
    blocked: mpsc::Receiver<()>,
    release: mpsc::Sender<()>,
}

impl Blocker {
    fn new(name: &str) -> Self {
        let (enter, blocked) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let shared = Arc::new((Mutex::new(enter), Mutex::new(released)));
        let task = TaskFn::arc(name, move |_: TaskContext| {
            let shared = Arc::clone(&shared);
            async move {
                shared.0.lock().unwrap().send(()).unwrap();
                let _ = shared.1.lock().unwrap().recv();
                Ok(())
            }
        });
        Self { spec: TaskSpec::inherit(task), blocked, release }
    }

    fn wait_until_blocked(&self) {
        self.blocked.recv_timeout(FOREVER).unwrap();
    }
}

/// Looks again and again until it is so.
async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let look = async {
        while !is_so().await {
            tokio::time::sleep(ms(1)).await;
        }
    };
    assert!(tokio::time::timeout(FOREVER, look).await.is_ok(), "never: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e11_run_returns_though_a_task_blocks_its_thread_and_its_name_waits_for_the_real_end() {
    // given
    let supervisor = Supervisor::new(with_grace(ms(100)), vec![]);
    let Blocker { spec, blocked, release } = Blocker::new("stuck");
    let until = async {
        while blocked.try_recv().is_err() {
            tokio::time::sleep(ms(1)).await;
        }
    };
    // when
    let batch = vec![spec, cooperative("polite")];
    let result = tokio::time::timeout(FOREVER, supervisor.run_until(batch, until)).await.expect("hangs");
    // then
    assert_eq!(stuck(result), ["stuck"]);
    let task = supervisor.task("stuck").expect("its name is its own until it really ends");
    assert!(matches!(task.outcome().await, TaskOutcome::Aborted { error: None }), "known before the end");
    assert_eq!(supervisor.list_tasks().await, ["stuck"]);
    assert_eq!(task.status().state, TaskState::Stopping);
    assert!(!task.restart() && !task.trigger());
    // when
    release.send(()).unwrap();
    // then
    eventually("the name is free", async || supervisor.list_tasks().await.is_empty()).await;
    assert_eq!(task.status().state, TaskState::Ended);
    assert!(matches!(task.outcome().await, TaskOutcome::Aborted { error: None }), "it resolved once");
}

/// Runs a task that blocks its thread after a wait, which `start` may cut short, and looks at what is told. On a thread
/// of its own: where the runtime's timers stand still no timeout of it helps.
fn blocks_after_a_wait(wait: Duration, start: fn(&TaskHandle) -> bool) {
    let (done, is_done) = mpsc::channel();
    let Blocker { spec, blocked, release } = Blocker::new("stuck");
    std::thread::spawn(move || {
        // given
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let recorder = Recorder::new();
        let supervisor = Supervisor::new(with_grace(ms(100)), vec![recorder.clone()]);
        let task = runtime.block_on(supervisor.add_task(spec.with_initial_delay(wait))).unwrap();
        // All is quiet, so that it is the blocked thread that has to wake who delivers.
        std::thread::sleep(ms(50));
        start(&task);
        blocked.recv_timeout(FOREVER).unwrap();
        // when
        let result = runtime.block_on(supervisor.shutdown());
        // then
        assert_eq!(stuck(result), ["stuck"]);
        let told = [EventKind::TaskAddRequested, EventKind::TaskAdded, EventKind::TaskStarting];
        assert_eq!(recorder.kinds_of("stuck"), told, "told before the verdict, and no more");
        assert_eq!(recorder.kinds().last(), Some(&EventKind::GraceExceeded));
        // when
        release.send(()).unwrap();
        // then
        let removed = async || recorder.count(EventKind::TaskRemoved) == 1;
        runtime.block_on(eventually("it is removed", removed));
        assert_eq!(recorder.kinds().last(), Some(&EventKind::TaskRemoved));
        done.send(()).unwrap();
    });
    assert!(is_done.recv_timeout(FOREVER / 4).is_ok(), "it hangs, or has panicked");
}

#[test]
fn e11_subscribers_hear_the_verdict_while_a_task_blocks_its_thread_and_its_removal_later() {
    blocks_after_a_wait(secs(3600), TaskHandle::trigger);
}

#[test]
fn e11_a_task_that_blocks_its_thread_when_its_wait_is_over_does_not_stop_the_clock() {
    blocks_after_a_wait(ms(10), |_| true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e11_a_cancel_of_a_blocked_task_times_out_and_name_and_permit_stay_taken() -> Result {
    // given
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let supervisor = Supervisor::new(config, vec![]);
    let blocker = Blocker::new("stuck");
    let task = supervisor.add_task(blocker.spec.clone()).await?;
    blocker.wait_until_blocked();
    // when
    let canceled = supervisor.cancel_with_timeout("stuck", ms(50)).await;
    // then
    let Err(RuntimeError::TaskRemoveTimeout { name, timeout }) = canceled else { panic!("{canceled:?}") };
    assert_eq!((name.as_str(), timeout), ("stuck", ms(50)));
    assert!(matches!(task.outcome().await, TaskOutcome::Aborted { error: None }));
    let again = supervisor.add_task(cooperative("stuck")).await;
    assert!(matches!(again, Err(RuntimeError::TaskAlreadyExists { .. })));
    let next = supervisor.add_task(cooperative("next")).await?;
    tokio::time::sleep(ms(50)).await;
    assert_eq!((next.status().state, next.status().attempt), (TaskState::Pending, 0), "the permit is taken");
    // when
    blocker.release.send(()).unwrap();
    // then
    eventually("the permit is free", async || next.status().state == TaskState::Running).await;
    assert_eq!(supervisor.list_tasks().await, ["next"]);
    assert!(supervisor.add_task(cooperative("stuck")).await.is_ok());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e11_a_task_that_a_cancel_gave_up_on_is_named_by_the_shutdown() -> Result {
    let supervisor = Supervisor::new(with_grace(ms(50)), vec![]);
    let blocker = Blocker::new("stuck");
    let task = supervisor.add_task(blocker.spec.clone()).await?;
    blocker.wait_until_blocked();
    assert!(task.cancel().await.is_err());
    let result = tokio::time::timeout(FOREVER, supervisor.shutdown()).await.expect("hangs");
    blocker.release.send(()).unwrap();
    assert_eq!(stuck(result), ["stuck"]);
    Ok(())
}

#[test]
fn e11_a_task_that_a_cancel_gave_up_on_is_named_though_the_runtime_goes_away() {
    // given
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (supervisor, blocker) = (supervisor(), Blocker::new("stuck"));
    let task = runtime.block_on(supervisor.add_task(blocker.spec.clone())).unwrap();
    blocker.wait_until_blocked();
    assert!(runtime.block_on(supervisor.cancel_with_timeout("stuck", ms(10))).is_err());
    assert!(matches!(runtime.block_on(task.outcome()), TaskOutcome::Aborted { error: None }));
    // when
    let entered = runtime.enter();
    let shutdown = supervisor.shutdown();
    drop(entered);
    runtime.shutdown_background();
    // then
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = other.block_on(async { tokio::time::timeout(FOREVER, shutdown).await.expect("hangs") });
    blocker.release.send(()).unwrap();
    assert_eq!(stuck(result), ["stuck"]);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "boom");
    }
}

/// A task whose futures panic when they are dropped before their end.
fn explosive(name: &str) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, |_: TaskContext| async {
        let _bomb = Bomb;
        std::future::pending().await
    }))
}

/// Blocks its thread for a while when it is told to stop, and does not end then.
fn blocks_when_told(name: &str, time: Duration) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| async move {
        ctx.cancelled().await;
        std::thread::sleep(time);
        std::future::pending().await
    }))
}

#[tokio::test]
async fn e01_what_a_task_blocks_its_thread_for_is_a_part_of_its_stop_timeout() -> Result {
    // given
    let supervisor = supervisor();
    let task = supervisor.add_task(blocks_when_told("blocks", secs(1)).with_stop_timeout(ms(900))).await?;
    settle().await;
    // when
    let start = Instant::now();
    supervisor.remove_task("blocks").await?;
    // then
    assert!(matches!(task.outcome().await, TaskOutcome::Aborted { error: None }));
    assert!(start.elapsed() < ms(1500), "{:?}", start.elapsed());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e12_a_panic_in_the_drop_of_an_aborted_future_is_contained() -> Result {
    // given
    let (supervisor, recorder) = recorded();
    let bomb = supervisor.add_task(explosive("bomb").with_stop_timeout(secs(1))).await?;
    let polite = supervisor.add_task(answers("polite", secs(2), || Ok(()))).await?;
    settle().await;
    // when
    let start = Instant::now();
    let result = supervisor.shutdown().await;
    // then
    assert_eq!(stuck(result), ["bomb"]);
    assert_eq!(start.elapsed(), secs(2));
    assert!(matches!(bomb.outcome().await, TaskOutcome::Aborted { .. }));
    assert!(matches!(polite.outcome().await, TaskOutcome::Canceled { error: None }));
    assert_eq!(
        recorder.kinds_of("bomb")[2..],
        [EventKind::TaskStarting, EventKind::TaskFailed, EventKind::TaskRemoved]
    );
    assert!(supervisor.list_tasks().await.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e12_an_aborted_task_whose_drop_panics_leaves_name_and_permit() -> Result {
    let config = SupervisorConfig { max_concurrent: 1, ..SupervisorConfig::default() };
    let (supervisor, _) = recorded_with(config);
    supervisor.add_task(explosive("bomb")).await?;
    settle().await;
    assert!(supervisor.cancel_with_timeout("bomb", Duration::ZERO).await?);
    supervisor.add_task(cooperative("bomb")).await?;
    settle().await;
    assert!(supervisor.is_alive("bomb").await);
    Ok(())
}

/// A waker that panics.
struct Rude;

impl std::task::Wake for Rude {
    fn wake(self: Arc<Self>) {
        panic!("woken");
    }
}

#[tokio::test]
async fn e12_a_panic_in_the_waker_of_one_who_waits_for_the_verdict_is_contained() -> Result {
    // given
    let supervisor = supervisor();
    let mut run = Box::pin(supervisor.run_until(vec![], std::future::pending()));
    let waker = std::task::Waker::from(Arc::new(Rude));
    assert!(run.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    // then
    supervisor.shutdown().await?;
    run.await
}

/// An error that panics when it is dropped.
#[derive(Debug)]
struct Rotten(#[allow(dead_code, reason = "dropped")] Bomb);

impl std::fmt::Display for Rotten {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("rotten")
    }
}

impl std::error::Error for Rotten {}

impl std::fmt::Debug for Bomb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bomb")
    }
}

#[tokio::test(start_paused = true)]
async fn e12_a_panic_in_the_drop_of_an_error_is_contained() -> Result {
    // given
    let supervisor = supervisor();
    let rotten = TaskFn::arc("rotten", |token: CancellationToken| async move {
        token.cancelled().await;
        Err(TaskError::error(Rotten(Bomb)))
    });
    let task = supervisor.add_task(TaskSpec::inherit(rotten)).await?;
    settle().await;
    // when
    assert!(task.restart());
    settle().await;
    // then
    assert_eq!((task.status().state, task.status().attempt), (TaskState::Running, 2));
    // The error of the outcome is ours to drop.
    assert!(task.cancel().await?);
    std::mem::forget((task.outcome().await, task));
    assert!(supervisor.list_tasks().await.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e13_during_the_drain_tasks_go_on_and_none_is_taken() -> Result {
    // given
    let config = SupervisorConfig { drain: secs(10), ..SupervisorConfig::default() };
    let (supervisor, recorder) = recorded_with(config);
    let start = Instant::now();
    let ticks = Script::new([OK]);
    let every_second = RestartPolicy::Always { interval: Some(secs(1)) };
    let tick = supervisor.add_task(ticks.spec("tick").with_restart(every_second)).await?;
    let daemon = supervisor.add_task(cooperative("daemon")).await?;
    tokio::time::sleep(ms(500)).await;
    // when
    let shutdown = supervisor.shutdown();
    // then
    assert!(is_shutting_down(&supervisor.add_task(cooperative("late")).await), "closed at once");
    tokio::time::sleep(secs(9)).await;
    assert_eq!(recorder.count(EventKind::ShutdownRequested), 1);
    assert_eq!(daemon.status().state, TaskState::Running);
    assert!(shutdown.await.is_ok());
    assert_eq!(start.elapsed(), ms(10_500));
    assert_eq!(ticks.begun_ms(start), (0..=10).map(|n| n * 1000).collect::<Vec<_>>());
    for task in [tick, daemon] {
        assert!(matches!(task.outcome().await, TaskOutcome::Canceled { error: None }));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e13_the_grace_begins_after_the_drain_which_ends_with_the_last_task() -> Result {
    let config = SupervisorConfig { drain: secs(10), grace: secs(5), ..SupervisorConfig::default() };
    // given a task that outlives both
    let (supervisor, _) = recorded_with(config.clone());
    supervisor.add_task(deaf("rude")).await?;
    settle().await;
    let start = Instant::now();
    assert_eq!(stuck(supervisor.shutdown().await), ["rude"]);
    assert_eq!(start.elapsed(), secs(15));
    // given a task that ends by itself
    let (supervisor, _) = recorded_with(config);
    let task = supervisor.add_task(Script::new([Step::Succeed(secs(3))]).spec("short")).await?;
    settle().await;
    let start = Instant::now();
    assert!(supervisor.shutdown().await.is_ok());
    assert_eq!(start.elapsed(), secs(3), "there is nothing left to drain");
    assert!(task.outcome().await.is_completed());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn e13_a_cancel_during_the_drain_is_heeded() -> Result {
    let config = SupervisorConfig { drain: secs(10), ..SupervisorConfig::default() };
    let (supervisor, _) = recorded_with(config);
    supervisor.add_task(cooperative("polite")).await?;
    supervisor.add_task(cooperative("other")).await?;
    settle().await;
    let shutdown = supervisor.shutdown();
    assert!(supervisor.cancel("polite").await?);
    assert!(supervisor.is_alive("other").await);
    shutdown.await
}
