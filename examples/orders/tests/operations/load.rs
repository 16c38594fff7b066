//! Customers, and the load balancer in front of the replicas.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{interval, sleep, timeout};

use crate::client::Client;
use crate::process::PATIENCE;

/// The answers that the customers got.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) accepted: HashSet<String>,
    /// Requests that got no answer.
    pub(crate) unanswered: u64,
    /// Orders without an answer, or with an error of the server: they may have been accepted.
    pub(crate) doubtful: HashSet<String>,
}

impl Seen {
    /// Checks that the broker has all accepted orders, and beside them only doubtful ones.
    pub(crate) fn check(&self, acknowledged: &HashSet<String>, log: &str) {
        let missing = self.accepted.difference(acknowledged).count();
        let more = acknowledged.difference(&self.accepted);
        let unknown: Vec<_> = more.filter(|id| !self.doubtful.contains(*id)).collect();
        assert!(missing == 0 && unknown.is_empty(), "{missing} are missing, {unknown:?} were not accepted\n{log}");
    }
}

/// Customers who send orders until `finish` is called.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    accepted: watch::Receiver<usize>,
    customers: JoinHandle<Seen>,
}

impl Load {
    /// Sends this number of orders a second, each to a ready replica.
    pub(crate) fn start(replicas: Vec<SocketAddr>, a_second: u32) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (count, accepted) = watch::channel(0);
        Self { stop, accepted, customers: tokio::spawn(run(replicas, a_second, stopped, count)) }
    }

    /// Waits until this number of further orders is accepted.
    pub(crate) async fn until_accepted(&self, more: usize) {
        let mut accepted = self.accepted.clone();
        let enough = *accepted.borrow() + more;
        let waited = timeout(PATIENCE, accepted.wait_for(|count| *count >= enough)).await;
        assert!(waited.is_ok(), "{} of {enough} orders are accepted", *self.accepted.borrow());
    }

    /// Stops sending, waits for the answers, and returns them.
    pub(crate) async fn finish(self) -> Seen {
        self.stop.send(true).unwrap();
        self.customers.await.unwrap()
    }
}

async fn run(
    replicas: Vec<SocketAddr>,
    a_second: u32,
    mut stopped: watch::Receiver<bool>,
    count: watch::Sender<usize>,
) -> Seen {
    let client = Client::without_keep_alive(Duration::from_secs(20));
    let ready = Arc::new(Mutex::new(replicas.clone()));
    let mut helpers = JoinSet::new();
    for replica in replicas {
        helpers.spawn(probe(client.clone(), replica, Arc::clone(&ready)));
    }
    let mut orders = JoinSet::new();
    let mut ticks = interval(Duration::from_secs(1) / a_second);
    for number in 0_usize.. {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            _ = ticks.tick() => {}
        }
        let target = {
            let ready = ready.lock().unwrap();
            ready.get(number % ready.len().max(1)).copied()
        };
        // No replica is ready, so the load balancer refuses the customer, and no answer is missing.
        let Some(target) = target else { continue };
        let (client, count) = (client.clone(), count.clone());
        orders.spawn(async move {
            let id = format!("{:032x}", fastrand::u128(..));
            let body = format!(r#"{{"tenant": "tenant-{}", "item": "a book", "cents": 1200}}"#, number % 10);
            let answer = client.send(&target, "PUT", &format!("/orders/{id}"), body).await;
            if answer.as_ref().is_ok_and(|(status, _)| *status == 201) {
                count.send_modify(|count| *count += 1);
            }
            (id, answer.map(|(status, _)| status))
        });
    }
    let mut seen = Seen::default();
    while let Some(order) = orders.join_next().await {
        match order.unwrap() {
            (id, Ok(201)) => drop(seen.accepted.insert(id)),
            (id, Ok(_)) => drop(seen.doubtful.insert(id)),
            (id, Err(_)) => {
                seen.unanswered += 1;
                seen.doubtful.insert(id);
            }
        }
    }
    seen
}

/// Takes a replica out of rotation while it is not ready.
async fn probe(client: Client, replica: SocketAddr, ready: Arc<Mutex<Vec<SocketAddr>>>) {
    loop {
        let is_ready =
            client.send(&replica, "GET", "/readyz", String::new()).await.is_ok_and(|(status, _)| status == 200);
        {
            let mut ready = ready.lock().unwrap();
            ready.retain(|other| *other != replica);
            if is_ready {
                ready.push(replica);
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
}
