//! C06 and C07: the delays of a backoff policy.

use std::ops::RangeInclusive;
use std::time::Duration;

use taskvisor::{BackoffPolicy, JitterPolicy};
use tests::{ms, secs};

const fn nanos(n: u64) -> Duration {
    Duration::from_nanos(n)
}

/// A duration of this many nanoseconds, which may need more than 64 bits.
fn exact(nanos: u128) -> Duration {
    let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    Duration::new(u64::try_from(seconds).unwrap(), u32::try_from(rest).unwrap())
}

const fn policy(first: Duration, max: Duration, factor: f64) -> BackoffPolicy {
    BackoffPolicy { first, max, factor, jitter: JitterPolicy::None }
}

const JITTERS: [JitterPolicy; 4] =
    [JitterPolicy::None, JitterPolicy::Full, JitterPolicy::Equal, JitterPolicy::Decorrelated];

/// The failure counts that the table covers.
const ATTEMPTS: [u32; 5] = [0, 1, 63, 64, u32::MAX];

#[test]
fn c06_delays_are_exact() {
    const DAYS: Duration = secs(365 * 24 * 3600);
    const MAX: Duration = Duration::MAX;
    const ALMOST: Duration = Duration::new(u64::MAX, 999_999_998);
    const NS: Duration = nanos(1);
    const ZERO: Duration = Duration::ZERO;
    let (s, m) = (secs(1), secs(30));
    let table = [
        // factor 1: constant, to the nanosecond
        (policy(ms(100), m, 1.0), [ms(100); 5]),
        (policy(nanos(1_234_567), m, 1.0), [nanos(1_234_567); 5]),
        (policy(ALMOST, MAX, 1.0), [ALMOST; 5]),
        // factor 2
        (policy(s, m, 2.0), [s, secs(2), m, m, m]),
        (policy(s, MAX, 2.0), [s, secs(2), secs(1 << 63), MAX, MAX]),
        (policy(NS, MAX, 2.0), [NS, nanos(2), exact(1 << 63), exact(1 << 64), MAX]),
        (policy(nanos(750), MAX, 2.0), [nanos(750), nanos(1_500), exact(750 << 63), exact(750 << 64), MAX]),
        (policy(DAYS, MAX, 2.0), [DAYS, DAYS * 2, MAX, MAX, MAX]),
        // factor 0.5: halved, rounded up, and never zero
        (policy(s, m, 0.5), [s, ms(500), NS, NS, NS]),
        (policy(nanos(3), m, 0.5), [nanos(3), nanos(2), NS, NS, NS]),
        // factor 0
        (policy(s, m, 0.0), [s, NS, NS, NS, NS]),
        (policy(s, m, -0.0), [s, NS, NS, NS, NS]),
        // factor 1.5
        (policy(ms(100), s, 1.5), [ms(100), ms(150), s, s, s]),
        (policy(NS, DAYS, 1.5), [NS, nanos(2), exact(124_093_581_920), exact(186_140_372_880), DAYS]),
        // huge and tiny factors
        (policy(NS, m, 1e300), [NS, m, m, m, m]),
        (policy(s, MAX, f64::MAX), [s, MAX, MAX, MAX, MAX]),
        (policy(s, m, f64::INFINITY), [s, m, m, m, m]),
        (policy(MAX, MAX, f64::MIN_POSITIVE), [MAX, NS, NS, NS, NS]),
        // an invalid factor counts as 1
        (policy(s, m, f64::NAN), [s; 5]),
        (policy(s, m, -2.0), [s; 5]),
        (policy(s, m, f64::NEG_INFINITY), [s; 5]),
        // `first` above `max` counts as `max`
        (policy(secs(60), m, 1.0), [m; 5]),
        (policy(secs(60), m, 2.0), [m; 5]),
        (policy(secs(60), m, 0.5), [m, secs(15), nanos(1), nanos(1), nanos(1)]),
        (policy(MAX, ms(1), f64::NAN), [ms(1); 5]),
        // zero stays zero
        (policy(ZERO, m, 2.0), [ZERO; 5]),
        (policy(ZERO, m, f64::INFINITY), [ZERO; 5]),
        (policy(s, ZERO, 2.0), [ZERO; 5]),
        (policy(ZERO, ZERO, f64::NAN), [ZERO; 5]),
        // the longest
        (policy(MAX, MAX, 1.0), [MAX; 5]),
        (policy(MAX, MAX, 2.0), [MAX; 5]),
    ];
    for (policy, expected) in table {
        assert_eq!(ATTEMPTS.map(|attempt| policy.next(attempt)), expected, "{policy:?}");
    }
}

#[test]
fn c06_a_delay_below_a_millisecond_grows_by_its_factor() {
    let policy = policy(nanos(100_500), secs(1), 2.0);
    let delays: Vec<_> = (0..5).map(|attempt| policy.next(attempt).as_nanos()).collect();
    assert_eq!(delays, [100_500, 201_000, 402_000, 804_000, 1_608_000]);
}

#[test]
fn c06_the_number_of_failures_counts_all_the_way() {
    // e^(2^32 / 10^9), about 73.3
    let delay = policy(secs(1), secs(1_000), 1.000_000_001).next(u32::MAX).as_secs_f64();
    assert!((73.0..74.0).contains(&delay), "{delay}");
}

#[test]
fn c06_no_policy_panics_and_none_exceeds_max() {
    let durations = [Duration::ZERO, nanos(1), nanos(999_999), ms(100), secs(1), secs(1 << 40), Duration::MAX];
    let factors = [f64::NAN, f64::NEG_INFINITY, -1.0, -0.0, 0.0, 1e-300, 0.5, 1.0, 1.1, 2.0, 1e300, f64::INFINITY];
    let attempts = [0, 1, 2, 31, 32, 62, 63, 64, 65, 127, 128, 1_000, u32::MAX / 2, u32::MAX - 1, u32::MAX];
    for jitter in JITTERS {
        for (first, max) in durations.into_iter().flat_map(|first| durations.map(|max| (first, max))) {
            for (factor, attempt) in factors.into_iter().flat_map(|factor| attempts.map(|attempt| (factor, attempt))) {
                let policy = BackoffPolicy { first, max, factor, jitter };
                let delay = policy.next(attempt);
                assert!(delay <= max, "{policy:?} {attempt}: {delay:?}");
                let zero = first.min(max).is_zero();
                assert!(!zero || delay.is_zero(), "{policy:?} {attempt}: {delay:?}");
                let may_be_zero = zero || jitter == JitterPolicy::Full;
                assert!(may_be_zero || !delay.is_zero(), "{policy:?} {attempt}");
            }
        }
    }
}

#[test]
fn c06_without_jitter_a_delay_is_the_same_each_time_and_grows_with_failures() {
    for factor in [1.0, 1.1, 2.0, 10.0] {
        let policy = policy(ms(3), secs(3600), factor);
        let delays: Vec<_> = (0..200).map(|attempt| policy.next(attempt)).collect();
        assert!(delays.is_sorted());
        assert_eq!(delays, (0..200).map(|attempt| policy.next(attempt)).collect::<Vec<_>>());
    }
}

const DRAWS: u32 = 1_000_000;

/// Draws a million delays. All must lie in `bounds`, some near each bound, and the mean and the quartiles must be those
/// of a uniform distribution.
fn draws_are_even(policy: BackoffPolicy, attempt: u32, bounds: RangeInclusive<Duration>) {
    let (low, high) = (bounds.start().as_secs_f64(), bounds.end().as_secs_f64());
    let (mut least, mut most, mut sum, mut quarters) = (Duration::MAX, Duration::ZERO, 0.0, [0_u32; 4]);
    for _ in 0..DRAWS {
        let delay = policy.next(attempt);
        assert!(bounds.contains(&delay), "{policy:?}: {delay:?} is not in {bounds:?}");
        (least, most) = (least.min(delay), most.max(delay));
        let at = (delay.as_secs_f64() - low) / (high - low);
        sum += at;
        let quarter = [0.25, 0.5, 0.75].into_iter().filter(|end| at >= *end).count();
        quarters[quarter] += 1;
    }
    // Seven standard deviations: a uniform distribution exceeds them about once in 10^11 runs.
    let near = (high - low) * 0.001;
    assert!((sum / f64::from(DRAWS) - 0.5).abs() < 0.002, "{policy:?}: the mean is off: {sum}");
    for quarter in quarters {
        assert!((f64::from(quarter) / f64::from(DRAWS) - 0.25).abs() < 0.003, "{policy:?}: {quarters:?}");
    }
    assert!(least.as_secs_f64() - low < near && high - most.as_secs_f64() < near, "{policy:?}: {least:?} to {most:?}");
}

#[test]
fn c07_full_jitter_is_even_from_nothing_to_the_delay() {
    let full = BackoffPolicy { jitter: JitterPolicy::Full, ..policy(secs(1), secs(30), 2.0) };
    draws_are_even(full, 0, Duration::ZERO..=secs(1));
    draws_are_even(full, 9, Duration::ZERO..=secs(30));
}

#[test]
fn c07_equal_jitter_is_even_from_half_the_delay_to_the_delay() {
    let equal = BackoffPolicy { jitter: JitterPolicy::Equal, ..policy(secs(1), secs(30), 2.0) };
    draws_are_even(equal, 2, secs(2)..=secs(4));
    draws_are_even(equal, 9, secs(15)..=secs(30));
}

#[test]
fn c07_decorrelated_jitter_is_even_from_the_delay_to_three_times_the_delay() {
    let decorrelated = BackoffPolicy { jitter: JitterPolicy::Decorrelated, ..policy(secs(1), secs(30), 2.0) };
    draws_are_even(decorrelated, 0, secs(1)..=secs(3));
    draws_are_even(decorrelated, 3, secs(8)..=secs(24));
}

#[test]
fn c07_decorrelated_jitter_is_capped_at_max() {
    let policy = BackoffPolicy { jitter: JitterPolicy::Decorrelated, ..policy(secs(1), secs(20), 2.0) };
    let delays: Vec<_> = (0..DRAWS).map(|_| policy.next(3)).collect();

    // Uniform from 8 s to 24 s; the last quarter is capped at 20 s.
    assert!(delays.iter().all(|delay| (secs(8)..=secs(20)).contains(delay)));
    let capped = delays.iter().filter(|delay| **delay == secs(20)).count();
    assert!((247_000..253_000).contains(&capped), "{capped}");
    assert!((0..1_000).all(|_| policy.next(9) == secs(20)), "where the cap is reached nothing is left to draw");
}

#[test]
fn c07_jitter_draws_from_whole_nanoseconds_too() {
    let draw = |jitter, first| {
        let policy = BackoffPolicy { jitter, ..policy(nanos(first), secs(1), 1.0) };
        let mut drawn: Vec<_> = (0..10_000).map(|_| policy.next(0).as_nanos()).collect();
        drawn.sort_unstable();
        drawn.dedup();
        drawn
    };
    assert_eq!(draw(JitterPolicy::Full, 1), [0, 1]);
    assert_eq!(draw(JitterPolicy::Equal, 1), [1]);
    assert_eq!(draw(JitterPolicy::Equal, 3), [2, 3]);
    assert_eq!(draw(JitterPolicy::Decorrelated, 1), [1, 2, 3]);
}
