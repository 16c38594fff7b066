//! The store: a task holds the lock, another writes the file, and a third checks it.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

use taskvisor::prelude::*;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};
use tokio::task::block_in_place;
use tokio::time::timeout;

use crate::chaos::Chaos;
use crate::ingest::Outbox;
use crate::{BATCH, BEAT, Failure};

/// Holds the lock of the file.
#[task(restart = "always", ready = "signal", watchdog = "500ms", stop_timeout = "300ms", critical)]
pub(crate) async fn lock(ctx: TaskContext, path: PathBuf, chaos: Chaos) -> Result<(), TaskError> {
    // A lock of another process would still be held at a retry. The group retries a few times, and then the tree fails.
    let _lock = Lock::take(&path).map_err(|reason| TaskError::Fatal { reason })?;
    ctx.ready();
    while ctx.sleep(BEAT).await {
        ctx.heartbeat();
        chaos.strike(&ctx).await.map_err(TaskError::error)?;
    }
    Ok(())
}

/// Writes incoming records and acknowledges them.
#[task(restart = "always", ready = "signal", watchdog = "500ms", stop_timeout = "300ms")]
pub(crate) async fn writer(ctx: TaskContext, path: PathBuf, inbox: Inbox, chaos: Chaos) -> Result<(), Failure> {
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
            // A record that is already written was sent again. A record that arrives before its turn will be sent
            // again.
            if request.number == log.next {
                log.append(&ctx, &chaos).await?;
            }
        }
        block_in_place(|| log.file.sync_data())?;
        for request in batch.drain(..).filter(|request| request.number < log.next) {
            // No task waits for the answer if the sender was restarted.
            let _ = request.stored.send(());
        }
    }
}

/// Checks the written records.
#[task(restart = "always", interval = "200ms", timeout = "1s", stop_timeout = "300ms", critical)]
pub(crate) async fn audit(ctx: TaskContext, path: PathBuf, chaos: Chaos) -> Result<(), TaskError> {
    chaos.strike(&ctx).await.map_err(TaskError::error)?;
    let bytes = tokio::fs::read(&path).await.map_err(TaskError::error)?;
    whole(&bytes).map(drop).map_err(|reason| TaskError::Fatal { reason })
}

/// Reads the file and describes its records. The error names the first problem.
pub(crate) fn verify(path: &Path, outbox: &Outbox) -> Result<String, String> {
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
pub(crate) fn record(number: u64) -> String {
    format!("{number} {:03}\n", number.wrapping_mul(2_654_435_761) % 1000)
}

/// The number of whole records and their length in bytes; the last record may be torn. The error names the first record
/// that is not the expected one.
pub(crate) fn whole(bytes: &[u8]) -> Result<(u64, usize), String> {
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
pub(crate) struct Log {
    pub(crate) file: File,
    pub(crate) next: u64,
}

impl Log {
    /// Opens the file, and cuts off a half-written record.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
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
    pub(crate) async fn append(&mut self, ctx: &TaskContext, chaos: &Chaos) -> Result<(), Failure> {
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
    pub(crate) fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())
    }
}

/// The lock of a file: another file, which exists as long as the lock is held.
pub(crate) struct Lock(PathBuf);

impl Lock {
    pub(crate) fn take(path: &Path) -> Result<Self, String> {
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
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Result<Self, String> {
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
pub(crate) struct Request {
    pub(crate) number: u64,
    pub(crate) stored: oneshot::Sender<()>,
}

/// One attempt of the writer uses it at a time; its contents outlive the attempts.
pub(crate) type Inbox = Arc<AsyncMutex<mpsc::Receiver<Request>>>;
