//! B. Restart types.

use taskvisor::{RestartPolicy, RuntimeError, TaskOutcome};
use tests::{FAIL, OK, PANIC, Script, Step, constant, recorded, secs, supervisor};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn b01_always_after_success_runs_again_after_the_interval() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let script = Script::new([OK]);
    let start = Instant::now();
    let spec = script.spec("tick").with_restart(RestartPolicy::Always { interval: Some(secs(10)) });
    supervisor.run_until(vec![spec], tokio::time::sleep(secs(25))).await?;
    assert_eq!(script.begun_ms(start), [0, 10_000, 20_000]);
    println!("{:#?}", recorder.seen());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn b04_on_failure_runs_again_after_failure_and_panic() -> Result<(), RuntimeError> {
    let supervisor = supervisor();
    let script = Script::new([FAIL, PANIC, OK]);
    let start = Instant::now();
    let handle = supervisor.add_task(script.spec("flaky").with_backoff(constant(secs(1)))).await?;
    assert!(matches!(handle.outcome().await, TaskOutcome::Completed));
    assert_eq!(script.begun_ms(start), [0, 1_000, 2_000]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn deaf_and_shutdown() -> Result<(), RuntimeError> {
    let (supervisor, recorder) = recorded();
    let start = Instant::now();
    let d = supervisor.add_task(Script::new([Step::Deaf]).spec("d")).await?;
    let c = supervisor.add_task(Script::new([Step::Wait]).spec("c").with_timeout(secs(5))).await?;
    tokio::time::sleep(secs(7)).await;
    let r = supervisor.shutdown().await;
    println!("{r:?} {:?} {} {}", start.elapsed(), d.outcome().await, c.outcome().await);
    println!(
        "{:#?}",
        recorder.seen().iter().map(|s| format!("{:?} {:?} {:?}", s.kind, s.task, s.reason)).collect::<Vec<_>>()
    );
    Ok(())
}
