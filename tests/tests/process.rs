//! O. Operation: the child processes of attempts. Real processes, each marked in its environment.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rustix::process::{Pid, Signal, getpid, kill_process, set_child_subreaper};
use taskvisor::{
    CancellationToken, EventKind, ProcessError, RuntimeError, TaskContext, TaskError, TaskFn, TaskHandle, TaskOutcome,
    TaskSpec,
};
use tests::{ALWAYS, constant, ms, recorded, secs, supervisor};
use tokio::runtime::Builder;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{sleep, timeout};

type Result<T = (), E = RuntimeError> = std::result::Result<T, E>;

/// The variable that marks the processes of this file. Its value is the directory of the test.
const MARK: &str = "TASKVISOR_O51";

/// How long a process may take that should end at once: against hanging.
const FOREVER: std::time::Duration = secs(60);

/// One test at a time, because a test counts the children of this process. Has a directory of its own.
struct Scene {
    directory: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl Scene {
    async fn new() -> Self {
        static ALONE: Mutex<()> = Mutex::const_new(());
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let alone = ALONE.lock().await;
        let name = format!("taskvisor-o51-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        // A killed process that had the same number can have left it.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).unwrap();
        Self { directory, _alone: alone }
    }

    /// A shell that runs the script, in the directory of the test.
    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(&self.directory).env(MARK, &self.directory);
        command.stdin(Stdio::null());
        command
    }

    /// A task that runs the script in each attempt.
    fn task(self: &Arc<Self>, script: &'static str) -> TaskSpec {
        let scene = Arc::clone(self);
        TaskSpec::inherit(TaskFn::arc("process", move |ctx: TaskContext| {
            let command = scene.shell(script);
            async move { ctx.run_process(command).await }
        }))
        .with_backoff(constant(ms(0)))
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.directory.join(file)).unwrap_or_default()
    }

    /// Waits until the file has a line.
    async fn written(&self, file: &str) -> String {
        let since = Instant::now();
        while !self.read(file).ends_with('\n') {
            assert!(since.elapsed() < FOREVER, "nothing is written to {file}");
            sleep(ms(2)).await;
        }
        self.read(file)
    }

    /// The marked processes, and the children of this process, also zombies.
    fn left(&self) -> Vec<String> {
        let mark = format!("{MARK}={}", self.directory.display()).into_bytes();
        let parent = std::process::id().to_string();
        let mut left = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            let is_marked = environment.split(|byte| *byte == 0).any(|variable| variable == mark);
            let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            if is_marked || after_name.split(' ').nth(1) == Some(&parent) {
                left.push(stat);
            }
        }
        left
    }

    /// Kills the marked processes, also those that have left their group.
    fn kill_all(&self) {
        for process in self.left() {
            let id = process.split(' ').next().and_then(|id| Pid::from_raw(id.parse().ok()?)).unwrap();
            let _ = kill_process(id, Signal::KILL);
        }
    }

    /// Nothing is left now, as the attempt waits for processes that it has killed, though for 1 s at most: if it took as
    /// long, a busy machine may have had no time for them yet.
    async fn nothing_is_left_by_now(&self, began: Instant) {
        if began.elapsed() < secs(1) {
            assert_eq!(self.left(), [""; 0]);
        }
        self.nothing_is_left().await;
    }

    /// Waits until no process is left.
    async fn nothing_is_left(&self) {
        let since = Instant::now();
        while !self.left().is_empty() {
            assert!(since.elapsed() < FOREVER, "processes are left: {:?}", self.left());
            sleep(ms(2)).await;
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The outcome of a task that is canceled when its process has written to `up`.
async fn canceled(scene: &Arc<Scene>, spec: TaskSpec) -> Result<TaskOutcome> {
    let supervisor = supervisor();
    let task = supervisor.add_task(spec).await?;
    scene.written("up").await;
    task.cancel().await?;
    let outcome = task.outcome().await;
    scene.nothing_is_left().await;
    let _ = supervisor.shutdown().await;
    Ok(outcome)
}

/// The context of an attempt without a supervisor.
fn context() -> (TaskContext, CancellationToken) {
    let token = CancellationToken::new();
    (TaskContext::detached("process", token.clone()), token)
}

fn failure(error: &TaskError) -> &ProcessError {
    let TaskError::Error(error) = error else { panic!("{error:?}") };
    error.downcast_ref().unwrap()
}

const TIMES: u32 = 250;

/// An attempt that ends in one of four ways while its process runs. The processes have children, and half of them
/// ignore SIGTERM.
async fn attempt(ctx: TaskContext, scene: Arc<Scene>, own: Arc<OnceLock<TaskHandle>>) -> Result<(), TaskError> {
    if ctx.attempt() > TIMES {
        return Err(TaskError::Canceled);
    }
    let command = scene.shell(match ctx.attempt() % 8 {
        0..4 => "sleep 1000 & wait",
        _ => "trap '' TERM; sleep 1000 & (sleep 1000 & sleep 1000); wait",
    });
    let running = ctx.run_process(command);
    match ctx.attempt() % 4 {
        // The timeout, and then the end of the clean-up time.
        0 => running.await,
        1 => {
            let panicking = async {
                sleep(ms(3)).await;
                panic!("beside the process");
            };
            tokio::join!(running, panicking).0
        }
        2 => {
            let restarting = async {
                sleep(ms(3)).await;
                own.get().map(TaskHandle::restart);
            };
            tokio::join!(running, restarting).0
        }
        _ => timeout(ms(3), running).await.unwrap_or(Err(TaskError::Fail { reason: "dropped".into() })),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o51_no_process_is_left_after_a_thousand_timeouts_aborts_panics_and_restarts() -> Result {
    let scene = Arc::new(Scene::new().await);
    let (supervisor, recorder) = recorded();
    let mut tasks = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let (scene, own) = (Arc::clone(&scene), Arc::<OnceLock<TaskHandle>>::default());
        let task = TaskFn::arc(name, {
            let own = Arc::clone(&own);
            move |ctx: TaskContext| attempt(ctx, Arc::clone(&scene), Arc::clone(&own))
        });
        let spec = TaskSpec::inherit(task).with_restart(ALWAYS).with_backoff(constant(ms(0)));
        let spec = spec.with_timeout(ms(6)).with_cleanup(ms(4)).with_stop_timeout(ms(4));
        let task = supervisor.add_task(spec).await?;
        own.set(task.clone()).unwrap();
        tasks.push(task);
    }
    for task in tasks {
        task.outcome().await;
        assert!(task.status().attempt > TIMES);
    }
    assert!(recorder.count(EventKind::TaskStarting) >= 1000);
    assert!(recorder.count(EventKind::TimeoutHit) >= 100);
    scene.nothing_is_left().await;
    supervisor.shutdown().await
}

#[tokio::test]
async fn o51_the_exit_status_is_the_result_of_the_task() -> Result {
    let scene = Arc::new(Scene::new().await);
    let (ctx, _token) = context();
    ctx.run_process(scene.shell("exit 0")).await.unwrap();

    let error = ctx.run_process(scene.shell("exit 3")).await.unwrap_err();
    assert_eq!(format!("{error:#}"), "process `sh` failed: exit status: 3");
    assert!(matches!(failure(&error), ProcessError::Exit { status, .. } if status.code() == Some(3)));
    assert!(error.is_retryable());
    // 143 is a failure like others where no stop was requested.
    assert!(ctx.run_process(scene.shell("exit 143")).await.is_err());
    let error = ctx.run_process(scene.shell("kill -9 $$")).await.unwrap_err();
    assert_eq!(format!("{error:#}"), "process `sh` failed: signal: 9 (SIGKILL)");

    let error = ctx.run_process(Command::new("no/such/program")).await.unwrap_err();
    assert!(matches!(failure(&error), ProcessError::Start { program, .. } if program == "no/such/program"));
    let text = format!("{error:#}");
    assert!(text.starts_with("process `no/such/program` could not be started: No such file"), "{text}");

    // A task fails with it, and is retried.
    let task = scene.task("echo >> runs; exit 3").with_max_retries(2);
    let supervisor = supervisor();
    let outcome = supervisor.add_task(task).await?.outcome().await;
    assert_eq!(outcome.to_string(), "exhausted after 3 failures: process `sh` failed: exit status: 3");
    assert_eq!(scene.read("runs").lines().count(), 3);
    supervisor.shutdown().await
}

#[tokio::test]
async fn o51_a_missing_directory_is_not_shown_as_a_missing_program() {
    let scene = Scene::new().await;
    let cause = async |mut command: Command, directory: &str| {
        command.current_dir(scene.directory.join(directory));
        let error = context().0.run_process(command).await.unwrap_err();
        let ProcessError::Start { source, .. } = failure(&error) else { panic!("{error:?}") };
        assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
        source.to_string()
    };
    let missing = format!("its directory `{}` does not exist", scene.directory.join("none").display());
    assert_eq!(cause(Command::new("true"), "none").await, missing);
    assert!(cause(Command::new("no-such-program"), "").await.starts_with("No such file"));
}

#[tokio::test]
async fn o51_a_stop_request_is_sigterm_to_the_whole_group() -> Result {
    let scene = Arc::new(Scene::new().await);
    let script = "trap 'echo leader >> down; exit 0' TERM
                  (trap 'echo child >> down; exit 0' TERM; echo >> up; while :; do sleep 0.01; done) &
                  while :; do sleep 0.01; done";
    let outcome = canceled(&scene, scene.task(script)).await?;
    assert!(matches!(outcome, TaskOutcome::Canceled { error: None, .. }), "{outcome:?}");
    let down = scene.read("down");
    assert!(down.contains("leader") && down.contains("child"), "{down}");
    Ok(())
}

#[tokio::test]
async fn o51_the_group_may_end_by_itself_after_its_leader() -> Result {
    let scene = Arc::new(Scene::new().await);
    // SIGTERM ends the leader at once. Its child has work to finish.
    let script =
        "(trap 'sleep 0.1; echo finished > down; exit 0' TERM; echo > up; while :; do sleep 0.01; done) & wait";
    let outcome = canceled(&scene, scene.task(script)).await?;
    assert!(matches!(outcome, TaskOutcome::Canceled { error: None, .. }), "{outcome:?}");
    assert_eq!(scene.read("down"), "finished\n");
    Ok(())
}

/// Its members are looked at more than once in this time.
#[tokio::test]
async fn o51_the_method_returns_when_the_last_of_a_stopped_group_has_ended() {
    let scene = Scene::new().await;
    let (ctx, token) = context();
    let stopping = async {
        scene.written("up").await;
        token.cancel();
    };
    let script =
        "(trap 'sleep 0.5; echo finished > down; exit 0' TERM; echo > up; while :; do sleep 0.01; done) & wait";
    let (result, ()) = tokio::join!(ctx.run_process(scene.shell(script)), stopping);
    assert!(matches!(result, Err(TaskError::Canceled)), "{result:?}");
    assert_eq!(scene.read("down"), "finished\n");
    scene.nothing_is_left().await;
}

/// The look at the members needs a thread of the pool. It must not be what the end waits for.
#[test]
fn o51_a_full_pool_of_threads_does_not_delay_the_end() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        let scene = Arc::new(Scene::new().await);
        let pool = tokio::task::spawn_blocking(move || released.recv());
        let script =
            "(trap 'sleep 0.3; echo finished > down; exit 0' TERM; echo > up; while :; do sleep 0.01; done) & wait";
        let canceled = timeout(FOREVER, canceled(&scene, scene.task(script)));
        let outcome = canceled.await.expect("it waits for the pool").unwrap();
        assert!(matches!(outcome, TaskOutcome::Canceled { error: None, .. }), "{outcome:?}");
        assert_eq!(scene.read("down"), "finished\n");
        assert!(!pool.is_finished());
        drop(release);
    });
}

#[tokio::test]
async fn o51_sigkill_comes_at_the_stop_deadline() -> Result {
    let scene = Arc::new(Scene::new().await);
    let script = "trap '' TERM; (echo > up; sleep 1000) & sleep 1000; wait";
    let outcome = canceled(&scene, scene.task(script).with_stop_timeout(ms(50))).await?;
    assert!(matches!(outcome, TaskOutcome::Aborted { .. }), "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn o51_a_suspended_process_gets_sigterm() -> Result {
    let scene = Arc::new(Scene::new().await);
    let outcome = canceled(&scene, scene.task("echo > up; kill -STOP $$; exit 9")).await?;
    assert!(matches!(outcome, TaskOutcome::Canceled { error: None, .. }), "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn o51_a_process_that_fails_while_it_stops_is_reported() -> Result {
    let scene = Arc::new(Scene::new().await);
    let script = "trap 'exit 5' TERM; echo > up; while :; do sleep 0.01; done";
    let outcome = canceled(&scene, scene.task(script)).await?;
    let TaskOutcome::Canceled { error: Some(error), .. } = &outcome else { panic!("{outcome:?}") };
    assert_eq!(format!("{error:#}"), "process `sh` failed: exit status: 5");
    // The code of a shell whose command was ended by SIGTERM is no failure.
    fs::remove_file(scene.directory.join("up")).unwrap();
    let script = "trap 'exit 143' TERM; echo > up; while :; do sleep 0.01; done";
    let outcome = canceled(&scene, scene.task(script)).await?;
    assert!(matches!(outcome, TaskOutcome::Canceled { error: None, .. }), "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn o51_a_timeout_is_sigterm_and_the_attempt_fails() -> Result {
    let scene = Arc::new(Scene::new().await);
    let script = "trap 'echo terminated >> down; exit 0' TERM; echo > up; while :; do sleep 0.01; done";
    let supervisor = supervisor();
    for time in [ms(300), secs(3), secs(30)] {
        let task = supervisor.add_task(scene.task(script).with_timeout(time).with_max_retries(0)).await?;
        let outcome = task.outcome().await;
        let TaskOutcome::Exhausted { error, .. } = &outcome else { panic!("{outcome:?}") };
        assert!(matches!(**error, TaskError::Timeout { .. }), "{error:?}");
        scene.nothing_is_left().await;
        // The shell has set its trap in time.
        if scene.read("up") == "\n" {
            break;
        }
    }
    assert_eq!(scene.read("down"), "terminated\n");
    supervisor.shutdown().await
}

#[tokio::test]
async fn o51_a_process_that_ends_leaves_no_children() {
    let scene = Scene::new().await;
    let (ctx, _token) = context();
    let began = Instant::now();
    ctx.run_process(scene.shell("trap '' TERM; sleep 1000 & (sleep 1000 &)")).await.unwrap();
    // Now, and not later: what follows in the attempt finds no process of the group.
    scene.nothing_is_left_by_now(began).await;
    // Both outputs are read to their end, which comes when nobody has them open.
    let began = Instant::now();
    let output = ctx.process_output(scene.shell("sleep 1000 & echo out; echo err >&2; exit 4")).await.unwrap();
    assert_eq!((output.stdout, output.stderr, output.status.code()), (b"out\n".into(), b"err\n".into(), Some(4)));
    scene.nothing_is_left_by_now(began).await;
}

/// As PID 1 of a container does, a process becomes the parent of each process whose parent has ended. It is one of its own:
/// what other tests leave behind would be its zombies, and fail them.
#[tokio::test]
async fn o51_pid_1_has_no_zombies_of_processes_that_it_did_not_start() {
    const ALONE: &str = "TASKVISOR_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        // The other tests kill what is left of theirs, by its parent.
        let _scene = Scene::new().await;
        let test = "o51_pid_1_has_no_zombies_of_processes_that_it_did_not_start";
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        let alone = alone.args(["--exact", test]).env(ALONE, "1").output().unwrap();
        let told = String::from_utf8_lossy(&alone.stdout);
        assert!(alone.status.success() && told.contains("1 passed"), "{}: {told}", alone.status);
        return;
    }
    let scene = Scene::new().await;
    set_child_subreaper(Some(getpid())).unwrap();
    let (ctx, token) = context();
    let script = "trap '' TERM; (sleep 1000 &); (sleep 1000 &)";
    let began = Instant::now();
    ctx.run_process(scene.shell(script)).await.unwrap();
    scene.nothing_is_left_by_now(began).await;
    // Also when the future is dropped.
    let dropped = scene.shell("trap '' TERM; (sleep 1000 &); (sleep 1000 &); echo > up; sleep 1000");
    tokio::select! {
        result = ctx.run_process(dropped) => panic!("{result:?}"),
        _ = scene.written("up") => {}
    }
    scene.nothing_is_left().await;
    // And when a stop is requested: the others end after the leader.
    let stopping = async {
        scene.written("ready").await;
        token.cancel();
    };
    let script = "(sleep 1000 &); (trap 'sleep 0.05; exit 0' TERM; echo > ready; while :; do sleep 0.01; done) & wait";
    let (result, ()) = tokio::join!(ctx.run_process(scene.shell(script)), stopping);
    assert!(matches!(result, Err(TaskError::Canceled)), "{result:?}");
    assert_eq!(scene.left(), [""; 0]);
    set_child_subreaper(None).unwrap();
}

#[tokio::test]
async fn o51_output_of_any_size_is_collected() {
    let scene = Scene::new().await;
    let (ctx, _token) = context();
    let script = "head -c 1000000 /dev/zero; head -c 2000000 /dev/zero >&2; head -c 1000000 /dev/zero";
    let output = ctx.process_output(scene.shell(script)).await.unwrap();
    assert!(output.status.success());
    assert_eq!((output.stdout.len(), output.stderr.len()), (2_000_000, 2_000_000));
}

#[tokio::test]
async fn o51_pipes_that_nobody_holds_are_closed() {
    let scene = Scene::new().await;
    let (ctx, _token) = context();
    let mut command = scene.shell("cat > read; head -c 1000000 /dev/zero; echo > done");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    assert!(ctx.process_status(command).await.unwrap().success());
    assert_eq!(scene.read("done"), "\n");
}

#[tokio::test]
async fn o51_a_canceled_attempt_starts_nothing_and_a_status_is_returned_as_it_is() {
    use std::os::unix::process::ExitStatusExt;

    let scene = Scene::new().await;
    let (ctx, token) = context();
    let stopping = async {
        scene.written("up").await;
        token.cancel();
    };
    let (status, ()) = tokio::join!(ctx.process_status(scene.shell("echo > up; exec sleep 1000")), stopping);
    assert_eq!(status.unwrap().signal(), Some(15));
    assert!(matches!(ctx.run_process(scene.shell("echo > again")).await, Err(TaskError::Canceled)));
    assert!(matches!(ctx.process_output(scene.shell("echo > again")).await, Err(TaskError::Canceled)));
    assert_eq!(scene.read("again"), "");
}

#[test]
fn o51_the_end_of_the_runtime_kills_the_group() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let scene = first.block_on(async {
        let scene = Arc::new(Scene::new().await);
        let (ctx, running) = (context().0, Arc::clone(&scene));
        tokio::spawn(async move { ctx.run_process(running.shell("(echo > up; sleep 1000) & sleep 1000")).await });
        scene.written("up").await;
        scene
    });
    drop(first);
    // Tokio reaps the leader when a runtime that has run a process runs again.
    runtime().block_on(async {
        context().0.run_process(scene.shell("exit 0")).await.unwrap();
        scene.nothing_is_left().await;
    });
}

/// A zombie of the group whose parent, in a group of its own, does not reap it.
#[tokio::test]
async fn o51_a_zombie_that_another_process_keeps_is_not_waited_for() {
    let scene = Scene::new().await;
    let (ctx, token) = context();
    // The shell becomes `setsid`, which does not know of the child that it has, and then says that it has left the group.
    let leaves = "(sleep 0.2 & exec setsid sh -c 'echo > up; exec sleep 1000')";
    let script = format!("{leaves} & until [ -e up ]; do sleep 0.01; done; sleep 0.3");
    timeout(FOREVER, ctx.run_process(scene.shell(&script))).await.expect("a zombie runs no code").unwrap();
    fs::remove_file(scene.directory.join("up")).unwrap();
    // The same when a stop is requested.
    let stopping = async {
        scene.written("up").await;
        sleep(ms(300)).await;
        token.cancel();
    };
    let script = format!("{leaves} & exec sleep 1000");
    let stopped = async { tokio::join!(ctx.run_process(scene.shell(&script)), stopping) };
    let (result, ()) = timeout(FOREVER, stopped).await.expect("a zombie runs no code");
    assert!(matches!(result, Err(TaskError::Canceled)), "{result:?}");
    scene.kill_all();
    scene.nothing_is_left().await;
}

/// As a daemon that was started without a look at its output.
#[tokio::test]
async fn o51_output_that_a_process_outside_of_the_group_keeps_ends_with_a_stop() {
    let scene = Scene::new().await;
    let (ctx, token) = context();
    let script = "setsid sh -c 'echo > up; exec sleep 1000' & until [ -s up ]; do sleep 0.01; done
        head -c 50000 /dev/zero; echo > done";
    let stopping = async {
        scene.written("done").await;
        // The leader ends, and its output does not.
        sleep(ms(100)).await;
        token.cancel();
    };
    let stopped = async { tokio::join!(ctx.process_output(scene.shell(script)), stopping) };
    let (output, ()) = timeout(FOREVER, stopped).await.expect("the daemon is not waited for");
    assert_eq!(output.unwrap().stdout.len(), 50_000);
    scene.kill_all();
    scene.nothing_is_left().await;
}

/// Each thread of this runtime would have a stack that is too large.
#[test]
fn o51_a_group_is_looked_at_where_no_thread_can_be_made() {
    let runtime = Builder::new_current_thread().enable_all().thread_stack_size(usize::MAX / 8 * 7).build().unwrap();
    runtime.block_on(async {
        let scene = Scene::new().await;
        let (ctx, token) = context();
        // It leaves a zombie of its group, whose parent does not reap it.
        let script = "(sleep 0.2 & exec setsid sleep 1000) & sleep 0.5";
        ctx.run_process(scene.shell(script)).await.unwrap();
        let stopping = async {
            scene.written("up").await;
            sleep(ms(300)).await;
            token.cancel();
        };
        let script = "(sleep 0.2 & echo > up; exec setsid sleep 1000) & exec sleep 1000";
        let stopped = async { tokio::join!(ctx.run_process(scene.shell(script)), stopping) };
        let (result, ()) = timeout(FOREVER, stopped).await.expect("a zombie runs no code");
        assert!(matches!(result, Err(TaskError::Canceled)), "{result:?}");
        scene.kill_all();
        scene.nothing_is_left().await;
    });
}
