//! The pump: reads events, reads the nodes that they name again, and sends the changes.

mod flush;

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::{Future, pending, poll_fn};
use std::mem::{Discriminant, discriminant, take};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use taskvisor::{Event, EventKind, EventStream, Health, Lagged, Problem};
use tokio::select;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout_at};

use self::flush::Known;
use super::hub::{Hub, Running};
use crate::apart::apart;
use crate::settings::Settings;
use crate::sync::lock;
use crate::view::{self, Delta, Mirror, Status};

/// The shortest time between two flushes. If a flush takes long, the next is later, so that flushes take at most one
/// part in `FLUSH_SHARE` of the time. A node that changes several times in between is read once.
const FLUSH: Duration = Duration::from_millis(250);

const FLUSH_SHARE: u32 = 120;

const SLOWEST_FLUSH: Duration = Duration::from_secs(2);

/// The time after a first event in which more events are collected.
const GATHER: Duration = Duration::from_millis(20);

/// The longest time until the pump notices a shutdown while it waits for the next flush.
const NOTICE: Duration = Duration::from_millis(50);

/// The intervals at which the state without events is read: health and slots, and the whole tree.
const CHECK: Duration = Duration::from_secs(1);

const SWEEP: Duration = Duration::from_secs(10);

const SLOWEST_SWEEP: Duration = Duration::from_secs(30);

/// The time after which a silent stream gets a message that keeps the connection alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A comment, and an event without data: a page notices events only, and by their absence that a connection is dead.
const BEAT: &[u8] = b": \nevent: beat\ndata:\n\n";

/// Sweeps take at most one part in this number of the time, unless a sweep takes very long. After a loss of events,
/// which is rare, they may take more.
const SWEEP_SHARE: u32 = 200;

const LOST_SHARE: u32 = 50;

/// The largest numbers of nodes that a flush reads and of events that it sends. Further nodes wait for the next flush,
/// and further events are counted.
const NODES: usize = 500;

const EVENTS: usize = 200;

/// The pump yields to the runtime after this number of nodes or events.
const TURN: usize = 64;

/// The largest number of events that wait for the pump.
const CAPACITY: usize = 16 * 1024;

/// Runs until there is no client, or a shutdown is requested.
pub(crate) async fn run(settings: Arc<Settings>, mut running: Running) {
    let mut pump = Pump::new(settings, Arc::clone(&running.hub));
    let first = pump.sweep().await;
    drop(first);
    loop {
        if running.rests() {
            return;
        }
        if let Some(reason) = pump.ending() {
            let last = pump.message("bye", &json!({ "reason": reason }).to_string());
            pump.send_snapshots();
            return running.end(&last.into());
        }
        pump.send_snapshots();
        if !pump.wait().await {
            continue;
        }
        pump.gather().await;
        let is_swept = is_due(pump.sweep_at) || pump.has_lost;
        let swept = if is_swept { pump.sweep().await } else { Delta::default() };
        pump.flush(swept).await;
    }
}

struct Pump {
    settings: Arc<Settings>,
    hub: Arc<Hub>,
    events: EventStream,
    status: Status,
    /// The status that was last sent.
    sent_status: Option<Status>,
    /// The nodes to read again.
    dirty: Dirty,
    /// The dirty nodes that were read before the history had received the same event.
    again: HashSet<Arc<str>>,
    /// The events since the last flush, and the number of those that are not shown.
    log: Vec<Event>,
    log_lost: u64,
    /// The lists beside the tree.
    slots: Known,
    leases: Known,
    problems: HashMap<String, Discriminant<Problem>>,
    /// The reason for the end of the streams.
    reason: Option<String>,
    /// `true` if events were lost since the last sweep.
    has_lost: bool,
    /// The earliest time of the next flush.
    flush_at: Instant,
    checked_at: Instant,
    sweep_at: Instant,
    /// The earliest time of a sweep after a loss.
    may_sweep_at: Instant,
    /// The last message to all clients.
    sent_at: Instant,
}

/// The paths to read again, each once, in the order in which they were added.
#[derive(Default)]
struct Dirty {
    queue: VecDeque<Arc<str>>,
    set: HashSet<Arc<str>>,
}

impl Dirty {
    fn add(&mut self, path: Arc<str>) {
        if self.set.insert(Arc::clone(&path)) {
            self.queue.push_back(path);
        }
    }

    fn pop(&mut self) -> Option<Arc<str>> {
        let path = self.queue.pop_front()?;
        self.set.remove(&path);
        Some(path)
    }

    fn clear(&mut self) {
        self.queue.clear();
        self.set.clear();
    }
}

impl Pump {
    fn new(settings: Arc<Settings>, hub: Arc<Hub>) -> Self {
        let now = Instant::now();
        let events = settings.supervisor.events().with_capacity(CAPACITY);
        Self {
            status: Status::of(&settings.supervisor.health()),
            sent_status: None,
            settings,
            hub,
            events,
            dirty: Dirty::default(),
            again: HashSet::new(),
            log: Vec::new(),
            log_lost: 0,
            slots: Known::dirty(),
            leases: Known::dirty(),
            problems: HashMap::new(),
            reason: None,
            has_lost: false,
            flush_at: now,
            checked_at: now,
            sweep_at: now + SWEEP,
            may_sweep_at: now,
            sent_at: now,
        }
    }

    /// Returns the reason for the end of the streams, if they end.
    fn ending(&self) -> Option<String> {
        if self.reason.is_some() {
            return self.reason.clone();
        }
        let phase = self.settings.supervisor.phase();
        view::is_over(phase).then(|| phase.to_string())
    }

    /// Waits for something to do. Returns `false` if only the clients have changed.
    async fn wait(&mut self) -> bool {
        if !self.dirty.queue.is_empty() || !self.log.is_empty() {
            return true;
        }
        let check = self.checked_at + CHECK;
        let event = select! {
            biased;
            () = self.hub.changed.notified() => return self.hub.has_actions(),
            () = sleep_until(check) => None,
            event = self.events.next() => Some(event),
        };
        match event {
            Some(event) => self.note(event),
            None => self.check(),
        }
        true
    }

    /// Collects events until the next flush, and serves clients in the meantime.
    async fn gather(&mut self) {
        let flush = self.flush_at.max(Instant::now() + GATHER);
        while self.ending().is_none() && !is_due(flush) {
            let notice = flush.min(Instant::now() + NOTICE);
            if timeout_at(notice, self.hub.changed.notified()).await.is_ok() {
                self.send_snapshots();
                if self.hub.streams() == 0 {
                    return;
                }
            }
        }
        for count in 1.. {
            let Some(event) = ready(self.events.next()).await else { break };
            let is_last = event.is_none();
            self.note(event);
            if is_last || count >= 2 * CAPACITY {
                break;
            }
            if count % TURN == 0 {
                yield_now().await;
            }
        }
        if is_due(self.checked_at + CHECK) {
            self.check();
        }
    }

    fn note(&mut self, event: Option<Result<Event, Lagged>>) {
        let event = match event {
            Some(Ok(event)) => event,
            Some(Err(lagged)) => {
                self.log_lost += lagged.count;
                self.has_lost = true;
                self.slots.is_dirty = true;
                self.leases.is_dirty = true;
                return;
            }
            None => {
                self.reason.get_or_insert_with(|| "the supervisor has ended".to_owned());
                return;
            }
        };
        match event.kind {
            EventKind::ShutdownRequested => {
                let reason = event.reason.as_ref().map(|reason| self.settings.redacted(reason.as_str().to_owned()));
                self.reason = Some(reason.unwrap_or_else(|| "shutdown".to_owned()));
            }
            EventKind::TaskPaused | EventKind::TaskResumed => {
                self.slots.is_dirty = true;
                if let Some(path) = &event.task {
                    for path in self.with_mirror(|mirror| mirror.within(path)).unwrap_or_default() {
                        self.dirty.add(path);
                    }
                }
            }
            EventKind::LeaseAcquired
            | EventKind::LeaseLost
            | EventKind::LeaseReleased
            | EventKind::LeaseOverrun
            | EventKind::FleetUnreachable
            | EventKind::FleetReachable => self.leases.is_dirty = true,
            _ => {}
        }
        self.slots.is_dirty |= event.slot.is_some();
        if let Some(path) = view::path(&event) {
            self.again.remove(path);
            self.dirty.add(Arc::clone(path));
        }
        if self.log.len() < EVENTS {
            self.log.push(event);
        } else {
            self.log_lost += 1;
        }
    }

    /// Reads the state that has no events.
    fn check(&mut self) {
        self.checked_at = Instant::now();
        self.slots.is_dirty = true;
        self.leases.is_dirty = true;
        let health = self.settings.supervisor.health();
        self.status = Status::of(&health);
        let problems = problems(&health);
        let came = problems.iter().filter(|(path, problem)| self.problems.get(*path) != Some(*problem));
        let went = self.problems.iter().filter(|(path, problem)| problems.get(*path) != Some(*problem));
        for (path, _) in came.chain(went) {
            self.dirty.add(path.as_str().into());
        }
        self.problems = problems;
        if is_due(self.sent_at + KEEP_ALIVE) {
            self.sent_at = Instant::now();
            for client in self.hub.clients() {
                client.mailbox.keep_alive(Bytes::from_static(BEAT).into());
            }
        }
    }

    /// Compares the whole tree, and returns the changes. After a loss of events, clients get the whole tree.
    async fn sweep(&mut self) -> Delta {
        let began = Instant::now();
        if self.has_lost && !is_due(self.may_sweep_at) {
            return Delta::default();
        }
        let (settings, hub) = (Arc::clone(&self.settings), Arc::clone(&self.hub));
        let swept = apart(move || {
            let tree = view::tree(&settings);
            lock(&hub.mirror).get_or_insert_with(Mirror::default).replace(tree, &*settings)
        });
        // The sweep fails only if its runtime ends, which also ends the pump.
        let Some(delta) = swept.await else { return pending().await };
        self.dirty.clear();
        self.again.clear();
        let now = Instant::now();
        self.sweep_at = now + ((now - began) * SWEEP_SHARE).clamp(SWEEP, SLOWEST_SWEEP);
        self.may_sweep_at = now + CHECK.max((now - began) * LOST_SHARE);
        if take(&mut self.has_lost) {
            for client in self.hub.clients() {
                client.mailbox.outdate();
            }
            self.hub.next_seq();
            self.send_snapshots();
        }
        delta
    }
}

fn is_due(at: Instant) -> bool {
    at <= Instant::now()
}

/// Returns the output of a future if it is ready now.
async fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Returns the problem of each path.
fn problems(health: &Health) -> HashMap<String, Discriminant<Problem>> {
    let all = [&health.not_counted, &health.not_ready, &health.not_live];
    let all = all.into_iter().flatten();
    all.map(|unhealthy| (unhealthy.path.clone(), discriminant(&unhealthy.problem))).collect()
}
