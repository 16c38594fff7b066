//! What the events of one supervisor say, checked at each event against the rules. It knows nothing of the library but
//! its events.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskvisor::{Event, EventKind, Subscribe, TaskId};
use tokio::time::Instant;

use crate::rules;
use crate::world::{Life, World, lock};

/// Room for the registrations of one life.
const ROOM: usize = 1 << 19;

/// An event, as the ledger reads it.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    pub(crate) seq: u64,
    pub(crate) kind: EventKind,
    pub(crate) path: String,
    pub(crate) id: Option<TaskId>,
    pub(crate) slot: Option<String>,
    pub(crate) attempt: Option<u32>,
    pub(crate) reason: Option<String>,
    pub(crate) count: Option<u64>,
    pub(crate) delay: Option<Duration>,
    pub(crate) at: Instant,
}

impl Fact {
    fn of(event: &Event) -> Self {
        Self {
            seq: event.seq,
            kind: event.kind,
            path: event.task.as_deref().unwrap_or_default().to_owned(),
            id: event.id,
            slot: event.slot.as_deref().map(str::to_owned),
            attempt: event.attempt,
            reason: event.reason.as_ref().map(ToString::to_string),
            count: event.count,
            delay: event.delay(),
            at: Instant::now(),
        }
    }
}

/// The state of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Submitted,
    Requested,
    Added,
    Running,
    Stopped,
    Failed,
    Waiting,
    Over,
    Dead,
    Rejected,
    Removed,
}

#[derive(Debug)]
struct Registration {
    stage: Stage,
    attempt: u32,
    is_stopping: bool,
    slot: Option<String>,
    owns: bool,
}

/// The course of the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Up,
    Stopping(Instant),
    Down,
}

pub(crate) struct Ledger {
    world: Arc<World>,
    life: Life,
    book: Mutex<Book>,
}

struct Book {
    seq: u64,
    course: Course,
    owner: BTreeMap<String, TaskId>,
    alive: BTreeMap<TaskId, Registration>,
    /// The last state of each registration that has ended.
    ended: HashMap<TaskId, Stage>,
    outcomes: HashMap<TaskId, &'static str>,
    ready: BTreeSet<String>,
    released: BTreeSet<String>,
    paused: BTreeSet<String>,
    triggered: BTreeSet<String>,
    leases: BTreeMap<String, u64>,
    lost: BTreeSet<String>,
    starts: VecDeque<Instant>,
    kinds: BTreeMap<&'static str, u64>,
}

impl Ledger {
    pub(crate) fn new(world: &Arc<World>, life: Life, is_long: bool) -> Arc<Self> {
        let room = if is_long { ROOM } else { 0 };
        let book = Book {
            seq: 0,
            course: Course::Up,
            owner: BTreeMap::new(),
            alive: BTreeMap::new(),
            ended: HashMap::with_capacity(room),
            outcomes: HashMap::with_capacity(room),
            ready: BTreeSet::new(),
            released: BTreeSet::new(),
            paused: BTreeSet::new(),
            triggered: BTreeSet::new(),
            leases: BTreeMap::new(),
            lost: BTreeSet::new(),
            starts: VecDeque::with_capacity(64),
            kinds: BTreeMap::new(),
        };
        Arc::new(Self { world: Arc::clone(world), life, book: Mutex::new(book) })
    }

    /// The operator triggers this task, which begins one attempt in spite of a pause.
    pub(crate) fn triggers(&self, path: &str) {
        lock(&self.book).triggered.insert(path.to_owned());
    }

    /// The number of events of each kind.
    pub(crate) fn kinds(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.book).kinds.clone()
    }

    /// A handle of this registration had this outcome.
    pub(crate) fn settled(&self, id: TaskId, label: &'static str, path: &str) {
        // Two callers can have a handle of one registration, such as two lists that have the same task in them.
        if let Some(before) = lock(&self.book).outcomes.insert(id, label).filter(|before| *before != label) {
            self.violated(format_args!("{path} #{id} has the outcome {label} after {before}"));
        }
    }

    /// Compares the outcomes so far with the events, once all events are delivered.
    pub(crate) fn compare(&self) {
        let book = lock(&self.book);
        for (id, label) in &book.outcomes {
            let Some(stage) = book.ended.get(id) else {
                self.violated(format_args!("#{id} has the outcome {label}, and no end"));
                continue;
            };
            let agrees = match *label {
                "completed" | "exhausted" => *stage == Stage::Over,
                "fatal" => *stage == Stage::Dead,
                "failed" | "panicked" => matches!(stage, Stage::Over | Stage::Failed),
                "canceled" => !matches!(stage, Stage::Over | Stage::Dead),
                "aborted" => matches!(stage, Stage::Failed | Stage::Stopped | Stage::Running),
                "rejected" => *stage == Stage::Rejected,
                _ => false,
            };
            if !agrees {
                self.violated(format_args!("#{id} has the outcome {label} after {stage:?}"));
            }
        }
    }

    /// Checks what must hold after the shutdown of the supervisor.
    pub(crate) fn close(&self, accepted: &[TaskId]) {
        self.compare();
        let book = lock(&self.book);
        if book.course != Course::Down {
            self.violated(format_args!("the end of the shutdown has no event: {:?}", book.course));
        }
        for (id, left) in &book.alive {
            self.violated(format_args!("#{id} was never removed: {left:?}"));
        }
        for id in accepted {
            if !book.outcomes.contains_key(id) {
                self.violated(format_args!("#{id} was accepted and has no outcome"));
            }
        }
    }

    fn violated(&self, what: impl std::fmt::Display) {
        self.world.violated(format_args!("life {}: {what}", self.life));
    }

    /// Reads an event.
    pub(crate) fn note(&self, fact: &Fact) {
        let mut book = lock(&self.book);
        *book.kinds.entry(fact.kind.as_str()).or_default() += 1;
        if fact.seq <= book.seq {
            self.violated(format_args!("event {} after {}", fact.seq, book.seq));
        }
        book.seq = fact.seq;
        let checks = [
            book.follow_course(fact),
            book.follow_names(fact),
            book.follow_registration(fact),
            book.check_start(fact),
            book.follow_pauses(fact),
            book.follow_leases(fact),
            book.follow_slots(fact),
        ];
        book.follow_gates(fact);
        for what in checks.into_iter().filter_map(Result::err) {
            self.violated(format_args!("{what}, at {fact:?}"));
        }
        if let (EventKind::TaskRemoved, Some(id)) = (fact.kind, fact.id) {
            self.world.ended(id, &fact.path);
        }
        let is_end = matches!(fact.kind, EventKind::TaskRemoved | EventKind::ControllerRejected);
        if let Some(id) = fact.id.filter(|_| is_end) {
            book.forget(id);
        }
    }
}

type Check = Result<(), String>;

fn holds(is: bool, what: impl FnOnce() -> String) -> Check {
    if is { Ok(()) } else { Err(what()) }
}

impl Book {
    fn follow_course(&mut self, fact: &Fact) -> Check {
        match (self.course, fact.kind) {
            (Course::Up, EventKind::ShutdownRequested) => self.course = Course::Stopping(fact.at),
            (Course::Stopping(since), EventKind::AllStoppedWithinGrace | EventKind::GraceExceeded) => {
                self.course = Course::Down;
                let took = fact.at - since;
                return holds(took <= rules::GRACE + Duration::from_secs(1), || {
                    format!("the shutdown took {took:?}, longer than its grace")
                });
            }
            (_, EventKind::ShutdownRequested | EventKind::AllStoppedWithinGrace | EventKind::GraceExceeded) => {
                return Err(format!("a second or an early step of the shutdown, in {:?}", self.course));
            }
            (_, EventKind::SubscriberOverflow | EventKind::SubscriberPanicked) => return Err("events are lost".into()),
            (Course::Down, kind) if fact.id.is_some() => return Err(format!("{kind:?} after the end of the shutdown")),
            _ => {}
        }
        Ok(())
    }

    fn follow_names(&mut self, fact: &Fact) -> Check {
        let Some(id) = fact.id else { return Ok(()) };
        match fact.kind {
            EventKind::TaskAdded => match self.owner.insert(fact.path.clone(), id) {
                None => Ok(()),
                Some(other) => Err(format!("the name belongs to #{other}")),
            },
            EventKind::TaskRemoved => match self.owner.remove(&fact.path) {
                Some(owner) if owner == id => Ok(()),
                other => Err(format!("the name belongs to {other:?}")),
            },
            _ => Ok(()),
        }
    }

    /// Follows one registration: which event may come after which.
    fn follow_registration(&mut self, fact: &Fact) -> Check {
        use EventKind as E;
        use Stage as S;
        let Some(id) = fact.id else { return Ok(()) };
        if self.ended.contains_key(&id) {
            let is_late = matches!(fact.kind, E::LeaseReleased | E::LeaseLost | E::LeaseOverrun);
            return holds(is_late, || format!("{:?} after its end", fact.kind));
        }
        let Some(it) = self.alive.get_mut(&id) else {
            let stage = match fact.kind {
                E::ControllerSubmitted => S::Submitted,
                E::ControllerRejected => S::Rejected,
                E::TaskAddRequested => S::Requested,
                kind => return Err(format!("{kind:?} is its first event")),
            };
            let slot = fact.slot.clone();
            let new = Registration { stage, attempt: 0, is_stopping: false, slot, owns: false };
            self.alive.insert(id, new);
            return Ok(());
        };
        let next = match (it.stage, fact.kind) {
            (S::Submitted, E::TaskAddRequested) => S::Requested,
            (S::Submitted, E::ControllerRejected) => S::Rejected,
            (S::Requested, E::TaskAdded) => S::Added,
            (S::Added | S::Waiting | S::Stopped | S::Failed, E::TaskStarting) => {
                it.attempt += 1;
                S::Running
            }
            (S::Running, E::TaskStopped) => S::Stopped,
            (S::Running | S::Added | S::Waiting | S::Stopped, E::TaskFailed) => S::Failed,
            (S::Stopped | S::Failed, E::BackoffScheduled) if !it.is_stopping => S::Waiting,
            (S::Stopped | S::Failed, E::ActorExhausted) => S::Over,
            (S::Failed, E::ActorDead) => S::Dead,
            (S::Added | S::Waiting | S::Stopped | S::Failed | S::Over | S::Dead, E::TaskRemoved) => S::Removed,
            (stage, E::TaskRemoveRequested) if !it.is_stopping => {
                it.is_stopping = true;
                stage
            }
            (stage @ S::Running, E::TimeoutHit | E::TaskReady)
            | (stage @ S::Stopped, E::TaskReady)
            | (
                stage,
                E::Warning
                | E::RunsMissed
                | E::TaskPaused
                | E::TaskResumed
                | E::LeaseAcquired
                | E::LeaseLost
                | E::LeaseReleased
                | E::LeaseOverrun
                | E::ControllerSlotTransition
                | E::ShutdownWaiting,
            ) => stage,
            (stage, kind) => return Err(format!("{kind:?} after {stage:?}")),
        };
        let expected = it.attempt;
        // The last state before the removal decides about the outcome.
        if next == S::Removed {
            self.ended.insert(id, it.stage);
        }
        it.stage = next;
        if !matches!(fact.kind, E::LeaseAcquired | E::LeaseLost) {
            holds(fact.attempt.is_none_or(|seen| seen == expected), || format!("the attempt is {expected}"))?;
        }
        Ok(())
    }

    fn forget(&mut self, id: TaskId) {
        if let Some(it) = self.alive.remove(&id)
            && it.stage == Stage::Rejected
        {
            self.ended.insert(id, Stage::Rejected);
        }
    }

    /// Checks what an attempt needs to begin: what it is after, no pause, and a lease.
    fn check_start(&mut self, fact: &Fact) -> Check {
        if fact.kind != EventKind::TaskStarting {
            return Ok(());
        }
        let path = fact.path.as_str();
        if let Some((_, after)) = rules::AFTER.iter().find(|(dependent, _)| *dependent == path)
            && self.released.insert(path.to_owned())
        {
            for needed in *after {
                holds(self.ready.contains(*needed), || format!("{path} begins before {needed} is ready"))?;
            }
        }
        if !self.triggered.remove(path) {
            let by = self.paused.iter().find(|paused| is_within(path, paused));
            holds(by.is_none(), || format!("{path} begins in the pause of {by:?}"))?;
        }
        let unit = rules::SINGLETONS.iter().find(|unit| is_within(path, unit));
        holds(unit.is_none_or(|unit| self.leases.contains_key(*unit)), || format!("{path} begins without its lease"))
    }

    fn follow_gates(&mut self, fact: &Fact) {
        let path = fact.path.as_str();
        let is_ready = match fact.kind {
            EventKind::TaskStarting => !rules::NOT_READY_AT_START.contains(&path),
            EventKind::ActorExhausted | EventKind::TaskReady | EventKind::TaskRemoved | EventKind::GroupEnded => true,
            EventKind::GroupRestarted => {
                self.ready.retain(|ready| !is_inside(ready, path));
                self.released.retain(|released| !is_inside(released, path));
                false
            }
            _ => false,
        };
        let is_known = rules::AFTER.iter().any(|(_, after)| after.contains(&path)) || path.starts_with("store/");
        if is_ready && is_known {
            self.ready.insert(path.to_owned());
            for (group, members) in rules::MEMBERS {
                if members.iter().all(|member| self.ready.contains(*member)) {
                    self.ready.insert((*group).to_owned());
                }
            }
        }
    }

    fn follow_pauses(&mut self, fact: &Fact) -> Check {
        let what = fact.slot.as_ref().map_or_else(|| fact.path.clone(), |slot| format!("slot {slot}"));
        match fact.kind {
            EventKind::TaskPaused => _ = self.paused.insert(what),
            // The pause of an added task ends when its name is free, and that of a made one with a run without it. It
            // survives a replacement and the next run, which the events do not tell apart from that.
            EventKind::TaskResumed => {
                let was_paused = self.paused.remove(&what) || is_added(&fact.path);
                return holds(was_paused, || format!("{what} was not paused"));
            }
            EventKind::TaskRemoved if is_added(&fact.path) => _ = self.paused.remove(&fact.path),
            // A group that does not come back takes the pauses in it along.
            EventKind::GroupEnded if is_added(&fact.path) => self.paused.retain(|path| !is_within(path, &fact.path)),
            EventKind::GroupRestarted if fact.path == "fresh" => self.paused.retain(|path| !path.starts_with("fresh/")),
            _ => {}
        }
        Ok(())
    }

    fn follow_leases(&mut self, fact: &Fact) -> Check {
        let (path, token) = (&fact.path, fact.count.unwrap_or_default());
        match fact.kind {
            EventKind::LeaseAcquired => {
                self.lost.remove(path);
                let before = self.leases.insert(path.clone(), token);
                holds(before.is_none_or(|before| token > before), || format!("acquired again after {before:?}"))
            }
            EventKind::LeaseLost => {
                self.lost.insert(path.clone());
                holds(self.leases.remove(path).is_some(), || "lost without a lease".into())
            }
            EventKind::LeaseReleased => {
                let held = self.leases.remove(path);
                holds(held == Some(token) || self.lost.remove(path), || format!("released, and held is {held:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Counts the owners of the slot `uploads`, of each key and of all, and its starts.
    fn follow_slots(&mut self, fact: &Fact) -> Check {
        let Some(id) = fact.id else { return Ok(()) };
        let Some(it) = self.alive.get_mut(&id) else { return Ok(()) };
        let Some(slot) = it.slot.clone() else { return Ok(()) };
        let (pool, _) = slot.split_once(['/', ':']).unwrap_or((&slot, ""));
        match fact.kind {
            EventKind::TaskAdded => it.owns = true,
            EventKind::TaskRemoved => it.owns = false,
            _ => return Ok(()),
        }
        if fact.kind == EventKind::TaskRemoved {
            return Ok(());
        }
        let owners = |is: &dyn Fn(&str) -> bool| {
            self.alive.values().filter(|it| it.owns && it.slot.as_deref().is_some_and(is)).count()
        };
        let by = self.paused.iter().find(|paused| paused.strip_prefix("slot ").is_some_and(|it| is_within(&slot, it)));
        holds(by.is_none(), || format!("{} starts in the pause of {by:?}", fact.path))?;
        if pool != "uploads" {
            let here = owners(&|other| other == slot);
            return holds(here <= 1, || format!("{here} owners of {slot}"));
        }
        let (here, all) = (owners(&|other| other == slot), owners(&|other| other.starts_with("uploads")));
        holds(here <= rules::UPLOADS.0 && all <= rules::UPLOADS.1, || {
            format!("{here} owners of {slot}, {all} in all")
        })?;
        let (most, per) = rules::RATE;
        self.starts.push_back(fact.at);
        while self.starts.front().is_some_and(|start| *start + per <= fact.at) {
            self.starts.pop_front();
        }
        holds(self.starts.len() <= most, || format!("{} starts within {per:?}", self.starts.len()))
    }
}

/// Whether a task of this path is added at run time.
fn is_added(path: &str) -> bool {
    rules::ADDED.iter().any(|added| path.starts_with(added))
}

/// Whether `path` is `above`, or in the group `above`; the root has the empty path.
fn is_within(path: &str, above: &str) -> bool {
    path == above || is_inside(path, above)
}

fn is_inside(path: &str, group: &str) -> bool {
    group.is_empty() || path.strip_prefix(group).is_some_and(|rest| rest.starts_with('/'))
}

#[async_trait::async_trait]
impl Subscribe for Ledger {
    async fn on_event(&self, event: &Event) {
        let fact = Fact::of(event);
        if fact.kind == EventKind::BackoffScheduled
            && fact.path == "sync"
            && fact.reason.as_deref() == Some("interval")
            && fact.delay != Some(rules::SYNC)
        {
            self.violated(format_args!("the override of `sync` does not hold: {fact:?}"));
        }
        self.note(&fact);
    }

    fn name(&self) -> &'static str {
        "ledger"
    }

    fn queue_capacity(&self) -> usize {
        1 << 20
    }
}
