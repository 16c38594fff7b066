//! Injected faults: `--chaos SEED`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use taskvisor::prelude::*;
use tokio::time::sleep;
use tracing::warn;

use crate::broker::{Answer, Broker};
use crate::store::Message;

/// Random faults from a seed. Without a seed there are none. Clones share the sequence.
#[derive(Debug, Clone, Default)]
pub(crate) struct Luck(Option<Arc<Mutex<fastrand::Rng>>>);

impl Luck {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(seed.map(|seed| Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)))))
    }

    /// Returns `true` once in this many times on average.
    pub(crate) fn strikes(&self, once_in: u32) -> bool {
        self.below(once_in) == Some(0)
    }

    fn below(&self, end: u32) -> Option<u32> {
        self.0.as_ref().map(|luck| luck.lock().unwrap_or_else(PoisonError::into_inner).u32(..end))
    }
}

/// A broker whose calls panic or hang now and then, before or after the message was sent.
pub(crate) struct Brittle<B> {
    pub(crate) inner: B,
    pub(crate) luck: Luck,
}

#[async_trait::async_trait]
impl<B: Broker> Broker for Brittle<B> {
    async fn send(&self, message: &Message) -> Answer {
        assert!(!self.luck.strikes(500), "planted by --chaos: before message {}", message.id);
        if self.luck.strikes(3000) {
            sleep(Duration::from_secs(3600)).await;
        }
        let answer = self.inner.send(message).await;
        assert!(!self.luck.strikes(500), "planted by --chaos: after message {}", message.id);
        answer
    }
}

/// The tasks that `monkey` restarts.
const VICTIMS: [&str; 5] = ["store/pool", "store/migrate", "relay", "report", "serve"];

/// Restarts a task of the tree now and then, as an operator could.
#[task(restart = "always")]
pub(crate) async fn monkey(ctx: TaskContext, luck: Luck) {
    while ctx.sleep(Duration::from_millis(700)).await {
        let victim = luck.below(5).and_then(|index| VICTIMS.get(usize::try_from(index).unwrap_or(0)));
        if let Some(path) = victim {
            let is_restarted = ctx.supervisor().child(path).restart();
            warn!(path, is_restarted, "planted by --chaos: a restart");
        }
    }
}
