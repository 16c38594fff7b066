//! A soak in real time: a tree with every feature on a runtime under load, with signals and tasks that block.
//!
//! ```text
//! cargo run --release -p benches --bin soak --features soak -- --minutes 20 > soak.csv
//! ```
//! It prints a line of CSV each 10 s, ends itself by SIGTERM, and checks what is left. It ends with 1 if something does
//! not hold. Its lines that are no CSV begin with a word and a colon.
//!
//! - `tree` declares the tree, `work` what its tasks do, `operator` commands it.
//! - `world` and `ledger` are the model: what may run at one time, and which event may follow which. `host` measures.
#![cfg(unix)]

mod host;
mod ledger;
mod operator;
mod tree;
mod work;
mod world;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpid, kill_process};
use taskvisor::Tree;
use taskvisor::fleet::LocalStore;
use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{interval, sleep, timeout};

use crate::host::Use;
use crate::ledger::{Ledger, Seen};
use crate::operator::{Operator, Outcomes};
use crate::work::{Works, ms};
use crate::world::World;

/// The growth of the heap that is allowed from the third quarter of the run to the last one, in KiB. It goes up and down
/// with the number of tasks and of waiting events.
const GROWTH: f64 = 64.0;

struct Soak {
    world: Arc<World>,
    ledger: Arc<Ledger>,
    stream: Arc<Seen>,
    outcomes: Arc<Outcomes>,
    store: LocalStore,
    lives: AtomicU64,
    hangups: AtomicU64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let minutes = match arguments.as_slice() {
        [] => Some(20.0),
        [flag, minutes] if flag == "--minutes" => minutes.parse::<f64>().ok().filter(|minutes| *minutes > 0.0),
        _ => None,
    };
    let Some(minutes) = minutes else {
        eprintln!("soak: expected `--minutes` and a number");
        return ExitCode::from(2);
    };
    let before = host::measure();
    let world = World::new();
    let soak = Arc::new(Soak {
        ledger: Ledger::new(&world),
        world: Arc::clone(&world),
        stream: Arc::default(),
        outcomes: Arc::default(),
        store: LocalStore::new(),
        lives: AtomicU64::new(1),
        hangups: AtomicU64::new(0),
    });
    // More workers than the cores of a small machine.
    let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime");
    let memory = runtime.block_on(soak.run(Duration::from_secs_f64(minutes * 60.0)));
    drop(runtime);
    sleep_for_threads(before);
    let after = host::measure();
    println!("before: {before:?}\nafter: {after:?}");
    // A runtime of Tokio that handles signals keeps the two ends of one socket for the process.
    if after.threads > before.threads || after.files > before.files + 2 {
        world.violated("threads or files are left");
    }
    check_memory(&memory, &world);
    soak.report()
}

/// Threads end a moment after what they ran.
fn sleep_for_threads(before: Use) {
    for _ in 0..100 {
        if host::measure().threads <= before.threads {
            return;
        }
        std::thread::sleep(ms(50));
    }
}

impl Soak {
    async fn run(self: &Arc<Self>, time: Duration) -> Vec<u64> {
        // Without a handler, the signal ends the process.
        let _hangup = signal(SignalKind::hangup()).expect("a handler");
        let works = Works { world: Arc::clone(&self.world), life: 0 };
        let ledger: Arc<dyn taskvisor::Subscribe> = self.ledger.clone();
        let slow: Arc<dyn taskvisor::Subscribe> = self.ledger.slow.clone();
        let tree = Arc::new(tree::long(&works, &self.store, [ledger, slow]));
        let reader = tokio::spawn(ledger::read(tree.supervisor().events(), Arc::clone(&self.stream)));
        let operator = tokio::spawn(Operator::new(&tree, &works, &self.outcomes).work());
        let replicas = tokio::spawn(Arc::clone(self).replicas());
        let (result, (memory, ended)) = tokio::join!(tree.run(), self.measure(&tree, time));
        let took = ended.elapsed();
        println!("run: {result:?}, {took:.1?} after SIGTERM");
        if took > tree::GRACE + Duration::from_secs(5) {
            self.world.violated("the shutdown took longer than its grace");
        }
        self.world.down(0);
        let mut commands = operator.await.expect("no panic");
        replicas.await.expect("no panic");
        while commands.join_next().await.is_some() {}
        drop(tree);
        reader.await.expect("no panic");
        self.check_end().await;
        memory
    }

    /// Prints a line each 10 s, and ends the process by a signal. Returns the sizes of the heap, and when the signal was sent.
    async fn measure(&self, tree: &Tree, time: Duration) -> (Vec<u64>, Instant) {
        println!(
            "seconds,heap_kib,rss_kib,threads,files,tokio_tasks,names,registrations,attempts,restarts,settled,events,slow_lost,\
             stream_lost,hangups,lives,violations"
        );
        let (begin, mut memory) = (Instant::now(), Vec::new());
        let (mut lines, mut hangups) = (interval(Duration::from_secs(10)), interval(ms(1500)));
        while begin.elapsed() < time {
            tokio::select! {
                _ = lines.tick() => memory.push(self.line(tree, begin)),
                _ = hangups.tick() => {
                    kill_process(getpid(), Signal::HUP).expect("a signal");
                    self.hangups.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        memory.push(self.line(tree, begin));
        // In the midst of it all: what is commanded after the signal meets the shutdown.
        let ended = Instant::now();
        kill_process(getpid(), Signal::TERM).expect("a signal");
        sleep(ms(300)).await;
        self.world.end();
        (memory, ended)
    }

    fn line(&self, tree: &Tree, begin: Instant) -> u64 {
        let (host, get) = (host::measure(), |number: &AtomicU64| number.load(Ordering::Relaxed));
        println!(
            "{:.0},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            begin.elapsed().as_secs_f64(),
            host.heap,
            host.rss,
            host.threads,
            host.files,
            Handle::current().metrics().num_alive_tasks(),
            tree.supervisor().snapshot().len(),
            self.ledger.alive(),
            get(&self.world.attempts),
            get(&self.ledger.restarts),
            get(&self.outcomes.settled),
            get(&self.ledger.seen.count),
            get(&self.ledger.slow.seen.lost),
            get(&self.stream.lost),
            get(&self.hangups),
            get(&self.lives),
            self.world.violations().0,
        );
        host.heap
    }

    /// Other replicas of the fleet, one after another.
    async fn replicas(self: Arc<Self>) {
        while !self.world.is_over() {
            let life = u32::try_from(self.lives.fetch_add(1, Ordering::Relaxed)).expect("few lives");
            let works = Works { world: Arc::clone(&self.world), life };
            let tree = tree::short(&works, &self.store);
            tree.start().await.expect("a tree that is valid");
            for _ in 0..fastrand::u32(50..150) {
                if !self.world.is_over() {
                    sleep(ms(100)).await;
                }
            }
            let is_forced = fastrand::u8(..4) == 0;
            let _ = if is_forced { tree.supervisor().shutdown_now().await } else { tree.shutdown().await };
            self.world.down(life);
        }
    }

    /// Checks what is left after the shutdown.
    async fn check_end(&self) {
        let (accepted, settled) = (&self.outcomes.accepted, &self.outcomes.settled);
        let are_settled = async {
            while accepted.load(Ordering::Relaxed) > settled.load(Ordering::Relaxed) {
                sleep(ms(10)).await;
            }
        };
        let is_settled = timeout(Duration::from_secs(10), are_settled).await.is_ok();
        println!(
            "outcomes: {} accepted, {} settled",
            accepted.load(Ordering::Relaxed),
            settled.load(Ordering::Relaxed)
        );
        if !is_settled {
            self.world.violated("an outcome did not come after the shutdown");
        }
        let metrics = Handle::current().metrics();
        let are_gone = async {
            while metrics.num_alive_tasks() > 0 {
                sleep(ms(10)).await;
            }
        };
        if timeout(Duration::from_secs(10), are_gone).await.is_err() {
            self.world.violated(format_args!("{} tasks of Tokio are left", metrics.num_alive_tasks()));
        }
        if self.ledger.alive() > 0 {
            self.world.violated(format_args!("{} registrations were never removed", self.ledger.alive()));
        }
        for (who, seen) in [("ledger", &self.ledger.seen), ("slow", &self.ledger.slow.seen), ("stream", &self.stream)] {
            seen.check(who, &self.ledger, &self.world);
        }
    }

    fn report(&self) -> ExitCode {
        let mut kinds: Vec<_> = world::lock(&self.ledger.kinds).iter().map(|(k, n)| format!("{k} {n}")).collect();
        kinds.sort();
        println!("kinds: {}", kinds.join(", "));
        println!("removed: {}", self.ledger.removed.load(Ordering::Relaxed));
        println!("overruns: {}", self.ledger.overruns.load(Ordering::Relaxed));
        let (count, first) = self.world.violations();
        println!("violations: {count}");
        for violation in &first {
            println!("violation: {violation}");
        }
        if count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of KiB stay far below 2^52")]
fn check_memory(memory: &[u64], world: &World) {
    let quarter = memory.len() / 4;
    if quarter < 6 {
        return println!("memory: the run is too short to judge");
    }
    let mean = |part: &[u64]| part.iter().sum::<u64>() as f64 / part.len() as f64;
    let third = mean(&memory[2 * quarter..3 * quarter]);
    let last = mean(&memory[3 * quarter..]);
    println!("memory: {third:.0} KiB of heap in the third quarter, {last:.0} KiB in the last one");
    if last > third + GROWTH {
        world.violated(format_args!("the heap grows from {third:.0} to {last:.0} KiB"));
    }
}
