//! What the process uses, as `/proc` of Linux shows it. Elsewhere the numbers are zero.

use std::fs;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Use {
    /// Resident memory in KiB.
    pub(crate) rss: u64,
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
    Use { rss: number("VmRSS:"), threads: number("Threads:"), files }
}
