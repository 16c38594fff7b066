//! Faults that a review has found.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use taskvisor::fleet::{
    Claim, FencingToken, Fleet, LeaseError, LeaseKey, LeaseStore, LocalStore, SessionId, SessionSpec, Standby,
    StoreTime,
};
use taskvisor::{Group, SlotSpec, SupervisorConfig, TaskContext, TaskFn, TaskSpec, TaskState, Tree};
use tokio::time::{sleep, timeout};

use super::{Log, Net, Result, TTL, replica, secs, serve, three};

#[tokio::test(start_paused = true)]
async fn t5_a_paused_owner_that_resigns_hands_over() -> Result {
    let log = Log::new();
    let (_store, replicas) = three(&log).await?;
    let handle = replicas[0].tree.child("ledger").current().expect("it is registered");
    assert!(handle.pause() && handle.resign());
    sleep(secs(1.0)).await;
    let owners = log.owners("ledger");
    assert!(owners == [1] || owners == [2], "{owners:?}");
    assert_eq!(replicas[0].state("ledger"), TaskState::Standby);
    for it in &replicas {
        it.tree.shutdown().await?;
    }
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_task_that_has_owned_the_lease_does_not_compete_in_any_pause() -> Result {
    let log = Log::new();
    let (store, replicas) = three(&log).await?;
    let child = replicas[0].tree.child("ledger");
    assert!(child.current().is_some_and(|task| task.resign()));
    sleep(secs(1.0)).await;
    assert!(child.pause());
    sleep(secs(1.0)).await;
    assert!(child.resume());
    sleep(secs(1.0)).await;
    assert!(child.pause());
    sleep(secs(1.0)).await;
    for it in &replicas[1..] {
        it.tree.shutdown().await?;
    }
    sleep(2 * TTL).await;
    let next = replica(&store, 3, |tree| tree.task(serve(&log, 3, "ledger").with_singleton())).await?;
    sleep(secs(1.0)).await;
    assert_eq!(log.owners("ledger"), [3]);
    next.tree.shutdown().await?;
    replicas[0].tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_paused_group_that_stands_by_does_not_compete() -> Result {
    for is_fresh in [false, true] {
        let (log, store) = (Log::new(), LocalStore::new());
        let mut replicas = Vec::new();
        for n in 0..3 {
            let mine = log.clone();
            let feeds = Group::one_for_one("feeds").with_singleton();
            let feeds = if is_fresh {
                feeds.fresh(move || {
                    let child = serve(&mine, n, "a");
                    async move { Ok::<_, taskvisor::TaskError>(vec![child]) }
                })
            } else {
                feeds.task(serve(&mine, n, "a"))
            };
            replicas.push(replica(&store, n, |tree| tree.group(feeds)).await?);
            sleep(secs(0.5)).await;
        }
        assert_eq!(log.owners("a"), [0]);
        assert!(replicas[1].tree.group("feeds").pause());
        replicas[0].tree.shutdown().await?;
        sleep(secs(30.0)).await;
        assert_eq!(log.owners("a"), [2], "fresh: {is_fresh}");
        replicas[2].tree.shutdown().await?;
        sleep(secs(30.0)).await;
        let next = replica(&store, 3, |tree| tree).await?;
        assert!(replicas[1].tree.group("feeds").resume());
        sleep(secs(6.0)).await;
        assert_eq!(log.owners("a"), [1], "fresh: {is_fresh}");
        replicas[1].tree.shutdown().await?;
        next.tree.shutdown().await?;
        log.check();
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_jobs_of_one_replica_follow_each_other_in_a_slot_of_the_fleet()
-> std::result::Result<(), Box<dyn std::error::Error>> {
    let (log, store) = (Log::new(), LocalStore::new());
    let a = replica(&store, 0, |tree| tree.with_slot(SlotSpec::new("deploy").with_fleet())).await?;
    let mut took = Duration::ZERO;
    for n in 0..4 {
        let log = log.clone();
        let task = TaskFn::arc(format!("job{n}"), move |ctx: TaskContext| {
            let log = log.clone();
            async move {
                let _running = log.begin(0, "deploy", ctx.fencing_token());
                Ok(())
            }
        });
        let began = tokio::time::Instant::now();
        let job = a.tree.slot("deploy").submit(TaskSpec::inherit(task)).await?;
        assert!(job.outcome().await.is_completed());
        took += began.elapsed();
        // Enough for the release of the key to be sent, with its answer still under way.
        tokio::task::yield_now().await;
    }
    assert!(took < secs(1.0), "{took:?}: {:?}", log.runs());
    a.tree.shutdown().await?;
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_what_is_not_ready_while_it_stands_by() -> Result {
    for is_group in [false, true] {
        let (log, store) = (Log::new(), LocalStore::new());
        let mut replicas = Vec::new();
        for n in 0..2 {
            let spec = serve(&log, n, "ledger").with_singleton().with_standby(Standby::NotReady);
            let other = Group::one_for_all("other").without_readiness();
            replicas.push(
                replica(&store, n, |tree| if is_group { tree.task(spec).group(other) } else { tree.task(spec) })
                    .await?,
            );
            sleep(secs(0.5)).await;
        }
        for (n, it) in replicas.iter().enumerate() {
            assert_eq!(it.tree.health().is_ready(), n == 0, "{is_group}: {:?}", it.tree.health());
            assert!(it.tree.health().is_live());
            // The start does not wait for the lease.
            assert!(timeout(secs(1.0), it.tree.wait_ready()).await.is_ok());
        }
        replicas[0].tree.shutdown().await?;
        sleep(secs(1.0)).await;
        assert!(replicas[1].tree.health().is_ready());
        replicas[1].tree.shutdown().await?;
    }
    Ok(())
}

/// A store that panics where a call is created, or where its future is dropped.
struct Crude {
    store: LocalStore,
    /// The next calls panic.
    panics: Arc<AtomicUsize>,
    /// The next calls are not answered, and panic when they are dropped.
    traps: Arc<AtomicUsize>,
}

struct Trap;

impl Drop for Trap {
    fn drop(&mut self) {
        panic!("a trap");
    }
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = std::result::Result<T, LeaseError>> + Send + 'a>>;

impl Crude {
    fn pass<'a, T: 'a>(&self, call: Answer<'a, T>) -> Answer<'a, T> {
        let takes = |left: &AtomicUsize| {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        };
        assert!(!takes(&self.panics), "no store");
        if takes(&self.traps) {
            let trap = Trap;
            return Box::pin(async move {
                let _trap = trap;
                std::future::pending().await
            });
        }
        call
    }
}

impl LeaseStore for Crude {
    fn open<'a, 'b, 's>(&'a self, spec: &'b SessionSpec) -> Answer<'s, SessionId>
    where
        'a: 's,
        'b: 's,
        Self: 's,
    {
        self.pass(self.store.open(spec))
    }
    fn renew<'a, 's>(&'a self, session: SessionId) -> Answer<'s, StoreTime>
    where
        'a: 's,
        Self: 's,
    {
        self.pass(self.store.renew(session))
    }
    fn acquire<'a, 'b, 's>(&'a self, session: SessionId, keys: &'b [LeaseKey]) -> Answer<'s, Vec<Claim>>
    where
        'a: 's,
        'b: 's,
        Self: 's,
    {
        self.pass(self.store.acquire(session, keys))
    }
    fn release<'a, 'b, 's>(&'a self, session: SessionId, held: &'b [(LeaseKey, FencingToken)]) -> Answer<'s, ()>
    where
        'a: 's,
        'b: 's,
        Self: 's,
    {
        self.pass(self.store.release(session, held))
    }
    fn mark<'a, 'b, 's>(
        &'a self,
        session: SessionId,
        key: &'b LeaseKey,
        token: FencingToken,
        tick: u64,
    ) -> Answer<'s, bool>
    where
        'a: 's,
        'b: 's,
        Self: 's,
    {
        self.pass(self.store.mark(session, key, token, tick))
    }
    fn close<'a, 's>(&'a self, session: SessionId) -> Answer<'s, ()>
    where
        'a: 's,
        Self: 's,
    {
        self.pass(self.store.close(session))
    }
}

#[tokio::test(start_paused = true)]
async fn t5_a_store_that_panics_anywhere_is_asked_again() -> Result {
    let log = Log::new();
    let (panics, traps) = (Arc::new(AtomicUsize::new(3)), Arc::new(AtomicUsize::new(0)));
    let store = Crude { store: LocalStore::new(), panics: Arc::clone(&panics), traps: Arc::clone(&traps) };
    let fleet = Fleet::new(store).ttl(TTL);
    let tree = Tree::builder(SupervisorConfig::default()).with_fleet(fleet);
    let tree = tree.task(serve(&log, 0, "ledger").with_singleton()).build();
    tree.start().await?;
    sleep(secs(10.0)).await;
    assert_eq!(log.owners("ledger"), [0], "panics of `open` were survived");
    for _ in 0..5 {
        panics.store(1, Ordering::Relaxed);
        sleep(TTL).await;
        traps.store(1, Ordering::Relaxed);
        sleep(TTL).await;
    }
    assert_eq!(log.runs().len(), 1, "{:?}", log.runs());
    panics.store(1, Ordering::Relaxed);
    tree.shutdown().await
}

/// Its time is real: a worker is blocked while another one fires the timer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t5_an_attempt_that_blocks_past_its_lease_is_not_polled_again() -> Result {
    const SHORT: Duration = Duration::from_millis(500);
    let net = Net::new(&LocalStore::new());
    let polls: Arc<std::sync::Mutex<Vec<bool>>> = Arc::default();
    let (told, mut is_told) = tokio::sync::mpsc::unbounded_channel();
    let task = {
        let polls = Arc::clone(&polls);
        TaskFn::arc("block", move |ctx: TaskContext| {
            let (polls, told) = (Arc::clone(&polls), told.clone());
            async move {
                let _ = told.send(());
                ctx.cancelled().await;
                let mut again = Box::pin(sleep(Duration::from_millis(10)));
                poll_fn(move |cx| {
                    let left = ctx.lease_left().unwrap_or_default();
                    let mut polls = polls.lock().unwrap();
                    polls.push(left.is_zero());
                    if polls.len() == 1 {
                        let _ = again.as_mut().poll(cx);
                    } else if polls.len() == 2 {
                        std::thread::sleep(SHORT);
                    }
                    Poll::<()>::Pending
                })
                .await;
                Ok(())
            }
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
    let seen = polls.lock().unwrap().clone();
    assert!(!seen.is_empty() && !seen.contains(&true), "it was polled after its lease was over: {seen:?}");
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn t5_a_tree_that_is_dropped_leaves_nothing_behind() -> Result {
    let store = LocalStore::new();
    let mut nets: Vec<Net> = Vec::new();
    for (n, is_cut) in [(0, false), (1, false), (2, true)] {
        let log = Log::new();
        let feeds = Group::one_for_one("feeds").with_singleton().task(serve(&log, n, "a"));
        let it = replica(&store, n, |tree| tree.task(serve(&log, n, "ledger").with_singleton()).group(feeds)).await?;
        sleep(secs(1.0)).await;
        it.net.cut(is_cut);
        nets.push(it.net.clone());
        drop(it.tree);
        if n == 0 {
            sleep(secs(1.0)).await;
        }
    }
    sleep(3 * TTL).await;
    let left: Vec<_> = nets.iter().map(|net| Arc::strong_count(&net.line)).collect();
    assert_eq!(left, [1, 1, 1], "the store is dropped with its supervisor");
    Ok(())
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
            assert!(began.elapsed() < Duration::from_secs(10), "{ends}: the store is kept");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn t5_a_maker_of_a_fresh_group_does_not_go_on_without_the_lease() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let mut replicas = Vec::new();
    for n in 0..2 {
        let mine = log.clone();
        let feeds = Group::one_for_one("feeds").fresh(move || {
            let log = mine.clone();
            async move {
                let _running = log.begin(n, "make", Some(FencingToken::from_number(n as u64 + 1)));
                sleep(secs(40.0)).await;
                Ok::<_, taskvisor::TaskError>(vec![serve(&log, n, "a")])
            }
        });
        replicas.push(replica(&store, n, |tree| tree.group(feeds.with_singleton())).await?);
        sleep(secs(0.5)).await;
    }
    assert_eq!(log.owners("make"), [0]);
    replicas[0].net.cut(true);
    sleep(2 * TTL).await;
    assert_eq!(log.owners("make"), [1]);
    sleep(secs(120.0)).await;
    assert_eq!(log.owners("a"), [1]);
    replicas[0].net.cut(false);
    sleep(secs(120.0)).await;
    for it in &replicas {
        it.tree.shutdown().await?;
    }
    log.check();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_two_units_of_one_key_take_turns_in_one_process() -> Result {
    let (log, store) = (Log::new(), LocalStore::new());
    let a = replica(&store, 0, |tree| {
        let spec = |name| serve(&log, 0, name).with_singleton_key("k");
        tree.task(spec("x")).task(spec("y"))
    })
    .await?;
    sleep(secs(1.0)).await;
    let running = || (log.owners("x").len(), log.owners("y").len());
    assert_eq!(running(), (1, 0));
    assert!(a.tree.child("x").current().unwrap().cancel().await?);
    sleep(secs(1.0)).await;
    assert_eq!(running(), (0, 1));
    assert!(a.tree.child("x").restart());
    sleep(secs(1.0)).await;
    assert_eq!(running(), (0, 1));
    a.tree.shutdown().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_no_story_lets_two_run_or_none() -> Result {
    let seeds: u64 = std::env::var("FLEET_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(30);
    let first: u64 = std::env::var("FLEET_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    for seed in first..first + seeds {
        story(seed).await?;
    }
    Ok(())
}

/// A task that fails or ends now and then.
fn moody(log: &Log, replica: usize, name: &'static str, seed: u64) -> TaskSpec {
    let (log, random) = (log.clone(), std::sync::Mutex::new(fastrand::Rng::with_seed(seed)));
    let task = TaskFn::arc(name, move |ctx: TaskContext| {
        let log = log.clone();
        let (lasts, fails) = {
            let mut random = random.lock().unwrap();
            (secs(random.f64() * 40.0), random.bool())
        };
        async move {
            let _running = log.begin(replica, name, ctx.fencing_token().or(Some(FencingToken::from_number(1))));
            if ctx.run_until_cancelled(sleep(lasts)).await.is_some() && fails {
                return Err(taskvisor::TaskError::Fail { reason: "mood".into() });
            }
            Ok(())
        }
    });
    TaskSpec::inherit(task).with_restart(taskvisor::RestartPolicy::Always { interval: Some(secs(2.0)) })
}

async fn story(seed: u64) -> Result {
    const KEYS: [&str; 6] = ["solo", "moody", "all/s", "rest/s", "feeds/a", "feeds/inner/b"];
    const WHAT: [&str; 6] = ["solo", "moody", "s", "r", "a", "b"];
    let mut random = fastrand::Rng::with_seed(seed);
    let (log, store) = (Log::new(), LocalStore::new());
    let make = |n: usize, seed: u64| {
        let log = log.clone();
        move |tree: taskvisor::TreeBuilder| {
            let named = |name, spec: TaskSpec| spec.with_name(name);
            let all = Group::one_for_all("all")
                .task(named("s", moody(&log, n, "s", seed)).with_singleton())
                .task(moody(&log, n, "p", seed ^ 1));
            let rest = Group::rest_for_one("rest")
                .task(moody(&log, n, "q", seed ^ 2))
                .task(named("s", moody(&log, n, "r", seed ^ 3)).with_singleton());
            let feeds = Group::one_for_all("feeds")
                .with_singleton()
                .task(serve(&log, n, "a"))
                .task(moody(&log, n, "c", seed ^ 5).with_after(["a"]))
                .group(Group::one_for_one("inner").task(moody(&log, n, "b", seed ^ 4)));
            tree.task(serve(&log, n, "solo").with_singleton())
                .task(moody(&log, n, "moody", seed).with_singleton())
                .group(all)
                .group(rest)
                .group(feeds)
        }
    };
    let mut replicas = Vec::new();
    for n in 0..3 {
        replicas.push(replica(&store, n, make(n, random.u64(..))).await?);
    }
    let mut number = 3;
    for step in 0..60 {
        sleep(secs(random.f64() * random.f64() * 20.0)).await;
        let place = random.usize(..3);
        let it = &replicas[place];
        let path = KEYS[random.usize(..KEYS.len())];
        let (child, group) = (it.tree.child(path), it.tree.group(["feeds", "all", "rest"][random.usize(..3)]));
        let what = random.u32(..14);
        if std::env::var_os("FLEET_SHOW").is_some() {
            eprintln!("{step}: {what} at {place} {path}, {:?}", log.start.elapsed());
        }
        match what {
            0 => it.net.cut(true),
            1 => it.net.mute(true),
            2 | 3 => {
                it.net.cut(false);
                it.net.mute(false);
            }
            4 => drop(child.pause()),
            5 => drop(child.pause_and_stop()),
            6 => drop(child.resume()),
            7 => drop(child.restart()),
            8 => drop(child.trigger()),
            9 => drop(child.current().map(|task| task.resign())),
            10 => drop(group.pause()),
            11 => drop(group.restart()),
            12 => drop(group.resume()),
            _ => {
                it.net.cut(false);
                it.net.mute(false);
                if random.bool() {
                    it.tree.shutdown().await?;
                }
                replicas[place] = replica(&store, number, make(number, random.u64(..))).await?;
                number += 1;
            }
        }
    }
    for it in &replicas {
        it.net.cut(false);
        it.net.mute(false);
        for group in ["feeds", "all", "rest"] {
            it.tree.group(group).resume();
        }
        for path in KEYS {
            it.tree.child(path).resume();
        }
    }
    sleep(secs(90.0)).await;
    let mut seen = [false; 6];
    for _ in 0..200 {
        for (what, seen) in WHAT.iter().zip(&mut seen) {
            let owners = log.owners(what);
            assert!(owners.len() <= 1, "seed {seed}: {what} runs in {owners:?}");
            *seen |= !owners.is_empty();
        }
        sleep(secs(0.5)).await;
    }
    assert_eq!(seen, [true; 6], "seed {seed}: {WHAT:?}");
    for it in &replicas {
        it.tree.shutdown().await?;
    }
    for what in WHAT {
        assert!(log.owners(what).is_empty(), "seed {seed}");
    }
    let runs = log.runs();
    for (n, run) in runs.iter().enumerate() {
        for later in runs[n + 1..].iter().filter(|later| later.what == run.what && WHAT.contains(&run.what)) {
            assert!(run.to.is_some_and(|to| later.from >= to), "seed {seed}: {later:?} overlaps with {run:?}");
            assert!(later.token >= run.token, "seed {seed}: {later:?} after {run:?}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn t5_a_replica_that_stands_by_waits_while_the_store_is_out_of_reach() -> Result {
    let log = Log::new();
    let (_store, replicas) = three(&log).await?;
    replicas[1].net.cut(true);
    let before = replicas[1].net.calls().len();
    sleep(10 * TTL).await;
    assert!(replicas[1].net.calls().len() < before + 20, "{:?}", replicas[1].net.calls());
    replicas[1].net.cut(false);
    sleep(TTL).await;
    replicas[0].tree.shutdown().await?;
    replicas[2].tree.shutdown().await?;
    sleep(TTL).await;
    assert_eq!(log.owners("ledger"), [1]);
    replicas[1].tree.shutdown().await?;
    log.check();
    Ok(())
}

/// The thread of the runtime is blocked, so nobody withdraws the job from the queue of the pool.
#[test]
fn t5_a_job_that_waited_for_a_thread_past_its_lease_does_not_begin() {
    const SHORT: Duration = Duration::from_millis(500);
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
        std::thread::sleep(Duration::from_millis(50));
        assert!(pool.is_finished());
        assert_eq!(runs.load(Ordering::Relaxed), 0);
        tree.shutdown().await.unwrap();
    });
}

/// Real threads and real time: units come and go, and none is left behind.
#[test]
fn t5_many_units_come_and_go_on_real_threads() {
    const SHORT: Duration = Duration::from_millis(500);
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let runtimes = [runtime(), runtime()];
    let store = LocalStore::new();
    let log = Log::new();
    const NAMES: [&str; 6] = ["u0", "u1", "u2", "u3", "u4", "u5"];
    let threads: Vec<_> = runtimes
        .iter()
        .enumerate()
        .map(|(n, runtime)| {
            let (net, log) = (Net::new(&store), log.clone());
            let fleet = Fleet::new(net.clone()).ttl(SHORT);
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
                    match &handles[place] {
                        Some(handle) => drop(handle.resume()),
                        None => {
                            let spec = serve(&log, n, NAMES[place]).with_singleton();
                            handles[place] = Some(tree.supervisor().add_task(spec).await.unwrap());
                        }
                    }
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
        assert!(began.elapsed() < Duration::from_secs(20), "{states:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    for (runtime, (tree, net, handles)) in trees {
        runtime.block_on(tree.shutdown()).unwrap();
        drop((tree, handles));
        let began = std::time::Instant::now();
        while Arc::strong_count(&net.line) > 1 {
            assert!(began.elapsed() < Duration::from_secs(10), "the engine is left behind");
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
    const SHORT: Duration = Duration::from_millis(500);
    let (store, log) = (LocalStore::new(), Log::new());
    let block: Arc<AtomicUsize> = Arc::default();
    let mut trees = Vec::new();
    for n in 0..2 {
        let spec = serve(&log, n, "ledger").with_singleton();
        let late = if n == 0 { Arc::clone(&block) } else { Arc::default() };
        let fleet = Fleet::new(Blocking(store.clone(), late)).ttl(SHORT);
        let tree = Tree::builder(SupervisorConfig::default()).with_fleet(fleet).task(spec).build();
        tree.start().await?;
        while log.runs().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        trees.push(tree);
    }
    block.store(1500, Ordering::Relaxed);
    let began = std::time::Instant::now();
    while log.runs().len() < 2 {
        assert!(began.elapsed() < Duration::from_secs(10));
        sleep(Duration::from_millis(5)).await;
    }
    block.store(0, Ordering::Relaxed);
    sleep(2 * SHORT).await;
    for tree in &trees {
        tree.shutdown().await?;
    }
    log.check();
    Ok(())
}
