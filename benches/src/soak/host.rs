//! What the process uses: its heap, and what `/proc` of Linux shows. Elsewhere those numbers are zero.

use std::alloc::System;
use std::fs;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Use {
    /// Resident memory in KiB. Allocators keep what they have once used, for each thread.
    pub(crate) rss: u64,
    /// The part of it that is allocated, in KiB.
    pub(crate) heap: u64,
    pub(crate) threads: u64,
    pub(crate) files: u64,
}

pub(crate) fn measure() -> Use {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let number = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|line| line.split_whitespace().next()).and_then(|word| word.parse().ok()).unwrap_or_default()
    };
    // One of them is the folder that is read.
    let files = fs::read_dir("/proc/self/fd").map_or(0, |folder| folder.count().saturating_sub(1) as u64);
    let counted = ALLOCATOR.stats();
    // A thread may free between the reads of the two numbers.
    let heap = counted.bytes_allocated.saturating_sub(counted.bytes_deallocated) as u64 / 1024;
    Use { heap, rss: number("VmRSS:"), threads: number("Threads:"), files }
}
