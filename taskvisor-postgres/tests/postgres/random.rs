//! Random calls of many sessions at once, each over a connection of its own.

use std::collections::HashMap;
use std::time::Duration;

use fastrand::Rng;
use taskvisor::fleet::{Claim, FencingToken, LeaseError, LeaseKey, LeaseStore as _, SessionId};
use taskvisor_postgres::PostgresStore;

use crate::support::{client, key, open, server, store, unmigrated};

const REPLICAS: u64 = 6;
const CALLS: usize = 300;
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A replica with one session, which it opens anew when that is over.
struct Replica {
    store: PostgresStore,
    random: Rng,
    session: SessionId,
    held: HashMap<LeaseKey, FencingToken>,
    /// Each taking that it was told of.
    taken: Vec<(LeaseKey, FencingToken, SessionId)>,
}

impl Replica {
    async fn new(store: PostgresStore, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let session = Self::open(&store, &mut random).await;
        Self { store, random, session, held: HashMap::new(), taken: Vec::new() }
    }

    /// Some live for a few calls.
    async fn open(store: &PostgresStore, random: &mut Rng) -> SessionId {
        let ttl = if random.bool() { Duration::from_millis(random.u64(5..40)) } else { Duration::from_secs(60) };
        open(store, "replica", ttl).await
    }

    fn some_keys(&mut self) -> Vec<LeaseKey> {
        (0..self.random.usize(1..8)).map(|_| key(self.random.choice(NAMES).unwrap())).collect()
    }

    async fn call(&mut self) -> Result<(), LeaseError> {
        match self.random.u8(..10) {
            0..5 => {
                let keys = self.some_keys();
                let claims = self.store.acquire(self.session, &keys).await?;
                for (key, claim) in keys.into_iter().zip(claims) {
                    let Claim::Held { token, .. } = claim else {
                        assert!(!self.held.contains_key(&key), "a live session has lost {key:?}");
                        continue;
                    };
                    if let Some(known) = self.held.insert(key.clone(), token) {
                        assert_eq!(known, token, "the token of {key:?} has changed");
                    }
                    self.taken.push((key, token, self.session));
                }
            }
            5..7 => {
                let keys = self.some_keys();
                let held: Vec<_> =
                    keys.into_iter().filter_map(|key| Some((key.clone(), *self.held.get(&key)?))).collect();
                self.store.release(self.session, &held).await?;
                for (key, _) in &held {
                    self.held.remove(key);
                }
            }
            7 => {
                self.store.renew(self.session).await?;
            }
            8 => {
                let Some((key, token)) = self.held.iter().next().map(|(key, token)| (key.clone(), *token)) else {
                    return Ok(());
                };
                self.store.mark(self.session, &key, token, self.random.u64(..)).await?;
            }
            _ => {
                self.store.close(self.session).await?;
                return Err(LeaseError::Expired);
            }
        }
        Ok(())
    }

    async fn run(mut self) -> Vec<(LeaseKey, FencingToken, SessionId)> {
        for _ in 0..CALLS {
            match self.call().await {
                Ok(()) => {}
                Err(LeaseError::Expired) => {
                    self.held.clear();
                    self.session = Self::open(&self.store, &mut self.random).await;
                }
                Err(error) => panic!("a call failed: {error:?}"),
            }
        }
        self.taken
    }
}

/// No call fails or is a deadlock, and each token of a key belongs to one session.
#[tokio::test]
async fn calls_at_the_same_time_agree() {
    let Some(url) = server() else { return };
    store(&url, "random").await;
    let control = client(&url).await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let before: i64 = control.query_one(deadlocks, &[]).await.unwrap().get(0);
    let seed = fastrand::u64(..1 << 32);
    println!("seed {seed}");
    let mut replicas = Vec::new();
    for n in 0..REPLICAS {
        replicas.push(tokio::spawn(Replica::new(unmigrated(&url, "random"), seed + n).await.run()));
    }
    let mut owners = HashMap::new();
    for replica in replicas {
        for (key, token, session) in replica.await.unwrap() {
            let owner = *owners.entry((key.clone(), token)).or_insert(session);
            assert_eq!(owner, session, "two sessions own {key:?} by the token {token}");
        }
    }
    // How many depends on the order of the calls.
    assert!(owners.len() > CALLS / 4, "{} takings", owners.len());
    let after: i64 = control.query_one(deadlocks, &[]).await.unwrap().get(0);
    assert_eq!(after, before, "deadlocks");
}
