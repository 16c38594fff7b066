//! Children that are registered again in the moment in which their group registers them.

use std::collections::HashSet;
use std::future::ready;
use std::sync::Arc;

use taskvisor::{EventKind, Group, RuntimeError, SupervisorConfig, TaskContext, TaskFn, TaskSpec, TaskState, Tree};
use tests::{OK, Recorder, Script, secs, settle};
use tokio::runtime;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

type Result = std::result::Result<(), RuntimeError>;

/// A child that ends for good when it is told to, just after it has requested the restart of a group.
fn child(group: &'static str, go: &Arc<Notify>, ends: &Arc<Notify>) -> TaskSpec {
    let (go, ends) = (Arc::clone(go), Arc::clone(ends));
    TaskSpec::inherit(TaskFn::arc("a", move |ctx: TaskContext| {
        let (go, ends) = (Arc::clone(&go), Arc::clone(&ends));
        async move {
            if ctx.run_until_cancelled(go.notified()).await.is_some() {
                // In this order: who is told of the end takes its turn before the group, which then finds all at once.
                ends.notify_one();
                assert!(ctx.supervisor().group(group).restart());
            }
            Ok(())
        }
    }))
}

/// A child that is started again in the moment in which its group is restarted has the name that the next run needs. Its
/// registration ends, with an outcome, before the child of the next run is registered.
#[tokio::test(start_paused = true)]
async fn k5i_a_child_that_is_started_again_while_its_group_is_restarted_has_an_outcome() -> Result {
    for (is_fresh, is_inner) in [(false, false), (false, true), (true, false), (true, true)] {
        let context = format!("fresh: {is_fresh}, inner: {is_inner}");
        let (outermost, path) = if is_inner { ("outer", "outer/g/") } else { ("g", "g/") };
        let (path, of_ended) = (format!("{path}a"), format!("{path}b"));
        let (recorder, go, ends) = (Recorder::new(), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let spec = child(outermost, &go, &ends);
        let group = Group::one_for_all("g");
        let group = if is_fresh {
            group.fresh(move || ready(Ok::<_, String>([spec.clone(), Script::new([OK]).spec("b")])))
        } else {
            group.task(spec).task(Script::new([OK; 9]).spec("b"))
        };
        let group = if is_inner { Group::one_for_all("outer").group(group) } else { group };
        let builder = Tree::builder(SupervisorConfig::default()).group(group);
        let tree = Arc::new(builder.with_subscriber(recorder.clone()).build());
        tree.start().await?;
        settle().await;
        for round in 0..3 {
            let last = [&path, &of_ended].map(|path| tree.child(path).current().unwrap().id());
            let (at_end, ended, of_ended) = (Arc::clone(&tree), Arc::clone(&ends), of_ended.clone());
            let again = tokio::spawn(async move {
                ended.notified().await;
                // Its actor is on a runtime that nobody drives yet, so that it does not end at once.
                let slow = runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let child = at_end.child(&of_ended);
                let is_again = {
                    let _entered = slow.enter();
                    child.restart()
                };
                (is_again, child.current().unwrap(), slow)
            });
            settle().await;
            go.notify_one();
            let (is_again, again, slow) = again.await.unwrap();
            assert!(is_again, "the moment is missed");
            settle().await;
            let of_again = again.clone();
            let drive = move || slow.block_on(timeout(secs(20), of_again.outcome())).is_ok();
            let has_ended = spawn_blocking(drive).await.unwrap();
            assert!(has_ended, "round {round}, {context}: its outcome never comes");
            settle().await;
            let current = tree.child(&path).current().unwrap();
            assert_eq!(current.status().state, TaskState::Running, "round {round}, {context}:\n{}", tree.snapshot());
            assert!(!last.contains(&current.id()) && tree.supervisor().list_tasks().await == [path.as_str()]);
        }
        tree.shutdown().await?;
        let seen = recorder.seen();
        let of = |kind| seen.iter().filter(|seen| seen.kind == kind).map(|seen| seen.id).collect::<HashSet<_>>();
        assert_eq!(of(EventKind::TaskAdded), of(EventKind::TaskRemoved), "{context}");
    }
    Ok(())
}
