//! Signals, sent to a child process.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use tests::longer;

use super::{Duration, FOREVER, ms};

pub(crate) const LONG: &str = "86400000";

/// A child process that runs a supervisor.
pub(crate) struct Victim {
    process: Child,
    stdout: BufReader<ChildStdout>,
}

/// How the process ended.
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    after: Duration,
}

impl Victim {
    /// Starts the process, and waits until its tasks run.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(Duration::ZERO, arguments)
    }

    /// With this watchdog for the tasks that beat.
    pub(crate) fn start_with(watchdog: Duration, arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_victim"))
            .args(arguments)
            .env("WATCHDOG", watchdog.as_millis().to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let mut victim = Self { process, stdout };
        assert_eq!(victim.line(), "ready\n");
        victim
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    pub(crate) fn signal(&self, signal: &str) {
        let kill = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(kill.success());
    }

    /// Returns `false` if something has let it go on since it was stopped. Only Linux tells.
    pub(crate) fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        stat.map_or(true, |stat| stat.rsplit(") ").next().is_some_and(|state| state.starts_with('T')))
    }

    /// Waits for the process to end, and measures how long that takes.
    pub(crate) fn wait(mut self) -> Ended {
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
        let mut graces = longer(ms(300));
        loop {
            let grace = graces.next().expect("the other stops in time");
            let victim = Victim::start(&[&grace.as_millis().to_string(), "return", "cooperative", "deaf"]);
            let start = Instant::now();
            victim.signal(signal);
            let ended = victim.wait();
            assert_eq!(ended.status, Some(1));
            assert!(start.elapsed() >= grace, "before its grace, after {:?}", ended.after);
            if ended.stderr.contains("1 task not stopped in time (grace ") {
                assert!(ended.stdout.contains("cleaned up"));
                break;
            }
            assert!(ended.stderr.contains("2 tasks not stopped in time (grace "), "{}", ended.stderr);
        }
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
        assert!(ended.stderr.contains("1 task aborted, as the shutdown was forced after"), "{}", ended.stderr);
    }
}

fn ends_though_it_blocks(task: &str) {
    let victim = Victim::start(&["100", "exit", task]);
    victim.signal("-TERM");
    let ended = victim.wait();
    assert_eq!(ended.status, Some(3));
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

#[test]
fn e10_run_hears_a_signal_though_the_worker_that_waits_for_io_is_blocked() {
    let mut victim = Victim::start(&["100", "return", "blocking-reader"]);
    assert_eq!(victim.line(), "blocked\n");
    victim.signal("-TERM");
    let Victim { process, stdout } = &mut victim;
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        scope.spawn(move || {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            sender.send(line).unwrap();
        });
        let line = receiver.recv_timeout(FOREVER);
        process.kill().unwrap();
        assert_eq!(line.as_deref(), Ok("stopping because of SIGTERM\n"));
    });
}
