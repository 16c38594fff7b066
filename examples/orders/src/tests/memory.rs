//! A store in memory, which the tests look into. Its calls take a little time, so that an attempt can end in them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::store::{Backlog, Message, Order, Report, Result, Settled, Statement, Store, StoreError};

#[derive(Default)]
pub(super) struct MemoryStore {
    state: Mutex<State>,
    accepted: Notify,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) is_open: bool,
    /// Fails each call, as a database that is away.
    pub(super) is_away: bool,
    pub(super) outbox: BTreeMap<String, Row>,
    pub(super) reports: Vec<SystemTime>,
    pub(super) cleaned: Vec<SystemTime>,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) state: &'static str,
    payload: String,
    attempts: u32,
    claimed_until: Option<Instant>,
    next_at: Instant,
}

impl Row {
    fn is_claimed(&self) -> bool {
        self.claimed_until.is_some_and(|until| until > Instant::now())
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

    async fn accept(&self, order: &Order) -> Result<()> {
        let payload = serde_json::to_string(order).unwrap();
        let row = Row { state: "pending", payload, attempts: 0, claimed_until: None, next_at: Instant::now() };
        self.call(|state| drop(state.outbox.insert(order.id.clone(), row))).await?;
        self.accepted.notify_one();
        Ok(())
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

    async fn claim(&self, _by: &str, lasts: Duration, most: u32) -> Result<Vec<Message>> {
        self.call(|state| {
            let due = state.outbox.iter_mut().filter(|(_, row)| row.is_due()).take(most as usize);
            let claim = |(id, row): (&String, &mut Row)| {
                row.claimed_until = Some(Instant::now() + lasts);
                row.attempts += 1;
                Message { id: id.clone(), payload: row.payload.clone(), attempts: row.attempts }
            };
            due.map(claim).collect()
        })
        .await
    }

    async fn release(&self, _by: &str) -> Result<()> {
        self.call(|state| state.outbox.values_mut().for_each(|row| row.claimed_until = None)).await
    }

    async fn settle(&self, id: &str, settled: Settled) -> Result<()> {
        self.call(|state| {
            let Some(row) = state.outbox.get_mut(id) else { return };
            row.claimed_until = None;
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
        let count = |state: &State, of: &str| {
            let rows = state.outbox.values().filter(|row| row.state == of);
            i64::try_from(rows.count()).unwrap()
        };
        self.call(|state| Backlog { pending: count(state, "pending"), parked: count(state, "parked") }).await
    }

    async fn report(&self, report: Report<'_>) -> Result<()> {
        self.call(|state| state.reports.push(report.tick)).await
    }

    async fn clean(&self, before: SystemTime) -> Result<u64> {
        self.call(|state| state.cleaned.push(before)).await?;
        Ok(0)
    }
}
