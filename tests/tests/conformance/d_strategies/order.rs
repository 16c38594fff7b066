//! The order of starts and stops.

use taskvisor::{Group, Ready, RestartPolicy, RuntimeError, SupervisorConfig, TaskOutcome, TaskState, Tree};
use tests::{Script, Step, ms, secs, settle};
use tokio::time::{sleep, timeout};

use super::{nothing_is_left, tree};
use crate::journal::Journal;

#[tokio::test(start_paused = true)]
async fn d10_a_chain_starts_on_readiness_and_stops_in_reverse() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, ready_a), (b, ready_b), (c, _)] = journal.children(["a", "b", "c"]);
    let group = Group::one_for_one("g")
        .task(a.with_ready(Ready::Signal))
        .task(b.with_ready(Ready::Signal).with_after(["a"]))
        .task(c.with_after(["b"]));
    let (tree, recorder) = tree(group);
    tree.start().await?;
    sleep(secs(5)).await;
    assert_eq!(journal.take(), ["+a"]);
    ready_a.ready();
    sleep(secs(5)).await;
    assert_eq!(journal.take(), ["+b"]);
    assert!(timeout(secs(1), tree.wait_ready()).await.is_err());
    ready_b.ready();
    settle().await;
    assert_eq!(journal.take(), ["+c"]);
    tree.wait_ready().await;
    tree.shutdown().await?;
    assert_eq!(journal.take(), ["-c", "-b", "-a"]);
    nothing_is_left(&tree, &recorder).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d10_a_diamond_starts_layer_by_layer() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(top, top_ready), (left, left_ready), (right, right_ready), (bottom, _)] =
        journal.children(["top", "left", "right", "bottom"]);
    let signal = Ready::Signal;
    let group = Group::one_for_one("g")
        .task(top.with_ready(signal))
        .task(left.with_ready(signal).with_after(["top"]))
        .task(right.with_ready(signal).with_after(["top"]))
        .task(bottom.with_after(["left", "right"]));
    let (tree, _) = tree(group);
    tree.start().await?;
    sleep(secs(1)).await;
    assert_eq!(journal.take(), ["+top"]);
    top_ready.ready();
    sleep(secs(1)).await;
    assert_eq!(journal.take(), ["+left", "+right"]);
    right_ready.ready();
    sleep(secs(1)).await;
    assert_eq!(journal.take(), [""; 0]);
    left_ready.ready();
    sleep(secs(1)).await;
    journal.timed();
    tree.shutdown().await?;
    let timed = journal.timed();
    let at: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(at[0], (4_100, "-bottom"));
    assert_eq!((at[1].0, at[2].0), (4_200, 4_200));
    assert_eq!(at[3], (4_300, "-top"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d10_groups_and_tasks_are_ordered_at_the_root() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(pool, pool_ready), (cache, _), (serve, _)] = journal.children(["pool", "cache", "serve"]);
    let store = Group::rest_for_one("store").task(pool.with_ready(Ready::Signal)).task(cache);
    let tree = Tree::builder(SupervisorConfig::default()).group(store).task(serve.with_after(["store"])).build();
    tree.start().await?;
    sleep(secs(1)).await;
    assert_eq!(journal.take(), ["+pool"]);
    pool_ready.ready();
    settle().await;
    assert_eq!(journal.take(), ["+cache", "+serve"]);
    tree.shutdown().await?;
    assert_eq!(journal.take(), ["-serve", "-cache", "-pool"]);
    Ok(())
}

/// A child that has ended leaves no gap in the order: `serve` still comes after `pool`, by way of `migrate`.
#[tokio::test(start_paused = true)]
async fn d10_the_order_goes_through_those_that_have_ended() -> Result<(), RuntimeError> {
    for ordered in [false, true] {
        let journal = Journal::new();
        let [(pool, _), (migrate, poke), (serve, _)] = journal.children(["pool", "migrate", "serve"]);
        let group = if ordered { Group::rest_for_one("g") } else { Group::one_for_one("g") };
        let group = group
            .task(pool)
            .task(migrate.with_ready(Ready::Completed).with_after(["pool"]))
            .task(serve.with_after(["migrate"]));
        let (tree, _) = tree(group);
        tree.start().await?;
        poke.succeed();
        sleep(secs(1)).await;
        assert_eq!(journal.take(), ["+pool", "+migrate", "-migrate", "+serve"]);
        tree.shutdown().await?;
        let timed = journal.timed();
        let timed: Vec<_> = timed.iter().map(|(at, what)| (*at, what.as_str())).collect();
        assert_eq!(timed, [(1_100, "-serve"), (1_200, "-pool")]);
    }
    Ok(())
}

/// The cost of a stop does not grow with the number of `after` edges.
#[tokio::test(start_paused = true)]
async fn d10_many_edges_are_no_burden() -> Result<(), RuntimeError> {
    let names: Vec<String> = (0..40).map(|n| format!("t{n}")).collect();
    let group = names.iter().enumerate().fold(Group::one_for_one("g"), |group, (index, name)| {
        group.task(Script::new([Step::Wait]).spec(name).with_after(names[..index].iter().map(String::as_str)))
    });
    let (tree, recorder) = tree(group);
    tree.start().await?;
    tree.wait_ready().await;
    tree.shutdown().await?;
    nothing_is_left(&tree, &recorder).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d10_many_children_are_no_burden() -> Result<(), RuntimeError> {
    for make in [Group::one_for_all, Group::rest_for_one] {
        let group = (0..2_000).fold(make("g".to_owned()), |group, index| {
            group.task(Script::new([Step::Wait]).spec(&format!("t{index}")))
        });
        let tree = Tree::builder(SupervisorConfig::default()).group(group).build();
        tree.start().await?;
        tree.wait_ready().await;
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d11_after_a_completed_task_waits_for_its_success() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(migrate, poke), (serve, _)] = journal.children(["migrate", "serve"]);
    let group = Group::one_for_one("g").task(migrate.with_ready(Ready::Completed)).task(serve.with_after(["migrate"]));
    let (tree, _) = tree(group);
    tree.start().await?;
    sleep(secs(1)).await;
    // A failure, and then a readiness signal, which has no effect.
    poke.fail();
    sleep(secs(5)).await;
    poke.ready();
    sleep(secs(5)).await;
    assert_eq!(journal.take(), ["+migrate", "-migrate", "+migrate"], "`ready()` says nothing for such a task");
    poke.succeed();
    settle().await;
    assert_eq!(journal.take(), ["-migrate", "+serve"]);
    tree.wait_ready().await;
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn d11_one_that_fails_for_good_before_it_was_ready_fails_the_group() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(migrate, poke), (serve, _), (other, _)] = journal.children(["migrate", "serve", "other"]);
    let group = Group::one_for_one("g")
        .with_max_retries(0)
        .task(migrate.with_ready(Ready::Completed))
        .task(serve.with_after(["migrate"]))
        .task(other);
    let (tree, recorder) = tree(group);
    let run = {
        tree.start().await?;
        let serve = tree.group("g").child("serve").current().unwrap();
        sleep(secs(1)).await;
        poke.fatal();
        let run = tree.run_until(std::future::pending()).await;
        assert!(matches!(serve.outcome().await, TaskOutcome::Canceled { error: None, .. }));
        assert_eq!(serve.status().attempt, 0);
        run
    };
    let error = run.unwrap_err();
    let RuntimeError::Failed { chain, source, stuck } = &error else { panic!("{error}") };
    assert_eq!(chain.links().iter().map(|link| link.path.as_str()).collect::<Vec<_>>(), ["g/migrate", "g", "root"]);
    assert_eq!(source.as_ref().unwrap().to_string(), "poked for good");
    assert_eq!(*stuck, [""; 0]);
    assert_eq!(journal.take(), ["+migrate", "+other", "-migrate", "-other"]);
    nothing_is_left(&tree, &recorder).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d11_nobody_waiting_means_nobody_fails() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(migrate, poke), (other, _)] = journal.children(["migrate", "other"]);
    let (tree, _) = tree(Group::one_for_one("g").task(migrate.with_ready(Ready::Completed)).task(other));
    tree.start().await?;
    sleep(secs(1)).await;
    poke.fatal();
    sleep(secs(10)).await;
    assert_eq!(tree.group("g").status(), Some(TaskState::Running));
    timeout(secs(1), tree.wait_ready()).await.expect("it has left the count");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn d11_the_gate_stays_open_through_the_own_restart_of_a_dependency() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, first), (b, second)] = journal.children(["a", "b"]);
    let group = Group::one_for_one("g").task(a.with_ready(Ready::Signal)).task(b.with_after(["a"]));
    let (tree, _) = tree(group);
    tree.start().await?;
    first.ready();
    sleep(secs(1)).await;
    assert_eq!(journal.take(), ["+a", "+b"]);
    first.fail();
    sleep(secs(5)).await;
    // `a` runs again and has not signaled readiness: `b` restarts nevertheless.
    second.fail();
    sleep(secs(5)).await;
    assert_eq!(journal.take(), ["-a", "+a", "-b", "+b"]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn d11_a_sibling_restart_closes_the_gate() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let [(a, first), (b, _)] = journal.children(["a", "b"]);
    let (tree, _) = tree(Group::rest_for_one("g").task(a.with_ready(Ready::Signal)).task(b));
    tree.start().await?;
    first.ready();
    sleep(secs(1)).await;
    first.fail();
    sleep(secs(5)).await;
    assert_eq!(journal.take(), ["+a", "+b", "-a", "-b", "+a"], "it has not signalled again");
    first.ready();
    settle().await;
    assert_eq!(journal.take(), ["+b"]);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn d11_wait_ready_of_a_flat_tree_waits_for_signals_and_completions() -> Result<(), RuntimeError> {
    for critical in [false, true] {
        let journal = Journal::new();
        let [(a, signals), (b, ends)] = journal.children(["a", "b"]);
        let a = a.with_ready(Ready::Signal);
        let a = if critical { a.critical() } else { a };
        let tree = Tree::builder(SupervisorConfig::default()).task(a).task(b.with_ready(Ready::Completed)).build();
        tree.start().await?;
        assert!(timeout(secs(1), tree.wait_ready()).await.is_err());
        signals.ready();
        assert!(timeout(secs(1), tree.wait_ready()).await.is_err());
        ends.succeed();
        timeout(secs(1), tree.wait_ready()).await.expect("all are ready");
        tree.shutdown().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn d11_a_tree_that_is_over_with_its_readiness_was_ready() -> Result<(), RuntimeError> {
    let journal = Journal::new();
    let (only, poke) = journal.child("only");
    let only = only.with_ready(Ready::Completed).with_restart(RestartPolicy::Never).critical();
    let tree = Tree::builder(SupervisorConfig::default()).task(only).build();
    tree.start().await?;
    poke.succeed();
    sleep(ms(10)).await;
    timeout(secs(1), tree.wait_ready()).await.expect("what completed is ready");
    Ok(())
}
