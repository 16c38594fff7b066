//! What tasks wait for, beside a time.

use taskvisor::fleet::{Fleet, LocalStore};
use taskvisor::{Group, Problem, Ready, SlotSpec, SupervisorConfig, TaskContext, TaskFn, TaskState, Tree, WaitingFor};
use tests::{FAIL, OK, Script, Step, constant, cooperative, secs, settle};
use tokio::time::{advance, sleep};

use super::{Result, flat, left, node, started};

#[tokio::test(start_paused = true)]
async fn c01_after_names_the_paths_that_are_not_ready() -> Result {
    let (tree, _) = started(|tree| {
        tree.group(
            Group::one_for_one("g")
                .task(cooperative("a").with_ready(Ready::Signal))
                .task(cooperative("b"))
                .task(cooperative("c").with_after(["a", "b"])),
        )
        .group(Group::one_for_one("h").with_after(["g"]).task(cooperative("d")))
    })
    .await?;
    let after = |path: &str| Some(WaitingFor::After(vec![path.to_owned()]));
    let waits = node(&tree, "g/c");
    assert_eq!((waits.state, waits.waiting_for, waits.next_at), (TaskState::Pending, after("g/a"), None));
    assert_eq!(waits.problem, Some(Problem::NotReady(TaskState::Pending)));
    assert_eq!((node(&tree, "h").waiting_for, node(&tree, "h/d").waiting_for), (after("g"), after("g")));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_a_permit_of_the_supervisor_a_group_and_a_named_limit_are_told_apart() -> Result {
    let recorder = tests::Recorder::new();
    let config = SupervisorConfig { max_concurrent: 3, ..SupervisorConfig::default() };
    let tree = Tree::builder(config)
        .with_subscriber(recorder.clone())
        .with_named_limit("db", 1)
        .task(cooperative("a").with_named_limit("db"))
        .task(cooperative("b").with_named_limit("db"))
        .group(Group::one_for_one("g").with_max_concurrent(1).task(cooperative("c")).task(cooperative("d")))
        .task(cooperative("e"))
        .build();
    tree.start().await?;
    settle().await;
    tree.supervisor().add_task(cooperative("f")).await?;
    settle().await;
    let expected = [
        ("b", Some(WaitingFor::Limit("db".to_owned()))),
        ("g/d", Some(WaitingFor::Permit)),
        ("f", Some(WaitingFor::Permit)),
        ("a", None),
    ];
    for (path, waiting_for) in &expected {
        assert_eq!(node(&tree, path).waiting_for, *waiting_for, "{path}");
    }
    let all = flat(tree.snapshot());
    for (path, waiting_for) in expected {
        assert_eq!(all.iter().find(|node| node.path == path).unwrap().waiting_for, waiting_for, "{path}");
    }
    assert_eq!(node(&tree, "f").problem, Some(Problem::NotReady(TaskState::Pending)));
    advance(secs(11)).await;
    settle().await;
    assert!(matches!(node(&tree, "f").problem, Some(Problem::AwaitsPermit { limit: 3, .. })));
    assert!(!node(&tree, "f").ready);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_the_details_and_health_tell_who_holds_the_permits() -> Result {
    let limited = |name: &str| cooperative(name).with_named_limit("db");
    let holders: Vec<_> = (0..12).rev().map(|n| format!("holder{n:02}")).collect();
    let group = Group::one_for_one("g").with_max_concurrent(1).task(cooperative("z")).task(cooperative("d"));
    let (tree, _) = started(|tree| {
        tree.with_named_limit("db", 12)
            .tasks(holders.iter().map(|name| limited(name)))
            .task(limited("late"))
            .task(limited("later"))
            .group(group)
    })
    .await?;
    let awaits = |path: &str| tree.supervisor().detail(path).unwrap().awaits;
    assert_eq!((awaits("late"), awaits("later")), (holders.clone(), holders.clone()), "the longest first");
    assert_eq!((awaits("g/d"), awaits("g/z")), (vec!["g/z".to_owned()], vec![]));
    assert!(tree.health().not_ready.iter().all(|one| one.awaits.is_empty()), "none has waited for long");
    sleep(secs(11)).await;
    let health = tree.health();
    let of = |path: &str| health.not_ready.iter().find(|one| one.path == path).unwrap();
    assert_eq!((&*of("late").awaits, &*of("g/d").awaits), (&holders[..8], &["g/z".to_owned()][..]));
    let line = "late: not ready: pending, all permits are held (limit db = 12) by holder11, holder10, holder09 and 9 more, since";
    assert!(of("late").to_string().starts_with(line), "{}", of("late"));
    let line = "g/d: not ready: pending, all permits are held (max_concurrent of g = 1) by g/z, since";
    assert!(of("g/d").to_string().starts_with(line), "{}", of("g/d"));
    // A permit that is given back is that of the next task in line.
    tree.child("holder11").current().unwrap().cancel().await?;
    settle().await;
    assert_eq!(awaits("late"), [""; 0]);
    assert_eq!(awaits("later"), [&holders[1..], &["late".to_owned()]].concat());
    tree.shutdown().await
}

#[test]
fn c01_what_is_waited_for_is_said_in_words() {
    let table = [
        (WaitingFor::After(vec!["store/pool".into(), "cache".into()]), "store/pool, cache"),
        (WaitingFor::Permit, "a permit of `max_concurrent`"),
        (WaitingFor::Limit("db".into()), "a permit of the limit db"),
        (WaitingFor::Group, "its group"),
        (WaitingFor::Slot(2), "its slot, at position 2"),
        (WaitingFor::Delay, "its time"),
        (WaitingFor::Lease(Some("web-2".into())), "its lease, which web-2 has"),
        (WaitingFor::Lease(None), "its lease"),
        (WaitingFor::Paused, "the end of a pause"),
    ];
    for (waiting_for, words) in table {
        assert_eq!(waiting_for.to_string(), words);
    }
}

#[tokio::test(start_paused = true)]
async fn c01_a_place_of_max_starting_is_given_by_the_group() -> Result {
    let slow = |name: &str| cooperative(name).with_ready(Ready::Signal);
    let group = Group::one_for_one("g").with_max_starting(1).task(slow("a")).task(slow("b"));
    let (tree, _) = started(|tree| tree.group(group)).await?;
    let waits = node(&tree, "g/b");
    assert_eq!((waits.state, waits.waiting_for), (TaskState::Pending, Some(WaitingFor::Group)));
    assert_eq!(node(&tree, "g/a").waiting_for, None);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_siblings_wait_for_the_group_that_restarts_and_then_for_its_backoff() -> Result {
    let slow = TaskFn::arc("slow", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        sleep(secs(3)).await;
        Ok(())
    });
    let group = Group::one_for_all("g")
        .task(Script::new([Step::Fail(secs(1)), Step::Wait]).spec("a").with_backoff(constant(secs(5))))
        .task(slow)
        .task(cooperative("b"));
    let (tree, _) = started(|tree| tree.group(group)).await?;
    advance(secs(1)).await;
    settle().await;
    for path in ["g/a", "g/b"] {
        let waits = node(&tree, path);
        assert_eq!((waits.waiting_for, waits.next_at), (Some(WaitingFor::Group), None), "{path}");
    }
    assert_eq!(node(&tree, "g/slow").state, TaskState::Stopping);
    sleep(secs(3)).await;
    settle().await;
    for path in ["g/a", "g/b", "g/slow"] {
        let waits = node(&tree, path);
        assert_eq!((waits.waiting_for.clone(), left(&waits)), (Some(WaitingFor::Delay), Some(5_000)), "{path}");
    }
    sleep(secs(5)).await;
    settle().await;
    assert_eq!(node(&tree, "g/b").state, TaskState::Running);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_a_child_that_fails_alone_waits_for_its_own_backoff() -> Result {
    let group = Group::one_for_one("g").task(Script::new([FAIL]).spec("a").with_backoff(constant(secs(5))));
    let (tree, _) = started(|tree| tree.group(group.with_limit(100, secs(60)))).await?;
    let waits = node(&tree, "g/a");
    assert_eq!((waits.state, waits.waiting_for.clone()), (TaskState::Backoff, Some(WaitingFor::Delay)));
    assert_eq!(left(&waits), Some(5_000));
    advance(secs(2)).await;
    assert_eq!(left(&node(&tree, "g/a")), Some(3_000));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_a_delay_in_a_group_begins_when_its_group_starts_the_task() -> Result {
    let group = Group::one_for_one("g")
        .task(Script::new([Step::Succeed(secs(10))]).spec("a").with_ready(Ready::Completed))
        .task(cooperative("b").with_after(["a"]).with_initial_delay(secs(30)));
    let (tree, _) = started(|tree| tree.group(group)).await?;
    let waits = node(&tree, "g/b");
    assert_eq!(waits.state, TaskState::Delayed);
    assert_eq!((waits.waiting_for, waits.next_at), (Some(WaitingFor::After(vec!["g/a".to_owned()])), None));
    sleep(secs(10)).await;
    settle().await;
    let waits = node(&tree, "g/b");
    assert_eq!((waits.waiting_for.clone(), left(&waits)), (Some(WaitingFor::Delay), Some(30_000)));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_a_submission_has_its_position_in_its_slot() -> Result {
    let (tree, _) = started(|tree| tree.with_slot(SlotSpec::new("s")).task(cooperative("t"))).await?;
    let mut jobs = Vec::new();
    for name in ["a", "b", "c", "d"] {
        jobs.push(tree.slot("s").submit(cooperative(name)).await.unwrap());
    }
    settle().await;
    let positions: Vec<_> = jobs.iter().map(|job| job.node().waiting_for).collect();
    let at = |position| Some(WaitingFor::Slot(position));
    assert_eq!(positions, [None, at(1), at(2), at(3)]);
    assert_eq!(jobs[1].node().state, TaskState::Queued);
    let next = tree.slot("s").replace(cooperative("e")).await.unwrap();
    assert_eq!((next.node().waiting_for, jobs[1].node().waiting_for), (at(1), at(2)));
    assert!(node(&tree, "a").id == Some(jobs[0].id()) && tree.supervisor().node("b").is_none());
    let listed: Vec<_> = tree.slot("s").snapshot().queue.into_iter().map(|task| task.path).collect();
    assert_eq!(listed, ["b", "c", "d"]);
    jobs[1].cancel().await?;
    assert_eq!(jobs[2].node().waiting_for, at(2));
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_who_stands_by_waits_for_a_lease_and_knows_its_owner() -> Result {
    let store = LocalStore::new();
    let replica = |label: &str| {
        let fleet = Fleet::new(store.clone()).name("test").label(label);
        Tree::builder(SupervisorConfig::default())
            .with_fleet(fleet)
            .task(cooperative("ledger").with_singleton())
            .group(Group::one_for_one("g").with_singleton().task(cooperative("a")))
            .build()
    };
    let (first, second) = (replica("first"), replica("second"));
    first.start().await?;
    sleep(secs(1)).await;
    second.start().await?;
    sleep(secs(1)).await;
    let lease = Some(WaitingFor::Lease(Some("first".to_owned())));
    for path in ["ledger", "g", "g/a"] {
        let waits = node(&second, path);
        assert_eq!(
            (waits.state, waits.waiting_for, waits.next_at),
            (TaskState::Standby, lease.clone(), None),
            "{path}"
        );
        assert!(waits.ready, "{path}");
        assert_eq!(node(&first, path).waiting_for, None, "{path}");
    }
    first.shutdown().await?;
    second.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_without_an_owner_a_lease_is_awaited_from_nobody() -> Result {
    let tree = Tree::builder(SupervisorConfig::default())
        .with_fleet(Fleet::local())
        .task(cooperative("ledger").with_singleton())
        .build();
    tree.start().await?;
    let waits = node(&tree, "ledger");
    assert_eq!((waits.state, waits.waiting_for), (TaskState::Standby, Some(WaitingFor::Lease(None))));
    sleep(secs(1)).await;
    assert_eq!(node(&tree, "ledger").state, TaskState::Running);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c01_what_is_due_in_a_pause_waits_for_its_end() -> Result {
    let (tree, _) = started(|tree| {
        tree.task(cooperative("t").with_paused(true))
            .task(Script::new([FAIL]).spec("fails").with_backoff(constant(secs(5))))
            .task(Script::new([OK]).spec("done"))
    })
    .await?;
    let rests = node(&tree, "t");
    assert_eq!((rests.state, rests.waiting_for, rests.next_at), (TaskState::Paused, Some(WaitingFor::Paused), None));
    assert!(tree.child("fails").pause());
    let waits = node(&tree, "fails");
    assert_eq!((waits.waiting_for.clone(), left(&waits)), (Some(WaitingFor::Delay), Some(5_000)));
    sleep(secs(5)).await;
    settle().await;
    assert_eq!(node(&tree, "fails").waiting_for, Some(WaitingFor::Paused));
    tree.shutdown().await
}
