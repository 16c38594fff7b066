//! `Supervisor`, the owner.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::builder::SupervisorBuilder;
use super::config::SupervisorConfig;
use super::error::RuntimeError;
use super::handle::SupervisorHandle;
use crate::events::Subscribe;
use crate::runtime::Running;
use crate::task::TaskSpec;
use crate::tree::{Declared, Group};

/// Runs tasks, restarts them according to their policies, and stops them in order.
///
/// A supervisor is live as soon as it is built: tasks can be added before, during and without [`run`](Self::run). It
/// derefs to a [`SupervisorHandle`], which has all methods that do not need ownership. When the last `Arc` of a
/// supervisor is dropped, every task is requested to stop: without the drain, and within the grace. No call waits for
/// the end.
///
/// A supervisor alone runs tasks that are added. A [`Tree`](crate::Tree) is a supervisor with declared tasks and
/// groups. The guide explains [tasks](crate::guide::tasks) and [stopping](crate::guide::stopping).
///
/// # Examples
/// ```
/// use taskvisor::{Supervisor, SupervisorConfig, TaskContext, TaskFn, TaskSpec};
///
/// #[tokio::main]
/// async fn main() -> Result<(), taskvisor::RuntimeError> {
///     let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
///     let hello = TaskFn::arc("hello", |_: TaskContext| async {
///         println!("hello");
///         Ok(())
///     });
///     supervisor.run(vec![TaskSpec::inherit(hello)]).await
/// }
/// ```
pub struct Supervisor {
    pub(super) handle: SupervisorHandle,
}

impl Supervisor {
    /// Creates a supervisor. Needs no runtime. The first call that uses an invalid config returns the error.
    #[must_use]
    #[inline]
    pub fn new(config: SupervisorConfig, subscribers: Vec<Arc<dyn Subscribe>>) -> Arc<Self> {
        Self::builder(config).with_subscribers(subscribers).build()
    }

    /// Returns a builder of a supervisor.
    #[inline]
    pub fn builder(config: SupervisorConfig) -> SupervisorBuilder {
        SupervisorBuilder::new(config)
    }

    /// Returns a non-owning handle. It does not keep the supervisor alive.
    #[must_use]
    pub fn handle(&self) -> SupervisorHandle {
        self.handle.clone()
    }

    /// Starts `specs` together and waits until every registration has ended, or until a shutdown is over.
    ///
    /// Tasks that are added in the meantime count as well. Without specs it waits for a shutdown. If `run` ends because
    /// every registration has ended, the supervisor is still live and can run again. The result is then `Ok`, even if
    /// tasks that are not critical have failed: [`TaskHandle::outcome`](crate::TaskHandle::outcome), events and
    /// [`health`](SupervisorHandle::health) report these failures.
    ///
    /// SIGINT and SIGTERM (Ctrl+C and Ctrl+Break on Windows) request a shutdown; a later signal aborts the remaining
    /// tasks. A current-thread runtime needs IO enabled for that; see [`SupervisorConfig::signals`].
    ///
    /// Tokio keeps the handlers of these signals for the rest of the process. After a `run` that ended by itself,
    /// Ctrl+C does nothing unless the program listens to it: end with [`run_to_exit`](Self::run_to_exit), or listen
    /// with `tokio::signal::ctrl_c` where the program goes on, or set `signals` to `false` and request the shutdown
    /// from a listener of your own with [`run_until`](Self::run_until).
    ///
    /// # Errors
    /// Before anything has started: [`InvalidOption`](RuntimeError::InvalidOption),
    /// [`TaskAlreadyExists`](RuntimeError::TaskAlreadyExists),
    /// [`GroupAlreadyExists`](RuntimeError::GroupAlreadyExists), [`AlreadyRunning`](RuntimeError::AlreadyRunning),
    /// [`ShuttingDown`](RuntimeError::ShuttingDown), [`NoRuntime`](RuntimeError::NoRuntime),
    /// [`Signals`](RuntimeError::Signals). Afterwards: [`GraceExceeded`](RuntimeError::GraceExceeded),
    /// [`ShutdownForced`](RuntimeError::ShutdownForced), [`Failed`](RuntimeError::Failed),
    /// [`IntensityExceeded`](RuntimeError::IntensityExceeded).
    ///
    /// # Cancel safety
    /// Dropping the future requests a shutdown.
    pub async fn run(&self, specs: Vec<TaskSpec>) -> Result<(), RuntimeError> {
        let stays = specs.is_empty();
        self.claim(specs, self.core.config.signals.listen)?.wait(stays).await
    }

    /// Like [`run`](Self::run), but requests a shutdown when `future` completes, and listens to no signals. The guide
    /// shows how to run until a condition [or a signal](crate::guide::stopping#signals-and-run_until).
    ///
    /// The future returns `()`, so that no result is lost. For one with a result, such as `tokio::signal::ctrl_c()`,
    /// write `async { ctrl_c().await.ok(); }`.
    ///
    /// # Errors
    /// The same as for [`run`](Self::run).
    ///
    /// # Cancel safety
    /// Dropping the future requests a shutdown.
    // The compiler shows the comment beside the bound in its message for a future with a result.
    pub async fn run_until(
        &self,
        specs: Vec<TaskSpec>,
        future: impl Future<Output = ()>, // to ignore its result: `run_until(specs, async { ctrl_c().await.ok(); })`
    ) -> Result<(), RuntimeError> {
        let stays = specs.is_empty();
        self.claim(specs, false)?.wait_until(stays, future).await
    }

    fn claim(&self, specs: Vec<TaskSpec>, signals: bool) -> Result<Running, RuntimeError> {
        let root = Arc::new(Declared::new(Group::one_for_one("root").tasks(specs)));
        self.core.claim(signals, || self.core.add_tree(&root, &AtomicBool::new(false)))
    }

    /// Like [`run`](Self::run), and then ends the process: with status 0, or with the error on standard error and its
    /// [status](RuntimeError::exit_code). It does not wait for blocked threads, as a return from `main` does.
    ///
    /// A thread of its own listens to signals, and makes sure that the process ends: at the latest 1 s after the end of
    /// the drain and the grace of a shutdown, and half a second after the shutdown was forced. So the process ends even
    /// if tasks block every thread of the runtime. It then names the tasks that have not stopped on standard error, and
    /// ends with status 3, with 4 if it was forced, and with 1 if the tree failed. If only the last events are still to
    /// be delivered, the thread also allows the [`drain_timeout`](SupervisorConfig::drain_timeout), unless the shutdown
    /// was forced.
    ///
    /// # Cancel safety
    /// Dropping the future requests a shutdown. The process then goes on.
    pub async fn run_to_exit(&self, specs: Vec<TaskSpec>) -> ! {
        let stays = specs.is_empty();
        self.core.run_to_exit(|signals| self.claim(specs, signals), stays).await
    }
}

impl Deref for Supervisor {
    type Target = SupervisorHandle;

    fn deref(&self) -> &SupervisorHandle {
        &self.handle
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.handle.core.owner_dropped();
        self.handle.core.forget_places();
    }
}

impl_debug!(Supervisor, |supervisor| tasks: supervisor.names());

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use super::*;
    use crate::{ChildHandle, TaskHandle, Tree};

    fn is_send<T: Send>(_: T) {}

    #[test]
    fn every_future_can_be_spawned() {
        let check = |supervisor: &Supervisor, tree: &Tree, task: &TaskHandle, child: &ChildHandle, spec: TaskSpec| {
            is_send(supervisor.run(vec![]));
            is_send(supervisor.run_until(vec![], pending()));
            is_send(supervisor.run_to_exit(vec![]));
            is_send(supervisor.add_task(spec.clone()));
            is_send(supervisor.reconcile([spec.clone()]));
            is_send(supervisor.replace(spec.clone()));
            is_send(supervisor.wait());
            is_send(child.restart_and_wait());
            is_send(tree.group("").reconcile([spec.clone()]));
            is_send(supervisor.remove_task(""));
            is_send(supervisor.cancel(""));
            is_send(supervisor.cancel_with_timeout("", Duration::ZERO));
            is_send(supervisor.wait_ready());
            is_send(supervisor.shutdown());
            is_send(tree.run());
            is_send(tree.run_until(pending()));
            is_send(task.cancel());
            is_send(task.outcome());
            is_send(child.cancel());
            is_send(child.outcome());
        };
        let _ = check;
    }
}
