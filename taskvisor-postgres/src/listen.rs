//! Hints that a key may be free, by `LISTEN`.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::panicking;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::config::LoadBalanceHosts;
use tokio_postgres::{AsyncMessage, Config};

use crate::connect::Connect;
use crate::schema::Schema;

/// The pauses before a new connection: the first, which doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The interval of the checks of the connection, and the time for an answer.
const PING: Duration = Duration::from_secs(60);
const PONG: Duration = Duration::from_secs(10);

/// A connection for notifications, made at the first wait.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    heard: Arc<Heard>,
    /// The task that listens. A leaf: nothing is awaited or called under it.
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Heard {
    freed: Notify,
    /// Notified when a connection for calls was replaced: the one for hints may be lost unnoticed as well.
    doubted: Arc<Notify>,
    /// The fleets that have sessions here. A leaf as well.
    fleets: Mutex<HashSet<Arc<str>>>,
    /// `true` while a task listens, and once one did: what was told before the next one listens is lost.
    is_listening: AtomicBool,
    was_listening: AtomicBool,
}

impl Heard {
    fn wake(&self) {
        // Wakes all waiting callers, or if there are none, the next one: its key may have been refused just before.
        self.freed.notify_waiters();
        self.freed.notify_one();
    }

    fn concerns(&self, fleet: &str) -> bool {
        fleet.is_empty() || self.fleets.lock().unwrap_or_else(PoisonError::into_inner).contains(fleet)
    }
}

impl Listener {
    pub(crate) fn new(doubted: &Arc<Notify>) -> Self {
        let heard = Heard { doubted: Arc::clone(doubted), ..Heard::default() };
        Self { heard: Arc::new(heard), task: Mutex::default() }
    }

    pub(crate) fn add_fleet(&self, fleet: &Arc<str>) {
        self.heard.fleets.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(fleet));
    }

    /// Waits for a hint.
    pub(crate) async fn changed(&self, connector: &Arc<dyn Connect>, config: &Config, schema: &Schema) {
        if !self.heard.is_listening.swap(true, Ordering::AcqRel) {
            let listens = Listens(Arc::clone(&self.heard));
            let (connector, config, schema) = (Arc::clone(connector), config.clone(), schema.clone());
            let task = tokio::spawn(async move { listen(connector, config, schema, &listens.0).await });
            *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        }
        self.heard.freed.notified().await;
    }
}

/// Owned by the task that listens, which ends with its runtime. Those that still wait get a hint then, and one of them
/// begins another. After a panic none does, as it would panic as well.
struct Listens(Arc<Heard>);

impl Drop for Listens {
    fn drop(&mut self) {
        self.0.is_listening.store(false, Ordering::Release);
        if !panicking() {
            self.0.wake();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task {
            task.abort();
        }
    }
}

/// Keeps a connection for notifications.
async fn listen(connector: Arc<dyn Connect>, mut config: Config, schema: Schema, heard: &Heard) {
    let mut pauses = Pauses::default();
    let mut has_listened = heard.was_listening.swap(true, Ordering::Relaxed);
    loop {
        let turn = async {
            let began = Instant::now();
            has_listened |= once(&*connector, &config, &schema, heard, has_listened).await;
            sleep(pauses.after(began.elapsed()).mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        };
        let is_doubted = tokio::select! {
            () = turn => false,
            () = heard.doubted.notified() => true,
        };
        // In their own order, a host that does not answer would be waited for again and again.
        config.load_balance_hosts(LoadBalanceHosts::Random);
        if is_doubted {
            // The next connection is made at once, and gives a hint.
            (has_listened, pauses) = (true, Pauses::default());
        }
    }
}

/// The pauses before connections. A connection that is lost soon, each time, is as good as none: a pooler may close it.
#[derive(Debug)]
struct Pauses {
    next: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { next: FIRST_PAUSE }
    }
}

impl Pauses {
    /// Returns the pause after a connection that lasted for this time.
    fn after(&mut self, lasted: Duration) -> Duration {
        let pause = if lasted > LONGEST_PAUSE { FIRST_PAUSE } else { self.next };
        self.next = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// Listens until the connection is lost. Returns `true` if it has listened.
async fn once(connector: &dyn Connect, config: &Config, schema: &Schema, heard: &Heard, is_again: bool) -> bool {
    let Ok(Ok((client, mut messages))) = timeout(PONG, connector.connect(config)).await else { return false };
    let mut has_listened = false;
    let requests = async {
        let listening = format!("LISTEN {schema}");
        let mut statement = &*listening;
        while let Ok(Ok(())) = timeout(PONG, client.batch_execute(statement)).await {
            if !has_listened && is_again {
                // Notifications in between are lost.
                heard.wake();
            }
            has_listened = true;
            statement = "SELECT 1";
            sleep(PING).await;
        }
    };
    let incoming = async {
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(note) = message {
                if note.channel() == schema.name() && heard.concerns(note.payload()) {
                    heard.wake();
                }
            }
        }
    };
    tokio::select! {
        () = requests => {}
        () = incoming => {}
    }
    has_listened
}

#[cfg(test)]
mod tests {
    use tokio_postgres::{Client, Error};

    use super::*;
    use crate::connect::{Messages, Silent};

    #[test]
    fn a_connection_that_is_lost_soon_each_time_is_made_less_and_less_often() {
        let mut pauses = Pauses::default();
        let soon = [0, 1, 2, 10, 5, 5, 5, 5].map(|lasted| pauses.after(Duration::from_secs(lasted)));
        assert_eq!(soon.map(|pause| pause.as_millis()), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(pauses.after(LONGEST_PAUSE * 2), FIRST_PAUSE);
        assert_eq!(pauses.after(Duration::ZERO), FIRST_PAUSE * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_are_tried_in_a_random_order_after_one_that_does_not_answer() {
        for doubts in [false, true] {
            let (silent, heard) = (Arc::new(Silent::default()), Arc::new(Heard::default()));
            let connector: Arc<dyn Connect> = Arc::clone(&silent) as _;
            let shared = Arc::clone(&heard);
            let listening =
                tokio::spawn(async move { listen(connector, Config::new(), Schema::new("hosts"), &shared).await });
            // A connection that has no answer is given up after a time, or as calls have lost theirs.
            for _ in 0..2 {
                sleep(if doubts { Duration::from_millis(1) } else { PONG + LONGEST_PAUSE }).await;
                if doubts {
                    heard.doubted.notify_one();
                }
            }
            sleep(Duration::from_millis(1)).await;
            listening.abort();
            let orders = silent.orders.lock().unwrap().clone();
            assert!(orders.len() >= 3, "{orders:?}");
            assert_eq!(orders[0], LoadBalanceHosts::Disable);
            assert!(orders[1..].iter().all(|order| *order == LoadBalanceHosts::Random), "{orders:?}");
        }
    }

    /// The TLS implementation is that of the user. Callers ask the store at each hint.
    #[tokio::test(start_paused = true)]
    async fn a_panic_of_the_connector_is_no_hint() {
        struct Panics;

        #[async_trait::async_trait]
        impl Connect for Panics {
            async fn connect(&self, _: &Config) -> Result<(Client, Messages), Error> {
                panic!("no certificates");
            }
        }

        let (listener, connector): (_, Arc<dyn Connect>) = (Listener::default(), Arc::new(Panics));
        let schema = Schema::new("panics");
        for _ in 0..2 {
            let hint = timeout(PONG, listener.changed(&connector, &Config::new(), &schema)).await;
            assert!(hint.is_err(), "a hint");
        }
    }
}
