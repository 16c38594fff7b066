//! Faults that a review has found.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
