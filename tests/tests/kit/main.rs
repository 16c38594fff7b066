//! The test kit of the library: `taskvisor::test`.

mod jitter;
mod recorder;
mod script;
mod simulation;

use std::future::Future;

use taskvisor::{BackoffPolicy, JitterPolicy, SupervisorConfig, TaskSpec, Tree};

/// The message of the panic that ends `future`.
async fn panic_of(future: impl Future<Output = ()> + Send + 'static) -> String {
    let panic = tokio::spawn(future).await.expect_err("it did not panic").into_panic();
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast::<&str>().expect("a message").to_string(),
    }
}

/// A flat tree of these tasks.
fn tree(tasks: impl IntoIterator<Item = TaskSpec>) -> Tree {
    Tree::builder(SupervisorConfig::default()).tasks(tasks).build()
}

/// A backoff of this constant delay with full jitter.
fn full(delay: std::time::Duration) -> BackoffPolicy {
    BackoffPolicy { first: delay, max: delay, factor: 1.0, jitter: JitterPolicy::Full }
}
