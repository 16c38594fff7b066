//! Random operations from several tasks at once, compared with a simple reference model.
//!
//! Each driver owns some names, for which its model predicts the result of every call and the next step of the task.
//! All drivers also use a few shared names, for which the ledger checks that the events are consistent. A round ends
//! with a shutdown in the middle of it. `MODEL_SEED` and `MODEL_OPERATIONS` repeat a run or make it longer.

mod driver;
mod ledger;
mod puppet;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use taskvisor::{RuntimeError, Supervisor, SupervisorConfig};
use tests::{Recorder, secs};

use driver::Driver;

const DRIVERS: usize = 4;
const ROUNDS: u64 = 20;

#[test]
fn random_operations_agree_with_the_model() {
    std::panic::set_hook(Box::new(report_unless_scripted));
    let seed = number("MODEL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let operations = number("MODEL_OPERATIONS").unwrap_or(220_000);
    println!("MODEL_SEED={seed} MODEL_OPERATIONS={operations}");
    let done: u64 = (0..ROUNDS).map(|round| play(seed.wrapping_add(round), round, operations / ROUNDS)).sum();
    println!("{done} operations");
    assert!(done >= operations * 9 / 10, "a round ends early only by the shutdown in its last tenth");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Hides the panics that a driver ordered.
fn report_unless_scripted(panic: &std::panic::PanicHookInfo<'_>) {
    if panic.payload().downcast_ref::<&str>() != Some(&puppet::PANIC) {
        eprintln!("{panic}");
    }
}

fn play(seed: u64, round: u64, operations: u64) -> u64 {
    let mut runtime = if round % 2 == 0 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(one_round(seed, operations))
}

async fn one_round(seed: u64, operations: u64) -> u64 {
    let recorder = Recorder::new();
    let config = SupervisorConfig { grace: secs(60), ..SupervisorConfig::default() };
    let supervisor = Supervisor::new(config, vec![recorder.clone()]);
    let stopping = Arc::new(AtomicBool::new(false));
    // Shared, since the drivers need not be equally fast.
    let steps = Arc::new(AtomicU64::new(0));

    let mut drivers = tokio::task::JoinSet::new();
    for number in 0..DRIVERS {
        let mut driver = Driver::new(seed, number, Arc::clone(&supervisor), Arc::clone(&stopping));
        // The last one shuts the supervisor down while the others are busy.
        let end = if number == DRIVERS - 1 { operations * 19 / 20 } else { operations };
        let (supervisor, stopping, steps) = (Arc::clone(&supervisor), Arc::clone(&stopping), Arc::clone(&steps));
        drivers.spawn(async move {
            while steps.fetch_add(1, Ordering::Relaxed) < end {
                driver.step().await;
            }
            if number == DRIVERS - 1 {
                stopping.store(true, Ordering::SeqCst);
                supervisor.shutdown().await.unwrap();
            }
            driver
        });
    }
    let mut done = 0;
    let mut accepted = Vec::new();
    while let Some(driver) = drivers.join_next().await {
        let driver = driver.unwrap_or_else(|panic| panic!("seed {seed}: {panic}"));
        done += driver.operations();
        accepted.extend(driver.into_accepted());
    }

    supervisor.shutdown().await.unwrap();
    assert!(supervisor.list_tasks().await.is_empty());
    let refused = supervisor.add_task(tests::cooperative("late")).await;
    assert!(matches!(refused, Err(RuntimeError::ShuttingDown)));
    ledger::check(seed, &recorder, &accepted).await;
    done
}
