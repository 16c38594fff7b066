//! The leases of one process. Plain data: inputs, replies and time go in, calls and orders come out.
//!
//! ```text
//! no session -- Open --> session, renewed every ttl/3 -- Expired --> no session
//!
//! A unit (a task, a group or a slot) and its key:
//!   Parked -- Acquire, Grant --> Working -- Stop --> Stopping -- its work has ended --> Parked
//!   any -- leaves --> Gone, and the key is released
//! ```
//! A call without an answer may be carried out, now or later. So a release is repeated until it is answered, before the
//! key is acquired again. After a lost `acquire`, one more follows when that call cannot be in flight any more.
//!
//! The machine reads no clock. Its driver (`engine`) carries out calls, each with a timeout, and reports every reply.

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use super::store::{Claim, FencingToken, LeaseKey, SessionId, StoreTime};
use super::times::Times;

/// A call to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    Open,
    Renew(SessionId),
    Acquire(SessionId, Vec<LeaseKey>),
    Release(SessionId, Vec<(LeaseKey, FencingToken)>),
    Mark(SessionId, LeaseKey, FencingToken, u64),
    Close(SessionId),
}

/// The answer to a call.
#[derive(Debug)]
pub(crate) enum Reply {
    Opened(Result<SessionId, Failed>),
    Renewed(SessionId, Result<StoreTime, Failed>),
    Acquired(SessionId, Result<Vec<Claim>, Failed>),
    Released(SessionId, Result<(), Failed>),
    Marked(SessionId, LeaseKey, u64, Result<bool, Failed>),
    Closed(Result<(), Failed>),
}

/// The failure of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The session is over.
    Expired,
    /// It may have been carried out, now or later.
    Unanswered,
}

/// A kind of call, which a store can refuse alone: a right is missing, for example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Open,
    Renew,
    Acquire,
    Release,
    Mark,
}

/// A message of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Say {
    /// It wants to work: it is new, or its work has ended. Nothing runs of the work that this number of grants began.
    Wants(u64),
    /// The lease of its work of this grant is over.
    Lost(u64),
    /// It does not want to work for now. Nothing runs of the work that this number of grants began.
    Withdraws(u64),
    /// It hands the key over.
    Resigns,
    /// It has ended for good, and none of its work runs.
    Leaves,
    /// It wants to run the tick.
    Mark(u64),
    /// It has run the tick.
    Done(u64),
}

/// An order of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    Call(Call),
    /// The unit begins its work. `number` counts the grants of the key.
    Grant {
        key: LeaseKey,
        number: u64,
        token: FencingToken,
        last_tick: Option<u64>,
    },
    /// The unit stops its work.
    Stop {
        key: LeaseKey,
        why: Why,
    },
    /// The work of the unit is dropped now, because the lease is over.
    Drop {
        key: LeaseKey,
    },
    /// The work of the unit has not ended in time.
    Overrun {
        key: LeaseKey,
    },
    /// Another process, with this label, owns the key.
    Owned {
        key: LeaseKey,
        owner: String,
    },
    /// The answer to [`Say::Mark`]: the unit runs the tick if `won` is `true`.
    Marked {
        key: LeaseKey,
        tick: u64,
        won: bool,
    },
    /// The store has released a key that was granted, or has ended the session after the unit of the key had ended.
    Released {
        key: LeaseKey,
        token: FencingToken,
    },
    /// The store does not answer, or answers again.
    Reachable(bool),
    /// No unit wants the key any more, and the machine has no state of it.
    Forgotten {
        key: LeaseKey,
    },
    /// Nothing is left to do.
    Done,
}

/// The reason why a unit stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Resigned,
    /// No renewal has succeeded for three fifths of the time to live.
    NotRenewed,
    /// The store has answered that the session is over.
    Expired,
}

/// The open session, with its calls in flight.
#[derive(Debug)]
struct Session {
    id: SessionId,
    /// The session is used up to this time, whatever the store answers.
    valid_until: Duration,
    renew_at: Duration,
    /// The number of consecutive renewals without an answer.
    failures: u32,
    /// The time at which the renewal in flight was sent.
    renewing: Option<Duration>,
    /// The `acquire` in flight.
    asking: Option<Asking>,
    /// The keys of the `release` in flight.
    releasing: Option<Vec<(LeaseKey, FencingToken)>>,
    /// The time of the next release, after one without an answer.
    release_at: Duration,
}

#[derive(Debug)]
struct Asking {
    keys: Vec<LeaseKey>,
    /// The time to ask again for the keys that are refused: a hint has come since, and may be newer than the answer.
    hinted: Option<Duration>,
}

#[derive(Debug)]
enum State {
    /// The next session is opened at this time.
    Closed(Duration),
    /// An `open` is in flight, sent at this time.
    Opening(Duration),
    Open(Box<Session>),
    /// A `close` is in flight, of a session that is valid up to this time.
    Closing(Duration),
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Gone,
    Parked,
    Working,
    Stopping,
}

#[derive(Debug)]
struct Entry {
    unit: Unit,
    /// The number of grants to the unit.
    grants: u64,
    /// The lease that the store has given in this session.
    held: Option<Held>,
    /// The time of the next `acquire`.
    ask_at: Duration,
    asks: Asks,
    /// An `acquire` without an answer may be in flight up to this time. Then the key is acquired once more.
    probe_at: Option<Duration>,
    /// `dropped` is `true` if the lease of work that stops is over, and `overrun` if an overrun was reported.
    dropped: bool,
    overrun: bool,
    /// The time at which work that stops was ordered to be dropped; [`Duration::MAX`] until then.
    over_at: Duration,
    /// The owner, if it is another process.
    owner: Option<String>,
    mark: Option<Mark>,
}

/// The state of the last `acquire` of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Answered,
    InFlight,
    Unanswered,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    token: FencingToken,
    last_tick: Option<u64>,
    /// `true` if the lease was granted to the unit.
    granted: bool,
    /// `true` if the lease is released when its work has ended.
    resigned: bool,
    /// `true` if other processes can acquire it first: the unit waits a period.
    hands_over: bool,
}

/// A tick that a unit wants to run, or has run.
#[derive(Debug, Clone, Copy)]
struct Mark {
    tick: u64,
    /// `true` if it has run. Its key is kept until the store has answered, so that no other owner repeats it.
    is_done: bool,
    /// `true` while the call is in flight.
    asking: bool,
    /// `true` if a call was not answered, so that this unit may have marked the tick already.
    unanswered: bool,
    at: Duration,
}

/// The leases of one process.
#[derive(Debug)]
pub(crate) struct Machine {
    times: Times,
    random: fastrand::Rng,
    state: State,
    entries: BTreeMap<LeaseKey, Entry>,
    shutting_down: bool,
    /// The kinds of calls whose last one had no answer, and the time of that failure. The store is in reach if there are
    /// none.
    failing: BTreeMap<Kind, Duration>,
    /// The time of the store, and the local time at about the same instant.
    store_time: Option<(StoreTime, Duration)>,
    orders: Vec<Order>,
}

impl Machine {
    pub(crate) fn new(times: Times, random: fastrand::Rng) -> Self {
        Self {
            times,
            random,
            state: State::Closed(Duration::ZERO),
            entries: BTreeMap::new(),
            shutting_down: false,
            failing: BTreeMap::new(),
            store_time: None,
            orders: Vec::new(),
        }
    }

    /// Returns the current session, and the time up to which it is valid.
    pub(crate) fn session_until(&self) -> Option<(SessionId, Duration)> {
        if let State::Open(session) = &self.state { Some((session.id, session.valid_until)) } else { None }
    }

    fn valid_until(&self) -> Duration {
        if let State::Open(session) = &self.state { session.valid_until } else { Duration::ZERO }
    }

    /// Returns the time of the store, and the local time at about the same instant.
    pub(crate) fn store_time(&self) -> Option<(StoreTime, Duration)> {
        self.store_time
    }

    /// Takes a message of a unit. The caller then calls [`settle`](Self::settle).
    pub(crate) fn say(&mut self, key: &LeaseKey, say: Say, now: Duration) {
        if let Say::Wants(grants) = say {
            let entry = self.entries.entry(key.clone()).or_insert_with(|| Entry::new(now));
            match entry.unit {
                Unit::Gone => (entry.grants, entry.ask_at) = (grants, now),
                // The message was sent before the last grant, whose work runs or is about to.
                Unit::Working | Unit::Stopping if grants != entry.grants => return,
                _ => {}
            }
            return entry.park();
        }
        let Some(entry) = self.entries.get_mut(key) else { return };
        match say {
            Say::Leaves => entry.stop(Unit::Gone),
            Say::Lost(grants) if entry.unit == Unit::Working && grants == entry.grants => {
                entry.stop(Unit::Stopping);
                self.orders.push(Order::Stop { key: key.clone(), why: Why::NotRenewed });
            }
            // A grant that was made in the meantime stays.
            Say::Withdraws(grants) if entry.unit != Unit::Working && grants == entry.grants => {
                entry.park();
                entry.unit = Unit::Gone;
            }
            Say::Resigns if entry.unit == Unit::Working => {
                if let Some(held) = &mut entry.held {
                    (held.resigned, held.hands_over) = (true, true);
                    entry.stop(Unit::Stopping);
                    self.orders.push(Order::Stop { key: key.clone(), why: Why::Resigned });
                }
            }
            Say::Mark(tick) if entry.unit == Unit::Working => {
                entry.mark = Some(Mark { tick, is_done: false, asking: false, unanswered: false, at: now });
            }
            Say::Done(tick) if matches!(entry.unit, Unit::Working | Unit::Stopping) && entry.held.is_some() => {
                entry.mark = Some(Mark { tick, is_done: true, asking: false, unanswered: false, at: now });
            }
            Say::Wants(_) | Say::Withdraws(_) | Say::Lost(_) | Say::Resigns | Say::Mark(_) | Say::Done(_) => {}
        }
    }

    /// Returns `true` if another unit of this process can ask for the key: no unit wants it now, or the one that does
    /// has just handed it over.
    pub(crate) fn is_for_others(&self, key: &LeaseKey) -> bool {
        self.entries.get(key).is_none_or(|entry| match entry.unit {
            Unit::Gone => true,
            Unit::Parked => entry.held.is_some_and(|held| held.hands_over),
            Unit::Working | Unit::Stopping => false,
        })
    }

    /// Takes a hint that a refused key may be free. The keys that others own are asked for within 50 ms.
    pub(crate) fn hint(&mut self, now: Duration) {
        let at = now + Duration::from_millis(self.random.u64(0..=50));
        if let State::Open(session) = &mut self.state {
            if let Some(asking) = &mut session.asking {
                asking.hinted = Some(asking.hinted.map_or(at, |before| before.min(at)));
            }
        }
        for entry in self.entries.values_mut().filter(|entry| entry.owner.is_some()) {
            entry.ask_at = entry.ask_at.min(at);
        }
    }

    /// Begins the shutdown: no more keys are asked for, and the session is closed when all work has ended.
    pub(crate) fn shut_down(&mut self) {
        self.shutting_down = true;
    }

    /// Takes a reply. The caller then calls [`settle`](Self::settle).
    pub(crate) fn reply(&mut self, reply: Reply, now: Duration) {
        match reply {
            Reply::Opened(opened) => self.opened(opened, now),
            Reply::Closed(closed) => self.closed(closed, now),
            Reply::Renewed(id, renewed) => self.renewed(id, renewed, now),
            Reply::Acquired(id, acquired) => self.acquired(id, acquired, now),
            Reply::Released(id, released) => self.released(id, released, now),
            Reply::Marked(id, key, tick, marked) => self.marked(id, &key, tick, marked, now),
        }
    }

    fn opened(&mut self, opened: Result<SessionId, Failed>, now: Duration) {
        let State::Opening(sent) = self.state else { return };
        self.answered(Kind::Open, opened.as_ref().err().copied(), now);
        let Ok(id) = opened else {
            self.state = State::Closed(now + self.retry());
            return;
        };
        self.state = State::Open(Box::new(Session {
            id,
            valid_until: sent + self.times.validity(),
            renew_at: sent + self.period(),
            failures: 0,
            renewing: None,
            asking: None,
            releasing: None,
            release_at: now,
        }));
    }

    /// Returns the session, if it is this one.
    fn session(&mut self, id: SessionId) -> Option<&mut Session> {
        match &mut self.state {
            State::Open(session) if session.id == id => Some(session),
            _ => None,
        }
    }

    fn renewed(&mut self, id: SessionId, renewed: Result<StoreTime, Failed>, now: Duration) {
        let (validity, next) = (self.times.validity(), self.period());
        let failures = self.session(id).map_or(0, |session| session.failures);
        let retry = self.retry_renewal(failures);
        let Some(session) = self.session(id) else { return };
        let Some(sent) = session.renewing.take() else { return };
        match renewed {
            Ok(time) => {
                session.valid_until = sent + validity;
                (session.renew_at, session.failures) = (sent + next, 0);
                // Not earlier, so that no tick begins before its time, however long the answer took.
                self.store_time = Some((time, now));
            }
            Err(Failed::Unanswered) => {
                (session.renew_at, session.failures) = (now + retry, session.failures.saturating_add(1));
            }
            Err(Failed::Expired) => self.expired(now),
        }
        self.answered(Kind::Renew, renewed.err(), now);
    }

    /// Handles the answer of the store that the session is over.
    fn expired(&mut self, now: Duration) {
        let State::Open(_) = mem::replace(&mut self.state, State::Closed(now)) else { return };
        for (key, entry) in &mut self.entries {
            // The work of the unit has ended, and its release was not answered or not asked for.
            let has_ended = matches!(entry.unit, Unit::Gone | Unit::Parked);
            if let Some(held) = entry.held.take().filter(|held| held.granted && has_ended) {
                self.orders.push(Order::Released { key: key.clone(), token: held.token });
            }
            entry.mark = None;
            (entry.asks, entry.probe_at, entry.ask_at) = (Asks::Answered, None, now);
            if entry.unit == Unit::Working {
                entry.unit = Unit::Stopping;
                self.orders.push(Order::Stop { key: key.clone(), why: Why::Expired });
            }
            if entry.unit == Unit::Stopping && !entry.dropped {
                entry.dropped = true;
                entry.over_at = now;
                self.orders.push(Order::Drop { key: key.clone() });
            }
        }
    }

    fn acquired(&mut self, id: SessionId, acquired: Result<Vec<Claim>, Failed>, now: Duration) {
        let (period, retry, ttl) = (self.period(), self.retry(), self.times.ttl);
        let Some(session) = self.session(id) else { return };
        let Some(Asking { keys, hinted }) = session.asking.take() else { return };
        let failed = acquired.as_ref().err().copied();
        match acquired {
            Ok(claims) => {
                for (key, claim) in keys.iter().zip(claims) {
                    let Some(entry) = self.entries.get_mut(key) else { continue };
                    entry.asks = Asks::Answered;
                    match claim {
                        Claim::Held { token, last_tick, now: time } => {
                            entry.held =
                                Some(Held { token, last_tick, granted: false, resigned: false, hands_over: false });
                            entry.owner = None;
                            self.store_time = Some((time, now));
                        }
                        Claim::Busy { owner } if entry.owner.as_ref() == Some(&owner) => {}
                        Claim::Busy { owner } => {
                            let (key, told) = (key.clone(), owner.clone());
                            entry.owner = Some(owner);
                            self.orders.push(Order::Owned { key, owner: told });
                        }
                    }
                    entry.ask_at = hinted.unwrap_or(Duration::MAX).min(now + period);
                }
            }
            Err(Failed::Unanswered) => {
                for key in &keys {
                    let Some(entry) = self.entries.get_mut(key) else { continue };
                    entry.asks = Asks::Unanswered;
                    entry.ask_at = now + retry;
                    entry.probe_at = Some(now + ttl);
                }
            }
            Err(Failed::Expired) => self.expired(now),
        }
        self.answered(Kind::Acquire, failed, now);
    }

    fn released(&mut self, id: SessionId, released: Result<(), Failed>, now: Duration) {
        let retry = self.retry();
        let ask_at = now + self.period();
        let Some(session) = self.session(id) else { return };
        let Some(keys) = session.releasing.take() else { return };
        match released {
            Ok(()) => {
                for (key, token) in keys {
                    let Some(entry) = self.entries.get_mut(&key) else { continue };
                    let Some(held) = entry.held.take() else { continue };
                    entry.ask_at = if held.hands_over { ask_at } else { now };
                    if held.granted {
                        self.orders.push(Order::Released { key, token });
                    }
                }
            }
            Err(Failed::Unanswered) => session.release_at = now + retry,
            Err(Failed::Expired) => self.expired(now),
        }
        self.answered(Kind::Release, released.err(), now);
    }

    /// Handles the end of the session. It frees the keys, unless the session may have expired before.
    fn closed(&mut self, closed: Result<(), Failed>, now: Duration) {
        let State::Closing(valid_until) = mem::replace(&mut self.state, State::Done) else { return };
        if closed.is_err() || valid_until <= now {
            return;
        }
        for (key, entry) in &mut self.entries {
            if let Some(held) = entry.held.take().filter(|held| held.granted) {
                self.orders.push(Order::Released { key: key.clone(), token: held.token });
            }
        }
    }

    fn marked(&mut self, id: SessionId, key: &LeaseKey, tick: u64, marked: Result<bool, Failed>, now: Duration) {
        let retry = self.retry();
        if self.session(id).is_none() {
            return;
        }
        self.answered_mark(key, marked.err(), now);
        if marked == Err(Failed::Expired) {
            return self.expired(now);
        }
        let Some(entry) = self.entries.get_mut(key) else { return };
        let (Some(mark), Some(held)) = (&mut entry.mark, &mut entry.held) else { return };
        if mark.tick != tick || !mark.asking {
            return;
        }
        mark.asking = false;
        let Ok(is_new) = marked else {
            mark.unanswered = true;
            mark.at = now + retry;
            // The release waits for one answer alone.
            if matches!(entry.unit, Unit::Gone | Unit::Parked) {
                entry.mark = None;
            }
            return;
        };
        // Only this unit can have marked the tick since it has the key: by the call without an answer.
        let won = is_new || (mark.unanswered && held.last_tick.is_none_or(|last| last < mark.tick));
        held.last_tick = held.last_tick.max(Some(tick));
        if !mark.is_done {
            self.orders.push(Order::Marked { key: key.clone(), tick, won });
        }
        entry.mark = None;
    }

    /// Takes the answer to a mark. The mark of another key may still wait for its answer, for example behind a lock.
    fn answered_mark(&mut self, key: &LeaseKey, failed: Option<Failed>, now: Duration) {
        let waits =
            |(other, entry): (&LeaseKey, &Entry)| other != key && entry.mark.is_some_and(|mark| mark.unanswered);
        let is_failing = failed.is_none() && self.failing.contains_key(&Kind::Mark) && self.entries.iter().any(waits);
        if !is_failing {
            self.answered(Kind::Mark, failed, now);
        }
    }

    /// Notes whether a call was answered. The store is out of reach until each kind of call that has failed succeeds.
    fn answered(&mut self, kind: Kind, failed: Option<Failed>, now: Duration) {
        let was_reachable = self.failing.is_empty();
        if failed == Some(Failed::Unanswered) {
            self.failing.insert(kind, now);
        } else {
            self.failing.remove(&kind);
        }
        // A call that fails is repeated, and has failed again, sooner than this: nothing asks for that kind any more.
        let since = now.saturating_sub(self.times.ttl);
        self.failing.retain(|_, at| *at >= since);
        let reachable = self.failing.is_empty();
        if reachable != was_reachable {
            self.orders.push(Order::Reachable(reachable));
        }
    }

    /// Decides on the inputs at this time, and returns the orders.
    pub(crate) fn settle(&mut self, now: Duration) -> Vec<Order> {
        self.settle_session(now);
        self.settle_units(now);
        self.ask(now);
        self.release(now);
        let orders = &mut self.orders;
        self.entries.retain(|key, entry| {
            let is_kept = !entry.is_forgotten();
            if !is_kept && entry.grants > 0 {
                orders.push(Order::Forgotten { key: key.clone() });
            }
            is_kept
        });
        self.close();
        mem::take(&mut self.orders)
    }

    fn settle_session(&mut self, now: Duration) {
        match &mut self.state {
            State::Closed(at) if *at <= now && !self.shutting_down && !self.entries.is_empty() => {
                self.state = State::Opening(now);
                self.orders.push(Order::Call(Call::Open));
            }
            State::Open(session) if session.renewing.is_none() && session.renew_at <= now => {
                session.renewing = Some(now);
                self.orders.push(Order::Call(Call::Renew(session.id)));
            }
            _ => {}
        }
    }

    fn settle_units(&mut self, now: Duration) {
        let valid_until = self.valid_until();
        let stop_at = valid_until.saturating_sub(self.times.clean_up());
        let (is_valid, late) = (now < stop_at, self.times.margin() / 2);
        let id = if let State::Open(session) = &self.state { Some(session.id) } else { None };
        for (key, entry) in &mut self.entries {
            match (entry.unit, &mut entry.held) {
                (Unit::Parked, Some(held))
                    if is_valid && !held.resigned && !self.shutting_down && entry.mark.is_none() =>
                {
                    entry.unit = Unit::Working;
                    held.granted = true;
                    entry.grants += 1;
                    let (number, token, last_tick) = (entry.grants, held.token, held.last_tick);
                    self.orders.push(Order::Grant { key: key.clone(), number, token, last_tick });
                }
                (Unit::Working, _) if !is_valid => {
                    entry.stop(Unit::Stopping);
                    self.orders.push(Order::Stop { key: key.clone(), why: Why::NotRenewed });
                }
                _ => {}
            }
            // A key that is held needs no probe. But an `acquire` that was in flight can take a key again during its
            // release. One that is wanted is asked for anyway, unless its unit leaves before that.
            let is_looked_at = entry.held.is_some_and(|held| !held.resigned);
            entry.probe_at = entry.probe_at.filter(|at| !is_looked_at || *at > now);
            // The store may have renewed the session without an answer. So the key is released, for others.
            if let Some(held) = entry.held.as_mut().filter(|_| valid_until <= now) {
                (held.resigned, held.hands_over) = (true, true);
                entry.mark = None;
            }
            if entry.unit == Unit::Stopping && !entry.dropped && valid_until <= now {
                entry.dropped = true;
                // Not the end of the lease: after a pause of the process, the work may not have been polled since.
                entry.over_at = now;
                self.orders.push(Order::Drop { key: key.clone() });
            }
            if entry.unit == Unit::Stopping && entry.dropped && !entry.overrun && entry.over_at + late <= now {
                entry.overrun = true;
                self.orders.push(Order::Overrun { key: key.clone() });
            }
            if let (Some(mark), Some(held), Some(id)) = (&mut entry.mark, &entry.held, id) {
                if held.last_tick >= Some(mark.tick) {
                    if !mark.is_done {
                        self.orders.push(Order::Marked { key: key.clone(), tick: mark.tick, won: false });
                    }
                    entry.mark = None;
                } else if !mark.asking && mark.at <= now {
                    mark.asking = true;
                    self.orders.push(Order::Call(Call::Mark(id, key.clone(), held.token, mark.tick)));
                }
            }
        }
    }

    /// Asks for the keys that are wanted, and for those that an `acquire` without an answer may have taken.
    fn ask(&mut self, now: Duration) {
        let State::Open(session) = &mut self.state else { return };
        // Nothing is asked for in a session that may be over by now.
        if session.asking.is_some() || session.valid_until <= now {
            return;
        }
        let shutting_down = self.shutting_down;
        let asks = |(_, entry): &(&LeaseKey, &mut Entry)| {
            entry.asks_at(shutting_down).is_some_and(|at| at <= now) && entry.held.is_none()
        };
        let mut keys = Vec::new();
        for (key, entry) in self.entries.iter_mut().filter(asks) {
            entry.asks = Asks::InFlight;
            entry.probe_at = entry.probe_at.filter(|at| *at > now);
            keys.push(key.clone());
        }
        if !keys.is_empty() {
            self.orders.push(Order::Call(Call::Acquire(session.id, keys.clone())));
            session.asking = Some(Asking { keys, hinted: None });
        }
    }

    /// Releases the keys whose work has ended for good or that are handed over.
    fn release(&mut self, now: Duration) {
        let State::Open(session) = &mut self.state else { return };
        if session.releasing.is_some() || session.release_at > now {
            return;
        }
        let released = self.entries.iter_mut().filter_map(|(key, entry)| {
            let is_over = entry.is_over();
            let held = entry.held.as_mut().filter(|held| is_over && (entry.unit == Unit::Gone || held.resigned))?;
            // Also if the key is wanted again before the answer: it is then acquired anew.
            held.resigned = true;
            Some((key.clone(), held.token))
        });
        let keys: Vec<_> = released.collect();
        if !keys.is_empty() {
            self.orders.push(Order::Call(Call::Release(session.id, keys.clone())));
            session.releasing = Some(keys);
        }
    }

    /// Closes the session of a shutdown when no unit works any more.
    fn close(&mut self) {
        if !self.shutting_down || !self.entries.values().all(Entry::is_over) {
            return;
        }
        match &self.state {
            // The close waits for the answer, which confirms the released keys.
            State::Open(session) if session.releasing.is_some() => {}
            State::Open(session) => {
                self.orders.push(Order::Call(Call::Close(session.id)));
                self.state = State::Closing(session.valid_until);
            }
            // A session of an `open` without an answer expires by itself.
            State::Closed(_) | State::Opening(_) => self.state = State::Done,
            State::Closing(_) | State::Done => {}
        }
        if let State::Done = self.state {
            self.orders.push(Order::Done);
        }
    }

    /// Returns the next time at which [`settle`](Self::settle) has something to do without an input.
    pub(crate) fn wakes_at(&self, now: Duration) -> Option<Duration> {
        let mut next: Option<Duration> = None;
        let mut at = |time: Duration| next = Some(next.map_or(time, |next| next.min(time)));
        let session = match &self.state {
            State::Closed(open_at) if !self.shutting_down && !self.entries.is_empty() => {
                at(*open_at);
                None
            }
            State::Open(session) => Some(session),
            _ => None,
        };
        if let Some(session) = session.filter(|session| session.renewing.is_none()) {
            at(session.renew_at);
        }
        for entry in self.entries.values() {
            match entry.unit {
                Unit::Working => at(self.valid_until().saturating_sub(self.times.clean_up())),
                Unit::Stopping if !entry.dropped => at(self.valid_until()),
                Unit::Parked if entry.held.is_some_and(|held| !held.resigned) => at(self.valid_until()),
                Unit::Stopping if !entry.overrun => at(entry.over_at + self.times.margin() / 2),
                _ => {}
            }
            let Some(session) = session else { continue };
            // A session that may be over is renewed before keys are asked for in it.
            let may_ask = session.asking.is_none() && entry.held.is_none() && session.valid_until > now;
            if let Some(ask_at) = entry.asks_at(self.shutting_down).filter(|_| may_ask) {
                at(ask_at);
            }
            if session.releasing.is_none() && entry.is_over() && entry.held.is_some_and(|held| held.resigned) {
                at(session.release_at);
            }
            if let Some(mark) = entry.mark.filter(|mark| !mark.asking) {
                at(mark.at);
            }
        }
        next
    }

    /// Returns the time to the next renewal or `acquire`: a third of the time to live, 10 % more or less.
    fn period(&mut self) -> Duration {
        self.times.period().mul_f64(0.9 + 0.2 * self.random.f64())
    }

    /// Returns the wait before a renewal is repeated. The first wait is short: if one renewal is lost, the next must
    /// succeed before work is requested to stop.
    fn retry_renewal(&mut self, failures: u32) -> Duration {
        self.times.ttl.mul_f64((0.5 + 0.5 * self.random.f64()) / 60.0) * (1 << failures.min(2))
    }

    /// Returns the wait before a call without an answer is repeated.
    fn retry(&mut self) -> Duration {
        self.times.ttl.mul_f64((1.0 + self.random.f64()) / 30.0)
    }
}

impl Entry {
    fn new(now: Duration) -> Self {
        Self {
            unit: Unit::Gone,
            grants: 0,
            held: None,
            ask_at: now,
            asks: Asks::Answered,
            probe_at: None,
            dropped: false,
            overrun: false,
            over_at: Duration::MAX,
            owner: None,
            mark: None,
        }
    }

    /// Ends the work, or requests its end: no tick begins any more.
    fn stop(&mut self, unit: Unit) {
        self.unit = unit;
        self.mark = self.mark.filter(|mark| mark.is_done);
    }

    /// Returns `true` if no work runs, and nothing is left to be said of it to the store before its key is free.
    fn is_over(&self) -> bool {
        matches!(self.unit, Unit::Gone | Unit::Parked) && self.mark.is_none()
    }

    fn park(&mut self) {
        self.unit = Unit::Parked;
        (self.dropped, self.overrun, self.over_at) = (false, false, Duration::MAX);
    }

    /// Returns the time at which the key is asked for next, if it is not held.
    fn asks_at(&self, shutting_down: bool) -> Option<Duration> {
        match self.unit {
            _ if shutting_down => None,
            Unit::Parked => Some(self.ask_at),
            // The key of work that stops without a lease is asked for when the work has ended.
            Unit::Working | Unit::Stopping => None,
            Unit::Gone if self.asks == Asks::Unanswered => Some(self.ask_at),
            Unit::Gone => self.probe_at,
        }
    }

    fn is_forgotten(&self) -> bool {
        self.unit == Unit::Gone && self.held.is_none() && self.asks == Asks::Answered && self.probe_at.is_none()
    }
}

#[cfg(test)]
#[path = "machine_test.rs"]
mod tests;

#[cfg(test)]
#[path = "machine_cases_test.rs"]
mod cases;

#[cfg(test)]
#[path = "machine_answers_test.rs"]
mod answers;
