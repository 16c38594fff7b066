//! A task that follows orders, and records each attempt.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use taskvisor::{RestartPolicy, TaskContext, TaskError, TaskFn, TaskSpec};
use tests::{constant, secs};
use tokio::sync::Notify;

/// The message of every panic of a puppet.
pub(crate) const PANIC: &str = "as told";

/// How an attempt is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Succeed,
    Fail,
    Panic,
    Fatal,
    Cancel,
}

/// How an attempt ends when it is requested to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    Quiet,
    Error,
    Panic,
}

/// The orders for one registration, and its attempts.
#[derive(Debug)]
pub(crate) struct Puppet {
    order: Mutex<Option<Order>>,
    ordered: Notify,
    farewell: Farewell,
    /// The number of attempts that run now, which must never exceed one.
    running: AtomicUsize,
    /// The number of the newest attempt.
    begun: AtomicU64,
}

struct Running<'a>(&'a Puppet);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Puppet {
    pub(crate) fn new(farewell: Farewell) -> Arc<Self> {
        Arc::new(Self {
            order: Mutex::new(None),
            ordered: Notify::new(),
            farewell,
            running: AtomicUsize::new(0),
            begun: AtomicU64::new(0),
        })
    }

    /// A spec whose backoff lasts until it is skipped.
    pub(crate) fn spec(self: &Arc<Self>, name: &str, restart: RestartPolicy, max_retries: Option<u32>) -> TaskSpec {
        let puppet = Arc::clone(self);
        let task = TaskFn::arc(name, move |ctx: TaskContext| Arc::clone(&puppet).attempt(ctx));
        let spec = TaskSpec::new(task, restart, constant(secs(3600)), None);
        match max_retries {
            Some(retries) => spec.with_max_retries(retries),
            None => spec,
        }
    }

    pub(crate) fn order(&self, order: Order) {
        *self.order.lock().unwrap() = Some(order);
        self.ordered.notify_one();
    }

    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    async fn attempt(self: Arc<Self>, ctx: TaskContext) -> Result<(), TaskError> {
        assert_eq!(self.running.fetch_add(1, Ordering::SeqCst), 0, "two attempts of one registration at once");
        let _running = Running(&self);
        assert_eq!(self.begun.swap(u64::from(ctx.attempt()), Ordering::SeqCst) + 1, u64::from(ctx.attempt()));
        loop {
            if ctx.run_until_cancelled(self.ordered.notified()).await.is_none() {
                tokio::task::yield_now().await;
                return match self.farewell {
                    Farewell::Quiet => Ok(()),
                    Farewell::Error => Err(TaskError::Fail { reason: "farewell".into() }),
                    Farewell::Panic => std::panic::panic_any(PANIC),
                };
            }
            let order = self.order.lock().unwrap().take();
            return match order {
                None => continue,
                Some(Order::Succeed) => Ok(()),
                Some(Order::Fail) => Err(TaskError::Fail { reason: "as told".into() }),
                Some(Order::Fatal) => Err(TaskError::Fatal { reason: "as told".into() }),
                Some(Order::Cancel) => Err(TaskError::Canceled),
                Some(Order::Panic) => std::panic::panic_any(PANIC),
            };
        }
    }
}
