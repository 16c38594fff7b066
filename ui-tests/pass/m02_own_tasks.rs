//! M02: a type with its own `impl Task`, and a `TaskFn`, wherever a task is taken.

use std::sync::Arc;

use taskvisor::prelude::*;
use taskvisor::{BoxTaskFuture, CancellationToken, Group, Task, TaskRef, Tree};

struct Worker(&'static str);

impl Task for Worker {
    fn name(&self) -> &str {
        self.0
    }

    fn spawn(&self, _: CancellationToken) -> BoxTaskFuture {
        Box::pin(async { Ok(()) })
    }
}

fn worker(name: &'static str) -> Arc<Worker> {
    Arc::new(Worker(name))
}

async fn none(_: TaskContext) -> Result<(), TaskError> {
    Ok(())
}

fn as_entries() {
    let shared: TaskRef = worker("shared");
    let tree = supervise!(
        tasks = [
            worker("alone"),
            Arc::new(Worker("made here")),
            labelled = worker("other name"),
            with_options = task(worker("third name"), timeout = "5s", restart = "never"),
            shared,
            TaskFn::new("new", none),
            TaskFn::arc("arc", none),
            ..["one", "two"].map(worker),
            ..Some(worker("optional")),
            group = group(tasks = [inner = worker("any"), TaskFn::new("closure", |_: TaskContext| async { Ok(()) })]),
        ],
    );
    assert_eq!((tree.tasks.labelled.name(), tree.tasks.with_options.name()), ("labelled", "with_options"));
    assert_eq!(tree.groups.group.tasks.inner.path(), "group/inner");
}

fn for_the_builder() -> Tree {
    let group = Group::one_for_one("group").task(worker("in a group")).task(TaskFn::new("function", none));
    Tree::builder(SupervisorConfig::default()).task(worker("alone")).task(TaskFn::arc("arc", none)).group(group).build()
}

async fn at_run_time() -> Result<(), RuntimeError> {
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let added = [
        supervisor.add_task(worker("added")).await?,
        supervisor.add_task(TaskFn::new("function", none)).await?,
        supervisor.add_task(worker("renamed").with_name("named")).await?,
    ];
    for task in added {
        assert!(matches!(task.outcome().await, TaskOutcome::Completed { .. }));
    }
    Ok(())
}

async fn in_a_slot() -> Result<(), RuntimeError> {
    let tree = supervise!(slots = [slot(jobs)]);
    tree.start().await?;
    for submitted in [tree.slots.jobs.submit(worker("job")).await, tree.slots.jobs.queue(TaskFn::new("fn", none)).await] {
        assert!(matches!(submitted?.outcome().await, TaskOutcome::Completed { .. }));
    }
    tree.shutdown().await
}

#[tokio::main]
async fn main() -> Result<(), RuntimeError> {
    as_entries();
    assert_eq!(for_the_builder().child("group/function").path(), "group/function");
    at_run_time().await?;
    in_a_slot().await
}
