//! Each published event reaches each reader once and in order, whenever the reader sleeps, ends or dies.
//!
//! Relay, worker and other readers are tasks. A thread polls each of them as long as it is woken, and the main thread
//! continues once the others have ended. A task that is not woken then sleeps forever.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use loom::thread;

use super::duty::Duty;
use super::exchange::Exchange;
use super::lane::Entry;
use super::{Event, EventKind};
use crate::sync::{Mutex, lock};

type Held = Duty<Arc<Exchange>>;

/// The capacity of queues: more than any model publishes.
const ROOM: usize = 64;

const WRONG: &str = "an event is lost, doubled or out of order";

/// Runs every interleaving with at most three preemptions.
fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Whether the task is to be polled.
struct Scheduled(Mutex<bool>);

impl Wake for Scheduled {
    fn wake(self: Arc<Self>) {
        *lock(&self.0) = true;
    }
}

struct Task {
    /// `None` once it has ended.
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    scheduled: Arc<Scheduled>,
}

impl Task {
    fn new(future: impl Future<Output = ()> + 'static) -> Self {
        Self { future: Some(Box::pin(future)), scheduled: Arc::new(Scheduled(Mutex::new(true))) }
    }

    /// Polls the task until it sleeps or ends. Returns whether it had to be polled.
    fn run(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.scheduled));
        let mut polled = false;
        while self.future.is_some() && std::mem::take(&mut *lock(&self.scheduled.0)) {
            polled = true;
            let mut cx = Context::from_waker(&waker);
            if self.future.as_mut().is_some_and(|future| future.as_mut().poll(&mut cx).is_ready()) {
                self.future = None;
            }
        }
        polled
    }

    fn beside(mut self) -> thread::JoinHandle<Self> {
        thread::spawn(move || {
            self.run();
            self
        })
    }

    fn is_over(&self) -> bool {
        self.future.is_none()
    }
}

/// Runs the tasks until each sleeps or has ended.
fn settle<const N: usize>(mut tasks: [&mut Task; N]) {
    while tasks.iter_mut().any(|task| task.run()) {}
}

/// The events that a reader took. It uses no loom type, since it is only read while the reader is idle.
#[derive(Clone, Default)]
struct Taken(Arc<std::sync::Mutex<Vec<u64>>>);

impl Taken {
    fn push(&self, seq: u64) {
        self.0.lock().unwrap().push(seq);
    }

    fn get(&self) -> Vec<u64> {
        self.0.lock().unwrap().clone()
    }
}

/// A bus with one subscriber.
fn exchange() -> Arc<Exchange> {
    Arc::new(Exchange::new([ROOM].into_iter(), ROOM, |_, _| ()))
}

/// Takes both duties: that of the relay, and that of the worker.
fn crew(exchange: &Arc<Exchange>) -> (Held, Held) {
    let mut duties = Duty::claim(exchange).into_iter();
    (duties.next().unwrap(), duties.next().unwrap())
}

fn publish(exchange: &Exchange) {
    exchange.publish(Event { seq: 0, kind: EventKind }, |_| ());
}

fn beside<T: 'static>(
    exchange: &Arc<Exchange>,
    act: impl FnOnce(&Arc<Exchange>) -> T + 'static,
) -> thread::JoinHandle<T> {
    let exchange = Arc::clone(exchange);
    thread::spawn(move || act(&exchange))
}

/// The relay. It does not yield to wait for publishers, which has no meaning in a model.
fn relay(duty: Held) -> Task {
    Task::new(duty.relay(0))
}

/// Takes all events, or dies with the first one.
fn worker(mut duty: Held, taken: &Taken, dies: bool) -> Task {
    let taken = taken.clone();
    Task::new(async move {
        while let Some(next) = duty.next().await {
            assert_eq!(next, Ok(()), "{WRONG}");
            let batch = duty.batch.as_ref().unwrap();
            for event in batch.events() {
                taken.push(event.seq);
                batch.one_done();
                if dies {
                    return;
                }
            }
            drop(duty.batch.take());
        }
    })
}

/// Two publish while the relay and the worker are about to sleep. Each event is delivered although no later event wakes
/// them.
pub fn every_event_is_delivered_once_and_in_order() {
    check(|| {
        let (exchange, taken) = (exchange(), Taken::default());
        let (first, second) = crew(&exchange);
        let relay = relay(first).beside();
        let worker = worker(second, &taken, false).beside();
        let publisher = beside(&exchange, |exchange| publish(exchange));
        publish(&exchange);
        publisher.join().unwrap();
        let (mut relay, mut worker) = (relay.join().unwrap(), worker.join().unwrap());
        settle([&mut relay, &mut worker]);
        assert_eq!(taken.get(), [1, 2], "{WRONG}");
        exchange.close();
        settle([&mut relay, &mut worker]);
        assert!(relay.is_over() && worker.is_over());
    });
}

/// The end races with the relay. Events from before the end are delivered, none after it, and both tasks end.
pub fn all_that_is_published_before_the_end_is_delivered() {
    check(|| {
        let (exchange, taken) = (exchange(), Taken::default());
        let (first, second) = crew(&exchange);
        let relay = relay(first).beside();
        let worker = worker(second, &taken, false).beside();
        publish(&exchange);
        publish(&exchange);
        exchange.close();
        publish(&exchange);
        let (mut relay, mut worker) = (relay.join().unwrap(), worker.join().unwrap());
        settle([&mut relay, &mut worker]);
        assert_eq!(taken.get(), [1, 2], "{WRONG}");
        assert!(relay.is_over() && worker.is_over(), "one who delivers does not end");
        assert!(Duty::claim(&exchange).is_empty(), "those who are done are replaced");
    });
}

/// A stream is opened while others publish and share. It has all events since then, and the worker has all events.
pub fn a_stream_has_all_from_its_beginning_on() {
    check(|| {
        let (exchange, taken) = (exchange(), Taken::default());
        let (_first, second) = crew(&exchange);
        publish(&exchange);
        let publisher = beside(&exchange, |exchange| {
            publish(exchange);
            exchange.share();
        });
        let before = exchange.open().seq;
        let stream = exchange.open_stream(ROOM);
        let since = exchange.open().seq;
        let reads = {
            let (exchange, stream, taken) = (Arc::clone(&exchange), Arc::clone(&stream), taken.clone());
            async move {
                loop {
                    match poll_fn(|cx| exchange.poll_next(&stream, cx)).await {
                        Some(Entry::Events(batch)) => batch.events().iter().for_each(|event| taken.push(event.seq)),
                        Some(Entry::Lost(_)) => panic!("{WRONG}"),
                        None => return,
                    }
                }
            }
        };
        let mut reader = Task::new(reads);
        reader.run();
        publisher.join().unwrap();
        settle([&mut reader]);
        let all = |first: u64| (first + 1..=2).collect::<Vec<_>>();
        assert!((before..=since).any(|first| taken.get() == all(first)), "{WRONG}");
        let heard = Taken::default();
        settle([&mut worker(second, &heard, false)]);
        assert_eq!(heard.get(), [1, 2], "{WRONG}");
        exchange.close_stream(&stream);
    });
}

/// When two start the crew, each duty is taken once.
pub fn two_starters_make_one_crew() {
    check(|| {
        let exchange = exchange();
        let other = beside(&exchange, Duty::claim);
        let mut duties = Duty::claim(&exchange);
        duties.extend(other.join().unwrap());
        assert_eq!(duties.len(), 2, "a place is taken twice, or not at all");
        assert!(exchange.crew.is_complete());
    });
}

/// The relay dies after it has shared an event, while another is published, and two threads start the missing duties:
/// one of them takes over, and nothing is lost.
pub fn a_relay_that_dies_is_replaced_by_one() {
    check(|| {
        let (exchange, taken) = (exchange(), Taken::default());
        let (first, second) = crew(&exchange);
        publish(&exchange);
        let mut dying = relay(first);
        let dying = thread::spawn(move || {
            dying.run();
            drop(dying);
        });
        let other = beside(&exchange, |exchange| {
            publish(exchange);
            Duty::claim(exchange)
        });
        let mut duties = Duty::claim(&exchange);
        dying.join().unwrap();
        duties.extend(other.join().unwrap());
        duties.extend(Duty::claim(&exchange));
        assert_eq!(duties.len(), 1, "a place is taken twice, or not at all");
        let (mut relay, mut worker) = (relay(duties.remove(0)), worker(second, &taken, false));
        settle([&mut relay, &mut worker]);
        assert_eq!(taken.get(), [1, 2], "{WRONG}");
    });
}

/// A worker dies in the middle of a batch while another takes over, which continues with the rest.
pub fn a_worker_that_dies_leaves_the_rest_to_the_next() {
    check(|| {
        let (exchange, taken) = (exchange(), Taken::default());
        let (_first, second) = crew(&exchange);
        publish(&exchange);
        publish(&exchange);
        exchange.share();
        let dying = worker(second, &taken, true).beside();
        // It may run while the first one dies.
        let mut next: Vec<_> = Duty::claim(&exchange).into_iter().map(|duty| worker(duty, &taken, false)).collect();
        for worker in &mut next {
            worker.run();
        }
        dying.join().unwrap();
        next.extend(Duty::claim(&exchange).into_iter().map(|duty| worker(duty, &taken, false)));
        assert_eq!(next.len(), 1, "a place is taken twice, or not at all");
        settle([&mut next[0]]);
        assert_eq!(taken.get(), [1, 2], "{WRONG}");
    });
}

/// An attempt yields until the worker has taken the waiting events, and is woken.
pub fn one_that_gives_way_is_woken() {
    check(|| {
        let (exchange, taken) = (Arc::new(Exchange::new([2].into_iter(), ROOM, |_, _| ())), Taken::default());
        let (_first, second) = crew(&exchange);
        publish(&exchange);
        exchange.share();
        assert!(exchange.is_congested());
        let worker = worker(second, &taken, false).beside();
        let gives_way = Arc::clone(&exchange);
        let mut attempt = Task::new(async move { poll_fn(|cx| gives_way.poll_room(cx)).await });
        attempt.run();
        let mut worker = worker.join().unwrap();
        settle([&mut worker, &mut attempt]);
        assert!(attempt.is_over(), "it gives way for good");
    });
}

/// A flush ends once the worker has all events, in every interleaving of their checks.
pub fn a_flush_ends_when_all_is_delivered() {
    check(|| {
        let (exchange, taken) = (exchange(), Taken::default());
        let (_first, second) = crew(&exchange);
        // The worker sleeps first, to keep the number of steps small.
        let mut worker = worker(second, &taken, false);
        worker.run();
        publish(&exchange);
        exchange.share();
        let worker = worker.beside();
        let flushes = Arc::clone(&exchange);
        let mut flush = Task::new(async move { flushes.delivered(1, || false).await });
        flush.run();
        let mut worker = worker.join().unwrap();
        settle([&mut worker, &mut flush]);
        assert!(flush.is_over(), "it waits for what was delivered");
    });
}
