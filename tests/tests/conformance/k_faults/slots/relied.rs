//! K6h: the slots that a task of the tree is after, beside others, while the supervisor shuts down.

use std::sync::{Arc, Mutex};

use taskvisor::{
    ControllerConfig, SlotSpec, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree, TreeBuilder,
};
use tests::{cooperative, secs, settle};
use tokio::time::sleep;

use super::Result;
use crate::journal::Journal;

type Told = Arc<Mutex<Vec<&'static str>>>;

fn builder() -> TreeBuilder {
    let config = SupervisorConfig { grace: secs(20), ..SupervisorConfig::default() };
    let controller = ControllerConfig { queue_capacity: 1, ..ControllerConfig::default() };
    Tree::builder(config)
        .with_controller(controller)
        .with_slot(SlotSpec::new("reports"))
        .with_slot(SlotSpec::new("deploys"))
}

/// A task that tells its stop request, and 3 s later its end.
fn told(told: &Told, name: &'static str, [stops, ends]: [&'static str; 2]) -> TaskSpec {
    let told = Arc::clone(told);
    TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| {
        let told = Arc::clone(&told);
        async move {
            ctx.cancelled().await;
            told.lock().unwrap().push(stops);
            sleep(secs(3)).await;
            told.lock().unwrap().push(ends);
            Ok::<(), TaskError>(())
        }
    }))
}

#[tokio::test(start_paused = true)]
async fn k6h_one_added_task_stops_before_the_tree_though_the_slot_that_the_tree_is_after_is_idle() -> Result {
    let seen = Told::default();
    let serve = told(&seen, "serve", ["serve stops", "serve ended"]).with_after(["reports"]);
    let tree = builder().task(serve).build();
    tree.start().await?;
    tree.supervisor().add_task(told(&seen, "added", ["added stops", "added ended"])).await?;
    settle().await;
    tree.shutdown().await?;
    assert_eq!(*seen.lock().unwrap(), ["added stops", "added ended", "serve stops", "serve ended"]);
    Ok(())
}

/// The queue of a slot that closes has room for the slots that do not.
#[tokio::test(start_paused = true)]
async fn k6h_the_room_of_rejected_submissions_is_free_for_slots_that_the_tree_is_after() -> Result {
    let seen = Told::default();
    let task = TaskFn::arc("serve", {
        let seen = Arc::clone(&seen);
        move |ctx: TaskContext| {
            let seen = Arc::clone(&seen);
            async move {
                ctx.cancelled().await;
                let submitted = ctx.supervisor().slot("reports").try_submit(cooperative("final"));
                seen.lock().unwrap().push(if submitted.is_ok() { "waits" } else { "refused" });
                Ok::<(), TaskError>(())
            }
        }
    });
    let tree = builder().task(TaskSpec::inherit(task).with_after(["reports"])).build();
    tree.start().await?;
    tree.slot("reports").submit(cooperative("report")).await?;
    tree.slot("deploys").submit(cooperative("deploy")).await?;
    let queued = tree.slot("deploys").submit(cooperative("queued")).await?;
    settle().await;
    assert!(tree.slot("reports").try_submit(cooperative("full")).is_err(), "the queues are full");
    tree.shutdown().await?;
    assert!(queued.try_outcome().is_some());
    assert_eq!(*seen.lock().unwrap(), ["waits"]);
    Ok(())
}

/// A second for each layer that stops later: two of the tree, and the slots that it is after.
#[tokio::test(start_paused = true)]
async fn k6h_each_layer_leaves_a_reserve_for_the_slots_that_the_tree_is_after() -> Result {
    let journal = Journal::new();
    let [added, serve, base, report] =
        ["added", "serve", "base", "report"].map(|name| journal.slow(name, secs(1_000)).0);
    let tree = builder().task(base).task(serve.with_after(["base", "reports"])).build();
    tree.start().await?;
    tree.wait_ready().await;
    tree.supervisor().add_task(added).await?;
    tree.slot("reports").submit(report).await?;
    settle().await;
    let before = journal.now();
    journal.take();
    assert!(tree.shutdown().await.is_err());
    let timed: Vec<_> = journal.timed().into_iter().map(|(at, what)| (at - before, what)).collect();
    let ends = [(17_000, "!added"), (18_000, "!serve"), (19_000, "!base"), (20_000, "!report")];
    assert_eq!(timed, ends.map(|(at, what)| (at, what.to_owned())));
    Ok(())
}
