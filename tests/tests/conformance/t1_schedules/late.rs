//! A run that has returned, while helpers of its attempt still run: a request that comes then does not repeat it.

use super::*;
use taskvisor::Group;
use taskvisor::fleet::{Fleet, LocalStore, Ticks};

/// A run of 02:00 that returns after one minute, and whose helper ends four seconds later.
fn with_helper(runs: &Runs, result: fn() -> std::result::Result<(), TaskError>) -> TaskSpec {
    let runs = runs.clone();
    let task = TaskFn::arc("bill", move |ctx: TaskContext| {
        let runs = runs.clone();
        async move {
            runs.begun.lock().unwrap().push((runs.start.elapsed(), ctx.scheduled_for()));
            sleep(secs(60)).await;
            if ctx.attempt() == 1 {
                ctx.spawn(sleep(secs(4)));
            }
            result()
        }
    });
    let spec = TaskSpec::inherit(task).with_restart(ALWAYS).with_cleanup(secs(10));
    spec.with_schedule(Schedule::cron("0 2 * * *").zone("UTC"))
}

const AT_TWO: u64 = 7_200;
const NEXT_DAY: u64 = AT_TWO + 86_400;

/// Starts the task in a group, makes the request two seconds after the run has returned, and returns the attempts of
/// this day and the next, with the times that they are for.
async fn attempts(
    result: fn() -> std::result::Result<(), TaskError>,
    request: impl AsyncFnOnce(&Tree),
) -> std::result::Result<Vec<(u64, Option<u64>)>, RuntimeError> {
    let runs = Runs::from(DAY);
    let bill = with_helper(&runs, result).with_max_retries(0);
    let tree = tree().group(Group::one_for_all("g").task(bill)).build();
    tree.start().await?;
    sleep(secs(AT_TWO + 62)).await;
    request(&tree).await;
    sleep(secs(86_400 + 60)).await;
    tree.shutdown().await?;
    Ok(runs.begun().into_iter().zip(runs.scheduled_for(DAY_SECS)).collect())
}

#[tokio::test(start_paused = true)]
async fn t1_a_run_that_has_returned_is_not_repeated_after_a_restart() -> Result {
    let both = [(AT_TWO, Some(AT_TWO)), (NEXT_DAY, Some(NEXT_DAY))];
    // A restart requests one more attempt, which is for no time.
    let and_one = [both[0], (AT_TWO + 64, None), both[1]];
    for result in [|| Ok(()), fail] {
        assert_eq!(attempts(result, async |_| {}).await?, both);
        assert_eq!(attempts(result, async |tree| assert!(tree.child("g/bill").restart())).await?, and_one);
        assert_eq!(attempts(result, async |tree| assert!(tree.group("g").restart())).await?, both);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t1_a_run_that_has_returned_is_not_repeated_after_a_pause() -> Result {
    let both = [(AT_TWO, Some(AT_TWO)), (NEXT_DAY, Some(NEXT_DAY))];
    let pause = async |tree: &Tree| {
        let bill = tree.child("g/bill");
        assert!(bill.pause_and_stop());
        sleep(secs(60)).await;
        assert_eq!(bill.status().unwrap().state, TaskState::Scheduled);
        assert!(bill.resume());
    };
    assert_eq!(attempts(|| Ok(()), pause).await?, both);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_run_that_has_returned_before_a_restart_is_marked_in_the_store() -> Result {
    let store = LocalStore::new();
    let runs = Runs::from(DAY);
    let replica = || {
        let bill = with_helper(&runs, || Ok(())).with_singleton().with_ticks(Ticks::AtLeastOnce);
        tree().with_fleet(Fleet::new(store.clone())).task(bill).build()
    };
    let (first, second) = (replica(), replica());
    first.start().await?;
    sleep(secs(60)).await;
    second.start().await?;
    sleep(secs(AT_TWO + 2)).await;
    assert_eq!(runs.begun().len(), 1);
    assert!(first.child("bill").restart());
    sleep(secs(200)).await;
    assert!(first.child("bill").resign());
    sleep(HOUR).await;
    assert_eq!(runs.scheduled_for(DAY_SECS), [Some(AT_TWO), None], "{:?}", runs.begun());
    first.shutdown().await?;
    second.shutdown().await
}
