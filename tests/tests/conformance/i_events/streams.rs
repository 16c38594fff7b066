//! Events as a stream.

use std::time::Duration;

use taskvisor::{
    BackoffPolicy, Event, EventKind, EventStream, Group, Lagged, RestartPolicy, RuntimeError, SupervisorConfig,
    TaskContext, TaskError, TaskFn, TaskSpec, Tree,
};
use tests::{FAIL, OK, Script, cooperative, ms, recorded, secs, settle, supervisor};
use tokio::time::Instant;

use super::add_sleepers;

type Result = std::result::Result<(), RuntimeError>;

/// The events up to the end of the stream.
async fn rest(mut stream: EventStream) -> Vec<std::result::Result<Event, Lagged>> {
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        events.push(event);
    }
    events
}

async fn kinds(stream: EventStream) -> Vec<EventKind> {
    rest(stream).await.into_iter().map(|event| event.unwrap().kind).collect()
}

#[tokio::test(start_paused = true)]
async fn i_a_stream_has_what_a_subscriber_gets_and_ends_with_the_supervisor() -> Result {
    let (supervisor, recorder) = recorded();
    let stream = supervisor.events();
    supervisor.add_task(Script::new([FAIL, OK]).spec("a")).await?.outcome().await;
    supervisor.shutdown().await?;

    let events: Vec<_> = rest(stream).await.into_iter().map(|event| event.unwrap()).collect();
    let seen = recorder.seen();
    assert_eq!(events.len(), seen.len());
    for (event, seen) in events.iter().zip(&seen) {
        assert_eq!((event.kind, event.seq, event.id, event.attempt), (seen.kind, seen.seq, seen.id, seen.attempt));
        assert_eq!(event.reason.as_deref(), seen.reason.as_deref());
    }
    assert!(supervisor.events().next().await.is_none(), "one that comes later is over");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i_a_stream_without_any_subscriber_wakes_the_bus_and_begins_when_it_is_made() -> Result {
    let supervisor = supervisor();
    let task = supervisor.add_task(Script::new([FAIL, FAIL, OK]).spec("a")).await?;
    tokio::time::sleep(ms(150)).await;
    // The second attempt has failed: the stream begins with the third.
    let stream = supervisor.events();
    task.outcome().await;
    supervisor.shutdown().await?;
    let expected = [
        EventKind::TaskStarting,
        EventKind::TaskStopped,
        EventKind::ActorExhausted,
        EventKind::TaskRemoved,
        EventKind::ShutdownRequested,
        EventKind::AllStoppedWithinGrace,
    ];
    assert_eq!(kinds(stream).await, expected);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i_a_stream_lets_through_what_it_is_told_to() -> Result {
    let done = || TaskFn::arc("job", |_: TaskContext| async { Ok(()) });
    let tree = Tree::builder(SupervisorConfig::default())
        .group(Group::one_for_one("store").task(done()).task(TaskSpec::inherit(done()).with_name("other")))
        .task(TaskSpec::inherit(done()).with_name("storeroom"))
        .build();
    let supervisor = tree.supervisor();
    let of_group = supervisor.events().within("store");
    let of_task = supervisor.events().within("store/job").of_kinds([EventKind::TaskStarting, EventKind::TaskRemoved]);
    // The empty path is that of the whole tree.
    let of_all = supervisor.events().within("").of_kinds([EventKind::TaskStarting, EventKind::ShutdownRequested]);
    let of_none = supervisor.events().of_kinds([]);
    let of_kind = supervisor.events().of_kinds([EventKind::ShutdownRequested, EventKind::AllStoppedWithinGrace]);
    tree.run().await?;
    tree.shutdown().await?;

    let tasks: Vec<_> =
        rest(of_group).await.into_iter().map(|event| event.unwrap().task.unwrap_or_default().to_string()).collect();
    assert!(tasks.contains(&"store/job".to_owned()) && tasks.contains(&"store/other".to_owned()), "{tasks:?}");
    assert!(!tasks.contains(&"storeroom".to_owned()), "{tasks:?}");
    assert_eq!(kinds(of_task).await, [EventKind::TaskStarting, EventKind::TaskRemoved]);
    assert_eq!(kinds(of_all).await, [EventKind::TaskStarting; 3]);
    assert_eq!(kinds(of_none).await, []);
    assert_eq!(kinds(of_kind).await, [EventKind::ShutdownRequested, EventKind::AllStoppedWithinGrace]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i_a_stream_says_exactly_how_many_it_lost_and_nobody_else_loses_any() -> Result {
    let (supervisor, recorder) = recorded();
    let mut stream = supervisor.events().with_capacity(10);
    // Each addition settles on its own, so that the stream falls behind after the first.
    for n in 0..20 {
        add_sleepers(&supervisor, n..n + 1).await?;
        settle().await;
    }
    for seq in 1..=10 {
        assert_eq!(stream.next().await.unwrap().unwrap().seq, seq);
    }
    assert_eq!(stream.next().await.unwrap().unwrap_err(), Lagged { count: 30 });
    assert_eq!(recorder.seen().len(), 40);
    // The stream continues.
    add_sleepers(&supervisor, 20..21).await?;
    assert_eq!(stream.next().await.unwrap().unwrap().seq, 41);
    assert_eq!(recorder.count(EventKind::SubscriberOverflow), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i_a_stream_that_nobody_reads_delays_no_end() -> Result {
    let supervisor = supervisor();
    let unread = supervisor.events().with_capacity(1);
    let began = Instant::now();
    let eager = BackoffPolicy { first: Duration::ZERO, ..BackoffPolicy::default() };
    let busy = TaskFn::arc("busy", |ctx: TaskContext| async move {
        if ctx.attempt() < 1000 { Err(TaskError::Fail { reason: "again".into() }) } else { Ok(()) }
    });
    let outcome = supervisor.add_task(TaskSpec::inherit(busy).with_backoff(eager)).await?.outcome().await;
    assert!(outcome.is_completed(), "{outcome}");
    supervisor.shutdown().await?;
    assert!(began.elapsed() < secs(5), "attempts do not give way for long, and the end does not wait");
    drop(unread);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i_streams_come_and_go_while_events_flow() -> Result {
    let supervisor = supervisor();
    let always = RestartPolicy::Always { interval: Some(Duration::ZERO) };
    for n in 0..4 {
        supervisor.add_task(Script::new([OK]).spec(&n.to_string()).with_restart(always)).await?;
    }
    let readers: Vec<_> = (0..8)
        .map(|reader| {
            let supervisor = supervisor.handle();
            tokio::spawn(async move {
                for round in 0..200 {
                    let mut stream = supervisor.events();
                    let mut before = 0;
                    for _ in 0..(reader + round) % 7 {
                        if let Some(Ok(event)) = stream.next().await {
                            assert!(event.seq > before);
                            before = event.seq;
                        }
                    }
                }
            })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap();
    }
    let last = supervisor.events();
    supervisor.shutdown().await?;
    let last = rest(last).await;
    assert_eq!(last.last().unwrap().as_ref().unwrap().kind, EventKind::AllStoppedWithinGrace);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn i_a_task_can_read_the_stream_of_its_own_supervisor() -> Result {
    let (supervisor, _) = recorded();
    let watch = TaskFn::arc("watch", |ctx: TaskContext| async move {
        let mut removed = ctx.supervisor().events().of_kinds([EventKind::TaskRemoved]);
        removed.next().await;
        Ok(())
    });
    let watch = supervisor.add_task(TaskSpec::inherit(watch)).await?;
    settle().await;
    assert!(supervisor.add_task(cooperative("other")).await?.cancel().await?);
    assert!(watch.outcome().await.is_completed());
    supervisor.shutdown().await?;
    Ok(())
}
