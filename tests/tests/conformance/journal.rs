//! A journal of what the children of a tree do, and children that follow orders.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskvisor::{TaskContext, TaskError, TaskFn, TaskSpec};
use tests::{constant, ms, secs};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The actions of the children, in order, with their times.
#[derive(Clone)]
pub(crate) struct Journal {
    start: Instant,
    entries: Arc<Mutex<Vec<(u128, String)>>>,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), entries: Arc::default() }
    }

    pub(crate) fn add(&self, what: String) {
        self.entries.lock().unwrap().push((self.now(), what));
    }

    /// The entries since the last call: `+a` is a start, `-a` an end, `!a` an abort.
    pub(crate) fn take(&self) -> Vec<String> {
        self.timed().into_iter().map(|(_, what)| what).collect()
    }

    /// The entries since the last call, with their times in milliseconds.
    pub(crate) fn timed(&self) -> Vec<(u128, String)> {
        std::mem::take(&mut *self.entries.lock().unwrap())
    }

    /// The time of an entry that would be added now, in milliseconds.
    pub(crate) fn now(&self) -> u128 {
        self.start.elapsed().as_millis()
    }

    /// The number of entries since the last call.
    pub(crate) fn len_so_far(&self) -> usize {
        self.entries.lock().unwrap().len()
    }

    /// A child with a backoff of one second that takes 100 ms to stop.
    pub(crate) fn child(&self, name: &'static str) -> (TaskSpec, Poke) {
        self.slow(name, ms(100))
    }

    /// A child that takes this long to stop.
    pub(crate) fn slow(&self, name: &'static str, stop: Duration) -> (TaskSpec, Poke) {
        let (journal, poke) = (self.clone(), Poke::default());
        let orders = poke.clone();
        let task = TaskFn::arc(name, move |ctx: TaskContext| attempt(journal.clone(), orders.clone(), ctx, name, stop));
        (TaskSpec::inherit(task).with_backoff(constant(secs(1))), poke)
    }

    /// One child for each name.
    pub(crate) fn children<const N: usize>(&self, names: [&'static str; N]) -> [(TaskSpec, Poke); N] {
        names.map(|name| self.child(name))
    }
}

async fn attempt(
    journal: Journal,
    orders: Poke,
    ctx: TaskContext,
    name: &'static str,
    stop: Duration,
) -> Result<(), TaskError> {
    let mut written = Written { journal, name, mark: '!' };
    written.journal.add(format!("+{name}"));
    let result = loop {
        match ctx.run_until_cancelled(orders.next()).await {
            Some(Order::Ready) => ctx.ready(),
            Some(Order::End(result)) => break result,
            Some(Order::Panic) => {
                written.mark = '-';
                panic!("told to");
            }
            None => {
                tokio::time::sleep(stop).await;
                break match orders.now() {
                    Some(Order::End(result)) => result,
                    Some(Order::Ready) => {
                        ctx.ready();
                        Ok(())
                    }
                    _ => Ok(()),
                };
            }
        }
    };
    written.mark = '-';
    result
}

/// Records the end of an attempt when dropped.
struct Written {
    journal: Journal,
    name: &'static str,
    mark: char,
}

impl Drop for Written {
    fn drop(&mut self) {
        self.journal.add(format!("{}{}", self.mark, self.name));
    }
}

enum Order {
    Ready,
    End(Result<(), TaskError>),
    Panic,
}

/// Gives orders to a child. An order waits until an attempt takes it. An attempt that is requested to stop also takes
/// the next order.
#[derive(Clone, Default)]
pub(crate) struct Poke(Arc<(Mutex<VecDeque<Order>>, Notify)>);

impl Poke {
    pub(crate) fn fail(&self) {
        self.order(Order::End(Err(TaskError::Fail { reason: "poked".into() })));
    }

    pub(crate) fn fatal(&self) {
        self.order(Order::End(Err(TaskError::Fatal { reason: "poked for good".into() })));
    }

    pub(crate) fn succeed(&self) {
        self.order(Order::End(Ok(())));
    }

    pub(crate) fn panic(&self) {
        self.order(Order::Panic);
    }

    pub(crate) fn ready(&self) {
        self.order(Order::Ready);
    }

    fn order(&self, order: Order) {
        self.0.0.lock().unwrap().push_back(order);
        self.0.1.notify_one();
    }

    fn now(&self) -> Option<Order> {
        self.0.0.lock().unwrap().pop_front()
    }

    async fn next(&self) -> Order {
        loop {
            let told = self.0.1.notified();
            if let Some(order) = self.now() {
                return order;
            }
            told.await;
        }
    }
}
