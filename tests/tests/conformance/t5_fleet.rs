//! T5: fleets: what runs once over several replicas, which share a store in one process, on paused time.

mod calls;
mod clocks;
mod groups;
mod laws;
mod look;
mod loss;
mod macros;
mod refused;
mod review;
mod shared_key;
mod shutdown;
mod slots;
mod story;
mod tasks;
mod threads;
mod ticks;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskvisor::fleet::{
    Claim, FencingToken, Fleet, LeaseError, LeaseKey, LeaseStore, LocalStore, SessionId, SessionSpec, StoreTime,
};
use taskvisor::{
    EventKind, RuntimeError, SupervisorConfig, TaskContext, TaskFn, TaskSpec, TaskState, Tree, TreeBuilder,
};
use tests::{Recorder, Seen};
use tokio::time::{Instant, sleep};

type Result = std::result::Result<(), RuntimeError>;

const TTL: Duration = Duration::from_secs(15);

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// The network between a replica and the store.
#[derive(Clone)]
struct Net {
    store: LocalStore,
    line: Arc<Line>,
}

#[derive(Default)]
struct Line {
    is_cut: AtomicBool,
    /// Calls are carried out, and their answers are lost.
    is_mute: AtomicBool,
    /// The time in milliseconds until a mark is carried out.
    lag: AtomicU64,
    /// Renewals are answered: the session is over.
    is_over: AtomicBool,
    calls: Mutex<Vec<&'static str>>,
    renewals: AtomicUsize,
    /// The time in seconds by which the clock of the store is ahead.
    ahead: AtomicU64,
    /// The kind of calls that the store refuses.
    refused: Mutex<Option<&'static str>>,
}

impl Net {
    fn new(store: &LocalStore) -> Self {
        Self { store: store.clone(), line: Arc::default() }
    }

    fn cut(&self, is_cut: bool) {
        self.line.is_cut.store(is_cut, Ordering::Relaxed);
    }

    fn mute(&self, is_mute: bool) {
        self.line.is_mute.store(is_mute, Ordering::Relaxed);
    }

    fn expire(&self, is_over: bool) {
        self.line.is_over.store(is_over, Ordering::Relaxed);
    }

    fn delay_marks(&self, lag: Duration) {
        self.line.lag.store(u64::try_from(lag.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Sets the clock of the store, as this replica sees it.
    fn set_ahead(&self, ahead: Duration) {
        self.line.ahead.store(ahead.as_secs(), Ordering::Relaxed);
    }

    fn refuse(&self, kind: Option<&'static str>) {
        *self.line.refused.lock().unwrap() = kind;
    }

    fn shown(&self, time: StoreTime) -> StoreTime {
        StoreTime::from_unix(time.since_unix() + Duration::from_secs(self.line.ahead.load(Ordering::Relaxed)))
    }

    /// The calls so far, without renewals.
    fn calls(&self) -> Vec<&'static str> {
        self.line.calls.lock().unwrap().clone()
    }

    async fn pass<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = std::result::Result<T, LeaseError>>,
    ) -> std::result::Result<T, LeaseError> {
        if name == "renew" {
            self.line.renewals.fetch_add(1, Ordering::Relaxed);
        } else {
            self.line.calls.lock().unwrap().push(name);
        }
        if self.line.is_cut.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        if name == "mark" {
            tokio::time::sleep(Duration::from_millis(self.line.lag.load(Ordering::Relaxed))).await;
        }
        if *self.line.refused.lock().unwrap() == Some(name) {
            return Err(LeaseError::misconfigured(format!("no right to {name}")));
        }
        if name == "renew" && self.line.is_over.load(Ordering::Relaxed) {
            return Err(LeaseError::Expired);
        }
        let answer = call.await;
        if self.line.is_mute.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        answer
    }
}

#[async_trait::async_trait]
impl LeaseStore for Net {
    async fn open(&self, spec: &SessionSpec) -> std::result::Result<SessionId, LeaseError> {
        self.pass("open", self.store.open(spec)).await
    }

    async fn renew(&self, session: SessionId) -> std::result::Result<StoreTime, LeaseError> {
        self.pass("renew", self.store.renew(session)).await.map(|time| self.shown(time))
    }

    async fn acquire(&self, session: SessionId, keys: &[LeaseKey]) -> std::result::Result<Vec<Claim>, LeaseError> {
        let mut claims = self.pass("acquire", self.store.acquire(session, keys)).await?;
        for claim in &mut claims {
            if let Claim::Held { now, .. } = claim {
                *now = self.shown(*now);
            }
        }
        Ok(claims)
    }

    async fn release(
        &self,
        session: SessionId,
        held: &[(LeaseKey, FencingToken)],
    ) -> std::result::Result<(), LeaseError> {
        self.pass("release", self.store.release(session, held)).await
    }

    async fn mark(
        &self,
        session: SessionId,
        key: &LeaseKey,
        token: FencingToken,
        tick: u64,
    ) -> std::result::Result<bool, LeaseError> {
        self.pass("mark", self.store.mark(session, key, token, tick)).await
    }

    async fn close(&self, session: SessionId) -> std::result::Result<(), LeaseError> {
        self.pass("close", self.store.close(session)).await
    }

    async fn changed(&self) {
        if self.line.is_cut.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        self.store.changed().await;
    }
}

/// One run, as its work saw it.
#[derive(Debug, Clone, PartialEq)]
struct Run {
    replica: usize,
    what: &'static str,
    token: u64,
    from: Duration,
    to: Option<Duration>,
}

/// The log of all runs of a fleet.
#[derive(Clone)]
struct Log {
    start: Instant,
    runs: Arc<Mutex<Vec<Run>>>,
}

/// Ends its run when it is dropped.
struct Running {
    log: Log,
    place: usize,
}

impl Log {
    fn new() -> Self {
        Self { start: Instant::now(), runs: Arc::default() }
    }

    fn begin(&self, replica: usize, what: &'static str, token: Option<FencingToken>) -> Running {
        let mut runs = self.runs.lock().unwrap();
        let token = token.map_or(0, FencingToken::number);
        runs.push(Run { replica, what, token, from: self.start.elapsed(), to: None });
        Running { log: self.clone(), place: runs.len() - 1 }
    }

    fn runs(&self) -> Vec<Run> {
        self.runs.lock().unwrap().clone()
    }

    /// The replicas that run it now.
    fn owners(&self, what: &str) -> Vec<usize> {
        let runs = self.runs();
        runs.iter().filter(|run| run.what == what && run.to.is_none()).map(|run| run.replica).collect()
    }

    /// No two runs overlap, and tokens never fall.
    fn check(&self) {
        assert_eq!(self.overlap(), None);
        self.check_tokens();
    }

    /// Two runs that overlap.
    fn overlap(&self) -> Option<String> {
        let runs = self.runs();
        runs.iter().enumerate().find_map(|(n, run)| {
            let mut later = runs[n + 1..].iter().filter(|later| later.what == run.what);
            let later = later.find(|later| run.to.is_none_or(|to| later.from < to))?;
            Some(format!("{later:?} overlaps with {run:?}"))
        })
    }

    fn check_tokens(&self) {
        let runs = self.runs();
        for (n, run) in runs.iter().enumerate() {
            assert!(run.token > 0, "{run:?} has no token");
            for later in runs[n + 1..].iter().filter(|later| later.what == run.what) {
                let grows =
                    if later.replica == run.replica { later.token >= run.token } else { later.token > run.token };
                assert!(grows, "the token of {later:?} came after that of {run:?}");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let at = self.log.start.elapsed();
        self.log.runs.lock().unwrap()[self.place].to = Some(at);
    }
}

/// A task that runs until it is told to stop.
fn serve(log: &Log, replica: usize, name: &'static str) -> TaskSpec {
    let log = log.clone();
    let task = TaskFn::arc(name, move |ctx: TaskContext| {
        let log = log.clone();
        async move {
            let _running = log.begin(replica, name, ctx.fencing_token());
            ctx.cancelled().await;
            Ok(())
        }
    });
    TaskSpec::inherit(task)
}

struct Replica {
    tree: Tree,
    net: Net,
    recorder: Arc<Recorder>,
}

/// Starts a replica.
async fn replica(
    store: &LocalStore,
    number: usize,
    add: impl FnOnce(TreeBuilder) -> TreeBuilder,
) -> std::result::Result<Replica, RuntimeError> {
    let (net, recorder) = (Net::new(store), Recorder::new());
    let fleet = Fleet::new(net.clone()).name("test").label(format!("r{number}")).ttl(TTL);
    let config = SupervisorConfig { grace: Duration::from_secs(30), ..SupervisorConfig::default() };
    let tree = add(Tree::builder(config).with_subscriber(recorder.clone()).with_fleet(fleet)).build();
    tree.start().await?;
    Ok(Replica { tree, net, recorder })
}

impl Replica {
    fn count(&self, kind: EventKind, task: &str) -> usize {
        self.recorder.seen().iter().filter(|it| it.kind == kind && it.task.as_deref() == Some(task)).count()
    }

    fn find(&self, kind: EventKind, task: &str) -> Option<Seen> {
        self.recorder.seen().into_iter().find(|it| it.kind == kind && it.task.as_deref() == Some(task))
    }

    fn state(&self, path: &str) -> TaskState {
        self.tree.child(path).status().expect("it is registered").state
    }
}

/// Three replicas with one singleton, after a second.
async fn three(log: &Log) -> std::result::Result<(LocalStore, Vec<Replica>), RuntimeError> {
    let store = LocalStore::new();
    let mut replicas = Vec::new();
    for number in 0..3 {
        replicas.push(replica(&store, number, |tree| tree.task(serve(log, number, "ledger").with_singleton())).await?);
        sleep(secs(0.1)).await;
    }
    sleep(secs(1.0)).await;
    Ok((store, replicas))
}
