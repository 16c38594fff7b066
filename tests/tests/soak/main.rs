//! A month of chaos in virtual time, on a tree with every feature, in two replicas of a fleet.
//!
//! - `app` declares the tree, `work` what its tasks do, `chaos` is the operator, `net` the network to the store.
//! - `world` and `ledger` are the model: the invariants, checked at each begin of an attempt and at each event. `rules`
//!   has the numbers that both the tree and the model go by. `planted` shows that each invariant can fail.
//!
//! One replica lives for the whole month; the other one is shut down and replaced every few hours. `SOAK_SEED` draws
//! the same commands and work again, `SOAK_DAYS` sets the length, and `SOAK_RUNS` runs several seeds, one after another.
//! The library draws the times between the calls to a store of leases itself, so that a second run of a seed differs in
//! the moments at which leases change hands.

mod app;
mod chaos;
mod ledger;
mod net;
mod planted;
mod rules;
mod work;
mod world;

use std::sync::Arc;

use taskvisor::EventKind;
use taskvisor::fleet::LocalStore;
use tests::{ms, secs};
use tokio::time::{Instant, sleep};

use app::Replica;
use chaos::Operator;
use world::World;

/// What small tables may keep from one measurement to the next, in bytes.
const ALLOWED: i64 = 16 * 1024;

/// Events that a run of a day or more has.
const USUAL: &[EventKind] = &[
    EventKind::ActorDead,
    EventKind::ActorExhausted,
    EventKind::BackoffScheduled,
    EventKind::ControllerRejected,
    EventKind::FleetReachable,
    EventKind::GroupFailed,
    EventKind::GroupRestarted,
    EventKind::LeaseReleased,
    EventKind::RunsMissed,
    EventKind::TaskFailed,
    EventKind::TaskPaused,
    EventKind::TaskReady,
    EventKind::TaskRemoveRequested,
    EventKind::TaskResumed,
    EventKind::TimeoutHit,
];

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Hides the panics that were drawn.
fn report_unless_drawn(panic: &std::panic::PanicHookInfo<'_>) {
    if panic.payload().downcast_ref::<&str>() != Some(&work::PANIC) {
        eprintln!("{panic}");
    }
}

#[test]
fn a_month_of_chaos_breaks_no_invariant_and_leaves_no_memory_behind() {
    std::panic::set_hook(Box::new(report_unless_drawn));
    let first = number("SOAK_SEED").unwrap_or_else(|| fastrand::u64(..1 << 48));
    let days = number("SOAK_DAYS").unwrap_or(30);
    for seed in (0..number("SOAK_RUNS").unwrap_or(1)).map(|run| first.wrapping_add(run)) {
        println!("SOAK_SEED={seed} SOAK_DAYS={days}");
        soak(seed, days);
    }
}

fn soak(seed: u64, days: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let begin = std::time::Instant::now();
    let mut soak = runtime.block_on(Soak::start(seed));
    // The same state three times. What is left from one to the next is what chaos leaves behind.
    let kept = [1, 2, 3].map(|part| {
        let info = allocation_counter::measure(|| runtime.block_on(soak.chaos(days * 86_400 / 3)));
        println!("part {part}: {} bytes, after {:?}", info.bytes_current, begin.elapsed());
        info.bytes_current
    });
    let world = Arc::clone(&soak.world);
    runtime.block_on(soak.end());
    world.check();
    println!("{} attempts", world.attempts());
    assert!(kept[1] <= ALLOWED && kept[2] <= ALLOWED, "seed {seed}: bytes that are kept: {kept:?}");
}

struct Soak {
    world: Arc<World>,
    leases: LocalStore,
    random: fastrand::Rng,
    long: Operator,
    lives: u32,
}

impl Soak {
    async fn start(seed: u64) -> Self {
        taskvisor::test::set_wall_clock("2026-03-01T00:00:00Z");
        let (world, leases) = (World::new(seed), LocalStore::new());
        let long = Operator::new(Replica::start(&world, &leases, 0, true).await, seed, true);
        Self { world, leases, random: fastrand::Rng::with_seed(seed), long, lives: 0 }
    }

    /// Some days of chaos, then quiet.
    async fn chaos(&mut self, seconds: u64) {
        self.world.set_calm(false);
        let end = Instant::now() + secs(seconds);
        while Instant::now() < end {
            self.lives += 1;
            let replica = Replica::start(&self.world, &self.leases, self.lives, false).await;
            let mut short = Operator::new(replica, self.world.seed, false);
            let until = end.min(Instant::now() + secs(self.random.u64(600..40_000)));
            while Instant::now() < until {
                // Many commands come at one moment.
                for _ in 0..self.random.u8(1..5) {
                    if self.random.bool() { short.step() } else { self.long.step() }
                }
                let pause =
                    if self.random.u8(..3) == 0 { ms(self.random.u64(..2000)) } else { secs(self.random.u64(..1200)) };
                sleep(pause).await;
            }
            let is_forced = self.random.u8(..5) == 0;
            short.down(is_forced).await;
            self.world.check();
        }
        self.world.set_calm(true);
        self.long.calm().await;
        self.world.check();
    }

    /// Ends the long life. The chaos must have come to all that it is made for.
    async fn end(self) {
        let ledger = Arc::clone(&self.long.replica.ledger);
        self.long.down(false).await;
        let kinds = ledger.kinds();
        for (kind, count) in &kinds {
            println!("{count:>9} {kind}");
        }
        for kind in USUAL {
            assert!(kinds.contains_key(kind.as_str()), "seed {}: no {kind} in all this time", self.world.seed);
        }
    }
}
