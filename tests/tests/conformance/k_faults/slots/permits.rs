//! K6e: tasks that wait too long for a permit.

use std::sync::Arc;

use taskvisor::{EventKind, LogLevel, Problem, RestartPolicy, Supervisor, SupervisorConfig, TaskHandle, TaskState};
use tests::{ALWAYS, OK, Recorder, Script, Step, cooperative, ms, recorded_with, secs, settle};
use tokio::time::sleep;

use super::{Result, surely};

fn at_most(max_concurrent: usize) -> (Arc<Supervisor>, Arc<Recorder>) {
    recorded_with(SupervisorConfig { max_concurrent, ..SupervisorConfig::default() })
}

/// The warnings: the task and the reason of each.
fn warnings(recorder: &Recorder) -> Vec<(String, String)> {
    let warnings = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::Warning);
    warnings.map(|seen| (seen.task.unwrap(), seen.reason.unwrap())).collect()
}

async fn add(supervisor: &Supervisor, names: &[&str]) -> std::result::Result<Vec<TaskHandle>, taskvisor::RuntimeError> {
    let mut handles = Vec::new();
    for name in names {
        handles.push(supervisor.add_task(cooperative(name)).await?);
        settle().await;
    }
    Ok(handles)
}

#[tokio::test(start_paused = true)]
async fn k6e_a_task_that_waits_for_a_permit_for_ten_seconds_is_warned_of_once() -> Result {
    let (supervisor, recorder) = at_most(2);
    let handles = add(&supervisor, &["b", "a", "c"]).await?;
    sleep(ms(9_999)).await;
    assert_eq!(warnings(&recorder), []);
    sleep(ms(2)).await;
    settle().await;
    let reason = "waits for one of 2 permits (max_concurrent) for 10 s; held by `a`, `b`";
    assert_eq!(warnings(&recorder), [("c".into(), reason.into())]);
    sleep(secs(1_000)).await;
    assert_eq!(warnings(&recorder).len(), 1, "once for each wait");
    let event = taskvisor::Event::new(EventKind::Warning);
    assert_eq!(LogLevel::of(&event), LogLevel::Warn);
    // A later wait gets a warning of its own.
    assert!(handles[0].cancel().await?);
    settle().await;
    assert_eq!(handles[2].status().state, TaskState::Running);
    add(&supervisor, &["d"]).await?;
    sleep(secs(11)).await;
    assert_eq!(warnings(&recorder)[1..], [("d".into(), reason.replace("`b`", "`c`"))]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k6e_health_and_readyz_name_a_task_that_waits_for_a_permit() -> Result {
    let (supervisor, _) = at_most(1);
    let first = add(&supervisor, &["first"]).await?.remove(0);
    // It is ready during its interval, and until it has waited for a permit for ten seconds.
    let again =
        Script::new([OK, Step::Wait]).spec("again").with_restart(RestartPolicy::Always { interval: Some(secs(5)) });
    assert!(first.cancel().await?);
    surely(supervisor.run_until(vec![again], async {
        sleep(secs(1)).await;
        let first = add(&supervisor, &["first"]).await.unwrap().remove(0);
        sleep(secs(10)).await;
        assert!(supervisor.health().is_ready(), "{:?}", supervisor.health());
        sleep(secs(5)).await;
        let health = supervisor.health();
        assert_eq!(health.not_ready[0].problem, Problem::AwaitsPermit { limit: 1, name: "max_concurrent".into() });
        assert_eq!((health.not_ready.len(), &*health.not_ready[0].path, health.is_live()), (1, "again", true));
        let probe = health.readyz();
        assert_eq!(probe.status, 503);
        let said = "again: not ready: pending, all permits are held (max_concurrent = 1) by first, since ";
        assert!(probe.body.contains(said), "{}", probe.body);
        assert!(first.cancel().await.unwrap());
        settle().await;
        assert!(supervisor.health().is_ready());
    }))
    .await?;
    Ok(())
}

/// A wait that makes progress is not warned of, and neither is one that was canceled.
#[tokio::test(start_paused = true)]
async fn k6e_waits_that_end_before_are_not_warned_of() -> Result {
    let (supervisor, recorder) = at_most(1);
    let script = Script::new([Step::Succeed(secs(3))]);
    for name in ["a", "b", "c", "d"] {
        supervisor.add_task(script.spec(name).with_restart(ALWAYS)).await?;
    }
    sleep(secs(100)).await;
    assert_eq!(warnings(&recorder), [], "each waits for 9 s");
    let last = add(&supervisor, &["last"]).await?.remove(0);
    sleep(secs(9)).await;
    assert!(last.cancel().await?);
    sleep(secs(60)).await;
    assert_eq!(warnings(&recorder).len(), 0);
    surely(supervisor.shutdown()).await?;
    assert!(supervisor.health().not_ready.is_empty());
    Ok(())
}

/// A warning stays short, however many tasks hold permits and wait.
#[tokio::test(start_paused = true)]
async fn k6e_warnings_name_some_and_count_the_rest() -> Result {
    let (supervisor, recorder) = at_most(20);
    let names: Vec<_> = (0..60).map(|n| format!("task{n:02}")).collect();
    add(&supervisor, &names.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    sleep(secs(11)).await;
    let warnings = warnings(&recorder);
    assert_eq!(warnings.len(), 16);
    assert!(warnings[0].1.ends_with("`task06`, `task07`, 12 more"), "{}", warnings[0].1);
    assert!(warnings[15].1.ends_with("12 more; 24 more tasks wait as long"), "{}", warnings[15].1);
    assert_eq!(warnings.iter().map(|(task, _)| &**task).collect::<Vec<_>>(), names[20..36]);
    assert_eq!(supervisor.health().not_ready.len(), 40);
    Ok(())
}

/// The watch ends with its runtime, and that of another runtime takes over.
#[test]
fn k6e_a_wait_on_another_runtime_is_warned_of() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (supervisor, recorder) = at_most(1);
    let (main, doomed) = (runtime(), runtime());
    main.block_on(add(&supervisor, &["holds"])).unwrap();
    doomed.block_on(add(&supervisor, &["gone"])).unwrap();
    drop(doomed);
    main.block_on(async {
        add(&supervisor, &["waits"]).await.unwrap();
        sleep(secs(11)).await;
    });
    assert_eq!(warnings(&recorder).len(), 1);
    assert_eq!(warnings(&recorder)[0].1, "waits for the only permit (max_concurrent) for 10 s; held by `holds`");
}
