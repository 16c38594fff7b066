//! Heartbeats for an attempt without a loop of its own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::{Kind, TaskContext};

impl TaskContext {
    /// Sends heartbeats as long as `probe` succeeds: for an attempt that has no loop of its own to send them from, such
    /// as a server. A [helper](Self::spawn) of the attempt calls `probe` at once, and then `every` after the previous
    /// call has completed. If it returns `true`, a heartbeat is sent.
    ///
    /// If it returns `false`, or does not complete, no heartbeat is sent. After `false` the task is [not
    /// ready](crate::Problem::Quiet) until the next heartbeat. After the time of the
    /// [`watchdog`](crate::TaskSpec::with_watchdog) without a heartbeat, the attempt fails with
    /// [`TaskError::Silent`](crate::TaskError::Silent). A panic of `probe` is a panic of a helper. The helper ends when
    /// the attempt is canceled or ends. No effect for a task without a watchdog.
    ///
    /// # Panics
    /// If the task has a watchdog, and `every` is zero or not shorter than that.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use taskvisor::{TaskContext, TaskFn, TaskSpec};
    /// use tokio::net::{TcpListener, TcpStream};
    ///
    /// let serve = TaskFn::arc("serve", |ctx: TaskContext| async move {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await.map_err(taskvisor::TaskError::error)?;
    ///     let address = listener.local_addr().map_err(taskvisor::TaskError::error)?;
    ///     // Quiet if the server no longer accepts connections.
    ///     ctx.heartbeat_while(move || async move { TcpStream::connect(address).await.is_ok() }, Duration::from_secs(5));
    ///     while let Some(Ok((_connection, _))) = ctx.run_until_cancelled(listener.accept()).await {}
    ///     Ok(())
    /// });
    /// let spec = TaskSpec::inherit(serve).with_watchdog(Duration::from_secs(30));
    /// # drop(spec);
    /// ```
    #[track_caller]
    pub fn heartbeat_while<P, F>(&self, probe: P, every: Duration)
    where
        P: FnMut() -> F + Send + 'static,
        F: Future<Output = bool> + Send + 'static,
    {
        let Kind::Attempt { cell, attempt, .. } = &self.0 else { return };
        let Some(watchdog) = cell.policy().watchdog else { return };
        assert!(
            !every.is_zero() && every < watchdog,
            "`heartbeat_while` every {every:?}: it must be longer than zero and shorter than the watchdog, which is \
             {watchdog:?}"
        );
        let (cell, attempt, context, mut probe) = (Arc::clone(cell), *attempt, self.clone(), probe);
        self.spawn(async move {
            let beats = async {
                loop {
                    if probe().await {
                        cell.beat(attempt);
                    } else {
                        cell.probe_failed(attempt);
                    }
                    sleep(every).await;
                }
            };
            context.run_until_cancelled(beats).await;
        });
    }
}
