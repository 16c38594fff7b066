//! Attempts with servers that answer late, or never.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::{sleep, timeout_at};
use tokio_postgres::NoTls;

use super::*;
use crate::connect::{Line, Messages};

const SECOND: Duration = Duration::from_secs(1);
/// The limit of a call, and the pause before the next one.
const CALL: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(500);

/// What becomes of an attempt.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Comes(Duration),
    /// It comes, and is closed at once.
    Closes(Duration),
    Fails(Duration),
    Hangs,
}

use Fate::{Closes, Comes, Fails, Hangs};

/// A connector that is told what becomes of each attempt.
struct Told {
    fates: Box<dyn Fn(usize, LoadBalanceHosts) -> Fate + Send + Sync>,
    orders: Mutex<Vec<LoadBalanceHosts>>,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Told {
    fn new(fates: impl Fn(usize, LoadBalanceHosts) -> Fate + Send + Sync + 'static) -> Arc<Self> {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { fates: Box::new(fates), orders: Mutex::default(), running, most })
    }

    fn orders(&self) -> Vec<LoadBalanceHosts> {
        self.orders.lock().unwrap().clone()
    }

    fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }
}

struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Connect for Told {
    async fn connect(&self, config: &Config) -> Result<(Client, Messages), Error> {
        let order = config.get_load_balance_hosts();
        let number = {
            let mut orders = self.orders.lock().unwrap();
            orders.push(order);
            orders.len() - 1
        };
        self.most.fetch_max(self.running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let _running = Running(&self.running);
        let fate = (self.fates)(number, order);
        match fate {
            Hangs => std::future::pending().await,
            Comes(after) | Closes(after) => sleep(after).await,
            Fails(after) => {
                sleep(after).await;
                // Without a host.
                return Err(Config::new().connect(NoTls).await.err().unwrap());
            }
        }
        let (near, far) = duplex(1024);
        let served = tokio::spawn(serve(far));
        let mut config = config.clone();
        let (client, connection) = config.user("a").connect_raw(near, NoTls).await?;
        if let Closes(_) = fate {
            served.abort();
        }
        Ok((client, Messages(Box::pin(connection))))
    }
}

/// A server that lets everybody in, and answers no query.
async fn serve(mut stream: DuplexStream) {
    let length = stream.read_u32().await.unwrap() as usize;
    stream.read_exact(&mut vec![0; length - 4]).await.unwrap();
    stream.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").await.unwrap();
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

fn hosts(count: usize) -> Config {
    let mut config = Config::new();
    for host in 0..count {
        config.host(format!("host-{host}"));
    }
    config
}

/// Returns the number of calls until one has a connection.
async fn calls_needed(line: &Line, connector: &Arc<dyn Connect>, config: &Config) -> usize {
    for call in 1..100 {
        if let Ok(linked) = timeout(CALL, line.link(connector, config)).await {
            linked.unwrap();
            return call;
        }
        sleep(PAUSE).await;
    }
    panic!("no call has a connection");
}

#[tokio::test(start_paused = true)]
async fn a_set_up_that_takes_longer_than_a_call_goes_on() {
    for (seconds, calls) in [(2, 1), (4, 2), (9, 3), (20, 6)] {
        let told = Told::new(move |_, _| Comes(SECOND * seconds));
        let connector: Arc<dyn Connect> = told.clone();
        let line = Line::default();
        assert_eq!(calls_needed(&line, &connector, &hosts(1)).await, calls, "{seconds} s");
        // The others end.
        sleep(PAUSE).await;
        assert_eq!(told.running(), 0);
        // It is kept.
        timeout(PAUSE, line.link(&connector, &hosts(1))).await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_comes_between_two_calls_is_used() {
    let told = Told::new(|_, _| Comes(CALL + PAUSE / 2));
    let (connector, line): (Arc<dyn Connect>, _) = (told.clone(), Line::default());
    assert_eq!(calls_needed(&line, &connector, &hosts(1)).await, 2);
}

/// As a server closes idle ones, and a pool that ends.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_closed_between_two_calls_costs_none() {
    let told = Told::new(|number, _| if number == 0 { Closes(CALL + PAUSE / 2) } else { Comes(Duration::ZERO) });
    let (connector, line): (Arc<dyn Connect>, _) = (told.clone(), Line::default());
    assert!(timeout(CALL, line.link(&connector, &hosts(1))).await.is_err());
    sleep(PAUSE).await;
    assert!(line.link(&connector, &hosts(1)).await.unwrap().is_usable());
    assert_eq!(told.orders().len(), 2);
}

/// The first host takes connections, and does not answer.
#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_answer_is_left_after_a_call() {
    let told = Told::new(|_, order| if order == LoadBalanceHosts::Random { Comes(SECOND) } else { Hangs });
    let (connector, line): (Arc<dyn Connect>, _) = (told.clone(), Line::default());
    assert_eq!(calls_needed(&line, &connector, &hosts(2)).await, 2);
    // A call that has all the time that it wants leaves it as well.
    let line = Line::default();
    line.link(&connector, &hosts(2)).await.unwrap();
    let (ordered, random) = (LoadBalanceHosts::Disable, LoadBalanceHosts::Random);
    assert_eq!(told.orders(), [ordered, random, ordered, random]);
}

/// A network has lost what was sent, and the set-up takes longer than a call.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_keeps_no_slow_set_up_from_its_end() {
    for (hosts_, hanging) in [(1, 1), (3, 3), (1, 7)] {
        let told = Told::new(move |number, _| if number < hanging { Hangs } else { Comes(CALL * 2) });
        let (connector, line): (Arc<dyn Connect>, _) = (told.clone(), Line::default());
        let begun = Instant::now();
        calls_needed(&line, &connector, &hosts(hosts_)).await;
        assert!(begun.elapsed() < LIMIT * 2, "{hosts_} hosts, {hanging} hang: {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_are_bounded_and_hosts_are_tried_in_a_random_order_from_the_second_on() {
    for count in [1, 3] {
        let told = Told::new(|_, _| Hangs);
        let (connector, line): (Arc<dyn Connect>, _) = (told.clone(), Line::default());
        for _ in 0..40 {
            assert!(timeout(CALL, line.link(&connector, &hosts(count))).await.is_err());
        }
        assert_eq!(told.most.load(Ordering::SeqCst), count + 1);
        let orders = told.orders();
        assert_eq!(orders[0], LoadBalanceHosts::Disable);
        assert!(orders.len() >= 40 && orders[1..].iter().all(|order| *order == LoadBalanceHosts::Random), "{orders:?}");
        // All end with the line.
        drop(line);
        sleep(PAUSE).await;
        assert_eq!(told.running(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_share_an_attempt() {
    let told = Told::new(|_, _| Comes(SECOND * 5));
    let (connector, line): (Arc<dyn Connect>, _) = (told.clone(), Arc::new(Line::default()));
    let limited = |limit| {
        let (line, connector) = (Arc::clone(&line), Arc::clone(&connector));
        tokio::spawn(async move { timeout_at(limit, line.link(&connector, &hosts(1))).await.is_ok() })
    };
    let now = Instant::now();
    // Half of them are dropped at once.
    let short: Vec<_> = (0..16).map(|_| limited(now + CALL)).collect();
    let long: Vec<_> = (0..16).map(|_| limited(now + CALL * 2)).collect();
    for call in short {
        assert!(!call.await.unwrap());
    }
    for call in long {
        assert!(call.await.unwrap());
    }
    assert_eq!(told.orders().len(), 2, "the first, and one beside it");
}

#[tokio::test(start_paused = true)]
async fn an_error_is_told_at_once_and_the_next_call_begins_anew() {
    let told = Told::new(|number, _| if number == 0 { Fails(CALL + SECOND) } else { Comes(SECOND * 5) });
    let (connector, line): (Arc<dyn Connect>, _) = (told.clone(), Line::default());
    assert!(timeout(CALL, line.link(&connector, &hosts(1))).await.is_err());
    assert!(timeout(CALL, line.link(&connector, &hosts(1))).await.unwrap().is_err());
    // The second attempt has gone on.
    assert!(timeout(CALL * 2, line.link(&connector, &hosts(1))).await.unwrap().is_ok());
    assert!(told.orders().len() <= 3);
}

/// Those of four hosts fail at once, between two calls, and from then on all is well.
#[tokio::test(start_paused = true)]
async fn a_connection_comes_before_the_errors_of_earlier_calls() {
    let (begun, period) = (Instant::now(), CALL + PAUSE);
    let fails = begun + period * 4 - PAUSE / 2;
    let told = Told::new(move |_, _| match fails.checked_duration_since(Instant::now()) {
        Some(left) if !left.is_zero() => Fails(left),
        _ => Comes(Duration::ZERO),
    });
    let (connector, line): (Arc<dyn Connect>, _) = (told.clone(), Line::default());
    for _ in 0..4 {
        assert!(timeout(CALL, line.link(&connector, &hosts(3))).await.is_err());
        sleep(PAUSE).await;
    }
    let _ = line.link(&connector, &hosts(3)).await;
    sleep(PAUSE).await;
    assert!(line.link(&connector, &hosts(3)).await.is_ok());
}

/// The TLS implementation is that of the user.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_panics_is_a_panic_of_its_call() {
    let told = Told::new(|_, _| panic!("no certificates"));
    let connector: Arc<dyn Connect> = told.clone();
    let call = tokio::spawn(async move { Line::default().link(&connector, &hosts(1)).await.map(drop) });
    for _ in 0..1_000 {
        yield_now().await;
    }
    assert!(call.is_finished(), "it begins one attempt after the other");
    assert!(call.await.is_err_and(|error| error.is_panic()));
    assert_eq!(told.orders().len(), 1);
}

#[test]
fn an_attempt_whose_runtime_has_ended_is_begun_anew() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let told = Told::new(|number, _| if number == 0 { Hangs } else { Comes(Duration::ZERO) });
    let (connector, line): (Arc<dyn Connect>, _) = (told.clone(), Line::default());
    runtime().block_on(async {
        assert!(timeout(OLD / 2, line.link(&connector, &hosts(1))).await.is_err());
    });
    assert_eq!(told.running(), 0);
    runtime().block_on(line.link(&connector, &hosts(1))).unwrap();
    assert_eq!(told.orders().len(), 2);
}
