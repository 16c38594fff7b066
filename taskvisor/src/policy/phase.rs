//! The phase of periodic tasks, and the spans of attempts.

use std::env;
use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use crate::supervisor::SupervisorConfig;

/// The scope of the `tracing` spans of a task. Needs the feature `tracing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SpanScope {
    /// Each attempt, with its helpers, is in a span.
    #[default]
    Attempt,
    /// Attempts have no span. For a task whose attempts never end: a layer that buffers the records of a span until the
    /// span closes would grow without bound. The records of the library still have the path and the id of the task.
    None,
}

/// Returns the shift of the periodic task at `path` under this config.
pub(crate) fn shift_of(splay: Duration, path: &str, config: &SupervisorConfig) -> Duration {
    if splay.is_zero() {
        return splay;
    }
    shift(path, config.instance.as_deref().unwrap_or_else(|| host()), splay)
}

/// Returns the shift of a periodic task: a part of `splay` that follows from its path and from the name of this
/// instance of the program, and is the same in each run.
fn shift(path: &str, instance: &str, splay: Duration) -> Duration {
    // FNV-1a, with a final mixing step (that of MurmurHash3), so that similar names are far apart.
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let bytes = path.bytes().chain([0]).chain(instance.bytes());
    let mut hash = bytes.fold(BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 33;
    let nanos = u64::try_from(splay.as_nanos()).unwrap_or(u64::MAX);
    // `nanos * hash / 2^64`, without an overflow.
    let part = (u128::from(hash) * u128::from(nanos)) >> 64;
    Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
}

/// Returns the hostname of this machine or container, or an empty string.
fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let name = fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let name = name.or_else(|| env::var("HOSTNAME").or_else(|_| env::var("COMPUTERNAME")).ok());
        name.map(|name| name.trim().to_owned()).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o42_shifts_are_stable_and_spread_over_the_splay() {
        let splay = Duration::from_secs(10);
        let shifts: Vec<_> = (0..1_000).map(|n| shift(&format!("poll-{n}"), "host", splay)).collect();
        // Pinned: a new version of the library must not change the shifts.
        assert_eq!(shifts[0], Duration::from_nanos(PINNED));
        assert_eq!(shift("poll-0", "host", Duration::MAX), Duration::from_nanos(PINNED_WHOLE));
        for tenth in 0..10 {
            let (from, to) = (splay * tenth / 10, splay * (tenth + 1) / 10);
            let count = shifts.iter().filter(|shift| (from..to).contains(shift)).count();
            assert!((60..=140).contains(&count), "{count} in tenth {tenth}");
        }
        assert_ne!(shift("a", "host-1", splay), shift("a", "host-2", splay));
        assert_ne!(shift("a", "bc", splay), shift("ab", "c", splay));
        assert_eq!(shift("a", "b", Duration::ZERO), Duration::ZERO);
        assert!(shift("a", "b", Duration::MAX) < Duration::MAX);
    }

    #[test]
    fn o42_a_shift_is_that_of_the_instance_or_of_its_host() {
        let splay = Duration::from_secs(10);
        let mut config = SupervisorConfig { instance: Some("a".into()), ..SupervisorConfig::default() };
        assert_eq!(shift_of(splay, "poll", &config), shift("poll", "a", splay));
        assert_eq!(shift_of(Duration::ZERO, "poll", &config), Duration::ZERO);
        config.instance = None;
        assert_eq!(shift_of(splay, "poll", &config), shift("poll", host(), splay));
        #[cfg(target_os = "linux")]
        assert_eq!(format!("{}\n", host()), fs::read_to_string("/proc/sys/kernel/hostname").unwrap());
    }

    const PINNED: u64 = 2_641_298_829;
    const PINNED_WHOLE: u64 = 4_872_336_352_921_074_062;
}
