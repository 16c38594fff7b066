//! The laws of a store of leases, as checks of any store.

mod races;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::now;
use crate::fleet::{Claim, FencingToken, LeaseError, LeaseKey, LeaseStore, SessionId, SessionSpec, StoreTime};

/// The time to live of sessions that must expire.
const SHORT: Duration = Duration::from_secs(2);
/// The time to live of the other sessions.
const LONG: Duration = Duration::from_secs(120);

/// Checks that a store keeps the laws of [`LeaseStore`].
///
/// It takes about 15 seconds by Tokio's clock, paused or not, because it lets sessions expire. It opens its sessions in
/// fleets with random names, so it can be run against a store in use.
///
/// # Panics
/// If a law is broken. The message has its number and the observed values.
///
/// # Examples
/// ```
/// use taskvisor::fleet::LocalStore;
///
/// // In a test: #[tokio::test]
/// #[tokio::main(flavor = "current_thread", start_paused = true)]
/// async fn main() {
///     taskvisor::test::lease_laws(LocalStore::new()).await;
/// }
/// ```
pub async fn lease_laws(store: impl LeaseStore) {
    let laws = Laws { store: Arc::new(store) };
    laws.one_owner().await;
    laws.patiently(|brief| laws.tokens_grow(brief)).await;
    laws.patiently(|brief| laws.expired_is_final(brief)).await;
    laws.closed_is_expired().await;
    laws.calls_repeat().await;
    laws.writes_are_bound().await;
    laws.ticks_grow().await;
    laws.ids_are_random().await;
    laws.patiently(|brief| laws.ttl_is_stored(brief)).await;
    laws.times_are_of_one_clock().await;
    laws.fleets_are_apart().await;
    laws.races().await;
    laws.patiently(|brief| laws.take_over_races(brief)).await;
    laws.hints().await;
}

struct Laws<S> {
    store: Arc<S>,
}

impl<S: LeaseStore> Laws<S> {
    async fn session(&self, fleet: &str, label: &str, ttl: Duration) -> SessionId {
        let spec = SessionSpec::new(fleet, label, ttl);
        self.store.open(&spec).await.unwrap_or_else(|error| panic!("`open` failed: {error:?}"))
    }

    async fn claims(&self, session: SessionId, keys: &[&str]) -> Vec<Claim> {
        let keys: Vec<_> = keys.iter().map(|name| key(name)).collect();
        let claims = self.store.acquire(session, &keys).await;
        let claims = claims.unwrap_or_else(|error| panic!("`acquire` failed: {error:?}"));
        assert_eq!(claims.len(), keys.len(), "`acquire` has to give a claim for each key");
        claims
    }

    /// Checks a law with a session that is brief. If this process was too slow for it, with one that is longer.
    async fn patiently<F: Future<Output = bool>>(&self, law: impl Fn(Duration) -> F) {
        for times in [1, 8] {
            if law(SHORT * times).await {
                return;
            }
        }
        panic!("this process is too slow: a session was over before its next call");
    }

    /// As `claims`, but `None` if the session is expired and its time is over.
    async fn claims_before(&self, until: Instant, session: SessionId, keys: &[&str]) -> Option<Vec<Claim>> {
        let names: Vec<_> = keys.iter().map(|name| key(name)).collect();
        let claims = self.store.acquire(session, &names).await;
        if matches!(claims, Err(LeaseError::Expired)) && Instant::now() >= until {
            return None;
        }
        Some(claims.unwrap_or_else(|error| panic!("`acquire` failed: {error:?}")))
    }

    async fn taken_before(&self, until: Instant, session: SessionId, name: &str) -> Option<FencingToken> {
        let claims = self.claims_before(until, session, &[name]).await?;
        Some(held(&claims[0]).unwrap_or_else(|| panic!("law 1: the free key {name:?} is busy")))
    }

    async fn taken(&self, session: SessionId, name: &str) -> FencingToken {
        held(&self.claims(session, &[name]).await[0]).unwrap_or_else(|| panic!("law 1: the free key {name:?} is busy"))
    }

    async fn is_busy(&self, session: SessionId, name: &str, owner: &str, law: &str) {
        let claim = self.claims(session, &[name]).await.remove(0);
        assert_eq!(claim, Claim::Busy { owner: owner.to_owned() }, "{law}");
    }

    async fn release(&self, session: SessionId, name: &str, token: FencingToken) {
        let released = self.store.release(session, &[(key(name), token)]).await;
        released.unwrap_or_else(|error| panic!("`release` failed: {error:?}"));
    }

    async fn mark(&self, session: SessionId, name: &str, token: FencingToken, tick: u64) -> bool {
        let marked = self.store.mark(session, &key(name), token, tick).await;
        marked.unwrap_or_else(|error| panic!("`mark` failed: {error:?}"))
    }

    async fn one_owner(&self) {
        let fleet = fleet();
        let (a, b) = (self.session(&fleet, "a", LONG).await, self.session(&fleet, "b", LONG).await);
        assert!(self.claims(a, &[]).await.is_empty());
        let token = self.taken(a, "x").await;
        self.is_busy(b, "x", "a", "law 1: a key has one owner").await;
        // Some keys are free and some are not. The claims must have the order of the keys.
        let claims = self.claims(b, &["w", "x", "y"]).await;
        let which: Vec<_> = claims.iter().map(|claim| held(claim).is_some()).collect();
        assert_eq!(which, [true, false, true], "claims have the order of the keys: {claims:?}");
        // Neither this nor its reverse is the order of the names.
        let claims = self.claims(b, &["x", "w", "y"]).await;
        let which: Vec<_> = claims.iter().map(|claim| held(claim).is_some()).collect();
        assert_eq!(which, [false, true, true], "claims have the order of the keys: {claims:?}");
        // The order of the keys differs from that of the other session.
        let claims = self.claims(a, &["y", "x", "w"]).await;
        let which: Vec<_> = claims.iter().map(|claim| held(claim).is_some()).collect();
        assert_eq!(which, [false, true, false], "claims have the order of the keys: {claims:?}");
        self.release(a, "x", token).await;
        self.taken(b, "x").await;
        self.is_busy(a, "x", "b", "law 1: a key has one owner").await;
    }

    async fn tokens_grow(&self, brief: Duration) -> bool {
        let fleet = fleet();
        let (a, b) = (self.session(&fleet, "a", LONG).await, self.session(&fleet, "b", LONG).await);
        let mut last = None;
        for session in [a, b, a, a, b] {
            let token = self.taken(session, "x").await;
            assert!(Some(token) > last, "law 2: the token {token} came after {last:?}");
            assert!(i64::try_from(token.number()).is_ok(), "law 2: {token} does not fit a signed integer");
            last = Some(token);
            self.release(session, "x", token).await;
        }
        let until = Instant::now() + brief;
        let session = self.session(&fleet, "brief", brief).await;
        let Some(token) = self.taken_before(until, session, "x").await else { return false };
        sleep(brief + brief / 4).await;
        let next = self.taken(a, "x").await;
        assert!(next > token, "law 2: the token {next} came after {token}, of a session that has expired");
        self.store.close(a).await.unwrap_or_else(|error| panic!("`close` failed: {error:?}"));
        let last = self.taken(b, "x").await;
        assert!(last > next, "law 2: the token {last} came after {next}, of a session that was closed");
        true
    }

    async fn is_expired(&self, session: SessionId, token: FencingToken, law: &str) {
        let renewed = self.store.renew(session).await;
        assert!(matches!(renewed, Err(LeaseError::Expired)), "{law}: `renew` gave {renewed:?}");
        let acquired = self.store.acquire(session, &[key("x"), key("free")]).await;
        assert!(matches!(acquired, Err(LeaseError::Expired)), "{law}: `acquire` gave {acquired:?}");
        let marked = self.store.mark(session, &key("x"), token, u64::from(u32::MAX)).await;
        assert!(matches!(marked, Err(LeaseError::Expired)), "{law}: `mark` gave {marked:?}");
        let released = self.store.release(session, &[(key("x"), token)]).await;
        assert!(matches!(released, Err(LeaseError::Expired)), "{law}: `release` gave {released:?}");
    }

    async fn expired_is_final(&self, brief: Duration) -> bool {
        let fleet = fleet();
        let mut until = Instant::now() + brief;
        let (a, b) = (self.session(&fleet, "a", brief).await, self.session(&fleet, "b", LONG).await);
        let Some(token) = self.taken_before(until, a, "x").await else { return false };
        // A renewal in time keeps it.
        for _ in 0..3 {
            sleep(brief / 2).await;
            let next = Instant::now() + brief;
            let renewed = self.store.renew(a).await;
            if renewed.is_err() && Instant::now() >= until {
                return false;
            }
            until = next;
            assert!(renewed.is_ok(), "law 3: a session that was renewed in time is live, and not {renewed:?}");
        }
        let claim = self.claims(b, &["x"]).await.remove(0);
        if held(&claim).is_some() && Instant::now() >= until {
            return false;
        }
        let owner = Claim::Busy { owner: "a".to_owned() };
        assert_eq!(claim, owner, "law 1: a key of a session that is renewed stays its own");
        sleep(brief + brief / 4).await;
        self.is_expired(a, token, "law 3: a session is expired though nobody has noticed").await;
        self.taken(b, "x").await;
        self.is_expired(a, token, "law 3: expired is final").await;
        self.is_busy(self.session(&fleet, "c", LONG).await, "x", "b", "law 3: an expired session frees nothing").await;
        let unknown = SessionId::from_bits(fastrand::u128(..));
        self.is_expired(unknown, token, "law 3: a session that the store does not know is expired").await;
        true
    }

    async fn closed_is_expired(&self) {
        let fleet = fleet();
        let (a, b) = (self.session(&fleet, "a", LONG).await, self.session(&fleet, "b", LONG).await);
        let token = self.taken(a, "x").await;
        for _ in 0..2 {
            let closed = self.store.close(a).await;
            assert!(closed.is_ok(), "law 4: `close` can be repeated, and gave {closed:?}");
        }
        self.is_expired(a, token, "law 3: a closed session is expired").await;
        self.taken(b, "x").await;
        assert!(self.store.close(a).await.is_ok(), "law 4: `close` can be repeated");
        self.is_busy(
            self.session(&fleet, "c", LONG).await,
            "x",
            "b",
            "law 5: to close a session frees no key of another",
        )
        .await;
    }

    async fn calls_repeat(&self) {
        let fleet = fleet();
        let (a, b) = (self.session(&fleet, "a", LONG).await, self.session(&fleet, "b", LONG).await);
        let token = self.taken(a, "x").await;
        for _ in 0..2 {
            let again = self.taken(a, "x").await;
            assert_eq!(again, token, "law 4: `acquire` of an owned key gives the same token");
        }
        let claims = self.claims(a, &["x", "x"]).await;
        assert_eq!(held(&claims[0]), held(&claims[1]), "law 4: a key that is named twice has one token");
        self.release(a, "x", token).await;
        self.release(a, "x", token).await;
        let next = self.taken(b, "x").await;
        self.release(a, "x", token).await;
        self.is_busy(a, "x", "b", "law 5: a repeated release frees no key of another").await;
        assert_eq!(self.taken(b, "x").await, next, "law 4: `acquire` of an owned key gives the same token");
    }

    async fn writes_are_bound(&self) {
        let fleet = fleet();
        let (a, b) = (self.session(&fleet, "a", LONG).await, self.session(&fleet, "b", LONG).await);
        let old = self.taken(a, "x").await;
        self.release(a, "x", old).await;
        let new = self.taken(a, "x").await;
        self.release(a, "x", old).await;
        self.is_busy(b, "x", "a", "law 5: a release with an earlier token frees nothing").await;
        assert!(!self.mark(a, "x", old, 7).await, "law 5: a tick cannot be marked with an earlier token");
        assert!(!self.mark(b, "x", new, 7).await, "law 5: a tick cannot be marked by another session");
        self.release(b, "x", new).await;
        self.is_busy(b, "x", "a", "law 5: another session frees nothing, even with the token").await;
        assert!(self.mark(a, "x", new, 7).await, "a tick that is greater than none is marked");
        self.release(a, "x", new).await;
        assert!(!self.mark(a, "x", new, 8).await, "law 5: a tick cannot be marked for a key that was released");
        // One release of several keys, one of which is not owned by that token.
        let (x, y) = (self.taken(a, "x").await, self.taken(a, "y").await);
        let held = [(key("x"), old), (key("y"), y), (key("z"), x)];
        self.store.release(a, &held).await.unwrap_or_else(|error| panic!("`release` failed: {error:?}"));
        self.is_busy(b, "x", "a", "law 5: a release with an earlier token frees nothing").await;
        self.taken(b, "y").await;
    }

    async fn ticks_grow(&self) {
        let fleet = fleet();
        let (a, b) = (self.session(&fleet, "a", LONG).await, self.session(&fleet, "b", LONG).await);
        let claim = self.claims(a, &["x"]).await.remove(0);
        let Claim::Held { token, last_tick: None, .. } = claim else { panic!("a new key has no tick: {claim:?}") };
        for (tick, expected) in [(0, true), (0, false), (5, true), (4, false), (5, false), (1 << 40, true)] {
            let marked = self.mark(a, "x", token, tick).await;
            assert_eq!(marked, expected, "`mark` succeeds if the tick is greater, tick {tick}");
        }
        self.release(a, "x", token).await;
        let claim = self.claims(b, &["x"]).await.remove(0);
        let Claim::Held { token, last_tick, .. } = claim else { panic!("law 1: a free key is busy: {claim:?}") };
        assert_eq!(last_tick, Some(1 << 40), "the tick of a key outlives its owner");
        assert!(!self.mark(b, "x", token, 1 << 40).await, "a tick is marked once by all owners");
        assert!(self.mark(b, "x", token, (1 << 40) + 1).await, "the next owner goes on");
    }

    async fn ids_are_random(&self) {
        let fleet = fleet();
        let mut ids = std::collections::HashSet::new();
        let mut ones = 0;
        for _ in 0..32 {
            let id = self.session(&fleet, "same", SHORT).await;
            assert!(ids.insert(id), "law 6: {id} was given twice");
            ones += id.to_bits().count_ones();
        }
        // 4096 fair bits: 14 standard deviations of 32 around the mean.
        assert!((1600..2496).contains(&ones), "law 6: {ones} of 4096 bits of the ids are set");
    }

    async fn ttl_is_stored(&self, brief: Duration) -> bool {
        let fleet = fleet();
        let until = Instant::now() + brief;
        let (first, long) = (self.session(&fleet, "brief", brief).await, self.session(&fleet, "long", LONG).await);
        let other = self.session(&fleet, "other", LONG).await;
        if self.taken_before(until, first, "x").await.is_none() {
            return false;
        }
        self.taken(long, "y").await;
        // A renewal keeps the time of the session.
        let renewed = self.store.renew(first).await;
        if renewed.is_err() && Instant::now() >= until {
            return false;
        }
        renewed.unwrap_or_else(|error| panic!("`renew` failed: {error:?}"));
        sleep(brief + brief / 4).await;
        self.taken(other, "x").await;
        self.is_busy(other, "y", "long", "law 7: each session has its own time to live").await;
        true
    }

    /// What `renew` and `acquire` return is the time of one clock, which goes as fast as that of Tokio.
    async fn times_are_of_one_clock(&self) {
        /// A clock may show whole seconds.
        const STEP: Duration = Duration::from_secs(1);
        const DAY: Duration = Duration::from_secs(86_400);
        let session = self.session(&fleet(), "a", LONG).await;
        let mut before: Option<(Duration, Instant, Instant)> = None;
        for round in 0..4 {
            if round == 2 {
                sleep(SHORT).await;
            }
            let sent = Instant::now();
            let (call, time) = if round % 2 == 0 {
                let renewed = self.store.renew(session).await;
                ("renew", renewed.unwrap_or_else(|error| panic!("`renew` failed: {error:?}")))
            } else {
                let claim = self.claims(session, &["x"]).await.remove(0);
                let Claim::Held { now, .. } = claim else { panic!("law 1: a free key is busy: {claim:?}") };
                ("acquire", now)
            };
            let (time, got) = (time.since_unix(), Instant::now());
            let off = time.abs_diff(StoreTime::from(now()).since_unix());
            assert!(off < DAY, "law 8: `{call}` gave {time:?} since 1970, {off:?} off the clock of this machine");
            if let Some((earlier, first, second)) = before.replace((time, sent, got)) {
                let least = earlier + sent.saturating_duration_since(second);
                let most = earlier + got.saturating_duration_since(first);
                let fits = time + STEP >= least && time <= most + STEP;
                assert!(fits, "law 8: `{call}` gave {time:?}, expected {least:?} to {most:?} after {earlier:?}");
            }
        }
    }

    async fn fleets_are_apart(&self) {
        let (a, b) = (self.session(&fleet(), "a", LONG).await, self.session(&fleet(), "b", LONG).await);
        self.taken(a, "x").await;
        self.taken(b, "x").await;
    }

    /// Checks that a call of `changed` may return or not, and can be dropped.
    async fn hints(&self) {
        let fleet = fleet();
        let (a, b) = (self.session(&fleet, "a", LONG).await, self.session(&fleet, "b", LONG).await);
        let token = self.taken(a, "x").await;
        let _ = tokio::time::timeout(Duration::from_millis(10), self.store.changed()).await;
        self.is_busy(b, "x", "a", "law 1: a key has one owner").await;
        let store = Arc::clone(&self.store);
        let waiting = tokio::spawn(async move { tokio::time::timeout(Duration::from_secs(1), store.changed()).await });
        self.release(a, "x", token).await;
        let _ = waiting.await;
        self.taken(b, "x").await;
    }
}

fn key(name: &str) -> LeaseKey {
    LeaseKey::new(name).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns a name that no other fleet has.
fn fleet() -> String {
    format!("laws-{:016x}", fastrand::u64(..))
}

fn held(claim: &Claim) -> Option<FencingToken> {
    match claim {
        Claim::Held { token, .. } => Some(*token),
        Claim::Busy { .. } => None,
    }
}
