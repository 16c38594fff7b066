//! What the events of one supervisor say: each end of each registration comes once, and no event is lost unseen.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use taskvisor::{Event, EventKind, EventStream, Subscribe, TaskId};
use tokio::time::sleep;

use crate::work::ms;
use crate::world::{World, lock};

/// The events that one reader has seen, and those that it was told it has lost.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    last: AtomicU64,
    pub(crate) count: AtomicU64,
    pub(crate) lost: AtomicU64,
}

impl Seen {
    fn note(&self, event: &Event) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.last.store(event.seq, Ordering::Relaxed);
    }

    fn lose(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
    }

    /// Compares with the number of all events. Reports about subscribers can be lost without a report.
    pub(crate) fn check(&self, who: &str, ledger: &Ledger, world: &World) {
        let (seen, lost) = (self.count.load(Ordering::Relaxed), self.lost.load(Ordering::Relaxed));
        let all = ledger.seen.last.load(Ordering::Relaxed);
        let reports = ledger.reports.load(Ordering::Relaxed);
        println!("{who}: {seen} of {all} events, {lost} reported as lost");
        if seen + lost > all || seen + lost + reports < all {
            world.violated(format_args!("{who} has seen {seen} and lost {lost} of {all} events, {reports} reports"));
        }
    }
}

/// A registration that has not ended.
#[derive(Debug, Default)]
struct Registration {
    runs: bool,
    is_over: bool,
}

pub(crate) struct Ledger {
    world: Arc<World>,
    pub(crate) seen: Seen,
    pub(crate) slow: Arc<Slow>,
    /// The reports about subscribers.
    reports: AtomicU64,
    pub(crate) restarts: AtomicU64,
    pub(crate) overruns: AtomicU64,
    pub(crate) removed: AtomicU64,
    pub(crate) kinds: Mutex<HashMap<EventKind, u64>>,
    alive: Mutex<HashMap<TaskId, Registration>>,
}

impl Ledger {
    pub(crate) fn new(world: &Arc<World>) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            seen: Seen::default(),
            slow: Arc::default(),
            reports: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            overruns: AtomicU64::new(0),
            removed: AtomicU64::new(0),
            kinds: Mutex::default(),
            alive: Mutex::default(),
        })
    }

    /// The registrations that have not ended, as the events say.
    pub(crate) fn alive(&self) -> usize {
        lock(&self.alive).len()
    }

    fn note(&self, event: &Event) {
        use EventKind as E;
        let expected = self.seen.last.load(Ordering::Relaxed) + 1;
        if event.seq != expected {
            self.world.violated(format_args!("event {} comes instead of {expected}", event.seq));
        }
        self.seen.note(event);
        *lock(&self.kinds).entry(event.kind).or_default() += 1;
        match event.kind {
            E::SubscriberOverflow if event.task.as_deref() == Some(Slow::NAME) => {
                self.reports.fetch_add(1, Ordering::Relaxed);
                self.slow.seen.lose(event.count.unwrap_or_default());
            }
            E::SubscriberOverflow | E::SubscriberPanicked => {
                self.reports.fetch_add(1, Ordering::Relaxed);
                self.world.violated(format_args!("{event:?}"));
            }
            E::LeaseOverrun => _ = self.overruns.fetch_add(1, Ordering::Relaxed),
            _ => {}
        }
        if let Some(id) = event.id
            && let Err(what) = self.follow(id, event)
        {
            self.world.violated(format_args!("{what}: {event:?}"));
        }
    }

    fn follow(&self, id: TaskId, event: &Event) -> Result<(), &'static str> {
        use EventKind as E;
        let mut alive = lock(&self.alive);
        match event.kind {
            E::ControllerSubmitted => {
                return if alive.insert(id, Registration::default()).is_none() { Ok(()) } else { Err("twice") };
            }
            E::TaskAddRequested => {
                alive.entry(id).or_default();
                return Ok(());
            }
            // A submission that is refused at once was never accepted.
            E::ControllerRejected => {
                alive.remove(&id);
                return Ok(());
            }
            E::LeaseReleased | E::LeaseLost | E::LeaseOverrun => return Ok(()),
            _ => {}
        }
        let it = alive.get_mut(&id).ok_or("it is not registered, or has ended")?;
        match event.kind {
            E::TaskStarting if it.runs || it.is_over => return Err("it runs, or is over"),
            E::TaskStarting => {
                it.runs = true;
                if event.attempt.is_some_and(|attempt| attempt > 1) {
                    self.restarts.fetch_add(1, Ordering::Relaxed);
                }
            }
            E::TaskStopped | E::TaskFailed => it.runs = false,
            E::ActorExhausted | E::ActorDead if it.is_over => return Err("it is over twice"),
            E::ActorExhausted | E::ActorDead => it.is_over = true,
            E::TaskRemoved if it.runs => return Err("it runs"),
            E::TaskRemoved => {
                alive.remove(&id);
                self.removed.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        Ok(())
    }
}

#[taskvisor::async_trait]
impl Subscribe for Ledger {
    async fn on_event(&self, event: &Event) {
        self.note(event);
    }

    fn name(&self) -> &'static str {
        "ledger"
    }

    fn queue_capacity(&self) -> usize {
        1 << 17
    }
}

/// A subscriber that is too slow at times, and then loses events.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    pub(crate) seen: Seen,
}

impl Slow {
    const NAME: &str = "slow";
}

#[taskvisor::async_trait]
impl Subscribe for Slow {
    async fn on_event(&self, event: &Event) {
        self.seen.note(event);
        if fastrand::u8(..200) == 0 {
            sleep(ms(500)).await;
        }
    }

    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn queue_capacity(&self) -> usize {
        32
    }
}

/// Reads a stream, too slowly at times, to its end.
pub(crate) async fn read(mut stream: EventStream, seen: Arc<Seen>) {
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) => seen.note(&event),
            Err(lagged) => seen.lose(lagged.count),
        }
        if fastrand::u16(..1000) == 0 {
            sleep(ms(fastrand::u64(..4000))).await;
        }
    }
}
