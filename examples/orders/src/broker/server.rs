//! A broker with the failures of real ones: it loses acknowledgements, is slow, and is down for a while.
//!
//! It represents another system, so it is not part of the tree. `orders broker` runs it as a process of its own.

use std::collections::HashMap;
use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use crate::chaos::Luck;
use crate::store::Order;

/// Beyond this amount, an order is refused.
const MOST_CENTS: i64 = 100_000_000;

/// Clones are the same broker.
#[derive(Debug, Clone)]
pub(crate) struct FakeBroker {
    luck: Luck,
    state: Arc<Mutex<Books>>,
}

#[derive(Debug)]
struct Books {
    /// The messages that the broker has, and whether it has acknowledged them.
    messages: HashMap<String, bool>,
    /// The number of messages that came again after they were acknowledged.
    repeats: u64,
    /// The number of messages that came again before they were acknowledged.
    duplicates: u64,
    down_until: Instant,
}

/// The report of the broker on its messages.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    pub(crate) acknowledged: Vec<String>,
    pub(crate) repeats: u64,
    pub(crate) duplicates: u64,
}

impl FakeBroker {
    pub(crate) fn new(luck: Luck) -> Self {
        let books = Books { messages: HashMap::new(), repeats: 0, duplicates: 0, down_until: Instant::now() };
        Self { luck, state: Arc::new(Mutex::new(books)) }
    }

    /// Serves until the runtime ends.
    pub(crate) async fn start(&self, address: SocketAddr) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let routes = Router::new()
            .route("/messages/{id}", put(take))
            .route("/ledger", get(async |State(broker): State<Self>| Json(broker.ledger())))
            .route(
                "/down/{millis}",
                post(async |State(broker): State<Self>, Path(millis): Path<u64>| {
                    broker.fail_for(Duration::from_millis(millis));
                }),
            )
            .with_state(self.clone());
        tokio::spawn(axum::serve(listener, routes).into_future());
        Ok(address)
    }

    /// Accepts no message for this time.
    pub(crate) fn fail_for(&self, time: Duration) {
        self.books().down_until = Instant::now() + time;
    }

    pub(crate) fn ledger(&self) -> Ledger {
        let books = self.books();
        let acknowledged = books.messages.iter().filter(|(_, acknowledged)| **acknowledged);
        Ledger {
            acknowledged: acknowledged.map(|(id, _)| id.clone()).collect(),
            repeats: books.repeats,
            duplicates: books.duplicates,
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a message. Returns `false` if its acknowledgement is to be lost.
    fn record(&self, id: String) -> bool {
        let is_lost = self.luck.strikes(20);
        let mut books = self.books();
        match books.messages.get(&id) {
            Some(true) => books.repeats += 1,
            Some(false) => books.duplicates += 1,
            None => {}
        }
        let acknowledged = books.messages.entry(id).or_insert(false);
        *acknowledged |= !is_lost;
        !is_lost
    }
}

async fn take(State(broker): State<FakeBroker>, Path(id): Path<String>, Json(order): Json<Order>) -> StatusCode {
    if broker.books().down_until > Instant::now() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    if order.cents > MOST_CENTS {
        return StatusCode::UNPROCESSABLE_ENTITY;
    }
    if broker.luck.strikes(20) {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    if broker.luck.strikes(100) {
        sleep(Duration::from_millis(100)).await;
    }
    if broker.luck.strikes(1000) {
        broker.fail_for(Duration::from_millis(500));
    }
    if broker.record(id) { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
}
