//! Laws of a store of leases whose calls come at the same time.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{LONG, Laws, fleet, held, key};
use crate::fleet::{Claim, FencingToken, LeaseError, LeaseKey, LeaseStore, SessionId};

impl<S: LeaseStore> Laws<S> {
    /// Many sessions ask for the same keys at once, and release them.
    pub(super) async fn races(&self) {
        const SESSIONS: usize = 8;
        let fleet = fleet();
        let mut last: Vec<Option<FencingToken>> = vec![None; 3];
        let mut sessions = Vec::new();
        for n in 0..SESSIONS {
            sessions.push(self.session(&fleet, &format!("s{n}"), LONG).await);
        }
        let keys: Vec<_> = ["x", "y", "z"].into_iter().map(key).collect();
        for round in 0..6 {
            let all = self.all_ask(&sessions, &keys, round).await;
            for (n, key) in keys.iter().enumerate() {
                let owners: Vec<_> = all.iter().filter_map(|(by, claims)| Some((*by, held(&claims[n])?))).collect();
                let [(by, token)] = owners[..] else { panic!("law 1: {key:?} has the owners {owners:?}") };
                assert!(Some(token) > last[n], "law 2: the token {token} came after {:?}", last[n]);
                last[n] = Some(token);
                let released = self.store.release(by, &[(key.clone(), token)]).await;
                released.unwrap_or_else(|error| panic!("`release` failed: {error:?}"));
            }
        }
    }

    /// Many sessions take over the keys of one that has expired, and of one that expires while they ask.
    pub(super) async fn take_over_races(&self, brief: Duration) -> bool {
        const SESSIONS: usize = 8;
        let fleet = fleet();
        let mut sessions = Vec::new();
        for n in 0..SESSIONS {
            sessions.push(self.session(&fleet, &format!("s{n}"), LONG).await);
        }
        let keys: Vec<_> = ["x", "y", "z"].into_iter().map(key).collect();
        let until = Instant::now() + brief;
        let gone = self.session(&fleet, "gone", brief).await;
        let Some(claims) = self.claims_before(until, gone, &["x", "y", "z"]).await else { return false };
        let before: Vec<_> = claims.iter().filter_map(held).collect();
        sleep(brief + brief / 4).await;
        let all = self.all_ask(&sessions, &keys, 0).await;
        for (n, key) in keys.iter().enumerate() {
            let owners: Vec<_> = all.iter().filter_map(|(_, claims)| held(&claims[n])).collect();
            assert_eq!(owners.len(), 1, "law 1: {key:?} of an expired session was taken over {} times", owners.len());
            assert!(owners[0] > before[n], "law 2: the token {} came after {}", owners[0], before[n]);
        }
        true
    }

    /// All sessions ask at once, each with the keys in an order of its own. The claims have the order of `keys`.
    async fn all_ask(&self, sessions: &[SessionId], keys: &[LeaseKey], round: usize) -> Vec<(SessionId, Vec<Claim>)> {
        let mut asking = JoinSet::new();
        for (n, session) in sessions.iter().copied().enumerate() {
            let (store, mut asked) = (Arc::clone(&self.store), keys.to_vec());
            let turn = (n + round) % keys.len();
            asked.rotate_left(turn);
            asking.spawn(async move {
                let mut claims = store.acquire(session, &asked).await?;
                claims.rotate_right(turn);
                Ok::<_, LeaseError>((session, claims))
            });
        }
        let all: Result<Vec<_>, _> = asking.join_all().await.into_iter().collect();
        all.unwrap_or_else(|error| panic!("`acquire` of several sessions at once failed: {error:?}"))
    }
}
