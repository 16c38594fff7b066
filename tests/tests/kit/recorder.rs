//! The recorder, and its messages when events differ from the expected ones.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use taskvisor::EventKind::{
    ActorExhausted, BackoffScheduled, TaskAddRequested, TaskAdded, TaskFailed, TaskRemoved, TaskStarting, TaskStopped,
};
use taskvisor::test::{ExpectedEvent, Recorder, Script};
use taskvisor::{
    Event, EventKind, RestartPolicy, RuntimeError, Subscribe, Supervisor, SupervisorConfig, SupervisorHandle, TaskSpec,
    Tree,
};
use tests::{ALWAYS, cooperative, ms, secs};
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::{panic_of, tree};

/// A task that fails after a second, and then succeeds.
fn flaky() -> TaskSpec {
    Script::new("flaky").runs(secs(1)).fails("no \"route\"").succeeds().into()
}

#[tokio::test(start_paused = true)]
async fn an_expectation_waits_for_what_is_to_come_and_goes_on_from_there() -> Result<(), RuntimeError> {
    let tree = tree([flaky()]);
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    let start = Instant::now();

    let mut flaky = recorder.of("flaky");
    flaky.expect([TaskAddRequested, TaskAdded, TaskStarting]).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    flaky
        .expect([
            ExpectedEvent::new(TaskFailed).of("flaky").attempt(1).because("route"),
            ExpectedEvent::new(BackoffScheduled).delay(ms(100)),
            ExpectedEvent::new(TaskStarting).attempt(2),
        ])
        .await;
    assert_eq!(start.elapsed(), ms(1_100));
    flaky.expect([TaskStopped, ActorExhausted, TaskRemoved]).await;
    flaky.expect_nothing_for(secs(3600)).await;

    assert_eq!((recorder.attempts("flaky"), recorder.restarts("flaky")), (2, 1));
    assert_eq!((recorder.attempts("other"), recorder.restarts("other")), (0, 0));
    assert_eq!(recorder.count(TaskStarting), 2);
    let failed = recorder.events().into_iter().find(|event| event.kind == TaskFailed).unwrap();
    assert_eq!((failed.to_string().as_str(), failed.at), (r#"TaskFailed flaky #1: no \"route\""#, secs(1)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_subscribed_recorder_hears_the_same_as_one_that_is_attached() -> Result<(), RuntimeError> {
    let subscribed = Recorder::new();
    let tree = Tree::builder(SupervisorConfig::default()).with_subscriber(subscribed.clone()).task(flaky()).build();
    let attached = Recorder::attach(tree.supervisor());
    tree.run().await?;
    assert_eq!(attached.events().len(), 9);
    assert_eq!(subscribed.events(), attached.events());

    // Ids differ from run to run and are not compared. All other fields are.
    let mut other = attached.events()[5].clone();
    other.id = None;
    assert_eq!(other, attached.events()[5]);
    other.delay = Some(ms(1));
    assert_ne!(other, attached.events()[5]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_expectation_ends_at_the_first_event_that_differs_and_shows_where() -> Result<(), RuntimeError> {
    let tree = tree([flaky()]);
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    let start = Instant::now();
    let seen = recorder.clone();
    let message = panic_of(async move {
        let mut flaky = seen.of("flaky").only([TaskStarting, TaskFailed, TaskStopped]);
        flaky.expect([TaskStarting]).await;
        flaky.expect([ExpectedEvent::new(TaskFailed).because("timeout"), TaskStarting.into()]).await;
    })
    .await;

    assert_eq!(start.elapsed(), secs(1), "it does not wait for what comes after");
    let (head, table) = message.split_once('\n').unwrap();
    assert!(head.starts_with("the events of `flaky` are not the expected ones, at "), "{message}");
    assert!(head.contains(file!()), "{message}");
    let lines: Vec<_> = table.lines().collect();
    let expected = [
        "    expected                 came",
        "  > TaskFailed: ..timeout..  TaskFailed flaky #1: no \\\"route\\\"",
        "    TaskStarting",
    ];
    assert_eq!(lines, expected, "{message}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_expectation_ends_when_its_time_is_up_and_says_what_is_missing() -> Result<(), RuntimeError> {
    let tree = tree([Script::new("quiet").waits().into()]);
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    let start = Instant::now();
    let seen = recorder.clone();
    let message = panic_of(async move {
        seen.all()
            .within(secs(5))
            .only([TaskStarting, TaskStopped])
            .expect([("quiet", TaskStarting), ("quiet", TaskStopped)])
            .await;
    })
    .await;
    assert_eq!(start.elapsed(), secs(5));
    assert!(message.starts_with("the events of the supervisor are not the expected ones"), "{message}");
    assert!(message.contains("    TaskStarting quiet  TaskStarting quiet #1\n"), "{message}");
    assert!(message.contains("  > TaskStopped quiet   (nothing within 5s)\n"), "{message}");

    // The default is a minute.
    let seen = recorder.clone();
    panic_of(async move { seen.of("quiet").expect([TaskAddRequested, TaskAdded, TaskStarting, TaskStopped]).await })
        .await;
    assert_eq!(start.elapsed(), secs(65));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_expectation_of_any_length_is_shown() {
    let long = "n".repeat(70_000);
    let seen = Recorder::new();
    let expected = long.clone();
    let message = panic_of(async move { seen.all().expect([(&*expected, TaskStarting)]).await }).await;
    assert!(message.contains(&format!("  > TaskStarting {long}  (nothing within 60s)\n")), "{}", message.len());
}

#[tokio::test(start_paused = true)]
async fn waiting_for_one_passes_over_the_others() -> Result<(), RuntimeError> {
    let tree = tree([flaky(), Script::new("other").waits().into()]);
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    let mut all = recorder.all();
    let found = all.wait_for(ExpectedEvent::new(TaskStarting).of("flaky").attempt(2)).await;
    assert_eq!((found.attempt, found.at), (Some(2), ms(1_100)));
    all.expect([("flaky", TaskStopped)]).await;

    let message = panic_of(async move {
        all.wait_for(("other", TaskRemoved)).await;
    })
    .await;
    assert!(message.starts_with("`TaskRemoved other` did not come of the supervisor within 60s, at "), "{message}");
    assert!(message.ends_with("    ActorExhausted flaky #2\n    TaskRemoved flaky"), "{message}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_by_what_comes() -> Result<(), RuntimeError> {
    let tree = tree([flaky()]);
    let recorder = Recorder::attach(tree.supervisor());
    tree.start().await?;
    let mut starts = recorder.of("flaky").only([TaskStarting]);
    starts.expect([TaskStarting]).await;
    starts.expect_nothing_for(ms(1_099)).await;
    let message = panic_of(async move { starts.expect_nothing_for(ms(2)).await }).await;
    assert!(message.starts_with("nothing was to come of `flaky` for 2ms, at "), "{message}");
    assert!(message.ends_with("but this did:\n    TaskStarting flaky #2"), "{message}");

    let message = panic_of(async move { recorder.of("flaky").expect_nothing_for(Duration::ZERO).await }).await;
    assert!(message.contains("TaskAdded flaky"), "{message}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost() -> Result<(), RuntimeError> {
    const ATTEMPTS: u32 = 30_000;
    let subscribed = Recorder::new();
    assert!(subscribed.queue_capacity() > 1 << 24);
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![std::sync::Arc::new(subscribed.clone())]);
    let attached = Recorder::attach(&supervisor);
    let busy = Script::new("busy").succeeds().repeats_last();
    let (count, tally) = (busy.clone(), attached.clone());
    let until = async move {
        tally.all().within(secs(3600)).wait_for(ExpectedEvent::new(TaskStarting).attempt(ATTEMPTS)).await;
    };
    supervisor.run_until(vec![TaskSpec::from(busy).with_restart(ALWAYS)], until).await?;
    let attempts = count.tally().attempts;
    assert!(attempts >= ATTEMPTS as usize);
    assert_eq!((subscribed.attempts("busy"), attached.attempts("busy")), (attempts, attempts));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_registration_of_a_path_counts() -> Result<(), RuntimeError> {
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let recorder = Recorder::attach(&supervisor);
    for _ in 0..2 {
        let spec = TaskSpec::from(Script::new("job").succeeds()).with_restart(RestartPolicy::Never);
        supervisor.add_task(spec).await?.outcome().await;
    }
    assert_eq!((recorder.attempts("job"), recorder.restarts("job")), (2, 1));
    Ok(())
}

/// A custom subscriber, and code that reads a recorder, can be tested with events that the test makes.
#[tokio::test]
async fn it_takes_events_by_hand_and_outside_paused_time() {
    let recorder = Recorder::new();
    recorder.on_event(&Event::new(TaskAdded)).await;
    recorder.all().expect([TaskAdded]).await;
    let later = recorder.clone();
    tokio::spawn(async move { later.on_event(&Event::new(TaskRemoved)).await });
    recorder.all().expect([TaskAdded, TaskRemoved]).await;
}

/// A waker that reads the supervisor on another thread, and notes whether that found a lock held.
struct Reads {
    handle: SupervisorHandle,
    woken: AtomicUsize,
    blocked: AtomicUsize,
}

impl Wake for Reads {
    fn wake(self: Arc<Self>) {
        let (told, is_told) = mpsc::channel();
        let handle = self.handle.clone();
        thread::spawn(move || {
            let _ = handle.tree();
            let _ = told.send(());
        });
        // Generous, against hanging.
        if is_told.recv_timeout(secs(10)).is_err() {
            self.blocked.fetch_add(1, Ordering::SeqCst);
        }
        self.woken.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn the_waker_of_one_who_expects_events_finds_no_lock_held() -> Result<(), RuntimeError> {
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let recorder = Recorder::attach(&supervisor.handle());
    let reads = Arc::new(Reads { handle: supervisor.handle(), woken: 0.into(), blocked: 0.into() });
    let waker = Waker::from(Arc::clone(&reads));
    let mut events = recorder.all();
    let mut waits = pin!(events.wait_for(EventKind::TaskAdded));
    assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    supervisor.add_task(cooperative("a")).await?;
    while reads.woken.load(Ordering::SeqCst) == 0 {
        yield_now().await;
    }
    assert_eq!(reads.blocked.load(Ordering::SeqCst), 0);
    supervisor.shutdown().await
}
