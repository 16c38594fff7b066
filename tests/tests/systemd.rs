//! The notifications of a process to systemd, on a socket like systemd's.
#![cfg(unix)]

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};

use tests::secs;

/// The receiving end, like systemd. It reads all the time, since a sender waits while the socket is full.
struct Manager {
    directory: PathBuf,
    /// As in `NOTIFY_SOCKET`.
    socket: OsString,
    lines: Receiver<String>,
}

impl Manager {
    fn new() -> Self {
        Self::with(|directory| {
            let path = directory.join("notify");
            (UnixDatagram::bind(&path).unwrap(), path.into())
        })
    }

    /// With a socket that is no file.
    #[cfg(target_os = "linux")]
    fn with_abstract_socket() -> Self {
        use std::os::linux::net::SocketAddrExt as _;

        Self::with(|directory| {
            let name = directory.to_str().unwrap();
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
            (UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}").into())
        })
    }

    fn with(bind: impl FnOnce(&Path) -> (UnixDatagram, OsString)) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("taskvisor-systemd-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        // A killed process that had the same number can have left it.
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir(&directory).unwrap();
        let (bound, socket) = bind(&directory);
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = bound.recv(&mut buffer) {
                for line in String::from_utf8_lossy(&buffer[..length]).lines() {
                    let _ = sender.send(line.to_owned());
                }
            }
        });
        Self { directory, socket, lines }
    }

    fn service(&self) -> Command {
        let mut command = service();
        command.env("NOTIFY_SOCKET", &self.socket);
        command
    }

    /// The messages up to and including this one.
    fn until(&self, wanted: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line| line != wanted) {
            lines.push(
                self.lines.recv_timeout(secs(60)).unwrap_or_else(|_| panic!("{wanted:?} is not told: {lines:?}")),
            );
        }
        lines
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn service() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_notifier"));
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// A child process that is killed with the test.
struct Service {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Service {
    fn start(mut command: Command) -> Self {
        let mut process = command.spawn().unwrap();
        let (stdin, stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, stdin, stdout: BufReader::new(stdout) }
    }

    fn become_ready(&mut self) {
        self.stdin.write_all(b"\n").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
    }

    fn stop(self) {
        assert_eq!(self.stop_and_read(), "told\n");
    }

    fn terminate(&self) {
        let kill = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(kill.success());
    }

    /// Returns its exit status. Nothing that a test expects takes as long as this waits.
    fn status_after_stop(mut self) -> Option<i32> {
        self.terminate();
        for _ in 0..30_000 {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(tests::ms(2));
        }
        panic!("it does not end");
    }

    /// Returns what it prints while it stops.
    fn stop_and_read(mut self) -> String {
        self.terminate();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert!(self.process.wait().unwrap().success());
        rest
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn systemd_hears_of_the_start_the_watchdog_and_the_end() {
    let manager = Manager::new();
    let mut command = manager.service();
    command.env("WATCHDOG_USEC", "200000");
    let mut service = Service::start(command);

    let mut told = manager.until("STATUS=0 of 1 ready; not ready: serve (running)");
    assert_eq!(told[0], "WATCHDOG=1", "also while it starts");
    assert!(!told.contains(&"READY=1".to_owned()), "{told:?}");
    service.become_ready();
    told = manager.until("READY=1");
    for _ in 0..2 {
        told.extend(manager.until("WATCHDOG=1"));
    }
    assert!(told.contains(&"STATUS=1 of 1 ready".to_owned()), "{told:?}");
    service.stop();
    told.extend(manager.until("STATUS=stopped"));

    let stopping = told.iter().position(|line| line == "STOPPING=1").unwrap();
    assert_eq!(told[stopping + 1], "EXTEND_TIMEOUT_USEC=10000000");
    assert!(told[stopping..].contains(&"STATUS=shutting down, 1 left".to_owned()), "{told:?}");
    let once = told.iter().filter(|line| matches!(&***line, "READY=1" | "STOPPING=1"));
    assert_eq!(once.collect::<Vec<_>>(), ["READY=1", "STOPPING=1"]);
}

/// Each time, because the process ends as soon as the tree has stopped.
#[test]
fn systemd_hears_of_the_result_from_a_process_that_run_to_exit_ends() {
    for _ in 0..20 {
        let manager = Manager::new();
        let mut command = manager.service();
        command.arg("exits");
        let mut service = Service::start(command);
        service.become_ready();
        assert_eq!(service.stop_and_read(), "");
        manager.until("STATUS=stopped");
    }
}

/// The time for the last message does not depend on the runtime, whose timers stand still then.
#[test]
fn a_worker_that_is_blocked_at_the_end_does_not_keep_run_to_exit_from_it() {
    let manager = Manager::new();
    let mut command = manager.service();
    command.arg("blocked").stderr(Stdio::null());
    let mut service = Service::start(command);
    service.become_ready();
    assert_eq!(service.status_after_stop(), Some(3));
}

#[test]
#[cfg(target_os = "linux")]
fn the_socket_of_systemd_can_be_abstract() {
    let systemd = Manager::with_abstract_socket();
    let mut service = Service::start(systemd.service());
    service.become_ready();
    systemd.until("READY=1");
    service.stop();
    systemd.until("STATUS=stopped");
}

/// As while systemd does something else for a while.
#[test]
fn a_service_goes_on_while_the_socket_of_systemd_is_full() {
    let directory = std::env::temp_dir().join(format!("taskvisor-systemd-full-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let socket = directory.join("notify");
    let bound = UnixDatagram::bind(&socket).unwrap();
    let filler = UnixDatagram::unbound().unwrap();
    filler.set_nonblocking(true).unwrap();
    while filler.send_to(b"X=1", &socket).is_ok() {}

    let mut command = service();
    command.arg("alone").env("NOTIFY_SOCKET", &socket);
    let mut service = Service::start(command);
    let (goes_on, does_go_on) = channel();
    let systemd = std::thread::spawn(move || {
        // If the service stands still, it goes on now, and the test fails.
        let in_time = does_go_on.recv_timeout(secs(60)).is_ok();
        let (mut told, mut buffer) = (Vec::new(), [0; 4096]);
        while told.last().is_none_or(|line| line != "STATUS=stopped") {
            let length = bound.recv(&mut buffer).unwrap();
            told.extend(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned));
        }
        (in_time, told)
    });
    service.become_ready();
    let _ = goes_on.send(());
    service.stop();
    let (in_time, told) = systemd.join().unwrap();
    let _ = std::fs::remove_dir_all(&directory);
    assert!(in_time, "the only worker waits for systemd");
    assert!(told.iter().any(|line| line == "STOPPING=1"), "{told:?}");
}

#[test]
fn the_watchdog_of_another_process_is_not_fed() {
    let manager = Manager::new();
    let mut command = manager.service();
    command.env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let mut service = Service::start(command);
    service.become_ready();
    service.stop();
    let told = manager.until("STATUS=stopped");
    assert!(!told.contains(&"WATCHDOG=1".to_owned()), "{told:?}");
}

#[test]
fn a_service_runs_as_well_without_systemd() {
    let gone = Manager::new().directory.join("notify");
    let mut commands = [service(), service(), service()];
    commands[1].env("NOTIFY_SOCKET", "");
    commands[2].env("NOTIFY_SOCKET", gone);
    for command in commands {
        let mut service = Service::start(command);
        service.become_ready();
        service.stop();
    }
}
