//! Calls to a store, each with a timeout, and their replies.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::fleet::{Call, Failed, Fleet, LeaseError, Reply, SessionSpec};
use crate::panics::{catch, drop_caught};

/// Carries out a call. Returns the reply, the error if the call has failed, and its duration.
pub(super) async fn carry_out(fleet: Fleet, label: Arc<str>, call: Call) -> (Reply, Option<LeaseError>, Duration) {
    let began = Instant::now();
    let store = fleet.store.clone();
    let within = fleet.times().call();
    let mut told = None;
    let mut failed = |error: LeaseError| {
        let failed = if error.is_expired() { Failed::Expired } else { Failed::Unanswered };
        told = Some(error);
        failed
    };
    let limit = |name| (within, name);
    let reply = match call {
        Call::Open => {
            let spec = SessionSpec::new(fleet.name.clone(), label, fleet.ttl);
            Reply::Opened(answered(limit("open"), || store.open(&spec)).await.map_err(&mut failed))
        }
        Call::Renew(id) => Reply::Renewed(id, answered(limit("renew"), || store.renew(id)).await.map_err(&mut failed)),
        Call::Acquire(id, keys) => {
            let claims = answered(limit("acquire"), || store.acquire(id, &keys)).await;
            let claims = claims.and_then(|claims| {
                let is_whole = claims.len() == keys.len();
                let told = || format!("the store gave {} claims for {} keys", claims.len(), keys.len());
                if is_whole { Ok(()) } else { Err(LeaseError::misconfigured(told())) }?;
                Ok(claims)
            });
            Reply::Acquired(id, claims.map_err(&mut failed))
        }
        Call::Release(id, held) => {
            Reply::Released(id, answered(limit("release"), || store.release(id, &held)).await.map_err(&mut failed))
        }
        Call::Mark(id, key, token, tick) => {
            let marked = answered(limit("mark"), || store.mark(id, &key, token, tick)).await.map_err(&mut failed);
            Reply::Marked(id, key, tick, marked)
        }
        Call::Close(id) => Reply::Closed(answered(limit("close"), || store.close(id)).await.map_err(&mut failed)),
    };
    (reply, told, began.elapsed())
}

/// Makes a call and waits for the answer of the store. The store is user code: if it panics, the call fails.
async fn answered<'a, T>(
    (within, name): (Duration, &str),
    call: impl FnOnce() -> Pin<Box<dyn Future<Output = Result<T, LeaseError>> + Send + 'a>>,
) -> Result<T, LeaseError> {
    let mut call = catch(call).map_err(LeaseError::unreachable)?;
    let caught = poll_fn(|cx| match catch(|| call.as_mut().poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(answer)) => Poll::Ready(answer),
        Err(panic) => Poll::Ready(Err(LeaseError::unreachable(panic))),
    });
    let answer = timeout(within, caught).await;
    let _ = drop_caught(call);
    answer.unwrap_or_else(|_| Err(LeaseError::unreachable(format!("`{name}` has not answered within {within:?}"))))
}
