//! The laws of stores find the stores that do not keep them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use taskvisor::fleet::{
    Claim, FencingToken, LeaseError, LeaseKey, LeaseStore, LocalStore, SessionId, SessionSpec, StoreTime,
};
use taskvisor::test::lease_laws;

type Result<T> = std::result::Result<T, LeaseError>;

/// The calls whose time is wrong.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    Renew,
    Acquire,
    Both,
}

/// What a store does wrong.
#[derive(Clone, Copy)]
enum Fault {
    None,
    /// Its clock shows whole seconds, which is no fault.
    WholeSeconds,
    ReversesClaims,
    RotatesClaims,
    Time(Of, fn(Duration) -> Duration),
    /// The time of the first call.
    Constant(Of),
}

struct Wrong {
    store: LocalStore,
    fault: Fault,
    first: Arc<OnceLock<Duration>>,
}

impl Wrong {
    fn shown(&self, of: Of, time: StoreTime) -> StoreTime {
        let since = time.since_unix();
        StoreTime::from_unix(match self.fault {
            Fault::WholeSeconds => Duration::from_secs(since.as_secs()),
            Fault::Time(wrong, change) if wrong == of || wrong == Of::Both => change(since),
            Fault::Constant(wrong) if wrong == of || wrong == Of::Both => *self.first.get_or_init(|| since),
            _ => since,
        })
    }
}

#[async_trait::async_trait]
impl LeaseStore for Wrong {
    async fn open(&self, spec: &SessionSpec) -> Result<SessionId> {
        self.store.open(spec).await
    }

    async fn renew(&self, session: SessionId) -> Result<StoreTime> {
        self.store.renew(session).await.map(|time| self.shown(Of::Renew, time))
    }

    async fn acquire(&self, session: SessionId, keys: &[LeaseKey]) -> Result<Vec<Claim>> {
        let mut claims = self.store.acquire(session, keys).await?;
        for claim in &mut claims {
            if let Claim::Held { now, .. } = claim {
                *now = self.shown(Of::Acquire, *now);
            }
        }
        match self.fault {
            Fault::ReversesClaims => claims.reverse(),
            Fault::RotatesClaims if !claims.is_empty() => claims.rotate_left(1),
            _ => {}
        }
        Ok(claims)
    }

    async fn release(&self, session: SessionId, held: &[(LeaseKey, FencingToken)]) -> Result<()> {
        self.store.release(session, held).await
    }

    async fn mark(&self, session: SessionId, key: &LeaseKey, token: FencingToken, tick: u64) -> Result<bool> {
        self.store.mark(session, key, token, tick).await
    }

    async fn close(&self, session: SessionId) -> Result<()> {
        self.store.close(session).await
    }

    async fn changed(&self) {
        self.store.changed().await;
    }
}

/// The law that a store with this fault breaks, if any.
async fn broken(fault: Fault) -> Option<String> {
    let store = Wrong { store: LocalStore::new(), fault, first: Arc::default() };
    let panic = tokio::spawn(lease_laws(store)).await.err()?.into_panic();
    Some(panic.downcast_ref::<String>().cloned().unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn t5_the_laws_find_claims_in_another_order() {
    for fault in [Fault::ReversesClaims, Fault::RotatesClaims] {
        let law = broken(fault).await.expect("it is found");
        assert!(law.contains("claims have the order of the keys"), "{law}");
    }
    assert_eq!(broken(Fault::None).await, None);
}

#[tokio::test(start_paused = true)]
async fn t5_the_laws_find_times_that_are_not_those_of_the_store() {
    const HOUR: Duration = Duration::from_secs(3_600);
    for of in [Of::Renew, Of::Acquire, Of::Both] {
        let faults = [
            Fault::Time(of, |_| Duration::ZERO),
            Fault::Time(of, |time| time / 1_000),
            Fault::Time(of, |time| time * 1_000),
            Fault::Constant(of),
        ];
        for fault in faults {
            let law = broken(fault).await.expect("it is found");
            assert!(law.starts_with("law 8: "), "{law}");
        }
    }
    for of in [Of::Renew, Of::Acquire] {
        assert!(broken(Fault::Time(of, |time| time + HOUR)).await.is_some());
        assert!(broken(Fault::Time(of, |time| time.saturating_sub(HOUR))).await.is_some());
    }
    // A clock of another machine may be off.
    assert_eq!(broken(Fault::Time(Of::Both, |time| time + HOUR)).await, None);
    assert_eq!(broken(Fault::WholeSeconds).await, None);
}
