//! The tree under test: all of its tasks are the real ones, on paused time, with a store in memory and a scripted
//! broker. Hours pass in milliseconds.
//!
//! `order` checks the start and the stop, `faults` the effects of failures, and `simulation` injects random faults. The
//! folder `tests` of the package has the tests with real processes and databases.

mod arguments;
mod deploy;
mod exercise;
mod faults;
mod http;
mod lines;
mod memory;
mod order;
mod simulation;
mod sql;
mod telemetry;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use taskvisor::fleet::Fleet;
use taskvisor::prelude::*;
use taskvisor::{History, Overrides, Tree};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::broker::{Answer, Broker};
use crate::http::Server;
use crate::relay::Route;
use crate::store::{Message, Order, Patient, Store, pool};
use crate::tree::{Parts, tree};

use memory::MemoryStore;

/// A broker that acknowledges and records all messages unless it is down.
#[derive(Default)]
struct ToldBroker {
    is_down: Mutex<bool>,
    /// The time that it takes for a message, without the time on the network.
    takes: Mutex<Duration>,
    messages: Mutex<Vec<String>>,
}

impl ToldBroker {
    fn is_down(&self, is_down: bool) {
        *self.is_down.lock().unwrap() = is_down;
    }

    fn takes(&self, time: Duration) {
        *self.takes.lock().unwrap() = time;
    }

    fn messages(&self) -> Vec<String> {
        self.messages.lock().unwrap().clone()
    }
}

#[async_trait::async_trait]
impl Broker for ToldBroker {
    async fn send(&self, message: &Message) -> Answer {
        tokio::time::sleep(Duration::from_millis(3)).await;
        if *self.is_down.lock().unwrap() {
            return Answer::Down;
        }
        let takes = *self.takes.lock().unwrap();
        tokio::time::sleep(takes).await;
        self.messages.lock().unwrap().push(message.id.clone());
        // The answer takes time too: an attempt can end before it arrives.
        tokio::time::sleep(Duration::from_millis(3)).await;
        Answer::Acknowledged
    }
}

/// The service without a database, a broker and customers.
struct World {
    store: Arc<MemoryStore>,
    broker: Arc<ToldBroker>,
}

impl World {
    fn new() -> Self {
        Self { store: Arc::default(), broker: Arc::default() }
    }

    /// The store as in the service, with a timeout for each call.
    fn patient(&self) -> Arc<dyn Store> {
        Arc::new(Patient(self.store.clone()))
    }

    fn pool(&self) -> TaskSpec {
        pool::spec(self.patient())
    }

    async fn tree(&self, pool: TaskSpec) -> Tree {
        tree(self.parts().await, pool)
    }

    /// Returns the parts of the service. No client connects to its server.
    async fn parts(&self) -> Parts {
        let store = self.patient();
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let (places, patience) = (Arc::new(Semaphore::new(8)), Duration::from_secs(5));
        let (history, connections) = (History::new(), Arc::new(Semaphore::new(64)));
        let server = Server { listener, store: Arc::clone(&store), metrics, history, places, connections, patience };
        let claim = Duration::from_secs(10);
        let route = Route { store: Arc::clone(&store), broker: self.broker.clone(), replica: "test".into(), claim };
        let (fleet, overrides) = (Fleet::local().name("orders"), Overrides::from([("drain", "0s")]));
        Parts { store, server, route, fleet, overrides, extra: Vec::new() }
    }

    /// Accepts an order, as the server does.
    async fn order(&self, number: usize) {
        let order = Order { id: number.to_string(), tenant: "acme".into(), item: "a book".into(), cents: 1200 };
        self.store.accept(&order).await.unwrap();
    }
}
