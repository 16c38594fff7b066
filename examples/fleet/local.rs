//! Replicas in one process: supervisors with clones of one store, each behind a connection with faults.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use taskvisor::Tree;
use taskvisor::fleet::{
    Claim, FencingToken, Fleet, LeaseError, LeaseKey, LeaseStore, LocalStore, SessionId, SessionSpec, StoreTime,
};
use tokio::sync::{Mutex, oneshot, watch};
use tokio::time::sleep;

use crate::console::Port;
use crate::counter::Counter;
use crate::log::{Log, now};
use crate::plan::{Episode, Fault, Line};
use crate::work;

pub(crate) struct Trees {
    counter: Counter,
    ttl: Duration,
    seed: u64,
    log: PathBuf,
    replicas: Vec<Replica>,
}

struct Replica {
    line: watch::Sender<Line>,
    store: Faulty,
    console: Option<Port>,
    /// The tree, and the number of lives so far.
    tree: Mutex<(Option<Tree>, usize)>,
}

impl Trees {
    /// Starts a replica for each entry, with a console if it has a port.
    pub(crate) async fn start(ports: Vec<Option<Port>>, ttl: Duration, seed: u64, log: &Path) -> Result<Self, String> {
        let store = LocalStore::new();
        let count = ports.len();
        let replicas = ports.into_iter().map(|console| {
            let (line, watched) = watch::channel(Line::Open);
            let store = Faulty { store: store.clone(), line: watched };
            Replica { line, store, console, tree: Mutex::default() }
        });
        let trees = Self { counter: Counter::local(), ttl, seed, log: log.to_owned(), replicas: replicas.collect() };
        for replica in 0..count {
            trees.live(replica).await?;
        }
        Ok(trees)
    }

    pub(crate) fn counter(&self) -> &Counter {
        &self.counter
    }

    /// Starts the replica as a new life.
    async fn live(&self, number: usize) -> Result<(), String> {
        let replica = &self.replicas[number];
        let mut tree = replica.tree.lock().await;
        let life = tree.1;
        let log = Log::open(&self.log, number, life).map_err(|error| error.to_string())?;
        let fleet = Fleet::new(replica.store.clone()).name("chaos").label(format!("r{}", number + 1)).ttl(self.ttl);
        let seed = self.seed ^ ((number as u64) << 32) ^ ((life as u64) << 16);
        let console = replica.console.as_ref().map(Port::attach).unwrap_or_default();
        let made = work::replica(fleet, &log, self.counter.clone(), seed, console);
        made.start().await.map_err(|error| error.to_string())?;
        *tree = (Some(made), life + 1);
        Ok(())
    }

    async fn end(&self, number: usize) -> Result<(), String> {
        let Some(tree) = self.replicas[number].tree.lock().await.0.take() else { return Ok(()) };
        tree.shutdown().await.map_err(|error| format!("r{}: {error}", number + 1))
    }

    pub(crate) async fn suffer(&self, replica: usize, fault: Fault, lasts: Duration) -> Result<Episode, String> {
        let from = now();
        match fault {
            Fault::Line(line) => {
                self.replicas[replica].line.send_replace(line);
                sleep(lasts).await;
                self.replicas[replica].line.send_replace(Line::Open);
            }
            Fault::Kill | Fault::Stop | Fault::Term | Fault::Pooler | Fault::Clock(_) | Fault::Server => {
                self.end(replica).await?;
                sleep(lasts).await;
                self.live(replica).await?;
            }
        }
        Ok(Episode { replica: Some(replica), fault, from, to: now() })
    }

    /// Shuts down all replicas, one after another.
    pub(crate) async fn shut_down(&self) -> Result<(), String> {
        for replica in 0..self.replicas.len() {
            self.end(replica).await?;
        }
        Ok(())
    }
}

/// A store behind a connection with faults.
#[derive(Clone)]
struct Faulty {
    store: LocalStore,
    line: watch::Receiver<Line>,
}

impl Faulty {
    /// Makes a call. It may be carried out late or without an answer, even if the caller has dropped it.
    async fn call<T, F>(&self, call: impl FnOnce(LocalStore) -> F + Send + 'static) -> Result<T, LeaseError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, LeaseError>> + Send,
    {
        let line = *self.line.borrow();
        if line == Line::Cut {
            return Err(LeaseError::unreachable("the line is cut"));
        }
        if line == Line::RequestsDropped {
            return pending().await;
        }
        let (reply, replied) = oneshot::channel();
        let (store, mut watched) = (self.store.clone(), self.line.clone());
        tokio::spawn(async move {
            if matches!(line, Line::Stalled | Line::RequestsHeld) {
                opens(&mut watched).await;
            }
            let answer = call(store).await;
            if line == Line::RepliesHeld {
                opens(&mut watched).await;
            }
            // The caller may have dropped the call.
            let _ = reply.send(answer);
        });
        match replied.await {
            Ok(answer) if line != Line::RepliesDropped => answer,
            _ => pending().await,
        }
    }
}

async fn opens(line: &mut watch::Receiver<Line>) {
    if line.wait_for(|line| *line == Line::Open).await.is_err() {
        pending::<()>().await;
    }
}

#[async_trait]
impl LeaseStore for Faulty {
    async fn open(&self, spec: &SessionSpec) -> Result<SessionId, LeaseError> {
        let spec = spec.clone();
        self.call(|store| async move { store.open(&spec).await }).await
    }

    async fn renew(&self, session: SessionId) -> Result<StoreTime, LeaseError> {
        self.call(move |store| async move { store.renew(session).await }).await
    }

    async fn acquire(&self, session: SessionId, keys: &[LeaseKey]) -> Result<Vec<Claim>, LeaseError> {
        let keys = keys.to_vec();
        self.call(move |store| async move { store.acquire(session, &keys).await }).await
    }

    async fn release(&self, session: SessionId, held: &[(LeaseKey, FencingToken)]) -> Result<(), LeaseError> {
        let held = held.to_vec();
        self.call(move |store| async move { store.release(session, &held).await }).await
    }

    async fn mark(
        &self,
        session: SessionId,
        key: &LeaseKey,
        token: FencingToken,
        tick: u64,
    ) -> Result<bool, LeaseError> {
        let key = key.clone();
        self.call(move |store| async move { store.mark(session, &key, token, tick).await }).await
    }

    async fn close(&self, session: SessionId) -> Result<(), LeaseError> {
        self.call(move |store| async move { store.close(session).await }).await
    }

    async fn changed(&self) {
        self.store.changed().await;
        opens(&mut self.line.clone()).await;
    }
}
