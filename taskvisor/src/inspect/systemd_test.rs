//! Tests of the messages to systemd.

use std::sync::Mutex;

use tokio::time::sleep;

use super::*;
use crate::sync::lock;
use crate::{Ready, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree};

/// The sent messages with their times in milliseconds.
type Log = Arc<Mutex<Vec<(u128, String)>>>;

fn told(tree: &Tree, watchdog: Option<Duration>) -> (Log, tokio::task::JoinHandle<()>) {
    let (sent, start) = (Log::default(), Instant::now());
    let (core, log) = (Arc::clone(&tree.supervisor().core), Arc::clone(&sent));
    let telling = async move {
        tell(&core, watchdog, |messages| {
            let texts = messages.iter().map(|message| (start.elapsed().as_millis(), message.to_string()));
            lock(&log).extend(texts);
            Sent::Done
        })
        .await;
    };
    (sent, tokio::spawn(telling))
}

fn taken(sent: &Log) -> Vec<(u128, String)> {
    std::mem::take(&mut lock(sent))
}

fn at(at: u128, text: &str) -> (u128, String) {
    (at, text.to_owned())
}

/// A task that is ready after `ready`, and takes `stop` to stop.
fn slow(name: &str, ready: u64, stop: u64) -> TaskSpec {
    let task = TaskFn::arc(name, move |ctx: TaskContext| async move {
        sleep(Duration::from_millis(ready)).await;
        ctx.ready();
        ctx.cancelled().await;
        sleep(Duration::from_millis(stop)).await;
        Err(TaskError::Canceled)
    });
    TaskSpec::inherit(task).with_ready(Ready::Signal)
}

fn tree(specs: impl IntoIterator<Item = TaskSpec>) -> Tree {
    let config = SupervisorConfig { drain: Duration::from_secs(1), ..SupervisorConfig::default() };
    Tree::builder(config).tasks(specs).build()
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn it_tells_of_the_start_and_of_the_end_at_once() {
    let tree = tree([slow("a", 1500, 600), slow("b\nREADY=1", 0, 600)]);
    let (sent, telling) = told(&tree, None);
    tree.start().await.unwrap();
    sleep(Duration::from_millis(5200)).await;
    assert_eq!(
        taken(&sent),
        [at(0, "STATUS=0 of 2 ready; not ready: a (pending), b\\nREADY=1 (pending)")]
            .into_iter()
            .chain([at(1000, "STATUS=1 of 2 ready; not ready: a (running)")])
            .chain([at(1500, "READY=1"), at(1500, "STATUS=2 of 2 ready")])
            .collect::<Vec<_>>()
    );

    tree.shutdown().await.unwrap();
    telling.await.unwrap();
    let extended = "EXTEND_TIMEOUT_USEC=10000000";
    assert_eq!(
        taken(&sent),
        [
            at(5200, "STOPPING=1"),
            at(5200, extended),
            at(5200, "STATUS=shutting down, 2 left"),
            at(6200, extended),
            at(6800, "STATUS=stopped"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_name_of_several_lines_is_one_status_while_the_shutdown_waits_for_it() {
    let tree = tree([slow("a\nWATCHDOG=trigger", 0, 2500)]);
    tree.start().await.unwrap();
    let (sent, telling) = told(&tree, None);
    sleep(Duration::from_millis(1)).await;
    tree.shutdown().await.unwrap();
    telling.await.unwrap();
    let sent = taken(&sent);
    assert!(sent.iter().any(|(_, text)| text.starts_with("STATUS=waiting for a\\nWATCHDOG")), "{sent:?}");
    assert!(sent.iter().all(|(_, text)| !text.contains('\n')), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn the_watchdog_is_told_at_half_its_time_until_the_end() {
    let tree = tree([slow("a", 0, 4000)]);
    tree.start().await.unwrap();
    let (sent, telling) = told(&tree, Some(Duration::from_secs(5)));
    sleep(Duration::from_secs(9)).await;
    drop(tree.shutdown());
    telling.await.unwrap();
    let beats = taken(&sent).into_iter().filter(|(_, text)| text == "WATCHDOG=1").map(|(at, _)| at);
    assert_eq!(beats.collect::<Vec<_>>(), [0, 2500, 5000, 7500, 10_000, 12_500]);
}

#[tokio::test(start_paused = true)]
async fn what_a_full_socket_has_no_place_for_is_told_later() {
    let tree = tree([slow("a", 100, 100)]);
    tree.start().await.unwrap();
    let (start, log) = (Instant::now(), Log::default());
    let (core, sent) = (Arc::clone(&tree.supervisor().core), Arc::clone(&log));
    let telling = tokio::spawn(async move {
        let full = |at| matches!(at, 50..1050 | 2050..5050);
        tell(&core, Some(Duration::from_secs(2)), |messages| {
            let at = start.elapsed().as_millis();
            if full(at) {
                return Sent::NoPlace;
            }
            lock(&sent).extend(messages.iter().map(|message| (at, message.to_string())));
            Sent::Done
        })
        .await;
    });
    sleep(Duration::from_millis(2500)).await;
    drop(tree.shutdown());
    telling.await.unwrap();
    let expected = [at(0, "WATCHDOG=1"), at(0, "STATUS=0 of 1 ready; not ready: a (pending)")];
    let ready = [at(1100, "READY=1"), at(1100, "WATCHDOG=1"), at(1100, "STATUS=1 of 1 ready")];
    let ended = [at(5100, "STOPPING=1"), at(5100, "STATUS=stopped")];
    assert_eq!(taken(&log), expected.into_iter().chain(ready).chain(ended).collect::<Vec<_>>());
}

#[test]
fn a_beat_that_was_withheld_is_sent_as_soon_as_it_may_be() {
    let start = Instant::now();
    let mut pulse = Pulse { period: 10 * TICK, due: start };
    assert_eq!(pulse.next_check(start), start + TICK, "not live, and so not even asked");
    assert!(pulse.is_due(start + TICK));
    pulse.has_beaten(start + TICK);
    assert!(!pulse.is_due(start + 2 * TICK));
    assert_eq!(pulse.next_check(start + TICK * 21 / 2), start + 11 * TICK);
    let short = Pulse { period: TICK / 4, due: start };
    assert_eq!(short.next_check(start), start + TICK / 4);
}

#[test]
fn a_status_names_a_few() {
    let since = std::time::SystemTime::UNIX_EPOCH;
    let stuck =
        |n| Unhealthy { path: format!("t{n}"), problem: Problem::Silent, since, awaits: Vec::new(), error: None };
    let health = Health { tasks: 5, not_live: (0..4).map(stuck).collect(), ..Health::default() };
    assert_eq!(status(&health), "5 of 5 ready; stuck: t0, t1, t2 and 1 more");
}

#[tokio::test(start_paused = true)]
async fn k6c_a_status_says_who_ended_in_failure_and_who_does_not_count() {
    let fatal = |name: &str| {
        TaskSpec::inherit(TaskFn::arc(name, |_: TaskContext| async {
            Err(TaskError::Fatal { reason: "no such\nvolume".into() })
        }))
    };
    let tree = tree([fatal("import"), fatal("relay").without_readiness(), slow("serve", 0, 0)]);
    tree.start().await.unwrap();
    sleep(Duration::from_millis(1)).await;
    let expected = "1 of 3 ready; not ready: import (failed: no such\\nvolume); does not count: relay (failed: no \
                    such\\nvolume)";
    assert_eq!(status(&tree.health()), expected);
    tree.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_no_watchdog_message_while_a_task_is_stuck() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let stuck = TaskFn::arc("stuck", move |_: TaskContext| {
        let released = Arc::clone(&released);
        async move {
            tokio::task::yield_now().await;
            // `block_in_place` moves the other tasks of this worker to another thread. Otherwise the task that sends
            // the messages could be stuck behind this one.
            let _ = tokio::task::block_in_place(|| lock(&released).recv());
            Ok(())
        }
    });
    let tree = tree([TaskSpec::inherit(stuck).with_watchdog(Duration::from_millis(20))]);
    let (sent, _telling) = told(&tree, Some(Duration::from_millis(20)));
    tree.start().await.unwrap();
    let seen = async |wanted: &str| {
        while !lock(&sent).iter().any(|(_, text)| text.contains(wanted)) {
            sleep(Duration::from_millis(1)).await;
        }
        taken(&sent)
    };
    let seen = async |wanted| tokio::time::timeout(HOUR / 60, seen(wanted)).await.expect(wanted);

    let before = seen("; stuck: stuck").await;
    assert!(before.last().unwrap().1.ends_with("; stuck: stuck; not ready: stuck (no heartbeat)"), "{before:?}");
    sleep(Duration::from_millis(100)).await;
    assert_eq!(taken(&sent), []);
    drop(release);
    seen("WATCHDOG=1").await;
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_supervisor_and_says_how() {
    let deaf = TaskFn::arc("deaf", |_: TaskContext| std::future::pending());
    let tree = tree([TaskSpec::inherit(deaf)]);
    let (sent, telling) = told(&tree, None);
    tree.start().await.unwrap();
    drop(tree);
    telling.await.unwrap();
    let (_, last) = taken(&sent).pop().unwrap();
    assert_eq!(last, "STATUS=stopped: 1 task not stopped in time (grace 60s): deaf");
}

#[tokio::test(start_paused = true)]
async fn what_never_was_ready_is_not_said_to_be() {
    let tree = tree([slow("a", 1_000_000, 0)]);
    let (sent, telling) = told(&tree, None);
    tree.start().await.unwrap();
    sleep(TICK).await;
    drop(tree.shutdown());
    telling.await.unwrap();
    assert!(taken(&sent).iter().all(|(_, text)| text != "READY=1"));
}
