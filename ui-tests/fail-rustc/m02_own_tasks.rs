//! M02: a type with its own `impl Task` by value: the message says that it is given in an `Arc`, once at each place.

use std::sync::Arc;

use taskvisor::prelude::*;
use taskvisor::{BoxTaskFuture, CancellationToken, Group, Task};

struct Worker;

impl Task for Worker {
    fn name(&self) -> &str {
        "worker"
    }

    fn spawn(&self, _: CancellationToken) -> BoxTaskFuture {
        Box::pin(async { Ok(()) })
    }
}

fn entries() {
    let shared = Arc::new(Worker);
    let _ = supervise!(
        tasks = [
            Worker,
            label = Worker,
            other = task(Worker, timeout = "5s"),
            Box::new(Worker),
            renamed = &shared,
            ..[Worker],
            store = group(tasks = [Worker]),
        ],
    );
}

async fn elsewhere(supervisor: &SupervisorHandle, jobs: &SlotHandle) {
    let _ = supervisor.add_task(Worker).await;
    let _ = jobs.submit(Worker).await;
    let _ = Group::one_for_one("group").task(Worker);
}

fn main() {}
