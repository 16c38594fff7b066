//! O01 to O05 and O07 with real signals, in child processes.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tests::ms;

/// Longer than any test waits.
const LONG: &str = "86400000";
/// Past this a process does not end. Nothing that a test expects takes as long.
const FOREVER: Duration = Duration::from_secs(60);

pub(super) struct Operated {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

pub(super) struct Ended {
    pub(super) status: Option<i32>,
    stdout: String,
    pub(super) stderr: String,
}

impl Operated {
    /// Starts the process, and waits for its first line.
    pub(super) fn start(arguments: &[&str], first: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_operated"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut operated = Self::of(command);
        assert_eq!(operated.line(), first);
        operated
    }

    fn of(mut command: Command) -> Self {
        let mut process = command.spawn().unwrap();
        let (stdin, stdout) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, stdin, stdout }
    }

    pub(super) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(super) fn signal(&self, signals: &[&str]) {
        for signal in signals {
            let kill = Command::new("kill").args([signal, &*self.process.id().to_string()]).status().unwrap();
            assert!(kill.success());
        }
    }

    /// Writes a line to its standard input.
    fn go_on(&mut self) {
        self.stdin.write_all(b"\n").unwrap();
    }

    /// Waits for its end. Returns its status.
    fn status(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            match self.process.try_wait().unwrap() {
                Some(status) => return status.code(),
                None if start.elapsed() < FOREVER => thread::sleep(ms(2)),
                None => panic!("does not end"),
            }
        }
    }

    pub(super) fn wait(mut self) -> Ended {
        let status = self.status();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.process.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Ended { status, stdout, stderr }
    }
}

impl Drop for Operated {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(super) const RUNTIMES: [&[&str]; 2] = [&[], &["runtime=current"]];

pub(super) fn with<'a>(arguments: &[&'a str], runtime: &[&'a str]) -> Vec<&'a str> {
    [arguments, runtime].concat()
}

#[test]
fn o01_doubled_signals_are_one_request() {
    for runtime in RUNTIMES {
        for how in ["run", "exit"] {
            let arguments = [how, "force_after=86400000", "grace=60000", "slow"];
            let mut operated = Operated::start(&with(&arguments, runtime), "ready");
            operated.signal(&["-TERM", "-TERM", "-INT"]);
            // Of two that are pending, the process may get either first.
            let requested = operated.line();
            assert!(["ShutdownRequested SIGTERM", "ShutdownRequested SIGINT"].contains(&&*requested), "{requested}");
            operated.signal(&["-TERM", "-INT"]);
            // They are heard by then.
            thread::sleep(ms(500));
            operated.go_on();
            let ended = operated.wait();
            assert_eq!((ended.status, &*ended.stderr), (Some(0), ""), "the task had its time");
            assert!(!ended.stdout.contains("ShutdownForced"), "{}", ended.stdout);
        }
    }
}

#[test]
fn o01_a_later_signal_forces() {
    for runtime in RUNTIMES {
        for how in ["run", "exit"] {
            let arguments = [how, "force_after=0", "grace=86400000", "deaf"];
            let mut operated = Operated::start(&with(&arguments, runtime), "ready");
            operated.signal(&["-TERM"]);
            assert_eq!(operated.line(), "ShutdownRequested SIGTERM");
            operated.signal(&["-INT"]);
            let ended = operated.wait();
            assert_eq!(ended.status, Some(4), "{}", ended.stderr);
            assert!(ended.stderr.contains("1 task aborted, as the shutdown was forced after"), "{}", ended.stderr);
        }
    }
}

#[test]
fn o02_sigint_skips_the_drain_and_sigterm_keeps_it() {
    for how in ["run", "exit"] {
        let drain = format!("drain={LONG}");
        let mut operated = Operated::start(&[how, &drain, "cooperative"], "ready");
        operated.signal(&["-INT"]);
        // Without a drain nothing says which of both is first.
        let mut lines = [operated.line(), operated.line()];
        lines.sort();
        assert_eq!(lines, ["ShutdownRequested SIGINT", "stopped: shutdown"]);
        assert_eq!(operated.wait().status, Some(0), "a day has not passed");

        // SIGTERM drains. The next signal ends the drain, and not the work; the one after it forces.
        let arguments = [how, &*drain, "grace=86400000", "force_after=0", "cooperative", "deaf"];
        let mut operated = Operated::start(&arguments, "ready");
        operated.signal(&["-TERM"]);
        assert_eq!(operated.line(), "ShutdownRequested SIGTERM");
        operated.signal(&["-TERM"]);
        assert_eq!(operated.line(), "stopped: shutdown");
        operated.signal(&["-TERM"]);
        let ended = operated.wait();
        assert_eq!(ended.status, Some(4), "{}", ended.stderr);
        assert!(ended.stderr.ends_with(": deaf\n"), "{}", ended.stderr);
    }
}

#[test]
fn o02_what_sigint_does_can_be_chosen() {
    let arguments = ["run", "drain=86400000", "interrupt=drain", "force_after=0", "cooperative"];
    let mut operated = Operated::start(&arguments, "ready");
    operated.signal(&["-INT"]);
    assert_eq!(operated.line(), "ShutdownRequested SIGINT");
    operated.signal(&["-INT"]);
    assert_eq!(operated.line(), "stopped: shutdown");
    assert_eq!(operated.wait().status, Some(0));
}

#[test]
fn o03_a_wedged_runtime_ends_after_drain_and_grace_and_names_the_task() {
    for runtime in RUNTIMES {
        let arguments = ["exit", "drain=100", "grace=300", "spin"];
        let mut operated = Operated::start(&with(&arguments, runtime), "ready");
        assert_eq!(operated.line(), "spinning");
        operated.signal(&["-TERM"]);
        let ended = operated.wait();
        assert_eq!(ended.status, Some(3), "{}", ended.stderr);
        assert_eq!(ended.stderr, "Error: 1 task not stopped in time (grace 300ms): spin\n");
    }
}

#[test]
fn o03_a_forcing_signal_ends_a_wedged_runtime_at_once() {
    for runtime in RUNTIMES {
        let arguments = ["exit", "grace=86400000", "force_after=0", "spin", "cooperative"];
        let mut operated = Operated::start(&with(&arguments, runtime), "ready");
        assert_eq!(operated.line(), "spinning");
        // Two kinds, because the kernel merges equal signals that are pending.
        operated.signal(&["-TERM", "-INT"]);
        let ended = operated.wait();
        assert_eq!(ended.status, Some(4), "{}", ended.stderr);
        assert!(ended.stderr.contains("as the shutdown was forced after"), "{}", ended.stderr);
        assert!(ended.stderr.contains("spin"), "{}", ended.stderr);
    }
}

#[test]
fn o03_a_failed_tree_ends_a_wedged_runtime() {
    for runtime in RUNTIMES {
        // The tree fails, and then a task blocks the only thread.
        let operated = Operated::start(&with(&["exit", "grace=300", "broken", "wedge"], runtime), "ready");
        let ended = operated.wait();
        assert_eq!(ended.status, Some(1), "{}", ended.stderr);
        assert!(ended.stdout.contains("wedged\n"), "{}", ended.stdout);
        assert!(ended.stderr.starts_with("Error: `broken` failed (broken)"), "{}", ended.stderr);
    }
}

/// Nobody reads standard error, and it is full.
#[test]
fn o03_an_error_that_cannot_be_written_does_not_keep_the_process_from_its_end() {
    let (mut full, unread) = UnixStream::pair().unwrap();
    full.set_nonblocking(true).unwrap();
    for size in [4_096, 1] {
        while full.write(&vec![0; size]).is_ok() {}
    }
    full.set_nonblocking(false).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_operated"));
    command.args(["exit", "broken"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(OwnedFd::from(full));
    let mut operated = Operated::of(command);
    assert_eq!(operated.line(), "ready");
    assert_eq!(operated.status(), Some(1));
    drop(unread);
}

#[test]
fn o03_without_signals_the_process_ends_by_itself() {
    let operated = Operated::start(&["exit", "signals=none", "cooperative"], "ready");
    operated.signal(&["-TERM"]);
    // The default action of the signal: no handler was installed.
    assert_eq!(operated.wait().status, None);
}

#[test]
fn o03_plain_run_starts_no_thread() {
    let threads = |how| {
        let operated = Operated::start(&[how, "runtime=current", "cooperative"], "ready");
        loop {
            let tasks = std::fs::read_dir(format!("/proc/{}/task", operated.process.id()));
            let names = tasks.ok()?.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap());
            let names: Vec<_> = names.map(|name| name.trim_end().to_owned()).collect();
            // A thread sets its name when it begins.
            if names.len() < 2 || names[1] != names[0] {
                break Some(names);
            }
        }
    };
    // Only Linux has this folder.
    let (Some(run), Some(exit)) = (threads("run"), threads("exit")) else { return };
    assert_eq!(run, ["operated"]);
    assert_eq!(exit, ["operated", "taskvisor-exit"]);
}

#[test]
fn o04_a_signal_while_the_tree_starts_ends_it_cleanly() {
    for runtime in RUNTIMES {
        let mut operated = Operated::start(&with(&["start", "migrate", "cooperative"], runtime), "started");
        operated.signal(&["-TERM"]);
        let ended = {
            let mut lines = vec![operated.line(), operated.line(), operated.line()];
            lines.sort_unstable();
            assert_eq!(lines, ["ShutdownRequested SIGTERM", "stopped: shutdown", "waited"]);
            operated.wait()
        };
        // The migration was aborted, and `run` after the shutdown gives its result.
        assert_eq!(ended.status, Some(3), "{}", ended.stderr);
        assert!(ended.stderr.contains("migrate"), "{}", ended.stderr);

        let mut operated = Operated::start(&with(&["late", "cooperative"], runtime), "started");
        operated.signal(&["-INT"]);
        let mut lines = vec![operated.line(), operated.line()];
        lines.sort_unstable();
        assert_eq!(lines, ["ShutdownRequested SIGINT", "stopped: shutdown"], "before `run`");
        operated.stdin.write_all(b"\n").unwrap();
        let ended = operated.wait();
        assert_eq!((ended.status, &*ended.stderr), (Some(0), ""));
    }
}

#[test]
fn o04_run_takes_over_from_start() {
    for runtime in RUNTIMES {
        let arguments = ["late", "force_after=0", "grace=86400000", "deaf"];
        let mut operated = Operated::start(&with(&arguments, runtime), "started");
        operated.stdin.write_all(b"\n").unwrap();
        operated.signal(&["-TERM"]);
        assert_eq!(operated.line(), "ShutdownRequested SIGTERM");
        operated.signal(&["-TERM"]);
        let ended = operated.wait();
        assert_eq!(ended.status, Some(4), "{}", ended.stderr);
    }
}

#[test]
fn o05_a_slow_shutdown_says_who_it_waits_for() {
    for runtime in RUNTIMES {
        let arguments = with(&["run", "grace=60000", "slow", "cooperative"], runtime);
        let mut operated = Operated::start(&arguments, "ready");
        operated.signal(&["-TERM"]);
        let mut lines = [operated.line(), operated.line()];
        lines.sort();
        assert_eq!(lines, ["ShutdownRequested SIGTERM", "stopped: shutdown"]);
        // After 1 s and 2 s.
        for _ in 0..2 {
            let line = operated.line();
            assert!(line.starts_with("ShutdownWaiting slow: stopping for "), "{line}");
            assert!(line.contains(", 1 of 2, ") && line.ends_with(" s left"), "{line}");
        }
        operated.go_on();
        assert_eq!(operated.wait().status, Some(0));
    }
    let started = Instant::now();
    let operated = Operated::start(&["run", "cooperative"], "ready");
    operated.signal(&["-TERM"]);
    let is_told = operated.wait().stdout.contains("ShutdownWaiting");
    assert!(!is_told || started.elapsed() >= Duration::from_secs(1), "a quick one says nothing");
}

#[test]
fn o07_the_status_tells_how_it_ended() {
    let cases: [(&[&str], Option<&str>, i32); 4] = [
        (&["run", "cooperative"], Some("-TERM"), 0),
        (&["run", "broken", "cooperative"], None, 1),
        (&["run", "grace=100", "deaf"], Some("-TERM"), 3),
        (&["exit", "grace=100", "deaf"], Some("-TERM"), 3),
    ];
    for (arguments, signal, status) in cases {
        let operated = Operated::start(arguments, "ready");
        operated.signal(signal.as_slice());
        let ended = operated.wait();
        assert_eq!(ended.status, Some(status), "{arguments:?}: {}", ended.stderr);
    }
    // Two tasks of one name: nothing starts.
    for how in ["run", "exit"] {
        let operated = Command::new(env!("CARGO_BIN_EXE_operated")).args([how, "deaf", "deaf"]).output().unwrap();
        assert_eq!(operated.status.code(), Some(2));
        let stderr = String::from_utf8(operated.stderr).unwrap();
        assert_eq!(stderr, "Error: a task named `deaf` is already registered\n");
    }
}
