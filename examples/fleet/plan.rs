//! The faults, and the plan of their times and replicas. A seed determines the order.

use std::fmt;
use std::time::Duration;

use crate::log::{FEEDS, LEDGER};

/// A fault of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `kill -9`, and a new start later.
    Kill,
    /// SIGSTOP, and SIGCONT later.
    Stop,
    /// SIGTERM, or the shutdown of its tree, and a new start later.
    Term,
    /// The connection to the store of leases has a fault.
    Line(Line),
    /// The connection goes through PgBouncer for a while.
    #[cfg_attr(not(feature = "fleet-servers"), expect(dead_code, reason = "only processes suffer it"))]
    Pooler,
    /// The wall clock of its process is changed by this number of hours, and later back again.
    #[cfg_attr(not(feature = "fleet-servers"), expect(dead_code, reason = "only processes suffer it"))]
    Clock(i8),
    /// The server of all leases is killed, and starts again later, with its data.
    Server,
}

/// The state of the connection between a replica and the store, for bytes or calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    Open,
    /// Connections are closed, and calls fail.
    Cut,
    /// Sent data arrives when the connection is open again.
    Stalled,
    RequestsHeld,
    RepliesHeld,
    /// Sent data never arrives.
    RequestsDropped,
    /// Calls are carried out, and their answers never arrive.
    RepliesDropped,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill -9",
            Self::Stop => "stopped",
            Self::Term => "shutdown",
            Self::Line(Line::Open) => "no fault",
            Self::Line(Line::Cut) => "line cut",
            Self::Line(Line::Stalled) => "line stalled",
            Self::Line(Line::RequestsHeld) => "requests held",
            Self::Line(Line::RepliesHeld) => "replies held",
            Self::Line(Line::RequestsDropped) => "requests lost",
            Self::Line(Line::RepliesDropped) => "replies lost",
            Self::Pooler => "through PgBouncer",
            Self::Clock(hours) => return write!(f, "clock set by {hours:+} h"),
            Self::Server => "server killed",
        })
    }
}

/// A fault of one replica, or of all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Episode {
    pub(crate) replica: Option<usize>,
    pub(crate) fault: Fault,
    pub(crate) from: Duration,
    pub(crate) to: Duration,
}

impl Episode {
    pub(crate) fn hits(&self, replica: usize) -> bool {
        self.replica.is_none_or(|hit| hit == replica)
    }
}

/// The target of a fault.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Victim {
    Owner(&'static str),
    Any,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned {
    /// The time since the fault before.
    pub(crate) pause: Duration,
    pub(crate) victim: Victim,
    pub(crate) fault: Fault,
    pub(crate) lasts: Duration,
}

/// The endless sequence of faults of a seed.
pub(crate) struct Plan {
    pub(crate) random: fastrand::Rng,
    ttl: Duration,
    kinds: Vec<Fault>,
    bag: Vec<Fault>,
}

const LINES: [Fault; 6] = [
    Fault::Line(Line::Cut),
    Fault::Line(Line::Stalled),
    Fault::Line(Line::RequestsHeld),
    Fault::Line(Line::RepliesHeld),
    Fault::Line(Line::RequestsDropped),
    Fault::Line(Line::RepliesDropped),
];

/// The faults of replicas in one process.
pub(crate) const OF_TREES: [Fault; 8] =
    [Fault::Term, Fault::Term, LINES[0], LINES[1], LINES[2], LINES[3], LINES[4], LINES[5]];

/// The faults of processes with any server.
#[cfg(feature = "fleet-servers")]
pub(crate) const OF_PROCESSES: [Fault; 9] =
    [Fault::Kill, Fault::Stop, Fault::Term, LINES[0], LINES[1], LINES[2], LINES[3], LINES[4], LINES[5]];

impl Plan {
    pub(crate) fn new(seed: u64, ttl: Duration, kinds: Vec<Fault>) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), ttl, kinds, bag: Vec::new() }
    }

    /// Returns a random part or multiple of the time to live.
    fn ttls(&mut self, least: f64, most: f64) -> Duration {
        self.ttl.mul_f64(least + (most - least) * self.random.f64())
    }

    pub(crate) fn next(&mut self) -> Planned {
        // Each kind is drawn once before any is drawn again.
        if self.bag.is_empty() {
            self.bag.clone_from(&self.kinds);
            self.random.shuffle(&mut self.bag);
        }
        let fault = self.bag.pop().unwrap_or(Fault::Term);
        // Faults of processes are for owners only; faults of connections are also for other replicas.
        let is_line = matches!(fault, Fault::Line(_));
        let victim = match self.random.u8(..3) {
            0 if is_line => Victim::Any,
            0 | 1 => Victim::Owner(FEEDS),
            _ => Victim::Owner(LEDGER),
        };
        let lasts = match fault {
            Fault::Kill | Fault::Term => self.ttls(0.2, 0.8),
            Fault::Stop => 2 * self.ttl,
            // Sessions outlive a short restart.
            Fault::Server if self.random.bool() => self.ttls(0.1, 0.4),
            Fault::Server => self.ttls(0.9, 1.5),
            // Some are too short to matter.
            Fault::Line(_) if self.random.u8(..4) == 0 => self.ttls(0.05, 0.5),
            Fault::Line(_) | Fault::Pooler | Fault::Clock(_) => self.ttls(0.9, 2.0),
        };
        let pause = self.ttls(0.2, 0.8);
        Planned { pause, victim, fault, lasts }
    }
}
