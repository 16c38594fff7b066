//! A running simulation: it follows the running attempts by events, and sends each fault when it is due.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::journal::Journal;
use super::strikes::Strikes;
use super::{FaultLog, Simulation, SimulationReport};
use crate::events::{EventKind, Tap};
use crate::runtime::{Core, mix};

/// A running simulation. Dropping it ends the faults.
pub(super) struct Storm<'a> {
    core: &'a Arc<Core>,
    simulation: &'a Simulation<'a>,
    start: Instant,
    journal: Arc<Journal>,
    seen: usize,
    log: Arc<FaultLog>,
    /// The faults by path, so that faults at the same moment strike in a fixed order.
    strikes: BTreeMap<Arc<str>, Strikes>,
}

impl<'a> Storm<'a> {
    pub(super) fn new(core: &'a Arc<Core>, simulation: &'a Simulation<'a>) -> Self {
        let start = Instant::now();
        let journal = Arc::new(Journal::new());
        core.bus.taps.open(journal.clone());
        Self { core, simulation, start, journal, seen: 0, log: FaultLog::new(start), strikes: BTreeMap::new() }
    }

    pub(super) async fn rage(&mut self, time: Duration) {
        let core = self.core;
        let mut over = pin!(core.verdict());
        self.core.paths().into_iter().for_each(|path| self.target(path));
        loop {
            self.catch_up();
            let now = self.start.elapsed();
            if now >= time {
                return;
            }
            self.strike(now);
            let next = self.strikes.values().filter_map(Strikes::due).fold(time, Duration::min);
            let mut grows = pin!(self.journal.grows_beyond(self.seen));
            let wait = poll_fn(|cx| {
                if over.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(true);
                }
                grows.as_mut().poll(cx).map(|()| false)
            });
            let ended = match self.start.checked_add(next) {
                Some(next) => timeout_at(next, wait).await.unwrap_or(false),
                None => wait.await,
            };
            if ended {
                return;
            }
        }
    }

    fn target(&mut self, path: Arc<str>) {
        if self.simulation.aims_at(&path) && !self.strikes.contains_key(&path) {
            let random = fastrand::Rng::with_seed(mix(self.simulation.seed, &path));
            let strikes = Strikes::new(self.simulation.rates.clone(), random, self.start.elapsed());
            self.strikes.insert(path, strikes);
        }
    }

    /// Updates the running attempts from the events.
    fn catch_up(&mut self) {
        for event in self.journal.since(self.seen) {
            self.seen += 1;
            let Some(path) = event.task else { continue };
            if event.kind == EventKind::TaskAdded {
                self.target(path);
            } else if let Some(strikes) = self.strikes.get_mut(&path) {
                match event.kind {
                    EventKind::TaskStarting => strikes.begins(event.at),
                    EventKind::TaskStopped | EventKind::TaskFailed => strikes.ends(event.at),
                    _ => {}
                }
            }
        }
    }

    /// Sends the due faults.
    fn strike(&mut self, now: Duration) {
        for (path, strikes) in &mut self.strikes {
            if strikes.due().is_some_and(|due| due <= now) {
                if let Some(kind) = strikes.strike(now, self.core.has_attempt(path)) {
                    self.core.strike(path, kind, &self.log);
                }
            }
        }
    }

    pub(super) fn report(&self) -> SimulationReport {
        SimulationReport {
            seed: self.simulation.seed,
            lasted: self.start.elapsed(),
            faults: self.log.take(),
            events: self.journal.since(0),
        }
    }
}

impl Drop for Storm<'_> {
    fn drop(&mut self) {
        let tap: Arc<dyn Tap> = self.journal.clone();
        self.core.bus.taps.close(&tap);
        self.core.spare_all();
    }
}
