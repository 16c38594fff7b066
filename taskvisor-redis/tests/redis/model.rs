//! The store does what the store of one process does, in any order of calls, and keeps texts and numbers as they are.

use std::collections::HashMap;
use std::time::Duration;

use crate::support::{Server, key, set_clock};
use taskvisor::fleet::{Claim, FencingToken, LeaseError, LeaseKey, LeaseStore, LocalStore, SessionId, SessionSpec};
use taskvisor_redis::RedisStore;

const SESSIONS: usize = 3;
const KEYS: [&str; 3] = ["x", "y", "z"];

/// Draws numbers, by a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// Both stores, with what is the same in them.
struct Pair {
    redis: RedisStore,
    local: LocalStore,
    fleet: String,
    sessions: Vec<(SessionId, SessionId)>,
    /// The takings of each key, first in Redis and then in the model.
    tokens: HashMap<&'static str, Vec<(FencingToken, FencingToken)>>,
}

/// An answer without what differs between stores.
fn plain<T>(answer: Result<T, LeaseError>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(LeaseError::Expired) => None,
        Err(error) => panic!("{error:?}"),
    }
}

impl Pair {
    async fn open(&self, label: usize) -> (SessionId, SessionId) {
        // The shortest is over sooner than the others.
        let ttl = Duration::from_secs(60 * (1 + label as u64 % 2));
        let spec = SessionSpec::new(self.fleet.as_str(), format!("s{label}"), ttl);
        (self.redis.open(&spec).await.unwrap(), self.local.open(&spec).await.unwrap())
    }

    async fn acquire(&mut self, (redis, local): (SessionId, SessionId), names: &[&'static str]) {
        let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
        let redis = plain(self.redis.acquire(redis, &keys).await);
        let local = plain(self.local.acquire(local, &keys).await);
        let (Some(redis), Some(local)) = (&redis, &local) else { return assert_eq!(redis, local) };
        for ((name, redis), local) in names.iter().zip(redis).zip(local) {
            match (redis, local) {
                (Claim::Held { token, last_tick, .. }, Claim::Held { token: model, last_tick: model_tick, .. }) => {
                    assert_eq!(last_tick, model_tick);
                    let tokens = self.tokens.entry(name).or_default();
                    let last = tokens.last().copied();
                    if last != Some((*token, *model)) {
                        assert!(
                            last.is_none_or(|last| last.0 < *token && last.1 < *model),
                            "{name}: {last:?}, {token}"
                        );
                        tokens.push((*token, *model));
                    }
                }
                (redis, local) => assert_eq!(redis, local, "{name}"),
            }
        }
    }

    /// Returns the last token of a key, or one before.
    fn token(&self, dice: &mut Dice, name: &str) -> (FencingToken, FencingToken) {
        let none = (FencingToken::from_number(0), FencingToken::from_number(0));
        let tokens = self.tokens.get(name).map_or(&[][..], Vec::as_slice);
        let back = if dice.roll(3) == 0 { 2 } else { 1 };
        tokens.len().checked_sub(back).map_or(none, |n| tokens[n])
    }

    async fn step(&mut self, dice: &mut Dice, server: &Server) {
        let n = dice.roll(SESSIONS);
        let session @ (redis, local) = self.sessions[n];
        let first = dice.roll(KEYS.len());
        let names: Vec<_> = KEYS.iter().copied().cycle().skip(first).take(dice.roll(4)).collect();
        match dice.roll(16) {
            0..=5 => self.acquire(session, &names).await,
            6..=8 => {
                let held: Vec<_> = names.iter().map(|name| (key(name), self.token(dice, name))).collect();
                let one: Vec<_> = held.iter().map(|(key, token)| (key.clone(), token.0)).collect();
                let two: Vec<_> = held.iter().map(|(key, token)| (key.clone(), token.1)).collect();
                let redis = plain(self.redis.release(redis, &one).await);
                assert_eq!(redis, plain(self.local.release(local, &two).await));
            }
            9..=11 => {
                let (name, tick) = (KEYS[first], dice.roll(20) as u64);
                let token = self.token(dice, name);
                let redis = plain(self.redis.mark(redis, &key(name), token.0, tick).await);
                assert_eq!(redis, plain(self.local.mark(local, &key(name), token.1, tick).await));
            }
            12 | 13 => {
                let redis = plain(self.redis.renew(redis).await).is_some();
                assert_eq!(redis, plain(self.local.renew(local).await).is_some());
            }
            14 if dice.roll(2) == 0 => {
                self.redis.close(redis).await.unwrap();
                self.local.close(local).await.unwrap();
            }
            14 => self.sessions[n] = self.open(n).await,
            _ => {
                let seconds = 5 + 10 * dice.roll(6);
                set_clock(server, &self.fleet, i64::try_from(seconds).unwrap()).await;
                tokio::time::pause();
                tokio::time::advance(Duration::from_secs(seconds as u64)).await;
                tokio::time::resume();
            }
        }
    }
}

#[tokio::test]
async fn it_does_what_the_store_of_one_process_does() {
    let Some(server) = Server::start(&[]).await else { return };
    for seed in 0..40 {
        let fleet = format!("seed-{seed}");
        let (redis, local) = (server.store(), LocalStore::new());
        let mut pair = Pair { redis, local, fleet, sessions: Vec::new(), tokens: HashMap::new() };
        for n in 0..SESSIONS {
            pair.sessions.push(pair.open(n).await);
        }
        let mut dice = Dice(seed);
        for step in 0..150 {
            // Shown by the test if it fails.
            println!("seed {seed}, step {step}");
            pair.step(&mut dice, &server).await;
        }
    }
}

#[tokio::test]
async fn texts_and_numbers_are_kept_as_they_are() {
    let Some(server) = Server::start(&[]).await else { return };
    let longest = "k".repeat(LeaseKey::MAX_LEN);
    let names = ["a b", "-", "", "0", "{x}", "ключ", "%d", "*", &longest].map(|name| LeaseKey::new(name).ok());
    let keys: Vec<_> = names.into_iter().flatten().collect();
    assert_eq!(keys.len(), 8);
    for label in ["", "-", " ", "host 7\nline", "☃ %s", "1 2 3 4 5"] {
        for fleet in ["", "{", "}", "a}b{c", "bill ing", "☃"] {
            let store = server.store();
            let spec = SessionSpec::new(fleet, label, crate::support::LONG);
            let (a, b) = (store.open(&spec).await.unwrap(), store.open(&spec).await.unwrap());
            let claims = store.acquire(a, &keys).await.unwrap();
            assert!(claims.iter().all(|claim| matches!(claim, Claim::Held { .. })), "{claims:?}");
            store.renew(a).await.unwrap();
            for claim in store.acquire(b, &keys).await.unwrap() {
                assert_eq!(claim, Claim::Busy { owner: label.to_owned() });
            }
            store.close(a).await.unwrap();
        }
    }
    let store = server.store();
    let a = crate::support::open(&store, "a").await;
    let token = crate::support::take(&store, a, "x").await;
    let ticks = [0, 1 << 53, (1 << 53) + 1, u64::MAX - 1, u64::MAX];
    for tick in ticks {
        for expected in [true, false] {
            assert_eq!(store.mark(a, &key("x"), token, tick).await.unwrap(), expected, "{tick}");
        }
        let claim = store.acquire(a, &[key("x")]).await.unwrap().remove(0);
        assert!(matches!(claim, Claim::Held { last_tick: Some(last), .. } if last == tick), "{tick}: {claim:?}");
    }
}
