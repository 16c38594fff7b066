//! Other events for the children of a group while the group restarts them.

use taskvisor::{
    Group, Ready, RuntimeError, SupervisorConfig, TaskContext, TaskFn, TaskOutcome, TaskSpec, TaskState, Tree,
};
use tests::{Script, Step, constant, ms, secs, settle};
use tokio::time::{Instant, sleep, timeout};

use super::{nothing_is_left, tree};
use crate::journal::Journal;

#[tokio::test(start_paused = true)]
async fn d02_restart_of_a_child_that_is_being_stopped_leaves_the_group_to_it() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, poke), (b, _)] = journal.children(["a", "b"]);
    let (tree, _) = tree(Group::one_for_all("g").task(a).task(b));
    tree.start().await?;
    sleep(secs(1)).await;
    journal.take();
    poke.fail();
    sleep(ms(50)).await;

    assert!(tree.group("g").child("b").restart());
    sleep(secs(10)).await;

    let what = journal.take();
    assert_eq!(what, ["-a", "-b", "+a", "+b"], "it waits for its siblings");
    assert_eq!(tree.group("g").child("b").status().unwrap().attempt, 2);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn d02_a_child_that_becomes_ready_while_it_is_being_stopped_stays_held() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, poke), (b, late)] = journal.children(["a", "b"]);
    let (tree, _) = tree(Group::one_for_all("g").task(a).task(b.with_ready(Ready::Signal)));
    tree.start().await?;
    sleep(secs(1)).await;
    journal.take();
    poke.fail();
    sleep(ms(50)).await;

    // It signals readiness just before it ends.
    late.ready();
    sleep(secs(10)).await;

    let timed = journal.timed();
    let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(timed, [(1_000, "-a"), (1_100, "-b"), (2_100, "+a"), (2_100, "+b")]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn d02_restart_or_trigger_by_hand_skips_the_wait_of_the_group() -> Result<(), RuntimeError> {
    for trigger in [false, true] {
        let journal = Journal::new();
        let [(a, poke), (b, _)] = journal.children(["a", "b"]);
        let (tree, _) = tree(Group::one_for_all("g").task(a.with_backoff(constant(secs(100)))).task(b));
        tree.start().await?;
        sleep(secs(1)).await;
        journal.take();
        poke.fail();
        sleep(secs(10)).await;
        let a = tree.group("g").child("a");
        assert_eq!(a.status().unwrap().state, TaskState::Backoff);
        assert!(if trigger { a.trigger() } else { a.restart() });
        settle().await;
        let timed = journal.timed();
        let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
        assert_eq!(timed, [(1_000, "-a"), (1_100, "-b"), (11_000, "+a"), (11_000, "+b")]);
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d03_dynamic_children_restart_with_their_siblings_in_order() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, _), (b, poke), (x, _), (y, _)] = journal.children(["a", "b", "x", "y"]);
    let (tree, recorder) = tree(Group::rest_for_one("g").task(a).task(b));
    tree.start().await?;
    tree.wait_ready().await;
    let x = tree.group("g").add_task(x).await?;
    let y = tree.group("g").add_task(y).await?;
    assert_eq!((x.path(), y.path(), y.name()), ("g/x", "g/y", "y"));
    sleep(secs(1)).await;
    assert_eq!(journal.take(), ["+a", "+b", "+x", "+y"]);
    poke.fail();
    sleep(secs(10)).await;
    assert_eq!(journal.take(), ["-b", "-y", "-x", "+b", "+x", "+y"]);
    assert_eq!((x.status().attempt, y.status().attempt), (2, 2));
    tree.shutdown().await?;
    assert_eq!(journal.take(), ["-y", "-x", "-b", "-a"]);
    nothing_is_left(&tree, &recorder).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d03_an_earlier_sibling_that_fails_during_a_restart_widens_it() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, _), (b, second), (c, first)] = journal.children(["a", "b", "c"]);
    let (tree, _) =
        tree(Group::rest_for_one("g").with_limit(2, secs(3600)).with_max_retries(0).task(a).task(b).task(c));
    tree.start().await?;
    sleep(secs(1)).await;
    journal.take();
    first.fail();
    sleep(ms(500)).await;
    second.fail();
    sleep(secs(10)).await;
    let timed = journal.timed();
    let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(timed, [(1_000, "-c"), (1_500, "-b"), (2_500, "+b"), (2_500, "+c")]);
    // Both failures counted, so that a third exceeds the limit.
    first.fail();
    sleep(secs(10)).await;
    assert_eq!(tree.supervisor().list_tasks().await, [""; 0]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d02_a_failed_child_that_is_canceled_during_the_restart_is_left_out() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, poke), (b, _)] = journal.children(["a", "b"]);
    let (tree, _) = tree(Group::one_for_all("g").task(a).task(b));
    tree.start().await?;
    sleep(secs(1)).await;
    let a = tree.group("g").child("a").current().unwrap();
    journal.take();
    poke.fail();
    sleep(ms(500)).await;
    assert!(a.cancel().await?);
    assert!(matches!(a.outcome().await, TaskOutcome::Canceled { .. }));
    sleep(secs(10)).await;
    assert_eq!(journal.take(), ["-a", "-b", "+b"]);
    tree.shutdown().await
}

/// A child that is held while it waits for a permit leaves the wait queue.
#[tokio::test(start_paused = true)]
async fn d02_a_held_child_takes_no_permit() -> Result<(), RuntimeError> {
    let config = SupervisorConfig { max_concurrent: 2, ..SupervisorConfig::default() };
    let [long, failing, before, held, behind] =
        [Step::Succeed(secs(5)), Step::Fail(secs(1)), Step::Succeed(secs(3)), Step::Wait, Step::Succeed(secs(3))]
            .map(|step| Script::new([step]));
    let start = Instant::now();
    let group = Group::one_for_all("g")
        .task(failing.spec("failing").with_backoff(constant(secs(100))))
        .task(held.spec("held").with_initial_delay(ms(100)));
    let tree = Tree::builder(config).group(group).build();
    let supervisor = tree.supervisor();
    supervisor.add_task(long.spec("long")).await?;
    settle().await;
    tree.start().await?;
    sleep(ms(50)).await;
    supervisor.add_task(before.spec("before")).await?;
    sleep(ms(100)).await;
    supervisor.add_task(behind.spec("behind")).await?;
    sleep(secs(20)).await;
    assert_eq!(failing.begun_ms(start), [0]);
    assert_eq!(before.begun_ms(start), [1_000]);
    assert_eq!(held.begun_ms(start), [0; 0]);
    assert_eq!(behind.begun_ms(start), [4_000]);
    tree.shutdown().await
}

/// A group lets others have a turn while it stops many children. The permit of one that has ended by then goes to none
/// that is stopped next.
#[tokio::test(start_paused = true)]
async fn d02_of_many_children_that_are_held_none_takes_the_permit_of_another() -> Result<(), RuntimeError> {
    let config = SupervisorConfig { max_concurrent: 2, ..SupervisorConfig::default() };
    let [failing, holder, waiting, before] =
        [Step::Fail(secs(1)), Step::Wait, Step::Wait, Step::Wait].map(|step| Script::new([step]));
    let start = Instant::now();
    let mut group = Group::one_for_all("g").task(failing.spec("failing").with_backoff(constant(secs(100))));
    for n in 0..1_000 {
        group = group.task(waiting.spec(&format!("waiting-{n}")).with_initial_delay(ms(100)));
    }
    let tree = Tree::builder(config).group(group.task(holder.spec("holder"))).build();
    tree.start().await?;
    sleep(ms(50)).await;
    // The first in the queue, for the permit of the child that fails.
    tree.supervisor().add_task(before.spec("before")).await?;
    sleep(secs(20)).await;
    assert_eq!((failing.begun_ms(start), holder.begun_ms(start)), (vec![0], vec![0]));
    assert_eq!((before.begun_ms(start), waiting.begun_ms(start)), (vec![1_000], vec![]));
    tree.shutdown().await
}

/// The value of a dynamic child is dropped when the child has ended, not when its group has.
#[tokio::test(start_paused = true)]
async fn d03_dynamic_children_that_have_ended_are_let_go() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let (a, _) = journal.child("a");
    let (tree, _) = tree(Group::one_for_all("g").task(a));
    tree.start().await?;
    tree.wait_ready().await;
    let held = std::sync::Arc::new(());
    for _ in 0..3 {
        let inner = std::sync::Arc::clone(&held);
        let task = TaskFn::arc("job", move |_: TaskContext| {
            let _inner = std::sync::Arc::clone(&inner);
            async { Ok(()) }
        });
        let outcome = tree.group("g").add_task(TaskSpec::inherit(task)).await?.outcome().await;
        assert!(outcome.is_completed());
        settle().await;
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
    }
    tree.shutdown().await
}

/// A child can be canceled before its group has begun.
#[tokio::test(start_paused = true)]
async fn d10_a_child_that_is_canceled_before_its_group_starts_is_accounted_for() -> Result<(), RuntimeError> {
    for release in [true, false] {
        let journal = Journal::new();
        let [(base, ready), (a, _), (b, _)] = journal.children(["base", "a", "b"]);
        let tree = Tree::builder(SupervisorConfig::default())
            .task(base.with_ready(Ready::Signal))
            .group(Group::one_for_all("g").with_after(["base"]).task(a).task(b))
            .build();
        tree.start().await?;
        sleep(secs(1)).await;
        assert!(tree.group("g").child("a").cancel().await?);
        settle().await;
        if release {
            ready.ready();
            timeout(secs(1), tree.wait_ready()).await.expect("the rest is ready");
            assert_eq!(journal.take(), ["+base", "+b"]);
        }
        let start = Instant::now();
        tree.shutdown().await?;
        assert_eq!(start.elapsed(), if release { ms(200) } else { ms(100) });
    }
    Ok(())
}
