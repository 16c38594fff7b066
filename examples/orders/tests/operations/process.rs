//! The processes: the service and the broker.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::sleep;

use crate::client::Client;

/// The time limit of a step, longer than any step takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_orders");

fn client() -> Client {
    Client::without_keep_alive(Duration::from_secs(20))
}

/// A folder for the database and the logs of one test, which is removed at its end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // In memory, if possible, so that a busy disk does not affect the tests.
        let memory = Some(PathBuf::from("/dev/shm")).filter(|memory| memory.is_dir());
        let path =
            memory.unwrap_or_else(std::env::temp_dir).join(format!("taskvisor-orders-{}-{number}", std::process::id()));
        // A killed process that had the same number can have left it.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("orders.sqlite")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running program whose first line was read. It is killed at the end of the test.
struct Program {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
    output: Option<thread::JoinHandle<String>>,
}

impl Program {
    /// Starts the program. Its first line has its address.
    fn start(mut command: Command, log: &Path) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(log).unwrap());
        let mut child = command.env("RUST_BACKTRACE", "0").spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("{line:?}: {}", fs::read_to_string(log).unwrap()));
        let output = thread::spawn(move || {
            let mut rest = String::new();
            output.read_to_string(&mut rest).unwrap();
            rest
        });
        Self { child, address, log: log.to_owned(), output: Some(output) }
    }

    async fn exit(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it does not end: {}", fs::read_to_string(&self.log).unwrap());
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The service, before and after its start.
pub(crate) struct Service {
    command: Command,
    log: PathBuf,
    program: Option<Program>,
    output: String,
}

impl Service {
    /// Creates a service without a broker and a database.
    pub(crate) fn alone(folder: &Folder) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let log = folder.0.join(format!("log-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let mut command = Command::new(PROGRAM);
        command.arg("--sqlite").arg(folder.database());
        Self { command, log, program: None, output: String::new() }.arg("--listen", "127.0.0.1:0")
    }

    /// Creates a service with this broker, and the database of the folder.
    pub(crate) fn new(folder: &Folder, broker: &Broker) -> Self {
        Self::alone(folder).arg("--broker", &broker.0.address.to_string()).arg("--replica", "one")
    }

    /// Creates a service with this command.
    pub(crate) fn by(folder: &Folder, command: Command) -> Self {
        Self { command, ..Self::alone(folder) }
    }

    /// Creates a service with this broker, and a database from the arguments.
    pub(crate) fn on(folder: &Folder, broker: &Broker) -> Self {
        Self::by(folder, Command::new(PROGRAM))
            .arg("--listen", "127.0.0.1:0")
            .arg("--broker", &broker.0.address.to_string())
    }

    fn arg(mut self, name: &str, value: &str) -> Self {
        self.command.args([name, value]);
        self
    }

    pub(crate) fn args<'a>(self, pairs: impl IntoIterator<Item = &'a str>) -> Self {
        let mut pairs = pairs.into_iter();
        let mut service = self;
        while let (Some(name), Some(value)) = (pairs.next(), pairs.next()) {
            service = service.arg(name, value);
        }
        service
    }

    pub(crate) fn listen(self, address: SocketAddr) -> Self {
        self.arg("--listen", &address.to_string())
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn envs<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.command.envs(pairs);
        self
    }

    /// Starts the service, and waits until it is ready or has ended.
    pub(crate) async fn start(mut self) -> Self {
        let command = std::mem::replace(&mut self.command, Command::new("true"));
        self.program = Some(Program::start(command, &self.log));
        let end = Instant::now() + PATIENCE;
        while self.page("/readyz").await.0 != 200 && self.program().child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "it is not ready: {}", self.log());
            sleep(Duration::from_millis(20)).await;
        }
        self
    }

    fn program(&mut self) -> &mut Program {
        self.program.as_mut().expect("it was started")
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.program.as_ref().expect("it was started").address
    }

    pub(crate) fn signal(&mut self, name: &str) {
        let signal = if name == "KILL" { Signal::KILL } else { Signal::TERM };
        let child = i32::try_from(self.program().child.id()).unwrap();
        kill_process(Pid::from_raw(child).unwrap(), signal).unwrap();
    }

    /// Waits for the end with this exit code, or by a signal for `None`. Returns the log.
    pub(crate) async fn exit(&mut self, code: Option<i32>) -> String {
        let status = self.program().exit().await;
        let output = self.program().output.take().expect("it ends once");
        self.output = output.join().unwrap();
        let log = self.log();
        assert_eq!(status.code(), code, "{}\n{log}", self.output);
        log
    }

    /// Returns the standard output after the address.
    pub(crate) fn output(&self) -> &str {
        &self.output
    }

    /// Returns the status and the body of a page; zero if there is no answer.
    pub(crate) async fn page(&self, path: &str) -> (u16, String) {
        client().send(&self.address(), "GET", path, String::new()).await.unwrap_or_default()
    }

    /// Waits until a page matches.
    pub(crate) async fn until_page(&self, path: &str, says: impl Fn(u16, &str) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let (status, body) = self.page(path).await;
            if says(status, &body) {
                return;
            }
            assert!(Instant::now() < end, "{path} says {status} {body}\n{}", self.log());
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn order(&self, id: &str, tenant: &str, cents: i64) -> u16 {
        let body = format!(r#"{{"tenant": "{tenant}", "item": "a book", "cents": {cents}}}"#);
        let answer = client().send(&self.address(), "PUT", &format!("/orders/{id}"), body).await;
        answer.expect("it answers").0
    }

    pub(crate) fn customer(&self) -> Customer {
        Customer(self.address())
    }
}

/// A customer who requests statements.
pub(crate) struct Customer(SocketAddr);

impl Customer {
    pub(crate) async fn statement(self, tenant: &'static str) -> (u16, String) {
        let path = format!("/tenants/{tenant}/statement");
        client().send(&self.0, "POST", &path, String::new()).await.expect("it answers")
    }
}

/// The broker.
pub(crate) struct Broker(Program, #[expect(dead_code, reason = "it is removed with the broker")] Folder);

#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) acknowledged: HashSet<String>,
    /// The number of messages that came again after they were acknowledged.
    pub(crate) repeats: u64,
}

impl Broker {
    pub(crate) async fn start(seed: u64) -> Self {
        let folder = Folder::new();
        let mut command = Command::new(PROGRAM);
        command.args(["broker", "--listen", "127.0.0.1:0", "--chaos", &seed.to_string()]);
        let broker = Self(Program::start(command, &folder.0.join("log")), folder);
        broker.ledger().await;
        broker
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    pub(crate) async fn fail_for(&self, time: Duration) {
        let path = format!("/down/{}", time.as_millis());
        let answer = client().send(&self.0.address, "POST", &path, String::new()).await;
        assert_eq!(answer.expect("it answers").0, 200);
    }

    pub(crate) async fn ledger(&self) -> Ledger {
        let answer = client().send(&self.0.address, "GET", "/ledger", String::new()).await;
        let ledger: Value = serde_json::from_str(&answer.expect("it answers").1).unwrap();
        let ids = ledger["acknowledged"].as_array().unwrap().iter();
        Ledger {
            acknowledged: ids.map(|id| id.as_str().unwrap().to_owned()).collect(),
            repeats: ledger["repeats"].as_u64().unwrap(),
        }
    }

    /// Waits until the broker has acknowledged all of these.
    pub(crate) async fn until_has(&self, ids: &HashSet<String>) {
        let end = Instant::now() + PATIENCE;
        loop {
            let ledger = self.ledger().await;
            let missing = ids.difference(&ledger.acknowledged).count();
            if missing == 0 {
                return;
            }
            assert!(Instant::now() < end, "{missing} of {} are not delivered", ids.len());
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Returns the paths of the declared tasks that have ended, in order, by the log.
pub(crate) fn ended(log: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ended = lines.filter(|line| line["fields"]["message"] == "task ended");
    ended.filter_map(|line| line["fields"]["path"].as_str().map(str::to_owned)).collect()
}

/// Returns the number of acknowledgements that a relay may not have stored, because the broker or the database took too
/// long, or its watchdog ended it. It is zero unless the machine is overloaded.
pub(crate) fn not_noted(log: &str) -> u64 {
    let has_failed = |line: &str| line.contains("attempt failed") && line.contains("\"path\":\"relay\"");
    let may_miss = |line: &&str| {
        line.contains("no answer from the broker") || (has_failed(line) && !line.contains("the broker is down"))
    };
    log.lines().filter(may_miss).count() as u64
}
