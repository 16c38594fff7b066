//! K6h: what can be submitted while the supervisor shuts down.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use taskvisor::{
    ControllerError, EventKind, Group, RuntimeError, SlotHandle, SlotSpec, SupervisorConfig, TaskContext, TaskError,
    TaskFn, TaskHandle, TaskSpec, Tree, TreeBuilder,
};
use tests::{OK, Recorder, Script, Step, cooperative, deaf, secs, settle};
use tokio::time::{Instant, sleep};

use super::{Result, end_of, surely};

type Submitted = std::result::Result<TaskHandle, ControllerError>;

fn builder(drain: Duration) -> TreeBuilder {
    let config = SupervisorConfig { drain, grace: secs(20), ..SupervisorConfig::default() };
    Tree::builder(config).with_slot(SlotSpec::new("reports")).with_slot(SlotSpec::new("deploys"))
}

/// The results of tasks of the tree that submit during their cleanup.
#[derive(Clone, Default)]
struct Answers(Arc<Mutex<Vec<(String, Submitted)>>>);

impl Answers {
    /// A task that submits `script` to the slot in its cleanup, and waits for the outcome.
    fn submits(&self, name: &str, slot: &str, script: &Arc<Script>) -> TaskSpec {
        let (answers, slot, script) = (self.clone(), slot.to_owned(), Arc::clone(script));
        TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| {
            let (answers, slot, script) = (answers.clone(), slot.clone(), Arc::clone(&script));
            async move {
                ctx.cancelled().await;
                let submitted = ctx.supervisor().slot(&slot).submit(script.spec("final")).await;
                if let Ok(handle) = &submitted {
                    handle.outcome().await;
                }
                answers.0.lock().unwrap().push((ctx.path().to_owned(), submitted));
                Ok::<(), TaskError>(())
            }
        }))
    }

    async fn ends(&self) -> Vec<(String, &'static str)> {
        let answers = std::mem::take(&mut *self.0.lock().unwrap());
        let mut ends = Vec::new();
        for (name, submitted) in answers {
            ends.push((
                name,
                match submitted {
                    Ok(handle) => end_of(&handle).await,
                    Err(ControllerError::ShuttingDown) => "refused",
                    Err(error) => panic!("{error}"),
                },
            ));
        }
        ends
    }
}

#[tokio::test(start_paused = true)]
async fn k6h_a_final_report_that_is_submitted_during_the_drain_runs() -> Result {
    let recorder = Recorder::new();
    let tree = builder(secs(10)).with_subscriber(recorder.clone()).task(cooperative("serve")).build();
    tree.start().await?;
    settle().await;
    let shutdown = tree.shutdown();
    sleep(secs(1)).await;
    // Declared slots accept submissions from outside, to start at once or to wait.
    let script = Script::new([Step::Succeed(secs(2))]);
    let first = tree.slot("reports").submit(script.spec("report")).await?;
    let second = tree.slot("reports").try_submit(script.spec("report"))?;
    let late = tree.slot("deploys").submit(cooperative("endless")).await?;
    let behind = tree.slot("deploys").submit(cooperative("behind")).await?;
    // Other slots refuse them, and no task can be added.
    let other = tree.slot("other").submit(script.spec("x")).await;
    assert!(matches!(other, Err(ControllerError::ShuttingDown)), "{other:?}");
    let other = tree.slot("other").try_submit(script.spec("x"));
    assert!(matches!(other, Err(ControllerError::ShuttingDown)), "{other:?}");
    let added = tree.supervisor().add_task(cooperative("x")).await;
    assert!(matches!(added, Err(RuntimeError::ShuttingDown)), "{added:?}");
    let start = Instant::now();
    assert_eq!((end_of(&first).await, end_of(&second).await), ("completed", "completed"));
    assert_eq!(start.elapsed(), secs(4));
    assert_eq!((end_of(&behind).await, end_of(&late).await, start.elapsed()), ("shutting_down", "canceled", secs(9)));
    surely(shutdown).await?;
    assert_eq!(recorder.count(EventKind::ControllerRejected), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6h_without_a_drain_all_is_refused_and_rejected_at_once() -> Result {
    let tree = builder(secs(0)).task(cooperative("serve")).build();
    tree.start().await?;
    let owner = tree.slot("reports").submit(cooperative("x")).await?;
    let waits = tree.slot("reports").submit(cooperative("x")).await?;
    settle().await;
    let shutdown = tree.shutdown();
    assert!(waits.try_outcome().is_some());
    let refused = tree.slot("deploys").try_submit(cooperative("y"));
    assert!(matches!(refused, Err(ControllerError::ShuttingDown)), "{refused:?}");
    assert_eq!((end_of(&waits).await, end_of(&owner).await), ("shutting_down", "canceled"));
    surely(shutdown).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6h_a_task_submits_in_its_clean_up_to_a_slot_that_it_is_after() -> Result {
    for drain in [0, 5] {
        let answers = Answers::default();
        let script = Script::new([Step::Succeed(secs(3))]);
        let tree = builder(secs(drain))
            .task(answers.submits("after", "reports", &script).with_after(["reports"]))
            .task(answers.submits("other", "reports", &script))
            .task(answers.submits("elsewhere", "deploys", &script).with_after(["reports"]))
            .group(Group::one_for_one("group").with_after(["reports"]).task(answers.submits("in", "reports", &script)))
            .build();
        tree.start().await?;
        settle().await;
        // A submission that still waits when the drain is over is started as well.
        let before = tree.slot("reports").submit(script.spec("before")).await?;
        let start = Instant::now();
        surely(tree.shutdown()).await?;
        let mut ends = answers.ends().await;
        ends.sort();
        let expected =
            [("after", "completed"), ("elsewhere", "refused"), ("group/in", "completed"), ("other", "refused")];
        assert_eq!(ends, expected.map(|(name, end)| (name.to_owned(), end)), "{drain}");
        assert_eq!((end_of(&before).await, script.attempts(), script.most()), ("completed", 3, 1));
        let from_drain = if drain == 0 { 9 } else { 5 + 6 };
        assert_eq!(start.elapsed(), secs(from_drain));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6h_slots_that_nobody_is_after_stop_before_the_tree_and_the_others_after_it() -> Result {
    let recorder = Recorder::new();
    let slow = |name: &str| {
        TaskSpec::inherit(TaskFn::arc(name, |ctx: TaskContext| async move {
            ctx.cancelled().await;
            sleep(secs(1)).await;
            Ok(())
        }))
    };
    let tree = builder(secs(0))
        .with_subscriber(recorder.clone())
        .task(slow("first"))
        .task(slow("serve").with_after(["first", "reports"]))
        .build();
    tree.start().await?;
    tree.supervisor().add_task(slow("added")).await?;
    let waits = {
        tree.slot("deploys").submit(slow("deploy")).await?;
        tree.slot("reports").submit(slow("report")).await?;
        tree.slot("reports").submit(slow("report")).await?
    };
    settle().await;
    let start = Instant::now();
    surely(tree.shutdown()).await?;
    assert_eq!(start.elapsed(), secs(4));
    assert_eq!(end_of(&waits).await, "shutting_down");
    let removed = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::TaskRemoved);
    let order: Vec<_> = removed.filter_map(|seen| seen.task).collect();
    assert_eq!(order[2..], ["serve", "first", "report"]);
    assert!(order[..2].contains(&"added".into()) && order[..2].contains(&"deploy".into()));
    Ok(())
}

/// No submission is lost: those that wait in a slot of an `after` are rejected when the tree has terminated or the
/// grace is over.
#[tokio::test(start_paused = true)]
async fn k6h_every_submission_resolves_once_at_each_end() -> Result {
    for forced in [false, true] {
        let recorder = Recorder::new();
        let answers = Answers::default();
        let script = Script::new([Step::Deaf]);
        let tree = builder(secs(0))
            .with_subscriber(recorder.clone())
            .task(answers.submits("after", "reports", &script).with_after(["reports"]))
            .build();
        tree.start().await?;
        let owner = tree.slot("reports").submit(deaf("owner")).await?;
        let waits = tree.slot("reports").submit(cooperative("waits")).await?;
        settle().await;
        let shutdown = tree.shutdown();
        sleep(secs(1)).await;
        assert_eq!((tree.slot("reports").len(), waits.try_outcome().is_none()), (3, true));
        if forced {
            drop(tree.supervisor().shutdown_now());
        }
        let error = surely(shutdown).await.unwrap_err();
        let expected = if forced { "runtime_shutdown_forced" } else { "runtime_grace_exceeded" };
        assert_eq!(error.as_label(), expected, "{error}");
        assert_eq!((end_of(&owner).await, end_of(&waits).await), ("aborted", "shutting_down"), "{forced}");
        settle().await;
        assert_eq!(recorder.count(EventKind::ControllerRejected), 2, "{forced}");
        assert!(tree.slot("reports").is_idle());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6h_a_name_in_after_is_a_sibling_or_a_slot_and_only_at_the_root() -> Result {
    let invalid = |tree: TreeBuilder| match tree.try_build() {
        Err(RuntimeError::InvalidOption(invalid)) => (invalid.value.clone(), invalid.expected.clone()),
        other => panic!("{other:?}"),
    };
    let unknown = invalid(builder(secs(0)).task(cooperative("x").with_after(["report"])));
    assert_eq!(unknown.0, "`report`");
    assert_eq!(unknown.1, "the name of a sibling that is declared before it, or of a declared slot");
    let inner = Group::one_for_one("group").task(cooperative("x").with_after(["reports"]));
    assert_eq!(invalid(builder(secs(0)).group(inner)).1, "the name of a sibling that is declared before it");
    // A start does not wait for slots.
    let tree = builder(secs(0)).task(cooperative("x").with_after(["reports", "deploys"])).build();
    tree.start().await?;
    surely(tree.wait_ready()).await;
    assert!(!tree.snapshot().to_mermaid().contains("reports"));
    surely(tree.shutdown()).await?;
    Ok(())
}

/// Submissions that wait for room are treated alike: to a declared slot they keep waiting, to others they are refused.
#[tokio::test(start_paused = true)]
async fn k6h_those_in_line_wait_on_during_the_drain() -> Result {
    let controller = taskvisor::ControllerConfig { queue_capacity: 1, ..taskvisor::ControllerConfig::default() };
    let tree = builder(secs(10)).with_controller(controller).task(cooperative("serve")).build();
    tree.start().await?;
    let script = Script::new([Step::Succeed(secs(2))]);
    for _ in 0..2 {
        tree.slot("reports").submit(script.spec("x")).await?;
    }
    tree.slot("other").submit(cooperative("y")).await?;
    let submit = |slot: &str| {
        let (slot, spec) = (tree.slot(slot), Script::new([OK]).spec("z"));
        tokio::spawn(async move { slot.submit(spec).await })
    };
    let (declared, other) = (submit("reports"), submit("other"));
    settle().await;
    let shutdown = tree.shutdown();
    let other = surely(other).await?;
    assert!(matches!(other, Err(ControllerError::ShuttingDown)), "{other:?}");
    assert!(!declared.is_finished());
    assert_eq!(end_of(&surely(declared).await??).await, "completed");
    surely(shutdown).await?;
    Ok(())
}

/// The room that one in line was promised is free again before its task is dropped, whose drop submits another.
#[tokio::test(start_paused = true)]
async fn k6h_one_that_is_refused_has_left_the_line_when_its_task_is_dropped() -> Result {
    struct SubmitsInDrop(SlotHandle, Arc<Mutex<Option<Submitted>>>);
    impl Drop for SubmitsInDrop {
        fn drop(&mut self) {
            *self.1.lock().unwrap() = Some(self.0.try_submit(cooperative("last")));
        }
    }

    let controller = taskvisor::ControllerConfig { queue_capacity: 1, ..taskvisor::ControllerConfig::default() };
    let tree = builder(secs(10)).with_controller(controller).task(cooperative("serve")).build();
    tree.start().await?;
    tree.slot("reports").submit(cooperative("owner")).await?;
    tree.slot("other").submit(cooperative("other")).await?;
    let waits = tree.slot("other").submit(cooperative("waits")).await?;
    let submitted = Arc::default();
    let guard = Arc::new(SubmitsInDrop(tree.slot("reports"), Arc::clone(&submitted)));
    let refused = TaskFn::arc("refused", move |_: TaskContext| {
        let guard = Arc::clone(&guard);
        async move {
            drop(guard);
            Ok(())
        }
    });
    let other = tree.slot("other");
    let mut in_line = Box::pin(other.submit(refused));
    let polled = in_line.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "{polled:?}");
    let shutdown = tree.shutdown();
    assert!(waits.cancel().await?);
    let refused = surely(in_line).await;
    assert!(matches!(refused, Err(ControllerError::ShuttingDown)), "{refused:?}");
    let last = submitted.lock().unwrap().take().expect("its task is dropped");
    assert_eq!(end_of(&last?).await, "shutting_down");
    surely(shutdown).await?;
    Ok(())
}

/// The tasks of a batch can name slots in `after` as well.
#[tokio::test(start_paused = true)]
async fn k6h_a_batch_can_be_after_slots() -> Result {
    let answers = Answers::default();
    let script = Script::new([OK]);
    let supervisor = taskvisor::Supervisor::builder(SupervisorConfig::default()).with_slot(SlotSpec::new("s")).build();
    let batch = vec![answers.submits("after", "s", &script).with_after(["s"])];
    surely(supervisor.run_until(batch, sleep(secs(1)))).await?;
    assert_eq!(answers.ends().await, [("after".to_owned(), "completed")]);
    Ok(())
}

/// A helper counts as its task.
#[tokio::test(start_paused = true)]
async fn k6h_a_helper_of_a_task_submits_as_the_task_does() -> Result {
    let (sender, mut submitted) = tokio::sync::mpsc::unbounded_channel();
    let task = TaskFn::arc("after", move |ctx: TaskContext| {
        let sender = sender.clone();
        async move {
            ctx.cancelled().await;
            let inner = ctx.clone();
            ctx.spawn(async move {
                let slot = inner.supervisor().slot("reports");
                let handle = slot.submit(Script::new([OK]).spec("final")).await;
                let _ = sender.send(handle);
            });
            Ok(())
        }
    });
    let tree = builder(secs(0)).task(TaskSpec::inherit(task).with_after(["reports"])).build();
    tree.start().await?;
    settle().await;
    surely(tree.shutdown()).await?;
    let handle = surely(submitted.recv()).await.unwrap()?;
    let end = end_of(&handle).await;
    assert!(["completed", "canceled"].contains(&end), "{end}: it was taken");
    Ok(())
}

mod declared {
    use taskvisor::prelude::*;

    /// Submits its final report to a slot.
    #[task]
    pub(super) async fn reports(ctx: TaskContext, slot: &'static str) {
        ctx.cancelled().await;
        let report = TaskFn::arc("report", |_: TaskContext| async { Ok(()) });
        let outcome = match ctx.supervisor().slot(slot).submit(report).await {
            Ok(report) => report.outcome().await.is_completed(),
            Err(_) => false,
        };
        assert_eq!(outcome, slot == "final_report");
    }
}

/// The macro supports `after` with slots as the builder does.
#[tokio::test(start_paused = true)]
async fn k6h_entries_of_the_macro_can_be_after_slots() -> Result {
    use declared::reports;

    let tree = taskvisor::supervise!(
        slots = [slot(final_report), slot(other)],
        tasks = [
            task(reports { slot: "final_report" }, after = [final_report], restart = "never"),
            refused = task(reports { slot: "other" }, after = [reports, final_report], restart = "never"),
            group = group(
                after = [final_report],
                tasks = [inside = task(reports { slot: "final_report" }, restart = "never")],
            ),
        ],
    );
    tree.start().await?;
    settle().await;
    let handles = [tree.tasks.reports.clone(), tree.tasks.refused.clone(), tree.groups.group.tasks.inside.clone()];
    let outcomes = handles.map(|handle| tokio::spawn(async move { handle.outcome().await }));
    settle().await;
    surely(tree.shutdown()).await?;
    for outcome in outcomes {
        // Requested to stop, they end as canceled. They have no error unless an assertion failed.
        let outcome = surely(outcome).await?.unwrap();
        assert!(outcome.error().is_none(), "{outcome}");
    }
    Ok(())
}
