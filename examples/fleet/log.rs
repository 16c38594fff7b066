//! The log that all replicas append to, and the clock of the machine.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::future::poll_fn;
use std::io::{self, Write as _};
use std::path::Path;
use std::pin::pin;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

/// The keys of the leases: the path of the task, the path of the group, and the key of the slot.
pub(crate) const LEDGER: &str = "ledger";
pub(crate) const FEEDS: &str = "feeds";
pub(crate) const DEPLOY: &str = "/slot/deploy";
pub(crate) const KEYS: [&str; 3] = [LEDGER, FEEDS, DEPLOY];

/// Returns the monotonic time of the machine, which is the same in all its processes.
pub(crate) fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns `true` if this process sees a faked wall clock. It compares the clock of the C library, which can be faked,
/// with that of the kernel.
pub(crate) fn is_clock_set() -> bool {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let shown = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    shown.as_secs().abs_diff(time.tv_sec.unsigned_abs()) > 60
}

/// A run: one attempt of a task. Each start of a replica is another life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RunId {
    pub(crate) replica: usize,
    pub(crate) life: usize,
    pub(crate) number: usize,
}

/// The answer to a fenced write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Accepted,
    Refused,
    /// It may have been carried out.
    Unknown,
}

impl Answer {
    fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    fn of(word: &str) -> Self {
        match word {
            "accepted" => Self::Accepted,
            "refused" => Self::Refused,
            _ => Self::Unknown,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// The run begins, as the owner of a key by a token.
    Begin {
        key: String,
        task: String,
        token: u64,
    },
    /// The run begins a piece of work, which ends with a write.
    Work,
    Wrote(Answer),
    /// The future of the run is dropped.
    End,
    /// A write with an old token of this life, which has had a greater one since.
    Stale {
        key: String,
        answer: Answer,
    },
    /// The fleet has reported work that outlived its lease.
    Overrun,
    /// The wall clock of the process differs from that of the machine.
    ClockIsSet,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) at: Duration,
    pub(crate) run: RunId,
    pub(crate) what: What,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, run: RunId { replica, life, number }, what } = self;
        write!(f, "{} {replica} {life} {number} ", at.as_nanos())?;
        match what {
            What::Begin { key, task, token } => write!(f, "begin {key} {task} {token}"),
            What::Work => f.write_str("work"),
            What::Wrote(answer) => write!(f, "wrote {}", answer.word()),
            What::Stale { key, answer } => write!(f, "stale {key} {}", answer.word()),
            What::End => f.write_str("end"),
            What::Overrun => f.write_str("overrun"),
            What::ClockIsSet => f.write_str("clock"),
        }
    }
}

impl FromStr for Record {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let mut words = line.split(' ');
        let mut word = || words.next().ok_or_else(|| format!("the log has a torn line: {line:?}"));
        let wrong = |_| format!("the log has a line without a number: {line:?}");
        let at = Duration::from_nanos(word()?.parse().map_err(wrong)?);
        let mut number = || word()?.parse().map_err(wrong);
        let run = RunId { replica: number()?, life: number()?, number: number()? };
        let what = match word()? {
            "begin" => What::Begin {
                key: word()?.to_owned(),
                task: word()?.to_owned(),
                token: word()?.parse().map_err(wrong)?,
            },
            "work" => What::Work,
            "wrote" => What::Wrote(Answer::of(word()?)),
            "stale" => What::Stale { key: word()?.to_owned(), answer: Answer::of(word()?) },
            "end" => What::End,
            "overrun" => What::Overrun,
            "clock" => What::ClockIsSet,
            _ => return Err(format!("the log has an unknown line: {line:?}")),
        };
        Ok(Self { at, run, what })
    }
}

/// The log, as written by one life of a replica.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    file: Arc<File>,
    pub(crate) replica: usize,
    life: usize,
    next: Arc<AtomicUsize>,
}

impl Log {
    /// Opens the log.
    pub(crate) fn open(path: &Path, replica: usize, life: usize) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Arc::new(file), replica, life, next: Arc::default() })
    }

    /// Reads all records, in the order of the file.
    pub(crate) fn read(path: &Path) -> Result<Vec<Record>, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        text.lines().map(str::parse).collect()
    }

    /// Logs the beginning of a run. It ends when the returned value is dropped.
    pub(crate) fn begin(&self, key: &str, task: &str, token: u64) -> Running {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let run = RunId { replica: self.replica, life: self.life, number };
        let began = now();
        let running = Running { log: self.clone(), run, polled: AtomicU64::new(nanos(began)) };
        running.log.write(&Record {
            at: began,
            run,
            what: What::Begin { key: key.to_owned(), task: task.to_owned(), token },
        });
        running
    }

    /// Logs a record that belongs to no run.
    pub(crate) fn note(&self, what: What) {
        let run = RunId { replica: self.replica, life: self.life, number: usize::MAX };
        self.write(&Record { at: now(), run, what });
    }

    /// Writes each line with one system call, so that it is in the file as a whole, or not at all.
    fn write(&self, record: &Record) {
        let line = format!("{record}\n");
        let written = (&*self.file).write(line.as_bytes());
        assert!(written.is_ok_and(|length| length == line.len()), "the log can be written");
    }
}

/// A run in progress.
pub(crate) struct Running {
    log: Log,
    run: RunId,
    /// The time at which the current poll began, in nanoseconds.
    polled: AtomicU64,
}

impl Running {
    /// Does the work of the run, whose records have the time at which their poll began.
    ///
    /// A lease is checked before each poll. A poll that SIGSTOP interrupts goes on when the process continues, which no
    /// lease can prevent.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            self.polled.store(nanos(now()), Ordering::Relaxed);
            work.as_mut().poll(cx)
        })
        .await
    }

    pub(crate) fn write(&self, what: What) {
        let at = Duration::from_nanos(self.polled.load(Ordering::Relaxed));
        self.log.write(&Record { at, run: self.run, what });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.log.write(&Record { at: now(), run: self.run, what: What::End });
    }
}
