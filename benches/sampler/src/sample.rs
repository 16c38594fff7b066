//! The cost of a work.

use std::fmt;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::memory::Memory;

/// Started before the work, finished after it.
pub(crate) struct Meter {
    threads: u64,
    resident: u64,
    memory: Memory,
    cpu: Duration,
    wall: Instant,
}

impl Meter {
    /// Not inlined, and neither is `finish`: callgrind counts what is between them, by their names.
    #[inline(never)]
    pub(crate) fn start() -> Self {
        Self {
            threads: threads(),
            resident: resident_bytes(),
            memory: Memory::now(),
            cpu: cpu_time(),
            wall: Instant::now(),
        }
    }

    /// The cost since the start, for this many operations.
    #[inline(never)]
    pub(crate) fn finish(self, operations: u64) -> Sample {
        let wall = self.wall.elapsed();
        let cpu = cpu_time().saturating_sub(self.cpu);
        let memory = Memory::now();
        Sample {
            operations,
            wall,
            cpu,
            allocations: memory.allocations - self.memory.allocations,
            bytes: memory.live_bytes - self.memory.live_bytes,
            blocks: memory.live_blocks - self.memory.live_blocks,
            resident: resident_bytes().saturating_sub(self.resident),
            threads: threads().saturating_sub(self.threads),
            lost: 0,
            expected: 0,
        }
    }
}

/// The cost of all operations together.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    operations: u64,
    wall: Duration,
    cpu: Duration,
    allocations: u64,
    /// Allocated and not freed; the same holds for `blocks`.
    bytes: i64,
    blocks: i64,
    /// The resident memory of the process.
    resident: u64,
    /// Threads that the work left behind.
    threads: u64,
    /// The number of expected events that did not arrive.
    lost: u64,
    expected: u64,
}

impl Sample {
    /// Records the number of received events, and of expected ones.
    pub(crate) fn with_heard(self, heard: u64, expected: u64) -> Self {
        Self { lost: expected.saturating_sub(heard), expected, ..self }
    }

    /// Records the number of events that each subscriber received, and that each should have. The losses of one are not
    /// offset by the others.
    pub(crate) fn with_each_heard(self, heard: &[Heard], events: u64) -> Result<Self, String> {
        let heard: Vec<u64> = heard.iter().map(Heard::count).collect();
        if let Some(most) = heard.iter().max().filter(|most| **most > events) {
            return Err(format!("{most} events were heard, where there were {events}"));
        }
        let lost = heard.iter().map(|heard| events - heard).sum();
        Ok(Self { lost, expected: events * heard.len() as u64, ..self })
    }

    /// The cost beyond that of `base`, for this many operations.
    pub(crate) fn beyond(self, base: &Self, operations: u64) -> Self {
        Self {
            operations,
            wall: self.wall.saturating_sub(base.wall),
            cpu: self.cpu.saturating_sub(base.cpu),
            allocations: self.allocations.saturating_sub(base.allocations),
            ..self
        }
    }
}

/// The number of events that one subscriber received.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard(Arc<AtomicU64>);

impl Heard {
    pub(crate) fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "operations {}", self.operations)?;
        writeln!(f, "wall {}", self.wall.as_nanos())?;
        writeln!(f, "cpu {}", self.cpu.as_nanos())?;
        writeln!(f, "allocations {}", self.allocations)?;
        writeln!(f, "bytes {}", self.bytes)?;
        writeln!(f, "blocks {}", self.blocks)?;
        writeln!(f, "resident {}", self.resident)?;
        writeln!(f, "threads {}", self.threads)?;
        writeln!(f, "lost {}", self.lost)?;
        writeln!(f, "expected {}", self.expected)
    }
}

/// The processor time of all threads of this process.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanoseconds) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
}

/// The number of threads; zero if there is no `/proc`.
fn threads() -> u64 {
    fs::read_dir("/proc/self/task").map_or(0, |threads| threads.count() as u64)
}

/// The resident memory; zero if there is no `/proc`.
fn resident_bytes() -> u64 {
    let statistics = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statistics.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}
