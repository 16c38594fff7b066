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

use super::entries::{Asks, Entries, Entry, Held, Mark, Unit};
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

/// What concerns all entries. If it has changed, each of them is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    session: Option<SessionId>,
    /// `true` while the session is long enough for work to begin and to go on.
    is_valid: bool,
    is_over: bool,
    shutting_down: bool,
}

/// The leases of one process.
#[derive(Debug)]
pub(crate) struct Machine {
    times: Times,
    random: fastrand::Rng,
    state: State,
    entries: Entries,
    /// What concerns all entries, as it was when they were last looked at.
    seen: Seen,
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
            entries: Entries::default(),
            seen: Seen::default(),
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
            return self.entries.enter(key, now, |entry| {
                match entry.unit {
                    Unit::Gone => (entry.grants, entry.ask_at) = (grants, now),
                    // The message was sent before the last grant, whose work runs or is about to.
                    Unit::Working | Unit::Stopping if grants != entry.grants => return,
                    _ => {}
                }
                entry.park();
            });
        }
        let orders = &mut self.orders;
        self.entries.change(key, |entry| match say {
            Say::Leaves => entry.stop(Unit::Gone),
            Say::Lost(grants) if entry.unit == Unit::Working && grants == entry.grants => {
                entry.stop(Unit::Stopping);
                orders.push(Order::Stop { key: key.clone(), why: Why::NotRenewed });
            }
            // A grant that was made in the meantime stays.
            Say::Withdraws(grants) if entry.unit != Unit::Working && grants == entry.grants => {
                entry.park();
                entry.unit = Unit::Gone;
            }
            Say::Resigns if entry.unit == Unit::Working => {
                entry.needs_no_probe(now);
                if let Some(held) = &mut entry.held {
                    (held.resigned, held.hands_over) = (true, true);
                    entry.stop(Unit::Stopping);
                    orders.push(Order::Stop { key: key.clone(), why: Why::Resigned });
                }
            }
            Say::Mark(tick) if entry.unit == Unit::Working => {
                entry.mark = Some(Mark { tick, is_done: false, asking: false, unanswered: false, at: now });
            }
            Say::Done(tick) if matches!(entry.unit, Unit::Working | Unit::Stopping) && entry.held.is_some() => {
                entry.mark = Some(Mark { tick, is_done: true, asking: false, unanswered: false, at: now });
            }
            Say::Wants(_) | Say::Withdraws(_) | Say::Lost(_) | Say::Resigns | Say::Mark(_) | Say::Done(_) => {}
        });
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
        for key in self.entries.owned() {
            self.entries.change(&key, |entry| entry.ask_at = entry.ask_at.min(at));
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
        let orders = &mut self.orders;
        for key in self.entries.keys() {
            self.entries.change(&key, |entry| {
                // The work of the unit has ended, and its release was not answered or not asked for.
                let has_ended = matches!(entry.unit, Unit::Gone | Unit::Parked);
                if let Some(held) = entry.held.take().filter(|held| held.granted && has_ended) {
                    orders.push(Order::Released { key: key.clone(), token: held.token });
                }
                entry.mark = None;
                (entry.asks, entry.probe_at, entry.ask_at) = (Asks::Answered, None, now);
                if entry.unit == Unit::Working {
                    entry.unit = Unit::Stopping;
                    orders.push(Order::Stop { key: key.clone(), why: Why::Expired });
                }
                if entry.unit == Unit::Stopping && !entry.dropped {
                    entry.dropped = true;
                    entry.over_at = now;
                    orders.push(Order::Drop { key: key.clone() });
                }
            });
        }
    }

    fn acquired(&mut self, id: SessionId, acquired: Result<Vec<Claim>, Failed>, now: Duration) {
        let (period, retry, ttl) = (self.period(), self.retry(), self.times.ttl);
        let Some(session) = self.session(id) else { return };
        let Some(Asking { keys, hinted }) = session.asking.take() else { return };
        let failed = acquired.as_ref().err().copied();
        match acquired {
            Ok(claims) => {
                let (orders, store_time) = (&mut self.orders, &mut self.store_time);
                for (key, claim) in keys.iter().zip(claims) {
                    self.entries.change(key, |entry| {
                        entry.asks = Asks::Answered;
                        match claim {
                            Claim::Held { token, last_tick, now: time } => {
                                entry.held =
                                    Some(Held { token, last_tick, granted: false, resigned: false, hands_over: false });
                                entry.owner = None;
                                *store_time = Some((time, now));
                            }
                            Claim::Busy { owner } if entry.owner.as_ref() == Some(&owner) => {}
                            Claim::Busy { owner } => {
                                entry.owner = Some(owner.clone());
                                orders.push(Order::Owned { key: key.clone(), owner });
                            }
                        }
                        entry.ask_at = hinted.unwrap_or(Duration::MAX).min(now + period);
                    });
                }
            }
            Err(Failed::Unanswered) => {
                for key in &keys {
                    self.entries.change(key, |entry| {
                        entry.asks = Asks::Unanswered;
                        entry.ask_at = now + retry;
                        entry.probe_at = Some(now + ttl);
                    });
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
                    let held = self.entries.change(&key, |entry| {
                        let held = entry.held.take()?;
                        entry.ask_at = if held.hands_over { ask_at } else { now };
                        Some(held)
                    });
                    if held.flatten().is_some_and(|held| held.granted) {
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
        for key in self.entries.keys() {
            let held = self.entries.change(&key, |entry| entry.held.take()).flatten();
            if let Some(held) = held.filter(|held| held.granted) {
                self.orders.push(Order::Released { key, token: held.token });
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
        let orders = &mut self.orders;
        self.entries.change(key, |entry| {
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
                orders.push(Order::Marked { key: key.clone(), tick, won });
            }
            entry.mark = None;
        });
    }

    /// Takes the answer to a mark. The mark of another key may still wait for its answer, for example behind a lock.
    fn answered_mark(&mut self, key: &LeaseKey, failed: Option<Failed>, now: Duration) {
        let is_failing =
            failed.is_none() && self.failing.contains_key(&Kind::Mark) && self.entries.is_another_unanswered(key);
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
        let looked = self.settle_units(now);
        self.ask(now);
        self.release(now);
        for key in looked {
            if self.entries.forget(&key).is_some_and(|grants| grants > 0) {
                self.orders.push(Order::Forgotten { key });
            }
        }
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

    /// Decides on the units that have changed, or all if what concerns them all has. Returns their keys.
    fn settle_units(&mut self, now: Duration) -> Vec<LeaseKey> {
        let (valid_until, late) = (self.valid_until(), self.times.margin() / 2);
        let seen = Seen {
            session: if let State::Open(session) = &self.state { Some(session.id) } else { None },
            is_valid: now < valid_until.saturating_sub(self.times.clean_up()),
            is_over: valid_until <= now,
            shutting_down: self.shutting_down,
        };
        let mut keys = self.entries.due(now, now.checked_sub(late));
        if mem::replace(&mut self.seen, seen) != seen {
            keys = self.entries.keys();
        }
        let orders = &mut self.orders;
        for key in &keys {
            self.entries.look(key, |entry| seen.settle(key, entry, now, late, orders));
        }
        keys
    }

    /// Asks for the keys that are wanted, and for those that an `acquire` without an answer may have taken.
    fn ask(&mut self, now: Duration) {
        let State::Open(session) = &mut self.state else { return };
        // Nothing is asked for in a session that may be over by now.
        if session.asking.is_some() || session.valid_until <= now || self.shutting_down {
            return;
        }
        let keys = self.entries.asked(now);
        for key in &keys {
            self.entries.look(key, |entry| {
                entry.asks = Asks::InFlight;
                entry.probe_at = entry.probe_at.filter(|at| *at > now);
            });
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
        let entries = &mut self.entries;
        let released = entries.released().into_iter().filter_map(|key| {
            let token = entries.look(&key, |entry| {
                let held = entry.held.as_mut()?;
                // Also if the key is wanted again before the answer: it is then acquired anew.
                held.resigned = true;
                Some(held.token)
            });
            Some((key, token.flatten()?))
        });
        let keys: Vec<_> = released.collect();
        if !keys.is_empty() {
            self.orders.push(Order::Call(Call::Release(session.id, keys.clone())));
            session.releasing = Some(keys);
        }
    }

    /// Closes the session of a shutdown when no unit works any more.
    fn close(&mut self) {
        if !self.shutting_down || self.entries.is_busy() {
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
        if self.entries.works() {
            at(self.valid_until().saturating_sub(self.times.clean_up()));
        }
        if self.entries.ends_with_session() {
            at(self.valid_until());
        }
        if let Some(over_at) = self.entries.over_at() {
            at(over_at + self.times.margin() / 2);
        }
        let Some(session) = session else { return next };
        // A session that may be over is renewed before keys are asked for in it.
        let may_ask = session.asking.is_none() && session.valid_until > now && !self.shutting_down;
        if let Some(ask_at) = self.entries.asks_at().filter(|_| may_ask) {
            at(ask_at);
        }
        if session.releasing.is_none() && self.entries.can_release() {
            at(session.release_at);
        }
        if let Some(mark_at) = self.entries.marks_at() {
            at(mark_at);
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

impl Seen {
    /// Decides on one unit.
    fn settle(self, key: &LeaseKey, entry: &mut Entry, now: Duration, late: Duration, orders: &mut Vec<Order>) {
        // A tick that is in the store is no reason to wait.
        let last_tick = entry.held.and_then(|held| held.last_tick);
        if let Some(mark) = entry.mark.take_if(|mark| last_tick >= Some(mark.tick)).filter(|mark| !mark.is_done) {
            orders.push(Order::Marked { key: key.clone(), tick: mark.tick, won: false });
        }
        match (entry.unit, &mut entry.held) {
            (Unit::Parked, Some(held))
                if self.is_valid && !held.resigned && !self.shutting_down && entry.mark.is_none() =>
            {
                entry.unit = Unit::Working;
                held.granted = true;
                entry.grants += 1;
                let (number, token, last_tick) = (entry.grants, held.token, held.last_tick);
                orders.push(Order::Grant { key: key.clone(), number, token, last_tick });
            }
            (Unit::Working, _) if !self.is_valid => {
                entry.stop(Unit::Stopping);
                orders.push(Order::Stop { key: key.clone(), why: Why::NotRenewed });
            }
            _ => {}
        }
        entry.needs_no_probe(now);
        // The store may have renewed the session without an answer. So the key is released, for others.
        if let Some(held) = entry.held.as_mut().filter(|_| self.is_over) {
            (held.resigned, held.hands_over) = (true, true);
            entry.mark = None;
        }
        if entry.unit == Unit::Stopping && !entry.dropped && self.is_over {
            entry.dropped = true;
            // Not the end of the lease: after a pause of the process, the work may not have been polled since.
            entry.over_at = now;
            orders.push(Order::Drop { key: key.clone() });
        }
        if entry.unit == Unit::Stopping && entry.dropped && !entry.overrun && entry.over_at + late <= now {
            entry.overrun = true;
            orders.push(Order::Overrun { key: key.clone() });
        }
        if let (Some(mark), Some(held), Some(id)) = (&mut entry.mark, &entry.held, self.session) {
            if !mark.asking && mark.at <= now {
                mark.asking = true;
                orders.push(Order::Call(Call::Mark(id, key.clone(), held.token, mark.tick)));
            }
        }
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

#[cfg(test)]
#[path = "machine_reach_test.rs"]
mod reach;
