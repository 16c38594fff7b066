//! The times of the faults of one task: plain data and a random source.
//!
//! Faults come at random moments at a given rate. A fault during an attempt strikes it. A fault while the task waits
//! strikes the next attempt, at its beginning or at some moment within it; otherwise the short attempts of a task that
//! mostly waits would rarely be struck.

use std::time::Duration;

use super::FaultKind;

/// The assumed duration of an attempt before one was seen.
const UNSEEN: Duration = Duration::from_secs(1);

/// The average interval of each kind of fault.
#[derive(Debug, Clone, Default)]
pub(super) struct Rates(Vec<(FaultKind, Duration)>);

impl Rates {
    pub(super) fn set(&mut self, kind: FaultKind, every: Duration) {
        self.0.retain(|(other, _)| *other != kind);
        self.0.push((kind, every));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the time until the next fault, and its kind.
    fn draw(&self, random: &mut fastrand::Rng) -> (Duration, FaultKind) {
        let rate = |every: &Duration| 1.0 / every.as_secs_f64().max(0.001);
        let total: f64 = self.0.iter().map(|(_, every)| rate(every)).sum();
        let seconds = -(1.0 - random.f64()).ln() / total;
        let mut pick = random.f64() * total;
        let kind = self.0.iter().find(|(_, every)| {
            pick -= rate(every);
            pick < 0.0
        });
        let kind = kind.or(self.0.last()).map_or(FaultKind::Crash, |(kind, _)| *kind);
        (millis(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)), kind)
    }
}

/// Rounds to whole milliseconds, the resolution of Tokio's timers, and at least one.
fn millis(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1))
}

/// The faults of one task. Times are relative to the start of the simulation.
pub(super) struct Strikes {
    rates: Rates,
    random: fastrand::Rng,
    aim: Aim,
    /// The beginning of the current attempt.
    began: Option<Duration>,
    /// The duration of the longest complete attempt so far.
    longest: Duration,
}

/// The target of the next fault.
#[derive(Debug, Clone, Copy)]
enum Aim {
    /// The attempt that runs at that moment.
    At(Duration, FaultKind),
    /// Some moment within the next attempt.
    Within(FaultKind),
    /// This moment within the running attempt, unless the attempt is shorter than assumed.
    Midst(Duration, FaultKind),
}

impl Strikes {
    pub(super) fn new(rates: Rates, mut random: fastrand::Rng, now: Duration) -> Self {
        let aim = next(&rates, &mut random, now);
        Self { rates, random, aim, began: None, longest: Duration::ZERO }
    }

    /// Returns the time of the next call of [`strike`](Self::strike).
    pub(super) fn due(&self) -> Option<Duration> {
        match self.aim {
            Aim::At(at, _) | Aim::Midst(at, _) => Some(at),
            Aim::Within(_) => None,
        }
    }

    /// Records the beginning of an attempt.
    pub(super) fn begins(&mut self, now: Duration) {
        self.began = Some(now);
        if let Aim::Within(kind) = self.aim {
            let length = if self.longest.is_zero() { UNSEEN } else { self.longest };
            let into = length.mul_f64(self.random.f64());
            self.aim = Aim::Midst(now + millis(into), kind);
        }
    }

    /// Records the end of the attempt.
    pub(super) fn ends(&mut self, now: Duration) {
        if let Some(began) = self.began.take() {
            self.longest = self.longest.max(now.saturating_sub(began));
        }
    }

    /// Returns the fault that strikes the running attempt, or the beginning of the next.
    pub(super) fn strike(&mut self, now: Duration, running: bool) -> Option<FaultKind> {
        match self.aim {
            Aim::At(_, kind) if !running && self.random.bool() => {
                self.aim = Aim::Within(kind);
                None
            }
            Aim::At(_, kind) | Aim::Midst(_, kind) => {
                self.aim = next(&self.rates, &mut self.random, now);
                Some(kind)
            }
            Aim::Within(_) => None,
        }
    }
}

fn next(rates: &Rates, random: &mut fastrand::Rng, now: Duration) -> Aim {
    let (wait, kind) = rates.draw(random);
    Aim::At(now.saturating_add(wait), kind)
}
