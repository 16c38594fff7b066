//! Counts allocations, in a build that counts them.

/// The counters of the allocator. All are zero in a build that does not count.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) allocations: u64,
    pub(crate) live_bytes: i64,
    pub(crate) live_blocks: i64,
}

#[cfg(not(feature = "count"))]
impl Memory {
    pub(crate) fn now() -> Self {
        Self::default()
    }
}

#[cfg(feature = "count")]
mod counted {
    use std::alloc::System;

    use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

    use super::Memory;

    #[global_allocator]
    static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

    impl Memory {
        /// A reallocation counts as an allocation.
        pub(crate) fn now() -> Self {
            let stats = ALLOCATOR.stats();
            Self {
                allocations: (stats.allocations + stats.reallocations) as u64,
                live_bytes: difference(stats.bytes_allocated, stats.bytes_deallocated),
                live_blocks: difference(stats.allocations, stats.deallocations),
            }
        }
    }

    fn difference(more: usize, less: usize) -> i64 {
        i64::try_from(more).unwrap_or(i64::MAX) - i64::try_from(less).unwrap_or(i64::MAX)
    }
}
