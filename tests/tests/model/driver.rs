//! One of several tasks that drive the supervisor. It keeps an exact model of the names that it owns.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use taskvisor::{RestartPolicy, RuntimeError, Supervisor, TaskHandle, TaskOutcome, TaskState};
use tests::{ALWAYS, secs};

use crate::puppet::{Farewell, Order, Puppet};

const OWN: usize = 6;
const SHARED: usize = 3;

pub(crate) struct Driver {
    random: fastrand::Rng,
    number: usize,
    supervisor: Arc<Supervisor>,
    stopping: Arc<AtomicBool>,
    own: HashMap<String, Model>,
    /// Every registration that was accepted.
    accepted: Vec<TaskHandle>,
    operations: u64,
}

/// The expected state of a task that the driver owns. The task is at rest between two operations, so that its state is
/// unambiguous.
struct Model {
    handle: TaskHandle,
    puppet: Arc<Puppet>,
    restart: RestartPolicy,
    max_retries: Option<u32>,
    farewell: Farewell,
    attempt: u64,
    streak: u32,
    waits: Option<TaskState>,
    /// A trigger while it ran: the wait after its next success is left out.
    owes_run: bool,
    stopping: Arc<AtomicBool>,
}

impl Driver {
    pub(crate) fn new(seed: u64, number: usize, supervisor: Arc<Supervisor>, stopping: Arc<AtomicBool>) -> Self {
        let random = fastrand::Rng::with_seed(seed.wrapping_mul(31).wrapping_add(number as u64));
        let (own, accepted) = (HashMap::new(), Vec::new());
        Self { random, number, supervisor, stopping, own, accepted, operations: 0 }
    }

    pub(crate) fn operations(&self) -> u64 {
        self.operations
    }

    pub(crate) fn into_accepted(self) -> Vec<TaskHandle> {
        self.accepted
    }

    /// Performs one operation. The model does not apply once the shutdown has begun; the ledger checks the rest.
    pub(crate) async fn step(&mut self) {
        if self.stopping.load(Ordering::SeqCst) {
            return;
        }
        self.operations += 1;
        if self.random.u8(..4) == 0 {
            return self.fight().await;
        }
        let name = format!("own-{}-{}", self.number, self.random.usize(..OWN));
        let Some(mut model) = self.own.remove(&name) else { return self.add(name).await };
        let supervisor = Arc::clone(&self.supervisor);
        let alive = tokio::select! {
            biased;
            alive = model.operate(&mut self.random, &supervisor, &name) => alive,
            // The shutdown stops tasks without the model.
            () = raised(&self.stopping) => return,
        };
        if self.stopping.load(Ordering::SeqCst) {
            return;
        }
        match alive {
            Ok(true) => drop(self.own.insert(name, model)),
            Ok(false) => {
                let free = supervisor.task(&name).is_none();
                assert!(free || self.stopping.load(Ordering::SeqCst), "{name} is still taken");
            }
            Err(error) => assert!(self.stopping.load(Ordering::SeqCst), "{name}: {error}"),
        }
    }

    async fn add(&mut self, name: String) {
        let (restart, max_retries) = match self.random.u8(..4) {
            0 => (RestartPolicy::Never, None),
            1 => (RestartPolicy::OnFailure, Some(self.random.u32(..3))),
            2 => (RestartPolicy::Always { interval: Some(secs(3600)) }, None),
            _ => (ALWAYS, Some(1)),
        };
        let farewell = self.farewell();
        let puppet = Puppet::new(farewell);
        let handle = match self.supervisor.add_task(puppet.spec(&name, restart, max_retries)).await {
            Ok(handle) => handle,
            Err(error) => {
                assert!(matches!(error, RuntimeError::ShuttingDown), "{name} was free: {error}");
                assert!(self.stopping.load(Ordering::SeqCst));
                return;
            }
        };
        assert_eq!(handle.name(), name);
        self.accepted.push(handle.clone());
        let mut model = Model {
            handle,
            puppet,
            restart,
            max_retries,
            farewell,
            attempt: 0,
            streak: 0,
            waits: None,
            owes_run: false,
            stopping: Arc::clone(&self.stopping),
        };
        let begins = self.random.bool();
        if begins {
            tokio::select! {
                begins = model.begins() => if begins.is_err() { return },
                () = raised(&self.stopping) => return,
            }
        } else {
            // Canceled, maybe before it has begun.
            let canceled = self.supervisor.cancel(&name).await;
            if !self.stopping.load(Ordering::SeqCst) {
                assert!(matches!(canceled, Ok(true)), "{name}: {canceled:?}");
                let outcome = model.handle.outcome().await;
                assert!(matches!(outcome, TaskOutcome::Canceled { .. }), "{name}: {outcome}");
            }
            return;
        }
        self.own.insert(name, model);
    }

    fn farewell(&mut self) -> Farewell {
        match self.random.u8(..6) {
            0 => Farewell::Error,
            1 => Farewell::Panic,
            _ => Farewell::Quiet,
        }
    }

    /// An operation on a name that other drivers use as well: any valid result may come back.
    async fn fight(&mut self) {
        let name = format!("shared-{}", self.random.usize(..SHARED));
        match self.random.u8(..7) {
            0..=2 => {
                let restart = if self.random.bool() { ALWAYS } else { RestartPolicy::Never };
                let puppet = Puppet::new(self.farewell());
                if self.random.bool() {
                    puppet.order(Order::Fail);
                }
                match self.supervisor.add_task(puppet.spec(&name, restart, None)).await {
                    Ok(handle) => self.accepted.push(handle),
                    Err(RuntimeError::TaskAlreadyExists { name: taken }) => assert_eq!(taken, name),
                    Err(error) => assert!(matches!(error, RuntimeError::ShuttingDown), "{error}"),
                }
            }
            3 => drop(self.supervisor.cancel(&name).await),
            4 => drop(self.supervisor.remove_task(&name).await),
            5 => drop(self.supervisor.task(&name).map(|task| task.restart())),
            _ => drop(self.supervisor.task(&name).map(|task| task.trigger())),
        }
    }
}

/// Waits until the flag is set.
async fn raised(flag: &AtomicBool) {
    while !flag.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
}

impl Model {
    /// Performs an operation on the task and checks its effect. Returns `false` if the task has ended.
    async fn operate(
        &mut self,
        random: &mut fastrand::Rng,
        supervisor: &Supervisor,
        name: &str,
    ) -> Result<bool, RuntimeError> {
        match random.u8(..12) {
            0 => {
                let again = Puppet::new(Farewell::Quiet).spec(name, ALWAYS, None);
                let refused = supervisor.add_task(again).await;
                self.holds(matches!(refused, Err(RuntimeError::TaskAlreadyExists { .. })), "the name is taken")?;
                let same = supervisor.task(name).map(|task| task.id());
                self.holds(same == Some(self.handle.id()), "the incumbent stays")?;
                Ok(true)
            }
            1 => {
                let (first, second) = tokio::join!(supervisor.cancel(name), self.handle.cancel());
                let exactly_one = first? != second?;
                self.holds(exactly_one, "exactly one cancel is the first")?;
                self.is_canceled().await?;
                Ok(false)
            }
            2 => {
                supervisor.remove_task(name).await?;
                self.holds(!self.handle.restart() && !self.handle.trigger(), "it was told to stop")?;
                self.is_canceled().await?;
                let late = supervisor.cancel(name).await? || self.handle.cancel().await?;
                self.holds(!late, "it has ended")?;
                Ok(false)
            }
            3 => {
                let first = supervisor.cancel_with_timeout(name, secs(60)).await?;
                self.holds(first, "nobody else cancels")?;
                self.is_canceled().await?;
                Ok(false)
            }
            4 | 5 => {
                self.holds(self.handle.restart(), "it is there to be restarted")?;
                self.streak = 0;
                self.begins().await?;
                Ok(true)
            }
            6 | 7 => {
                let waits = self.waits.is_some();
                let is_periodic = matches!(self.restart, RestartPolicy::Always { interval: Some(_) });
                let triggered = self.handle.trigger() == (waits || is_periodic);
                self.holds(triggered, "waits and runs of periodic tasks are triggered")?;
                if waits {
                    self.begins().await?;
                } else {
                    self.owes_run = is_periodic;
                }
                Ok(true)
            }
            _ if self.waits.is_some() => {
                let status = self.handle.status();
                let waits = (Some(status.state), u64::from(status.attempt)) == (self.waits, self.attempt);
                self.holds(waits, "it waits")?;
                Ok(true)
            }
            8 => self.ends_with(Order::Succeed).await,
            9 => self.ends_with(Order::Fail).await,
            10 => self.ends_with(Order::Panic).await,
            _ => {
                let order = if random.bool() { Order::Fatal } else { Order::Cancel };
                self.ends_with(order).await
            }
        }
    }

    /// Waits until the next attempt begins, and checks its number.
    async fn begins(&mut self) -> Result<(), RuntimeError> {
        self.attempt += 1;
        self.waits = None;
        self.owes_run = false;
        self.until(|model| model.puppet.begun() == model.attempt).await;
        let status = self.handle.status();
        self.holds(u64::from(status.attempt) == self.attempt, "its number is the next")
    }

    /// Gives the running attempt an order, and checks that the effect is that of the model.
    async fn ends_with(&mut self, order: Order) -> Result<bool, RuntimeError> {
        self.puppet.order(order);
        let next = self.after(order);
        match next {
            Next::Waits(state) => {
                self.waits = Some(state);
                self.until(|model| model.handle.status().state == state).await;
                Ok(true)
            }
            Next::Begins => {
                self.begins().await?;
                Ok(true)
            }
            Next::Ends(label) => {
                let outcome = self.handle.outcome().await;
                let what = format!("{label} after {order:?} under {:?}, not {outcome}", self.restart);
                self.holds(outcome.as_label() == label, what)?;
                self.holds(self.handle.status().state == TaskState::Ended, "it has ended")?;
                Ok(false)
            }
        }
    }

    /// The reference model: what follows the end of an attempt.
    fn after(&mut self, order: Order) -> Next {
        match (order, self.restart) {
            (Order::Fatal, _) => Next::Ends("fatal"),
            (Order::Cancel, _) => Next::Ends("canceled"),
            (Order::Succeed, RestartPolicy::Always { interval }) => {
                self.streak = 0;
                if interval.is_some() && !self.owes_run { Next::Waits(TaskState::Interval) } else { Next::Begins }
            }
            (Order::Succeed, _) => Next::Ends("completed"),
            (Order::Fail, RestartPolicy::Never) => Next::Ends("failed"),
            (Order::Panic, RestartPolicy::Never) => Next::Ends("panicked"),
            (Order::Fail | Order::Panic, _) => {
                self.streak += 1;
                match self.max_retries {
                    Some(retries) if self.streak > retries => Next::Ends("exhausted"),
                    _ => Next::Waits(TaskState::Backoff),
                }
            }
        }
    }

    async fn is_canceled(&self) -> Result<(), RuntimeError> {
        let outcome = self.handle.outcome().await;
        let error = outcome.error().map(|error| error.as_label());
        let expected = match self.farewell {
            _ if self.waits.is_some() => None,
            Farewell::Quiet => None,
            Farewell::Error => Some("task_failed"),
            Farewell::Panic => Some("task_panicked"),
        };
        let canceled = matches!(outcome, TaskOutcome::Canceled { .. }) && error == expected;
        self.holds(canceled, outcome)
    }

    /// Checks a condition, unless the shutdown has begun: it stops tasks without the model.
    fn holds(&self, is: bool, what: impl std::fmt::Display) -> Result<(), RuntimeError> {
        if is {
            return Ok(());
        }
        let stopping = self.stopping.load(Ordering::SeqCst);
        assert!(stopping, "{} of {}: {what}", self.attempt, self.handle.name());
        Err(RuntimeError::ShuttingDown)
    }

    async fn until(&self, is: impl Fn(&Self) -> bool) {
        while !is(self) {
            tokio::task::yield_now().await;
        }
    }
}

enum Next {
    Begins,
    Waits(TaskState),
    Ends(&'static str),
}
