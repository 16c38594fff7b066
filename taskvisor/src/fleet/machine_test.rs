//! Random runs of several processes, one store and a bad network, checked against a model of the owners.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::fleet::error::LeaseError;
use crate::fleet::leases::Leases;
use crate::fleet::store::SessionSpec;

const TTL: Duration = Duration::from_secs(15);
const STEP: Duration = Duration::from_millis(100);
/// The time of the store at the beginning of a run.
const EPOCH: Duration = Duration::from_secs(1_700_000_000);
/// The longest time that a message is in flight.
const DELAY: Duration = Duration::from_secs(12);

fn key(name: usize) -> LeaseKey {
    LeaseKey::new(format!("k{name}")).unwrap()
}

/// A call or a reply in flight.
struct Letter<T> {
    at: Duration,
    process: usize,
    /// The number of the call, by which a process that no longer waits for the reply ignores it.
    number: u64,
    content: T,
}

/// The work of a unit. It ends some time after it was requested to stop, and it is dropped at the first poll after the
/// end of its lease.
struct Work {
    token: FencingToken,
    /// The work is valid as long as this session, whose end the process passes on.
    session: SessionId,
    number: u64,
    dropped: bool,
    /// The time at which it ends by itself.
    ends: Option<Duration>,
}

struct Process {
    machine: Machine,
    valid: HashMap<SessionId, Duration>,
    /// The grants of each key.
    numbers: BTreeMap<LeaseKey, u64>,
    work: BTreeMap<LeaseKey, Work>,
    wants: BTreeMap<LeaseKey, bool>,
    /// The calls in flight, with their timeouts and the replies at these.
    flying: BTreeMap<u64, (Duration, Reply)>,
    /// The rate of its clock, a little less or more than 1.
    rate: f64,
    /// The process does not run until this time, as after SIGSTOP.
    stopped_until: Duration,
    /// `true` if its machine got an input since the last orders.
    has_input: bool,
    /// Whether its store is in reach, as it was told last.
    reachable: bool,
}

impl Process {
    /// Passes the end of the session on to the work. A session that is over ends now.
    fn renew(&mut self) {
        let current = self.machine.session_until();
        for (_, until) in self.valid.iter_mut().filter(|(id, _)| current.is_none_or(|(current, _)| current != **id)) {
            *until = Duration::ZERO;
        }
        self.valid.extend(current);
    }

    fn wish(&self, key: &LeaseKey) -> Say {
        Say::Wants(self.numbers.get(key).copied().unwrap_or_default())
    }

    fn say(&mut self, key: &LeaseKey, say: Say, now: Duration) {
        self.machine.say(key, say, now);
        self.has_input = true;
    }
}

struct Story {
    random: fastrand::Rng,
    now: Duration,
    leases: Leases,
    calls: Vec<Letter<Call>>,
    replies: Vec<Letter<Reply>>,
    number: u64,
    processes: Vec<Process>,
    tokens: BTreeMap<LeaseKey, FencingToken>,
    /// The ticks that were begun, by key.
    ticks: HashMap<(LeaseKey, u64), usize>,
    /// The tokens whose release was reported.
    released: HashSet<(LeaseKey, FencingToken)>,
    healed: bool,
    drops_late: bool,
}

/// The failure that a call reports if its reply does not come in time.
fn unanswered(call: &Call) -> Reply {
    match call {
        Call::Open => Reply::Opened(Err(Failed::Unanswered)),
        Call::Renew(id) => Reply::Renewed(*id, Err(Failed::Unanswered)),
        Call::Acquire(id, _) => Reply::Acquired(*id, Err(Failed::Unanswered)),
        Call::Release(id, _) => Reply::Released(*id, Err(Failed::Unanswered)),
        Call::Mark(id, key, _, tick) => Reply::Marked(*id, key.clone(), *tick, Err(Failed::Unanswered)),
        Call::Close(_) => Reply::Closed(Err(Failed::Unanswered)),
    }
}

fn failed<T>(result: Result<T, LeaseError>) -> Result<T, Failed> {
    result.map_err(|error| if error.is_expired() { Failed::Expired } else { Failed::Unanswered })
}

impl Story {
    fn new(seed: u64, processes: usize, keys: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let processes = (0..processes).map(|_| Process {
            machine: Machine::new(Times { ttl: TTL }, random.fork()),
            valid: HashMap::new(),
            numbers: BTreeMap::new(),
            work: BTreeMap::new(),
            wants: (0..keys).map(|name| (key(name), false)).collect(),
            flying: BTreeMap::new(),
            rate: 0.995 + 0.01 * random.f64(),
            stopped_until: Duration::ZERO,
            has_input: false,
            reachable: true,
        });
        let processes = processes.collect();
        Self {
            random,
            now: Duration::ZERO,
            leases: Leases::default(),
            calls: Vec::new(),
            replies: Vec::new(),
            number: 0,
            processes,
            tokens: BTreeMap::new(),
            ticks: HashMap::new(),
            released: HashSet::new(),
            healed: false,
            drops_late: false,
        }
    }

    /// Returns the time by the clock of a process.
    fn local(&self, process: usize) -> Duration {
        self.now.mul_f64(self.processes[process].rate)
    }

    fn is_stopped(&self, process: usize) -> bool {
        self.now < self.processes[process].stopped_until
    }

    /// Returns the time at which a message arrives, or `None` if it is lost.
    fn travel(&mut self) -> Option<Duration> {
        let quick = Duration::from_millis(self.random.u64(1..100));
        if self.healed {
            return Some(self.now + quick);
        }
        match self.random.u32(0..20) {
            0 | 1 => None,
            2 | 3 => Some(self.now + DELAY.mul_f64(self.random.f64())),
            _ => Some(self.now + quick),
        }
    }

    fn send(&mut self, process: usize, call: Call) {
        self.number += 1;
        let number = self.number;
        let timeout = self.local(process) + Times { ttl: TTL }.call();
        self.processes[process].flying.insert(number, (timeout, unanswered(&call)));
        if let Some(at) = self.travel() {
            self.calls.push(Letter { at, process, number, content: call });
        }
    }

    /// The store carries out the calls that have arrived.
    fn serve(&mut self) {
        let at = self.now;
        while let Some(place) = self.calls.iter().position(|call| call.at <= at) {
            let Letter { process, number, content, .. } = self.calls.swap_remove(place);
            let now = StoreTime::from_unix(self.now + EPOCH);
            let content = match content {
                Call::Open => {
                    let id = SessionId::from_bits(self.random.u128(..));
                    self.leases.insert(id, SessionSpec::new("fleet", process.to_string(), TTL), now);
                    Reply::Opened(Ok(id))
                }
                Call::Renew(id) => Reply::Renewed(id, failed(self.leases.renew(id, now))),
                Call::Acquire(id, keys) => Reply::Acquired(id, failed(self.leases.acquire(id, &keys, now))),
                Call::Release(id, held) => Reply::Released(id, failed(self.leases.release(id, &held, now)).map(|_| ())),
                Call::Mark(id, key, token, tick) => {
                    let marked = failed(self.leases.mark(id, &key, token, tick, now));
                    Reply::Marked(id, key, tick, marked)
                }
                Call::Close(id) => {
                    self.leases.close(id);
                    Reply::Closed(Ok(()))
                }
            };
            if let Some(at) = self.travel() {
                self.replies.push(Letter { at, process, number, content });
            }
        }
    }

    /// A process takes its replies and timeouts, polls its work, and carries out its orders.
    fn turn(&mut self, process: usize) {
        let now = self.local(process);
        self.poll_work(process);
        let it = &mut self.processes[process];
        let is_due = |reply: &Letter<Reply>| reply.process == process && reply.at <= self.now;
        while let Some(place) = self.replies.iter().position(is_due) {
            let reply = self.replies.swap_remove(place);
            // The call of a late reply was dropped.
            if it.flying.remove(&reply.number).is_some() {
                it.machine.reply(reply.content, now);
                it.has_input = true;
            }
        }
        let late: Vec<_> = it.flying.iter().filter(|(_, (at, _))| *at <= now).map(|(number, _)| *number).collect();
        for (_, reply) in late.into_iter().filter_map(|number| it.flying.remove(&number)) {
            it.machine.reply(reply, now);
            it.has_input = true;
        }
        // Without an input, the driver would not wake up before this time.
        if !std::mem::take(&mut it.has_input) && it.machine.wakes_at(now).is_none_or(|at| at > now) {
            return;
        }
        let orders = it.machine.settle(now);
        for order in orders {
            self.carry_out(process, order);
        }
        let it = &mut self.processes[process];
        let spins = !it.has_input && it.machine.wakes_at(now).is_some_and(|at| at <= now);
        assert!(!spins, "it wakes at once, and has nothing to do: {:?}", it.machine);
        it.renew();
        self.poll_work(process);
    }

    /// Polls the work of a process. Work whose lease is over is dropped before its poll.
    fn poll_work(&mut self, process: usize) {
        let now = self.local(process);
        let it = &mut self.processes[process];
        let over = it.work.iter().filter_map(|(key, work)| {
            let is_lost = work.dropped || it.valid.get(&work.session).copied().unwrap_or_default() <= now;
            let has_ended = work.ends.is_some_and(|at| at <= now);
            (is_lost || has_ended).then(|| (key.clone(), is_lost))
        });
        let over: Vec<_> = over.collect();
        for (key, is_lost) in over {
            let Some(work) = it.work.remove(&key) else { continue };
            if is_lost {
                it.say(&key, Say::Lost(work.number), now);
            }
            it.say(&key, if it.wants[&key] { Say::Wants(work.number) } else { Say::Leaves }, now);
        }
    }

    fn carry_out(&mut self, process: usize, order: Order) {
        let now = self.local(process);
        match order {
            Order::Call(call) => self.send(process, call),
            Order::Grant { key, token, number, .. } => {
                let last = self.tokens.insert(key.clone(), token);
                assert!(last.is_none_or(|last| last <= token), "{key}: the token {token} came after {last:?}");
                let it = &mut self.processes[process];
                it.numbers.insert(key.clone(), number);
                let (session, _) = it.machine.session_until().expect("a session");
                let before = it.work.insert(key.clone(), Work { token, session, number, dropped: false, ends: None });
                assert!(before.is_none(), "{key} works twice in one process");
            }
            Order::Stop { key, .. } => {
                let takes = if self.drops_late { 6.0 } else { 3.0 };
                let ends = now + Duration::from_secs_f64(self.random.f64() * takes);
                if let Some(work) = self.processes[process].work.get_mut(&key) {
                    work.ends = Some(work.ends.map_or(ends, |at| at.min(ends)));
                }
            }
            Order::Drop { key } => {
                if let Some(work) = self.processes[process].work.get_mut(&key) {
                    work.dropped = true;
                }
            }
            Order::Marked { key, tick, won } => {
                if won && self.processes[process].work.contains_key(&key) {
                    *self.ticks.entry((key, tick)).or_default() += 1;
                }
            }
            Order::Released { key, token } => {
                let taken = self.leases.token_of_owner("fleet", &key, StoreTime::from_unix(self.now + EPOCH));
                assert_ne!(taken, Some(token), "{key} was not released");
                assert!(self.released.insert((key, token)), "a release was told twice");
            }
            Order::Reachable(reachable) => {
                let was = std::mem::replace(&mut self.processes[process].reachable, reachable);
                assert_ne!(was, reachable, "the same was told twice");
            }
            Order::Owned { .. } | Order::Overrun { .. } | Order::Forgotten { .. } | Order::Done => {}
        }
    }

    /// At most one process works for a key, and its token is the greatest.
    fn check(&self) {
        let mut owners: BTreeMap<&LeaseKey, (usize, FencingToken)> = BTreeMap::new();
        for (n, process) in self.processes.iter().enumerate().filter(|(n, _)| !self.is_stopped(*n)) {
            let now = self.local(n);
            for (key, work) in &process.work {
                // Work whose lease is over is dropped before its next poll.
                let until = process.valid.get(&work.session).copied().unwrap_or_default();
                if until <= now {
                    continue;
                }
                let before = owners.insert(key, (n, work.token));
                assert!(before.is_none(), "at {:?}, {key} works in {n} and in {before:?}", self.now);
                assert!(self.tokens[key] <= work.token, "{key} works in {n} with an old token");
            }
        }
    }

    /// Injects a random fault.
    fn shake(&mut self) {
        let process = self.random.usize(0..self.processes.len());
        let now = self.local(process);
        let keys = self.processes[process].wants.len();
        let key = key(self.random.usize(0..keys));
        let tick = self.now.as_secs() / 4;
        match self.random.u32(0..1000) {
            0..20 => self.toggle(process, &key),
            20..24 if !self.is_stopped(process) => self.processes[process].say(&key, Say::Resigns, now),
            24..27 => self.processes[process].stopped_until = self.now + 2 * TTL.mul_f64(self.random.f64()),
            27..30 => self.restart(process),
            // The message was sent before the last grant was received.
            40..50 if !self.is_stopped(process) && self.processes[process].work.contains_key(&key) => {
                let before = self.processes[process].numbers[&key].saturating_sub(1);
                self.processes[process].say(&key, Say::Wants(before), now);
            }
            30..40 => {
                self.processes[process].machine.hint(now);
                self.processes[process].has_input = true;
            }
            50..120 if self.processes[process].work.contains_key(&key) && !self.is_stopped(process) => {
                let say = if self.random.bool() { Say::Mark(tick) } else { Say::Done(tick) };
                self.processes[process].say(&key, say, now);
            }
            _ => {}
        }
    }

    fn toggle(&mut self, process: usize, key: &LeaseKey) {
        if self.is_stopped(process) {
            return;
        }
        let now = self.local(process);
        let ends = now + Duration::from_millis(self.random.u64(0..2000));
        let it = &mut self.processes[process];
        let Some(wants) = it.wants.get_mut(key) else { return };
        *wants = !*wants;
        let wants = *wants;
        match it.work.get_mut(key) {
            Some(work) => work.ends = Some(ends),
            None => it.say(key, if wants { it.wish(key) } else { Say::Leaves }, now),
        }
    }

    /// A process is killed, and another comes in its place.
    fn restart(&mut self, process: usize) {
        let machine = Machine::new(Times { ttl: TTL }, self.random.fork());
        let now = self.local(process);
        let it = &mut self.processes[process];
        (it.machine, it.has_input, it.reachable) = (machine, false, true);
        it.numbers.clear();
        it.work.clear();
        it.flying.clear();
        it.valid.clear();
        it.stopped_until = Duration::ZERO;
        for (key, _) in it.wants.clone().into_iter().filter(|(_, wants)| *wants) {
            it.say(&key, Say::Wants(0), now);
        }
        self.replies.retain(|reply| reply.process != process);
    }

    fn step(&mut self) {
        self.now += STEP;
        self.serve();
        if !self.healed {
            self.shake();
        }
        for process in 0..self.processes.len() {
            if !self.is_stopped(process) {
                self.turn(process);
            }
        }
        self.check();
    }

    fn run(mut self, seed: u64) {
        for _ in 0..self.random.usize(300..1200) {
            self.step();
        }
        self.healed = true;
        for process in &mut self.processes {
            process.stopped_until = Duration::ZERO;
        }
        // Messages in flight arrive, sessions of ended processes expire, and refused units ask again.
        let settled = self.now + DELAY + TTL + TTL + TTL / 2;
        while self.now < settled {
            self.step();
        }
        for (key, wants) in self.wanted() {
            let owners: Vec<_> = (0..self.processes.len()).filter(|n| self.works(*n, &key)).collect();
            let expected = usize::from(wants > 0);
            assert_eq!(owners.len(), expected, "seed {seed}: {key} is wanted by {wants} and works in {owners:?}");
        }
        // A key that no unit wants is free: a new process gets it at once.
        for (key, _) in self.wanted().into_iter().filter(|(_, wants)| *wants == 0) {
            let id = SessionId::from_bits(self.random.u128(..));
            let now = StoreTime::from_unix(self.now + EPOCH);
            self.leases.insert(id, SessionSpec::new("fleet", "new", TTL), now);
            let claims = self.leases.acquire(id, std::slice::from_ref(&key), now).unwrap();
            assert!(matches!(claims[0], Claim::Held { .. }), "seed {seed}: nobody wants {key}, and {claims:?}");
        }
        assert!(self.ticks.values().all(|runs| *runs == 1), "seed {seed}: a tick began twice: {:?}", self.ticks);
        self.settle_and_stay(seed);
    }

    /// Owners do not change once all faults are over.
    fn settle_and_stay(mut self, seed: u64) {
        let owners = |story: &Self| -> Vec<Vec<LeaseKey>> {
            story.processes.iter().map(|process| process.work.keys().cloned().collect()).collect()
        };
        let before = (owners(&self), self.tokens.clone());
        for _ in 0..300 {
            self.step();
        }
        assert_eq!((owners(&self), self.tokens.clone()), before, "seed {seed}: it flaps");
        let is_open = |it: &&Process| matches!(it.machine.state, State::Open(_));
        assert!(
            self.processes.iter().filter(is_open).all(|it| it.reachable),
            "seed {seed}: the store stays out of reach"
        );
        let work = self.processes.iter().flat_map(|process| &process.work);
        let held: Vec<_> = work.map(|(key, work)| (key.clone(), work.token)).collect();
        for process in 0..self.processes.len() {
            self.processes[process].machine.shut_down();
            self.processes[process].has_input = true;
            let now = self.local(process);
            for (key, wants) in std::mem::take(&mut self.processes[process].wants) {
                self.processes[process].wants.insert(key.clone(), false);
                if let Some(work) = self.processes[process].work.get_mut(&key) {
                    work.ends = Some(now);
                } else if wants {
                    self.processes[process].say(&key, Say::Leaves, now);
                }
            }
        }
        for _ in 0..10 {
            self.step();
        }
        let open = self.processes.iter().filter(|it| !matches!(it.machine.state, State::Done)).count();
        assert_eq!(open, 0, "seed {seed}: {open} processes have not closed their sessions");
        let silent = held.into_iter().find(|taking| !self.released.contains(taking));
        assert!(silent.is_none(), "seed {seed}: {silent:?} was given back in silence");
    }

    fn works(&self, process: usize, key: &LeaseKey) -> bool {
        self.processes[process].work.contains_key(key)
    }

    fn wanted(&self) -> Vec<(LeaseKey, usize)> {
        let keys: Vec<_> = self.processes[0].wants.keys().cloned().collect();
        let count = |key: &LeaseKey| self.processes.iter().filter(|process| process.wants[key]).count();
        keys.into_iter().map(|key| (key.clone(), count(&key))).collect()
    }
}

fn seeds() -> std::ops::Range<u64> {
    let seeds = std::env::var("TASKVISOR_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    // Miri takes 100 times as long.
    0..seeds.unwrap_or(if cfg!(miri) { 4 } else { 1_000 })
}

#[test]
fn no_two_processes_work_for_one_key_whatever_is_lost_or_late() {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(8) as u64;
    let all = Arc::new(seeds());
    let threads: Vec<_> = (0..workers)
        .map(|worker| {
            let all = Arc::clone(&all);
            std::thread::spawn(move || {
                for seed in (all.start..all.end).filter(|seed| seed % workers == worker) {
                    let mut story = Story::new(seed, 2 + (seed % 3) as usize, 1 + (seed % 2) as usize);
                    story.drops_late = seed % 5 == 0;
                    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| story.run(seed)));
                    assert!(told.is_ok(), "seed {seed}");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
