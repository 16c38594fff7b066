//! The state of the targets, from the probes and the supervisor's events, shown as tables.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use taskvisor::prelude::*;

use crate::table;
use crate::targets::Target;

/// The median covers this many answers; the worst covers all.
const REMEMBERED: usize = 1000;

/// A shared board. Clones are cheap and share the same state.
#[derive(Clone)]
pub(crate) struct Board(Arc<Mutex<State>>);

struct State {
    began: Instant,
    rows: Vec<Row>,
    /// The index of each target in `rows`.
    places: HashMap<String, usize>,
    events: BTreeMap<&'static str, u64>,
}

/// The state of one target.
pub(crate) struct Row {
    pub(crate) target: Target,
    pub(crate) attempts: u32,
    /// Failures in a row.
    pub(crate) failures: u32,
    /// The error of the last finished attempt, if it failed.
    pub(crate) failure: Option<String>,
    pub(crate) latencies: VecDeque<Duration>,
    pub(crate) worst: Option<Duration>,
}

impl Board {
    pub(crate) fn new(targets: &[Target]) -> Self {
        let rows = targets.iter().cloned().map(Row::new).collect();
        let places = targets.iter().map(ToString::to_string).zip(0..).collect();
        Self(Arc::new(Mutex::new(State { began: Instant::now(), rows, places, events: BTreeMap::new() })))
    }

    /// Records an answer of the target.
    pub(crate) fn answered(&self, target: &Target, latency: Duration) {
        if let Some(row) = self.lock().row(target.as_str()) {
            row.answered(latency);
        }
    }

    /// The table of targets, one line for each.
    pub(crate) fn table(&self) -> String {
        let state = self.lock();
        table::of_targets(&state.rows, state.began.elapsed())
    }

    /// The table of events, one line for each kind.
    pub(crate) fn events(&self) -> String {
        table::of_events(&self.lock().events)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A probe has the name of its target. Its error, which may be a timeout, is only in events of the supervisor.
#[async_trait::async_trait]
impl Subscribe for Board {
    async fn on_event(&self, event: &Event) {
        let mut state = self.lock();
        *state.events.entry(event.kind.as_str()).or_default() += 1;
        let Some(row) = event.task.as_deref().and_then(|task| state.row(task)) else { return };
        match event.kind {
            EventKind::TaskStarting => row.attempts += 1,
            EventKind::TaskFailed => row.failed(event.reason.as_deref().unwrap_or("unknown")),
            _ => {}
        }
    }

    /// All probes start and stop at once, with a few events each.
    fn queue_capacity(&self) -> usize {
        1024 + 8 * self.lock().rows.len()
    }
}

impl State {
    fn row(&mut self, target: &str) -> Option<&mut Row> {
        self.places.get(target).map(|&place| &mut self.rows[place])
    }
}

impl Row {
    pub(crate) fn new(target: Target) -> Self {
        Self { target, attempts: 0, failures: 0, failure: None, latencies: VecDeque::new(), worst: None }
    }

    pub(crate) fn answered(&mut self, latency: Duration) {
        self.failures = 0;
        self.failure = None;
        if self.latencies.len() == REMEMBERED {
            self.latencies.pop_front();
        }
        self.latencies.push_back(latency);
        self.worst = self.worst.max(Some(latency));
    }

    pub(crate) fn failed(&mut self, why: &str) {
        self.failures += 1;
        self.failure = Some(why.to_owned());
    }
}
