//! A store in memory, which the tests can inspect. Its calls take a little time, so that an attempt can end during
//! them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::store::{Accepted, Backlog, Message, Order, Report, Result, Settled, Statement, Store, StoreError};

#[derive(Default)]
pub(super) struct MemoryStore {
    state: Mutex<State>,
    accepted: Notify,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of a test, and any of them may be on")]
pub(super) struct State {
    pub(super) is_open: bool,
    /// Fails each call, as an unavailable database does.
    pub(super) is_away: bool,
    /// Fails the count of the messages, and no other call.
    pub(super) is_uncounted: bool,
    /// Answers no new call, as a network that drops all packets.
    pub(super) is_silent: bool,
    pub(super) outbox: BTreeMap<String, Row>,
    pub(super) reports: Vec<SystemTime>,
    pub(super) cleaned: Vec<SystemTime>,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) state: &'static str,
    payload: String,
    order: Order,
    attempts: u32,
    claimed: Option<(String, Instant)>,
    next_at: Instant,
}

impl Row {
    fn is_claimed(&self) -> bool {
        self.claimed.as_ref().is_some_and(|(_, until)| *until > Instant::now())
    }

    fn is_due(&self) -> bool {
        self.state == "pending" && !self.is_claimed() && self.next_at <= Instant::now()
    }
}

impl MemoryStore {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Returns the messages in this state.
    pub(super) fn count(&self, state: &str) -> usize {
        self.state().outbox.values().filter(|row| row.state == state).count()
    }

    async fn call<T>(&self, call: impl FnOnce(&mut State) -> T) -> Result<T> {
        if self.state().is_silent {
            std::future::pending::<()>().await;
        }
        sleep(Duration::from_millis(1)).await;
        let mut state = self.state();
        match *state {
            State { is_away: true, .. } => Err(StoreError::Planted("the database is away")),
            State { is_open: false, .. } => Err(StoreError::Closed),
            _ => Ok(call(&mut state)),
        }
    }
}

#[async_trait::async_trait]
impl Store for MemoryStore {
    async fn open(&self) -> Result<()> {
        sleep(Duration::from_millis(1)).await;
        let mut state = self.state();
        state.is_open = !state.is_away;
        if state.is_open { Ok(()) } else { Err(StoreError::Planted("the database is away")) }
    }

    async fn close(&self) {
        self.state().is_open = false;
    }

    async fn ping(&self) -> Result<()> {
        self.call(|_| ()).await
    }

    async fn migrate(&self) -> Result<()> {
        self.call(|_| ()).await
    }

    async fn accept(&self, order: &Order) -> Result<Accepted> {
        let payload = serde_json::to_string(order)?;
        let order = order.clone();
        let row = Row { state: "pending", payload, order, attempts: 0, claimed: None, next_at: Instant::now() };
        let accept = |state: &mut State| match state.outbox.get(&row.order.id) {
            None => {
                state.outbox.insert(row.order.id.clone(), row);
                Accepted::New
            }
            Some(there) if there.order == row.order => Accepted::Known,
            Some(_) => Accepted::Conflict,
        };
        let accepted = self.call(accept).await?;
        self.accepted.notify_one();
        Ok(accepted)
    }

    async fn state(&self, id: &str) -> Result<Option<String>> {
        self.call(|state| state.outbox.get(id).map(|row| row.state.to_owned())).await
    }

    async fn statement(&self, _tenant: &str) -> Result<Statement> {
        self.call(|_| Statement::default()).await
    }

    async fn accepted(&self, at_most: Duration) {
        let _ = timeout(at_most, self.accepted.notified()).await;
    }

    async fn claim(&self, by: &str, lasts: Duration, most: u32) -> Result<Vec<Message>> {
        self.call(|state| {
            let due = state.outbox.iter_mut().filter(|(_, row)| row.is_due()).take(most as usize);
            let claim = |(id, row): (&String, &mut Row)| {
                row.claimed = Some((by.to_owned(), Instant::now() + lasts));
                row.attempts += 1;
                Message { id: id.clone(), payload: row.payload.clone(), attempts: row.attempts }
            };
            due.map(claim).collect()
        })
        .await
    }

    async fn release(&self, by: &str) -> Result<()> {
        self.call(|state| {
            let claimed = |row: &&mut Row| row.claimed.as_ref().is_some_and(|(claimant, _)| claimant == by);
            state.outbox.values_mut().filter(claimed).for_each(|row| row.claimed = None);
        })
        .await
    }

    async fn settle(&self, id: &str, settled: Settled) -> Result<()> {
        self.call(|state| {
            let Some(row) = state.outbox.get_mut(id) else { return };
            row.claimed = None;
            match settled {
                Settled::Delivered => row.state = "delivered",
                Settled::Parked => row.state = "parked",
                Settled::Later(after) => row.next_at = Instant::now() + after,
            }
        })
        .await
    }

    async fn left(&self, _by: &str, _before: SystemTime) -> Result<i64> {
        Ok(self.backlog().await?.pending)
    }

    async fn backlog(&self) -> Result<Backlog> {
        if self.state().is_uncounted {
            return Err(StoreError::Planted("the messages cannot be counted"));
        }
        let count = |state: &State, of: &str| {
            let rows = state.outbox.values().filter(|row| row.state == of);
            i64::try_from(rows.count()).unwrap()
        };
        self.call(|state| Backlog { pending: count(state, "pending"), parked: count(state, "parked") }).await
    }

    async fn report(&self, report: Report<'_>) -> Result<()> {
        self.call(|state| state.reports.push(report.tick)).await
    }

    async fn clean(&self, before: SystemTime, _most: u32) -> Result<u64> {
        self.call(|state| state.cleaned.push(before)).await?;
        Ok(0)
    }
}
