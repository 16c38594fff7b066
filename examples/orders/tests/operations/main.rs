//! Tests of the service as a process, under the actions of operators.
//!
//! `stops` has the ends of the process and a broker that is down, `tenants` a faulty tenant, `overrides` wrong
//! overrides, and `replicas` the rolling restart. `unit` and `pod` run the files of `deploy/` as systemd and Kubernetes
//! do. `process` starts programs and sends signals, and `load` has the customers.
//!
//! Tests with faults run with three seeds at the same time. A seed determines the faults, their times and order, and
//! those of the broker. The tests need Unix, for signals and the sockets of systemd.

#![cfg(unix)]

#[path = "../../src/http/client.rs"]
#[expect(dead_code, reason = "the service uses more of it")]
mod client;
mod load;
mod overrides;
mod pod;
mod process;
mod replicas;
mod stops;
mod tenants;
#[cfg(target_os = "linux")]
mod unit;

use std::panic;

use fastrand::Rng;
use tokio::sync::{Semaphore, SemaphorePermit};

const SEEDS: [u64; 3] = [7, 11, 42];

/// The seed of a test, and its random source.
#[derive(Debug, Clone)]
struct Plot {
    seed: u64,
    luck: Rng,
}

impl Plot {
    /// Returns a different variant for each of the three seeds, whose remainders differ.
    fn variant<T: Copy>(&self, variants: [T; 3]) -> T {
        variants[usize::try_from(self.seed % 3).unwrap()]
    }
}

/// Runs a test with each seed at the same time, because it mostly waits.
async fn with_each_seed<F: Future<Output = ()> + Send + 'static>(story: impl Fn(Plot) -> F) {
    let stories = SEEDS.map(|seed| (seed, tokio::spawn(story(Plot { seed, luck: Rng::with_seed(seed) }))));
    for (seed, story) in stories {
        if let Err(error) = story.await {
            eprintln!("the story of seed {seed} ends badly");
            panic::resume_unwind(error.into_panic());
        }
    }
}

/// Lets two tests with services run at once, however many threads the tests have: their customers need the processors.
async fn turn() -> SemaphorePermit<'static> {
    static TURNS: Semaphore = Semaphore::const_new(2);
    TURNS.acquire().await.expect("it is never closed")
}

#[test]
fn each_seed_has_a_variant_of_its_own() {
    let variants = SEEDS.map(|seed| Plot { seed, luck: Rng::with_seed(seed) }.variant([0, 1, 2]));
    assert_eq!(variants, [1, 2, 0]);
}
