//! K3: deadlines are kept while one worker is blocked and another is free. Each case runs eight times, since the order
//! in which workers take tasks varies.

use std::future::Future;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use taskvisor::{
    Group, RuntimeError, Signals, Supervisor, SupervisorConfig, TaskContext, TaskFn, TaskOutcome, TaskSpec, Tree,
};
use tests::{Recorder, Script, Step, cooperative, longer, ms, secs};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use super::{Barrier, FOREVER, Result, cleanup_blocks, drop_blocks, stuck, with_grace};

const ROUNDS: usize = 8;

fn four_workers() -> Runtime {
    Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap()
}

/// Waits on a separate thread, since a timeout on a blocked runtime may never fire.
fn wait<T: Send + 'static>(runtime: &Runtime, future: impl Future<Output = T> + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let handle = runtime.handle().clone();
    std::thread::spawn(move || sender.send(handle.block_on(future)));
    receiver.recv_timeout(FOREVER).expect("hangs")
}

/// Runs a scenario, alternately with no other task and with two, and expects it to return while this many threads are
/// blocked: those of the tasks `0`, `1`, ..
fn while_blocked<F>(blocked: usize, grace: Duration, scenario: impl Fn(Duration, Arc<Barrier>, usize) -> F)
where
    F: Future<Output = Result> + Send + 'static,
{
    for round in 0..ROUNDS {
        let mut graces = longer(grace);
        loop {
            let grace = graces.next().expect("the others stop in time");
            let (runtime, barrier) = (four_workers(), Barrier::new());
            let result = wait(&runtime, scenario(grace, Arc::clone(&barrier), round % 2 * 2));
            barrier.wait_until_entered(blocked);
            assert_eq!(barrier.counts(), (blocked, 0), "round {round}: blocked, and blocked no more");
            barrier.open();
            runtime.shutdown_background();
            let (names, expected): (_, Vec<_>) = (stuck(result), (0..blocked).map(|n| n.to_string()).collect());
            assert!(expected.iter().all(|name| names.contains(name)), "round {round}: {names:?}");
            if names == expected {
                break;
            }
        }
    }
}

/// This many tasks that block their thread, and this many others.
fn specs(blocked: usize, others: usize, spec: impl Fn(&str) -> TaskSpec) -> Vec<TaskSpec> {
    let specs = (0..blocked).map(|n| spec(&n.to_string()));
    specs.chain((0..others).map(|n| cooperative(&format!("other-{n}")))).collect()
}

/// A `run_until` that ends when this many tasks that block have begun.
async fn run(supervisor: Arc<Supervisor>, specs: Vec<TaskSpec>, barrier: Arc<Barrier>, blocked: usize) -> Result {
    supervisor.run_until(specs, barrier.begun(blocked)).await
}

#[test]
fn k3c_run_returns_at_the_deadline_though_cleanups_block_their_threads() {
    for blocked in [1, 3] {
        while_blocked(blocked, ms(100), |grace, barrier, others| {
            run(
                Supervisor::new(with_grace(grace), vec![]),
                specs(blocked, others, |name| cleanup_blocks(name, &barrier)),
                barrier,
                blocked,
            )
        });
    }
}

#[test]
fn k3c_run_returns_at_the_deadline_though_it_is_a_task_beside_blocked_ones() {
    for (blocked, listened) in [(1, false), (1, true), (2, false), (2, true)] {
        while_blocked(blocked, ms(100), |grace, barrier, others| {
            let config = SupervisorConfig { signals: Signals::NONE, ..with_grace(grace) };
            let supervisor = Supervisor::new(config, if listened { vec![Recorder::new()] } else { vec![] });
            let specs = specs(blocked, others, |name| cleanup_blocks(name, &barrier));
            async move {
                let handle = supervisor.handle();
                let run = tokio::spawn(async move { supervisor.run(specs).await });
                barrier.begun(blocked).await;
                drop(handle.shutdown());
                run.await.unwrap()
            }
        });
    }
}

#[test]
fn k3c_run_until_returns_at_the_deadline_though_it_is_a_task_beside_blocked_ones() {
    for blocked in [1, 2] {
        while_blocked(blocked, ms(100), |grace, barrier, others| {
            let supervisor = Supervisor::new(with_grace(grace), vec![]);
            let specs = specs(blocked, others, |name| cleanup_blocks(name, &barrier));
            async move { tokio::spawn(run(supervisor, specs, barrier, blocked)).await.unwrap() }
        });
    }
}

#[test]
fn k3c_run_returns_though_the_drop_of_an_aborted_future_blocks() {
    for spawned in [false, true] {
        while_blocked(1, ms(100), |grace, barrier, others| {
            let specs = specs(1, others, |name| drop_blocks(name, &barrier));
            let run = run(Supervisor::new(with_grace(grace), vec![]), specs, barrier, 1);
            async move { if spawned { tokio::spawn(run).await.unwrap() } else { run.await } }
        });
    }
}

#[test]
fn k3c_run_returns_though_the_drop_of_a_future_blocks_that_had_a_deadline_of_its_own() {
    while_blocked(1, ms(200), |grace, barrier, others| {
        let run = run(
            Supervisor::new(with_grace(grace), vec![]),
            specs(1, others, |name| drop_blocks(name, &barrier).with_stop_timeout(ms(50))),
            barrier,
            1,
        );
        async { tokio::spawn(run).await.unwrap() }
    });
}

#[test]
fn k3c_run_returns_though_the_task_that_requested_the_shutdown_blocks_in_that_turn() {
    for first_turn in [true, false] {
        while_blocked(1, ms(100), |grace, barrier, _| {
            let supervisor = Supervisor::new(with_grace(grace), vec![]);
            let task = TaskFn::arc("0", move |ctx: TaskContext| {
                let barrier = Arc::clone(&barrier);
                async move {
                    if !first_turn {
                        sleep(ms(10)).await;
                    }
                    drop(ctx.supervisor().shutdown());
                    barrier.block();
                    Ok(())
                }
            });
            let specs = vec![TaskSpec::inherit(task)];
            let run = async move { supervisor.run_until(specs, std::future::pending()).await };
            async { tokio::spawn(run).await.unwrap() }
        });
    }
}

/// No task is left, and the shutdown is requested by a task outside of the supervisor.
#[test]
fn k3c_run_returns_though_the_worker_that_requested_the_shutdown_of_nothing_blocks() {
    for _ in 0..ROUNDS {
        let (runtime, barrier) = (four_workers(), Barrier::new());
        let supervisor = Supervisor::new(SupervisorConfig { signals: Signals::NONE, ..with_grace(ms(100)) }, vec![]);
        let handle = supervisor.handle();
        let run = runtime.spawn(async move { supervisor.run(vec![]).await });
        let held = Arc::clone(&barrier);
        runtime.spawn(async move {
            while handle.health().readyz().body.contains("not started") {
                sleep(ms(1)).await;
            }
            drop(handle.shutdown());
            held.block();
        });
        assert!(wait(&runtime, run).unwrap().is_ok());
        barrier.wait_until_entered(1);
        assert_eq!(barrier.counts(), (1, 0));
        barrier.open();
        runtime.shutdown_background();
    }
}

#[test]
fn k3c_a_cancel_returns_at_its_deadline_though_the_cleanup_blocks_its_thread() {
    for spawned in [false, true] {
        for _ in 0..ROUNDS {
            let (runtime, barrier) = (four_workers(), Barrier::new());
            let supervisor = Supervisor::new(with_grace(secs(3600)), vec![]);
            let task = runtime.block_on(supervisor.add_task(cleanup_blocks("stuck", &barrier))).unwrap();
            runtime.block_on(barrier.begun(1));
            let cancel = async move { supervisor.cancel_with_timeout("stuck", ms(50)).await };
            let canceled =
                wait(&runtime, async move { if spawned { tokio::spawn(cancel).await.unwrap() } else { cancel.await } });
            assert!(matches!(canceled, Err(RuntimeError::TaskRemoveTimeout { .. })), "{canceled:?}");
            barrier.wait_until_entered(1);
            assert_eq!(barrier.counts(), (1, 0));
            barrier.open();
            assert!(matches!(runtime.block_on(task.outcome()), TaskOutcome::Aborted { .. }));
            runtime.shutdown_background();
        }
    }
}

/// The blocked worker may be the one that drives the timers.
#[test]
fn k3c_a_stop_timeout_is_kept_during_a_stop_though_another_task_blocks_its_thread() {
    for _ in 0..ROUNDS {
        let (runtime, barrier) = (four_workers(), Barrier::new());
        let supervisor = Supervisor::new(with_grace(secs(3600)), vec![]);
        let rude = runtime.block_on(async {
            let deaf = Script::new([Step::Deaf]);
            let rude = supervisor.add_task(deaf.spec("rude").with_stop_timeout(ms(50))).await.unwrap();
            while deaf.running() == 0 {
                sleep(ms(1)).await;
            }
            supervisor.add_task(cleanup_blocks("stuck", &barrier)).await.unwrap();
            barrier.begun(1).await;
            rude
        });
        let entered = runtime.enter();
        let shutdown = supervisor.shutdown();
        drop(entered);
        barrier.wait_until_entered(1);
        let outcome = wait(&runtime, async move { rude.outcome().await });
        assert!(matches!(outcome, TaskOutcome::Aborted { .. }), "{outcome}");
        assert_eq!(barrier.counts(), (1, 0));
        barrier.open();
        assert_eq!(stuck(wait(&runtime, shutdown)), ["rude"]);
        runtime.shutdown_background();
    }
}

#[test]
fn k3d_a_cancel_without_a_bound_returns_when_a_shutdown_has_given_the_task_up() {
    let (runtime, barrier) = (four_workers(), Barrier::new());
    let supervisor = Supervisor::new(with_grace(ms(100)), vec![]);
    let task = runtime
        .block_on(supervisor.add_task(cleanup_blocks("stuck", &barrier).with_stop_timeout(std::time::Duration::MAX)))
        .unwrap();
    runtime.block_on(barrier.begun(1));
    let canceling = runtime.spawn(async move { task.cancel().await });
    barrier.wait_until_entered(1);
    assert_eq!(stuck(wait(&runtime, supervisor.shutdown())), ["stuck"]);
    let canceled = wait(&runtime, canceling).unwrap();
    assert!(matches!(canceled, Err(RuntimeError::TaskRemoveTimeout { .. })), "{canceled:?}");
    assert_eq!(barrier.counts(), (1, 0));
    barrier.open();
    runtime.shutdown_background();
}

#[test]
fn k3c_a_cancel_of_a_group_returns_though_a_task_in_it_blocks_its_thread() {
    let (runtime, barrier) = (four_workers(), Barrier::new());
    let group = Group::one_for_one("g").task(cleanup_blocks("stuck", &barrier));
    let tree = Tree::builder(with_grace(ms(100))).group(group).build();
    runtime.block_on(tree.start()).unwrap();
    runtime.block_on(barrier.begun(1));
    let group = tree.group("g");
    for _ in 0..2 {
        let group = group.clone();
        let error = wait(&runtime, async move { group.cancel().await }).unwrap_err();
        assert_eq!(error.to_string(), "`g` was requested to stop, but still runs after 100ms");
    }
    assert_eq!(barrier.counts(), (1, 0));
    barrier.open();
    assert!(!wait(&runtime, async move { group.cancel().await }).unwrap());
    runtime.shutdown_background();
}

/// Stops a task whose value blocks its thread when dropped.
fn value_blocks(check: impl Fn(Result)) {
    for round in 0..ROUNDS {
        let (runtime, barrier) = (four_workers(), Barrier::new());
        let supervisor = Supervisor::new(with_grace(ms(20)), vec![]);
        let held = super::BlocksInDrop(Arc::clone(&barrier));
        let task = TaskFn::arc("stuck", move |ctx: TaskContext| {
            let _held = &held;
            async move {
                ctx.cancelled().await;
                Ok(())
            }
        });
        let run = async move { supervisor.run_until(vec![TaskSpec::inherit(task)], sleep(ms(10))).await };
        let result = wait(&runtime, run);
        barrier.wait_until_entered(1);
        assert_eq!(barrier.counts(), (1, 0), "round {round}");
        barrier.open();
        check(result);
        runtime.shutdown_background();
    }
}

#[test]
fn k3f_a_task_whose_drop_blocks_does_not_hold_the_shutdown() {
    value_blocks(drop);
}

#[test]
fn k3f_a_task_whose_drop_blocks_is_named() {
    value_blocks(|result| assert_eq!(stuck(result), ["stuck"]));
}

/// A worker that wakes for one timer wakes no other worker. While it is blocked, nobody drives the timers, until
/// somebody wakes its runtime.
#[test]
fn k3c_timers_of_a_runtime_go_on_though_the_worker_that_drives_them_is_blocked_in_a_stop() {
    for round in 0..ROUNDS {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let barrier = Barrier::new();
        let outcome = wait(&runtime, {
            let barrier = Arc::clone(&barrier);
            async move {
                let supervisor = Supervisor::new(with_grace(FOREVER / 3), vec![]);
                let cleanup = |name: &str, time, blocks: bool| {
                    let barrier = Arc::clone(&barrier);
                    TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| {
                        let barrier = Arc::clone(&barrier);
                        async move {
                            barrier.begins();
                            ctx.cancelled().await;
                            sleep(time).await;
                            if blocks {
                                barrier.block();
                            }
                            Ok(())
                        }
                    }))
                };
                supervisor.add_task(cleanup("blocks", ms(50), true)).await.unwrap();
                let waits = supervisor.add_task(cleanup("waits", ms(100), false)).await.unwrap();
                barrier.begun(2).await;
                drop(supervisor.shutdown());
                waits.outcome().await
            }
        });
        assert!(matches!(outcome, TaskOutcome::Canceled { error: None, .. }), "round {round}: {outcome:?}");
        barrier.wait_until_entered(1);
        barrier.open();
        runtime.shutdown_background();
    }
}
