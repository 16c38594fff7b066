//! The work of the relay and of the workers.

use std::future::poll_fn;
use std::task::Poll;

use super::exchange::Exchange;
use super::lane::{Batch, Entry};
use super::open::BATCH;

/// The index of the relay in the crew. The workers follow.
const RELAY: usize = 0;

/// A held duty. It becomes free when this is dropped, by a panic or the end of its runtime, unless all work is done.
pub(super) struct Duty<H: AsRef<Exchange>> {
    pub(super) host: H,
    index: usize,
    /// The current batch of the worker.
    pub(super) batch: Option<Batch>,
    is_over: bool,
}

impl<H: AsRef<Exchange>> Duty<H> {
    /// Claims the free duties.
    pub(super) fn claim(host: &H) -> Vec<Self>
    where
        H: Clone,
    {
        let claimed = host.as_ref().crew.claim();
        claimed.into_iter().map(|index| Self { host: host.clone(), index, batch: None, is_over: false }).collect()
    }

    /// Returns the lane of a worker; `None` for the relay.
    pub(super) fn lane(&self) -> Option<usize> {
        self.index.checked_sub(RELAY + 1)
    }

    /// Performs the work of the relay. It lets `open` grow for up to `turns` turns while publishers are busy, so that
    /// one wake-up serves many events.
    pub(super) async fn relay(mut self, turns: usize) {
        let exchange = self.host.as_ref();
        loop {
            let mut seen = 0;
            for _ in 0..turns {
                let len = exchange.open().events.len();
                if len == seen || len >= BATCH {
                    break;
                }
                seen = len;
                give_way().await;
            }
            if exchange.share() {
                give_way().await;
            } else if exchange.open().closed {
                break;
            } else {
                poll_fn(|cx| exchange.poll_open(cx)).await;
            }
        }
        self.is_over = true;
    }

    /// Waits for the next batch of a worker, which becomes its current batch, or for the number of lost events. Returns
    /// `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Result<(), u64>> {
        let exchange = self.host.as_ref();
        let outlet = &exchange.workers[self.lane()?];
        let next = poll_fn(|cx| exchange.poll_next(outlet, cx)).await;
        self.is_over = next.is_none();
        match next? {
            Entry::Events(batch) => {
                self.batch = Some(batch);
                Some(Ok(()))
            }
            Entry::Lost(lost) => Some(Err(lost)),
        }
    }
}

impl<H: AsRef<Exchange>> Drop for Duty<H> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let exchange = self.host.as_ref();
        if let (Some(lane), Some(batch)) = (self.lane(), self.batch.take()) {
            let rest = exchange.lane(lane).put_back(batch);
            drop(rest);
        }
        exchange.crew.leave(self.index);
        // The callers that wait for a delivery look for another holder of the duty.
        exchange.delivered.wake();
    }
}

/// Yields to other tasks, without a turn of the IO and timer driver.
pub(super) async fn give_way() {
    let mut turn = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut turn, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
