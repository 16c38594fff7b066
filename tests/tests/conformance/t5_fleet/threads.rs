//! Fleets on real threads, in real time.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use taskvisor::fleet::{
    Claim, FencingToken, Fleet, LeaseError, LeaseKey, LeaseStore, LocalStore, SessionId, SessionSpec, StoreTime,
};
use taskvisor::{SupervisorConfig, TaskContext, TaskFn, TaskSpec, TaskState, Tree};
use tests::longer;
use tokio::time::sleep;

use super::{Log, Net, Result, serve};

const SHORT: Duration = Duration::from_millis(500);
/// A generous limit on real time, against hanging.
const FOREVER: Duration = Duration::from_secs(60);
const NAMES: [&str; 6] = ["u0", "u1", "u2", "u3", "u4", "u5"];

/// Its time is real: a worker is blocked until the lease is over, however long that takes, and the attempt has woken itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t5_an_attempt_that_blocks_past_its_lease_is_not_polled_again() -> Result {
    let net = Net::new(&LocalStore::new());
    let again = Arc::new(AtomicBool::new(false));
    let (told, mut is_told) = tokio::sync::mpsc::unbounded_channel();
    let task = {
        let again = Arc::clone(&again);
        TaskFn::arc("block", move |ctx: TaskContext| {
            let (again, told) = (Arc::clone(&again), told.clone());
            let mut is_over = false;
            poll_fn(move |cx| {
                again.fetch_or(is_over, Ordering::Relaxed);
                cx.waker().wake_by_ref();
                let _ = told.send(());
                while !ctx.lease_left().unwrap_or_default().is_zero() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                is_over = true;
                Poll::Pending
            })
        })
    };
    let tree = Tree::builder(SupervisorConfig::default()).with_fleet(Fleet::new(net.clone()).ttl(SHORT));
    let tree = tree.task(TaskSpec::inherit(task).with_singleton()).build();
    tree.start().await?;
    is_told.recv().await;
    net.cut(true);
    let child = tree.child("block");
    while child.status().is_some_and(|status| status.state != TaskState::Standby) {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(!again.load(Ordering::Relaxed), "it was polled after its lease was over");
    tree.shutdown().await
}

#[test]
fn t5_the_thread_of_a_fleet_ends_with_its_supervisor() {
    let store = LocalStore::new();
    let net = Net::new(&store);
    for ends in ["drop", "runtime", "shutdown"] {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let log = Log::new();
        let fleet = Fleet::new(net.clone()).ttl(Duration::from_millis(500));
        let tree = Tree::builder(SupervisorConfig::default()).with_fleet(fleet);
        let tree = tree.task(serve(&log, 0, "ledger").with_singleton()).build();
        runtime.block_on(async {
            tree.start().await.unwrap();
            while log.owners("ledger").is_empty() {
                sleep(Duration::from_millis(1)).await;
            }
        });
        match ends {
            "drop" => drop(tree),
            "runtime" => {
                drop(runtime);
                drop(tree);
            }
            _ => {
                runtime.block_on(tree.shutdown()).unwrap();
                drop(tree);
            }
        }
        let began = std::time::Instant::now();
        while Arc::strong_count(&net.line) > 1 {
            assert!(began.elapsed() < FOREVER, "{ends}: the store is kept");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The thread of the runtime is blocked, so nobody withdraws the job from the queue of the pool.
#[test]
fn t5_a_job_that_waited_for_a_thread_past_its_lease_does_not_begin() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.max_blocking_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let net = Net::new(&LocalStore::new());
        let (free, is_free) = std::sync::mpsc::channel::<()>();
        let (told, mut is_told) = tokio::sync::mpsc::unbounded_channel();
        let runs: Arc<AtomicUsize> = Arc::default();
        let task = {
            let runs = Arc::clone(&runs);
            TaskFn::arc("queue", move |ctx: TaskContext| {
                let runs = Arc::clone(&runs);
                let _ = told.send(());
                taskvisor::__private::blocking_on_pool(ctx, move |_| {
                    runs.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                })
            })
        };
        let pool = tokio::task::spawn_blocking(move || is_free.recv());
        let tree = Tree::builder(SupervisorConfig::default()).with_fleet(Fleet::new(net.clone()).ttl(SHORT));
        let tree = tree.task(TaskSpec::inherit(task).with_singleton()).build();
        tree.start().await.unwrap();
        is_told.recv().await;
        tokio::task::yield_now().await;
        net.cut(true);
        std::thread::sleep(SHORT);
        free.send(()).unwrap();
        // The job is before this one in the queue.
        let (last, is_last) = std::sync::mpsc::channel();
        tokio::task::spawn_blocking(move || last.send(()));
        is_last.recv_timeout(FOREVER).unwrap();
        assert!(pool.is_finished());
        assert_eq!(runs.load(Ordering::Relaxed), 0);
        tree.shutdown().await.unwrap();
    });
}

/// Real threads and real time: units come and go, and none is left behind.
#[test]
fn t5_many_units_come_and_go_on_real_threads() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let runtimes = [runtime(), runtime()];
    let store = LocalStore::new();
    let log = Log::new();
    let threads: Vec<_> = runtimes
        .iter()
        .enumerate()
        .map(|(n, runtime)| {
            let (net, log) = (Net::new(&store), log.clone());
            // Leases move by releases alone: a thread that the system does not run for longer than this cannot give up a
            // lease in time.
            let fleet = Fleet::new(net.clone()).ttl(FOREVER);
            let running = runtime.spawn(async move {
                let mut random = fastrand::Rng::new();
                let tree = Tree::builder(SupervisorConfig::default()).with_fleet(fleet).build();
                tree.start().await.unwrap();
                let mut handles: Vec<Option<taskvisor::TaskHandle>> = vec![None; NAMES.len()];
                let began = std::time::Instant::now();
                while began.elapsed() < Duration::from_secs(3) {
                    let place = random.usize(..NAMES.len());
                    match (&handles[place], random.u32(..6)) {
                        (None, _) => {
                            let spec = serve(&log, n, NAMES[place]).with_singleton();
                            handles[place] = Some(tree.supervisor().add_task(spec).await.unwrap());
                        }
                        (Some(handle), 0) => {
                            let _ = handle.cancel().await.unwrap();
                            handles[place] = None;
                        }
                        (Some(handle), 1) => drop(handle.resign()),
                        (Some(handle), 2) => drop(handle.restart()),
                        (Some(handle), 3) => drop(handle.pause()),
                        (Some(handle), 4) => drop(handle.resume()),
                        _ => {}
                    }
                    if random.u32(..4) == 0 {
                        sleep(Duration::from_millis(random.u64(..20))).await;
                    }
                }
                for place in 0..NAMES.len() {
                    if let Some(handle) = &handles[place] {
                        handle.resume();
                        continue;
                    }
                    let spec = serve(&log, n, NAMES[place]).with_singleton();
                    handles[place] = Some(tree.supervisor().add_task(spec).await.unwrap());
                }
                (tree, net, handles)
            });
            (runtime, running)
        })
        .collect();
    let trees: Vec<_> =
        threads.into_iter().map(|(runtime, running)| (runtime, runtime.block_on(running).unwrap())).collect();
    let began = std::time::Instant::now();
    while NAMES.iter().any(|name| log.owners(name).is_empty()) {
        let states: Vec<Vec<_>> = trees
            .iter()
            .map(|(_, (_, _, handles))| handles.iter().flatten().map(|it| it.status().state).collect())
            .collect();
        assert!(began.elapsed() < FOREVER, "{states:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    for (runtime, (tree, net, handles)) in trees {
        runtime.block_on(tree.shutdown()).unwrap();
        drop((tree, handles));
        let began = std::time::Instant::now();
        while Arc::strong_count(&net.line) > 1 {
            assert!(began.elapsed() < FOREVER, "the engine is left behind");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    log.check();
}

/// A store whose calls block its thread.
struct Blocking(LocalStore, Arc<AtomicUsize>);

#[async_trait::async_trait]
impl LeaseStore for Blocking {
    async fn open(&self, spec: &SessionSpec) -> std::result::Result<SessionId, LeaseError> {
        self.0.open(spec).await
    }
    async fn renew(&self, session: SessionId) -> std::result::Result<StoreTime, LeaseError> {
        let block = self.1.load(Ordering::Relaxed) as u64;
        std::thread::sleep(Duration::from_millis(block));
        self.0.renew(session).await
    }
    async fn acquire(&self, session: SessionId, keys: &[LeaseKey]) -> std::result::Result<Vec<Claim>, LeaseError> {
        self.0.acquire(session, keys).await
    }
    async fn release(
        &self,
        session: SessionId,
        held: &[(LeaseKey, FencingToken)],
    ) -> std::result::Result<(), LeaseError> {
        self.0.release(session, held).await
    }
    async fn mark(
        &self,
        session: SessionId,
        key: &LeaseKey,
        token: FencingToken,
        tick: u64,
    ) -> std::result::Result<bool, LeaseError> {
        self.0.mark(session, key, token, tick).await
    }
    async fn close(&self, session: SessionId) -> std::result::Result<(), LeaseError> {
        self.0.close(session).await
    }
    async fn changed(&self) {
        self.0.changed().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t5_a_store_that_blocks_its_thread_lets_no_attempt_go_on_past_its_lease() -> Result {
    for ttl in longer(SHORT).take(2) {
        if changes_hands_while_a_store_blocks(ttl).await? {
            return Ok(());
        }
    }
    panic!("two replicas work at the same time");
}

/// Returns `true` if no two runs overlapped, as they may if the system does not run a thread for longer than the margin
/// of its lease.
async fn changes_hands_while_a_store_blocks(ttl: Duration) -> std::result::Result<bool, taskvisor::RuntimeError> {
    let (store, log) = (LocalStore::new(), Log::new());
    let block: Arc<AtomicUsize> = Arc::default();
    let mut trees = Vec::new();
    for n in 0..2 {
        let spec = serve(&log, n, "ledger").with_singleton();
        let late = if n == 0 { Arc::clone(&block) } else { Arc::default() };
        let fleet = Fleet::new(Blocking(store.clone(), late)).ttl(ttl);
        let tree = Tree::builder(SupervisorConfig::default()).with_fleet(fleet).task(spec).build();
        tree.start().await?;
        while log.runs().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        trees.push(tree);
    }
    block.store(3 * ttl.as_millis() as usize, Ordering::Relaxed);
    let began = std::time::Instant::now();
    while log.runs().len() < 2 {
        assert!(began.elapsed() < FOREVER);
        sleep(Duration::from_millis(5)).await;
    }
    block.store(0, Ordering::Relaxed);
    sleep(2 * ttl).await;
    for tree in &trees {
        tree.shutdown().await?;
    }
    log.check_tokens();
    Ok(log.overlap().is_none())
}
