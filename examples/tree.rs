//! A small service as a tree: a store, an ingest that fills it, and a server that reports their state.
//!
//! ```text
//! cargo run --example tree                        # until Ctrl+C or SIGTERM
//! cargo run --example tree -- --chaos 1           # its parts fail, panic and hang at random
//! cargo run --example tree -- --listen 127.0.0.1:8080 records.txt
//! cargo run --example tree --features console -- --chaos 1 --seconds 600 --console
//! ```
//!
//! No record is lost, whatever fails: the outbox keeps each record until the store has it on disk, and resends it. The
//! store accepts records only in the order of their numbers, so that a record that is sent twice is written once. When
//! the tree has ended, the program reads the file and checks that it holds each record exactly once.

mod console;

use std::collections::BTreeSet;
use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::future::pending;
use std::io::{self, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::ops::Deref;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use taskvisor::prelude::*;
use taskvisor::{Probe, Tree};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use crate::console::Port;

const HELP: &str = "\
A store, an ingest that fills it, and a server that answers /livez, /readyz
and /tree.

Usage: tree [OPTIONS] [FILE]

Arguments:
  [FILE]         Where the records are kept, with a lock beside it; continued
                 if it is there. Without it a temporary file

Options:
  --chaos SEED   Fail, panic and hang at random; for 3 seconds, unless told
  --seconds N    End after N seconds, and not only with Ctrl+C or SIGTERM
  --listen ADDR  Where to serve; without it a free port of 127.0.0.1
  --console      Serve a console as well, at another port
  -h, --help     Print this

Exit status: 0 if all is well, 1 if a record is lost or the tree failed, 2 if
the arguments or the file are wrong and nothing was started.
";

/// The interval of heartbeats while a task waits.
const BEAT: Duration = Duration::from_millis(50);
/// The longest wait for all tasks to be up again and for the store to have the last records. The six layers of the tree
/// stop one after another, each in its share of the grace.
const SETTLE: Duration = Duration::from_secs(3);
/// The maximum number of records that wait for the store.
const WAITING: usize = 256;
const BATCH: usize = 32;

type Failure = Box<dyn Error + Send + Sync>;

// The store: a task holds the lock, another writes the file, and a third checks it.

/// Holds the lock of the file.
#[task(restart = "always", ready = "signal", watchdog = "500ms", stop_timeout = "300ms", critical)]
async fn lock(ctx: TaskContext, path: PathBuf, chaos: Chaos) -> Result<(), TaskError> {
    // The lock of another process will still be there. The group retries a few times, then the tree fails.
    let _lock = Lock::take(&path).map_err(|reason| TaskError::Fatal { reason })?;
    ctx.ready();
    while ctx.run_until_cancelled(sleep(BEAT)).await.is_some() {
        ctx.heartbeat();
        chaos.strike(&ctx).await.map_err(TaskError::error)?;
    }
    Ok(())
}

/// Writes incoming records and acknowledges them.
#[task(restart = "always", ready = "signal", watchdog = "500ms", stop_timeout = "300ms")]
async fn writer(ctx: TaskContext, path: PathBuf, inbox: Inbox, chaos: Chaos) -> Result<(), Failure> {
    let mut inbox = inbox.lock().await;
    let mut log = Log::open(&path)?;
    let mut batch = Vec::with_capacity(BATCH);
    ctx.ready();
    loop {
        ctx.heartbeat();
        match ctx.run_until_cancelled(timeout(BEAT, inbox.recv_many(&mut batch, BATCH))).await {
            None | Some(Ok(0)) => return Ok(()),
            Some(Err(_)) => continue,
            Some(Ok(_)) => {}
        }
        for request in &batch {
            // A record that is already written was resent. One that arrives before its turn will be.
            if request.number == log.next {
                log.append(&ctx, &chaos).await?;
            }
        }
        block_in_place(|| log.file.sync_data())?;
        for request in batch.drain(..).filter(|request| request.number < log.next) {
            // Nobody waits for the answer if the sender was restarted.
            let _ = request.stored.send(());
        }
    }
}

/// Checks the written records.
#[task(restart = "always", interval = "200ms", timeout = "1s", stop_timeout = "300ms", critical)]
async fn audit(ctx: TaskContext, path: PathBuf, chaos: Chaos) -> Result<(), TaskError> {
    chaos.strike(&ctx).await.map_err(TaskError::error)?;
    let bytes = tokio::fs::read(&path).await.map_err(TaskError::error)?;
    whole(&bytes).map(drop).map_err(|reason| TaskError::Fatal { reason })
}

// The ingest: its two tasks restart together.

/// Makes records.
#[task(restart = "always", watchdog = "500ms", stop_timeout = "300ms")]
async fn produce(ctx: TaskContext, outbox: Outbox, chaos: Chaos) -> Result<(), Failure> {
    while ctx.run_until_cancelled(sleep(Duration::from_millis(2))).await.is_some() {
        ctx.heartbeat();
        outbox.add();
        chaos.strike(&ctx).await?;
    }
    Ok(())
}

/// Sends the records in the outbox to the store, and removes those that the store has.
#[task(restart = "always", watchdog = "1s", stop_timeout = "300ms")]
async fn forward(ctx: TaskContext, outbox: Outbox, store: mpsc::Sender<Request>, chaos: Chaos) -> Result<(), Failure> {
    while ctx.run_until_cancelled(sleep(Duration::from_millis(5))).await.is_some() {
        let mut sent = Vec::with_capacity(BATCH);
        for number in outbox.first(BATCH) {
            let (stored, acknowledged) = oneshot::channel();
            let sending = timeout(BEAT, store.send(Request { number, stored }));
            let Some(Ok(Ok(()))) = ctx.run_until_cancelled(sending).await else { break };
            sent.push((number, acknowledged));
        }
        ctx.heartbeat();
        for (number, acknowledged) in sent {
            chaos.strike(&ctx).await?;
            // No answer: the store has failed or is not up yet. The record is sent again.
            let Ok(Ok(())) = timeout(4 * BEAT, acknowledged).await else { break };
            outbox.remove(number);
        }
        ctx.heartbeat();
    }
    Ok(())
}

// The observers.

/// Answers `GET /livez`, `/readyz` and `/tree`.
#[task(restart = "always", ready = "signal", watchdog = "500ms", stop_timeout = "2s", critical)]
async fn serve(ctx: TaskContext, listener: Arc<TcpListener>, view: View, chaos: Chaos) -> Result<(), Failure> {
    ctx.ready();
    loop {
        ctx.heartbeat();
        match ctx.run_until_cancelled(timeout(BEAT, listener.accept())).await {
            None => return Ok(()),
            Some(Err(_)) => chaos.strike(&ctx).await?,
            Some(Ok(accepted)) => {
                let (stream, _) = accepted?;
                let view = view.clone();
                ctx.spawn(async move {
                    // A client that is slow or gone is no failure of the server.
                    let _ = timeout(Duration::from_secs(1), answer(stream, &view)).await;
                });
            }
        }
    }
}

/// Visits the service from outside. It starts last and stops first, so that it can end the service in order.
#[task]
async fn visit(
    ctx: TaskContext,
    addr: SocketAddr,
    seconds: Option<Duration>,
    outbox: Outbox,
    chaos: Chaos,
    view: View,
) -> Result<(), Failure> {
    say(&format!("serving http://{addr}/livez, /readyz and /tree"));
    let stay = async {
        for path in ["/readyz", "/tree"] {
            let shown = get(addr, path).await.unwrap_or_else(|error| format!("{error}\n"));
            say(&format!("\nGET {path}\n{}", shown.trim_end()));
        }
        match seconds {
            Some(seconds) => sleep(seconds).await,
            None => pending().await,
        }
    };
    ctx.run_until_cancelled(stay).await;

    chaos.end();
    outbox.close();
    let others = |tree: &Tree| tree.health().not_ready.iter().any(|who| who.path != ctx.path());
    let unsettled = || outbox.with(|it| !it.waiting.is_empty()) || view.look(others) == Some(true);
    let settled = async {
        while unsettled() {
            sleep(BEAT).await;
        }
    };
    let _ = timeout(SETTLE, settled).await;
    if let Some(snapshot) = view.look(|tree| tree.snapshot().to_string()) {
        say(&format!("\nthe tree as it was\n{}", snapshot.trim_end()));
    }
    drop(ctx.supervisor().shutdown());
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments =
        Arguments::parse(env::args_os().skip(1)).unwrap_or_else(|wrong| refuse(&format!("{wrong}, see `--help`")));
    if arguments.help {
        say(HELP.trim_end());
        return ExitCode::SUCCESS;
    }
    let listener = TcpListener::bind(arguments.listen).await.and_then(|bound| Ok((bound.local_addr()?, bound)));
    let (addr, listener) = listener.unwrap_or_else(|error| refuse(&format!("{}: {error}", arguments.listen)));
    let scratch = arguments.file.is_none().then(|| Scratch::new().unwrap_or_else(|error| refuse(&error)));
    let path = arguments.file.or_else(|| Some(scratch.as_ref()?.0.join("records.txt"))).unwrap_or_default();
    // Errors of the file are reported here, not by the tree.
    let found = Lock::take(&path).and_then(|_lock| Log::open(&path)).unwrap_or_else(|wrong| refuse(&wrong)).next;
    let listener = Arc::new(listener);

    let port = arguments.console.then(|| Port::bind(([127, 0, 0, 1], 0).into()).unwrap_or_else(|wrong| refuse(&wrong)));
    let attached = port.as_ref().map(Port::attach).unwrap_or_default();
    if let Some(port) = &port {
        say(&format!("the console is at http://{}/", port.addr()));
    }

    let mut chaos = Chaos::seeds(arguments.chaos);
    let outbox = Outbox::new(found);
    let (store, inbox) = mpsc::channel(BATCH);
    let inbox: Inbox = Arc::new(AsyncMutex::new(inbox));
    let view = View::default();

    let tree = supervise!(
        name = "tree",
        grace = "30s",
        defaults(backoff(first = "20ms", max = "200ms", factor = 2.0, jitter = "equal")),
        subscribers = [..attached.subscribers],
        tasks = [
            store = group(
                strategy = rest_for_one(max_restarts = 5, within = "2s"),
                tasks = [
                    lock { path: path.clone(), chaos: chaos(20) },
                    writer { path: path.clone(), inbox, chaos: chaos(200) },
                    audit { path: path.clone(), chaos: chaos(10) },
                ],
                backoff(first = "100ms", max = "500ms", factor = 2.0, reset_after = "1s"),
                max_retries = 5,
            ),
            ingest = group(
                strategy = one_for_all(max_restarts = 5, within = "2s"),
                tasks = [
                    produce { outbox: outbox.clone(), chaos: chaos(300) },
                    forward { outbox: outbox.clone(), store, chaos: chaos(300) },
                ],
                after = [store],
                backoff(first = "100ms", max = "500ms", factor = 2.0, reset_after = "1s"),
                max_retries = 5,
            ),
            task(serve { listener, view: view.clone(), chaos: chaos(20) }, after = [store, ingest]),
            task(
                visit {
                    addr,
                    seconds: arguments.seconds,
                    outbox: outbox.clone(),
                    chaos: chaos(u32::MAX),
                    view: view.clone(),
                },
                after = [serve],
            ),
            ..attached.task,
        ],
    );
    let tree = view.of(tree);
    let result = tree.run().await;

    let mut well = true;
    if let Err(error) = &result {
        eprintln!("tree: {error}");
        well = false;
    }
    if let Some(writer) = tree.groups.store.tasks.writer.status() {
        say(&format!("\nthe writer: {} after {} restarts", writer.state, writer.restarts));
    }
    match verify(&path, &outbox) {
        Ok(told) => say(&told),
        Err(lost) => {
            eprintln!("tree: {lost}");
            well = false;
        }
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads the file and describes its records. The error names the first problem.
fn verify(path: &Path, outbox: &Outbox) -> Result<String, String> {
    let _lock = Lock::take(path)?;
    let (made, waiting) = outbox.with(|it| (it.next, it.waiting.clone()));
    let mut log = Log::open(path)?;
    let acknowledged = (0..made).filter(|number| !waiting.contains(number));
    if let Some(lost) = acknowledged.max().filter(|&last| last >= log.next) {
        return Err(format!("record {lost} was acknowledged, the file has {} records", log.next));
    }
    // The store may have been down when it was requested to stop. The records that it could not take are written now.
    let late = made - log.next;
    while log.next < made {
        log.write(&record(log.next)).map_err(|error| format!("{}: {error}", path.display()))?;
        log.next += 1;
    }
    let (found, _) = whole(&fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?)?;
    if found != made {
        return Err(format!("{made} records were made, the file has {found}"));
    }
    let late = if late == 0 { String::new() } else { format!(", {late} of them after the tree had ended") };
    Ok(format!("{made} records made, each in the file exactly once, none lost{late}"))
}

/// The text of a record. It follows from the number, so that it can be checked.
fn record(number: u64) -> String {
    format!("{number} {:03}\n", number.wrapping_mul(2_654_435_761) % 1000)
}

/// The number of whole records and their length in bytes; the last record may be torn. The error names the first record
/// that is not the expected one.
fn whole(bytes: &[u8]) -> Result<(u64, usize), String> {
    let (mut number, mut length) = (0, 0);
    for line in bytes.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        if line != record(number).as_bytes() {
            return Err(format!(
                "record {number} is expected, found {:?}",
                String::from_utf8_lossy(&line[..line.len().min(40)])
            ));
        }
        number += 1;
        length += line.len();
    }
    Ok((number, length))
}

/// The file of records, open for appending.
struct Log {
    file: File,
    next: u64,
}

impl Log {
    /// Opens the file, and cuts off a half-written record.
    fn open(path: &Path) -> Result<Self, String> {
        let open = || -> Result<Self, Failure> {
            let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            let (next, length) = whole(&fs::read(path)?)?;
            file.set_len(length as u64)?;
            file.seek(SeekFrom::End(0))?;
            Ok(Self { file, next })
        };
        open().map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Writes the next record. If it fails halfway, half of the record remains in the file.
    async fn append(&mut self, ctx: &TaskContext, chaos: &Chaos) -> Result<(), Failure> {
        let record = record(self.next);
        let (head, tail) = record.split_at(record.len() / 2);
        self.write(head)?;
        chaos.strike(ctx).await?;
        self.write(tail)?;
        self.next += 1;
        Ok(())
    }

    /// Not with `tokio::fs`: its writes can continue on a thread after the attempt was aborted, during the next
    /// attempt.
    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())
    }
}

/// The lock of a file: another file, which exists as long as the lock is held.
struct Lock(PathBuf);

impl Lock {
    fn take(path: &Path) -> Result<Self, String> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = PathBuf::from(name);
        let taken = OpenOptions::new().write(true).create_new(true).open(&lock);
        let mut file = taken.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                let holder = fs::read_to_string(&lock).unwrap_or_default();
                let shown = lock.display();
                format!("{shown} is there: process {holder} has the file, or died; if it is gone, remove {shown}")
            }
            _ => format!("{}: {error}", lock.display()),
        })?;
        let taken = Self(lock);
        match write!(file, "{}", process::id()) {
            Ok(()) => Ok(taken),
            Err(error) => Err(format!("{}: {error}", taken.0.display())),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A directory that is removed with the program.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, String> {
        let path = env::temp_dir().join(format!("taskvisor-tree-{}", process::id()));
        match fs::create_dir(&path) {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A record to write.
struct Request {
    number: u64,
    stored: oneshot::Sender<()>,
}

/// One attempt of the writer uses it at a time; its contents outlive the attempts.
type Inbox = Arc<AsyncMutex<mpsc::Receiver<Request>>>;

/// The records that the store has not acknowledged. It outlives the tasks that fill and empty it.
#[derive(Clone)]
struct Outbox(Arc<Mutex<Records>>);

struct Records {
    next: u64,
    waiting: BTreeSet<u64>,
    closed: bool,
}

impl Outbox {
    fn new(next: u64) -> Self {
        Self(Arc::new(Mutex::new(Records { next, waiting: BTreeSet::new(), closed: false })))
    }

    fn with<T>(&self, f: impl FnOnce(&mut Records) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a record, unless the outbox is closed or too many records wait.
    fn add(&self) {
        self.with(|it| {
            if !it.closed && it.waiting.len() < WAITING {
                it.waiting.insert(it.next);
                it.next += 1;
            }
        });
    }

    fn first(&self, count: usize) -> Vec<u64> {
        self.with(|it| it.waiting.iter().take(count).copied().collect())
    }

    fn remove(&self, number: u64) {
        self.with(|it| it.waiting.remove(&number));
    }

    fn close(&self) {
        self.with(|it| it.closed = true);
    }
}

/// Makes a task fail now and then. Each task has its own random numbers, so that the seed alone determines its faults.
#[derive(Clone)]
struct Chaos {
    random: Option<Arc<Mutex<fastrand::Rng>>>,
    ended: Arc<AtomicBool>,
    /// A strike has an effect once in this many times.
    odds: u32,
}

impl Chaos {
    /// Makes the chaos of one task after another, with the odds for each.
    fn seeds(seed: Option<u64>) -> impl FnMut(u32) -> Self {
        let mut random = seed.map(fastrand::Rng::with_seed);
        let ended = Arc::new(AtomicBool::new(false));
        move |odds| Self {
            random: random.as_mut().map(|random| Arc::new(Mutex::new(random.fork()))),
            ended: Arc::clone(&ended),
            odds,
        }
    }

    /// Does nothing, fails, panics or hangs.
    async fn strike(&self, ctx: &TaskContext) -> Result<(), Failure> {
        let Some(random) = &self.random else { return Ok(()) };
        if ctx.is_cancelled() || self.ended.load(Ordering::Relaxed) {
            return Ok(());
        }
        let what = {
            let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
            (random.u32(..self.odds) == 0).then(|| random.u8(..3))
        };
        match what {
            None => Ok(()),
            Some(0) => Err("chaos: a failure".into()),
            // Like `panic!`, without the message on standard error.
            Some(1) => resume_unwind(Box::new("chaos: a panic")),
            // Ignores everything but the end of the chaos: the watchdog must detect it.
            Some(_) => {
                while !self.ended.load(Ordering::Relaxed) {
                    sleep(BEAT).await;
                }
                Ok(())
            }
        }
    }

    /// Ends the chaos for all tasks.
    fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// The tree, for the tasks in it. It holds a weak reference, since an owning one would keep the tree alive.
#[derive(Clone, Default)]
struct View(Arc<OnceLock<Weak<dyn Deref<Target = Tree> + Send + Sync>>>);

impl View {
    /// Makes this tree visible.
    fn of<T: Deref<Target = Tree> + Send + Sync + 'static>(&self, tree: T) -> Arc<T> {
        let tree = Arc::new(tree);
        let seen: Weak<T> = Arc::downgrade(&tree);
        let _ = self.0.set(seen);
        tree
    }

    fn look<T>(&self, f: impl FnOnce(&Tree) -> T) -> Option<T> {
        let tree = self.0.get()?.upgrade()?;
        Some(f(&tree))
    }
}

/// Answers one request.
async fn answer(mut stream: TcpStream, view: &View) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if request.len() > 8192 || stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let request = String::from_utf8_lossy(&request);
    let mut words = request.split_ascii_whitespace();
    let (status, body) = match (words.next(), words.next()) {
        (Some("GET"), Some(path)) => view.look(|tree| page(path, tree)).unwrap_or((503, String::new())),
        _ => (405, "only GET\n".to_owned()),
    };
    // The reason phrase may be empty.
    let head = format!(
        "HTTP/1.1 {status} \r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        Probe::CONTENT_TYPE,
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await?;
    stream.shutdown().await
}

fn page(path: &str, tree: &Tree) -> (u16, String) {
    let of = |probe: Probe| (probe.status, probe.body);
    match path {
        "/livez" => of(tree.health().livez()),
        "/readyz" => of(tree.health().readyz()),
        "/tree" => (200, tree.snapshot().to_string()),
        _ => (404, "there are /livez, /readyz and /tree\n".to_owned()),
    }
}

/// Requests a page, and retries while there is no answer.
async fn get(addr: SocketAddr, path: &str) -> io::Result<String> {
    let ask = async {
        let mut stream = TcpStream::connect(addr).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.lines().next().unwrap_or_default().trim_start_matches("HTTP/1.1 ").trim_end();
        Ok(format!("{status}\n{body}"))
    };
    // Longer than it takes to replace a server that hangs.
    timeout(Duration::from_secs(5), ask).await.unwrap_or_else(|late| Err(late.into()))
}

/// The options on the command line.
struct Arguments {
    help: bool,
    chaos: Option<u64>,
    seconds: Option<Duration>,
    listen: SocketAddr,
    console: bool,
    file: Option<PathBuf>,
}

impl Arguments {
    fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let listen = ([127, 0, 0, 1], 0).into();
        let mut parsed = Self { help: false, chaos: None, seconds: None, listen, console: false, file: None };
        while let Some(argument) = arguments.next() {
            let option = argument.to_string_lossy();
            let mut value = |what: &str| {
                let value = arguments.next().and_then(|value| value.into_string().ok());
                value.ok_or_else(|| format!("`{option}` needs {what}"))
            };
            match &*option {
                "--help" | "-h" => parsed.help = true,
                "--console" => parsed.console = true,
                "--chaos" => parsed.chaos = Some(number(&option, &value("a seed")?, 0)?),
                "--seconds" => {
                    let seconds = number(&option, &value("a number of seconds")?, 1)?;
                    parsed.seconds = Some(Duration::from_secs(seconds));
                }
                "--listen" => {
                    let addr = value("an address")?;
                    parsed.listen =
                        addr.parse().map_err(|_| format!("`--listen` is {addr:?}, expected an IP address and port"))?;
                }
                _ if option.starts_with('-') => return Err(format!("unknown option `{}`", option.escape_debug())),
                _ if parsed.file.is_some() => return Err(format!("a second file, {argument:?}")),
                _ => parsed.file = Some(PathBuf::from(&argument)),
            }
        }
        if parsed.chaos.is_some() {
            parsed.seconds = parsed.seconds.or(Some(Duration::from_secs(3)));
        }
        Ok(parsed)
    }
}

fn number(option: &str, value: &str, least: u64) -> Result<u64, String> {
    let number = value.parse().ok().filter(|&number| number >= least);
    number.ok_or_else(|| format!("`{option}` is {value:?}, expected a whole number from {least}"))
}

fn say(text: &str) {
    // It is no error if nobody reads the output.
    let _ = writeln!(io::stdout(), "{text}");
}

fn refuse(wrong: &str) -> ! {
    eprintln!("tree: {wrong}");
    process::exit(2)
}
