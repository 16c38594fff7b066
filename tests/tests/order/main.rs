//! The order of events on several threads. Random trees get random operations until a shutdown at a random moment; the
//! checker then reads the events of the round, and knows nothing of the library but their rules. `ORDER_SEED` and
//! `ORDER_ROUNDS` repeat a run or make it longer.

mod checker;
mod declared;
mod fact;
mod groups;
mod leases;
mod left;
mod operator;
mod races;
mod rules;
mod slots;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::world::World;

/// The rounds by default.
const ROUNDS: u64 = 400;

/// A round that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(120);

#[test]
fn events_are_in_order_on_two_workers() {
    play(2);
}

#[test]
fn events_are_in_order_on_four_workers() {
    play(4);
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// The first line, without numbers.
fn kind(what: &str) -> String {
    what.lines().next().unwrap_or_default().chars().filter(|char| !char.is_ascii_digit()).collect()
}

fn play(workers: usize) {
    let seed = number("ORDER_SEED").unwrap_or_else(|| fastrand::u64(..));
    let rounds = number("ORDER_ROUNDS").unwrap_or(ROUNDS);
    println!("ORDER_SEED={seed} ORDER_ROUNDS={rounds}, {workers} workers");
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap();
    let (began, events) = (Instant::now(), AtomicU64::new(0));
    // What is wrong, by its kind, with the number of times and the first one.
    let mut kinds: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for round in 0..rounds {
        let seed = seed.wrapping_add(round);
        let world = World::new(seed);
        let wrong = runtime.block_on(async {
            match timeout(LONGEST, world.live()).await {
                Ok(facts) => {
                    events.fetch_add(facts.len() as u64, Ordering::Relaxed);
                    world.judge(&facts)
                }
                Err(_) => vec![format!("the round hangs: {:#?}", world.facts().last())],
            }
        });
        for what in wrong {
            let first = || (0, format!("ORDER_SEED={seed}: {what}"));
            kinds.entry(kind(&what)).or_insert_with(first).0 += 1;
        }
    }
    println!("{rounds} rounds, {} events in {:?}", events.into_inner(), began.elapsed());
    for (times, first) in kinds.values() {
        println!("{times} times, first {first}");
    }
    assert!(kinds.is_empty());
}
