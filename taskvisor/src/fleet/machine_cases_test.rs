//! Single cases of the machine of leases.

use super::*;

pub(super) const TTL: Duration = Duration::from_secs(15);

pub(super) fn key(name: usize) -> LeaseKey {
    LeaseKey::new(format!("k{name}")).unwrap()
}

pub(super) fn held(token: u64) -> Claim {
    Claim::Held { token: FencingToken::from_number(token), last_tick: None, now: StoreTime::from_unix(TTL) }
}

/// A machine whose one unit works.
pub(super) fn working(key: &LeaseKey) -> (Machine, SessionId) {
    let id = SessionId::from_bits(1);
    let mut machine = Machine::new(Times { ttl: TTL }, fastrand::Rng::with_seed(1));
    machine.say(key, Say::Wants(0), Duration::ZERO);
    machine.settle(Duration::ZERO);
    machine.reply(Reply::Opened(Ok(id)), Duration::ZERO);
    machine.settle(Duration::ZERO);
    machine.reply(Reply::Acquired(id, Ok(vec![held(1)])), Duration::ZERO);
    let orders = machine.settle(Duration::ZERO);
    assert!(matches!(orders[..], [Order::Grant { .. }]), "{orders:?}");
    (machine, id)
}

/// As after SIGSTOP without blocked threads: the work ends at its next poll.
#[test]
fn work_has_not_overrun_its_lease_while_the_process_was_paused() {
    let key = key(0);
    for expires in [false, true] {
        let (mut machine, id) = working(&key);
        let now = 2 * TTL;
        if expires {
            machine.reply(Reply::Renewed(id, Err(Failed::Unanswered)), now);
            machine.settle(TTL / 2);
            machine.reply(Reply::Renewed(id, Err(Failed::Expired)), now);
        }
        let orders = machine.settle(now);
        assert!(orders.contains(&Order::Drop { key: key.clone() }), "{orders:?}");
        assert!(!orders.contains(&Order::Overrun { key: key.clone() }), "{orders:?}");
        let late = machine.times.margin() / 2;
        assert!(machine.wakes_at(now).is_some_and(|at| at <= now + late));
        let orders = machine.settle(now + late);
        assert!(orders.contains(&Order::Overrun { key: key.clone() }), "it blocks: {orders:?}");
    }
}

/// Renewals are carried out and not answered, so the store keeps the session. Others must not wait for it.
#[test]
fn a_key_is_released_when_the_session_may_be_over_though_the_store_keeps_it() {
    let key = key(0);
    let (mut machine, _) = working(&key);
    let (validity, token) = (machine.times.validity(), FencingToken::from_number(1));
    let stop = validity.saturating_sub(machine.times.clean_up());
    let releases = |machine: &mut Machine, now| {
        let orders = machine.settle(now);
        let is_release =
            |order: &Order| matches!(order, Order::Call(Call::Release(_, held)) if *held == [(key.clone(), token)]);
        orders.iter().any(is_release)
    };
    assert!(!releases(&mut machine, stop), "it stops");
    machine.say(&key, Say::Wants(1), stop);
    assert!(!releases(&mut machine, stop), "the renewal may still be answered");
    assert!(machine.wakes_at(stop).is_some_and(|at| at <= validity));
    assert!(releases(&mut machine, validity));
}

/// Returns the keys whose release is reported.
fn told(orders: &[Order]) -> Vec<LeaseKey> {
    let key = |order: &Order| if let Order::Released { key, .. } = order { Some(key.clone()) } else { None };
    orders.iter().filter_map(key).collect()
}

pub(super) fn calls(orders: &[Order]) -> Vec<&Call> {
    orders.iter().filter_map(|order| if let Order::Call(call) = order { Some(call) } else { None }).collect()
}

#[test]
fn a_session_is_closed_after_the_answer_to_its_last_release() {
    let key = key(0);
    let (mut machine, id) = working(&key);
    machine.shut_down();
    machine.say(&key, Say::Leaves, Duration::ZERO);
    let orders = machine.settle(Duration::ZERO);
    assert!(matches!(calls(&orders)[..], [Call::Release(..)]), "{orders:?}");
    machine.reply(Reply::Released(id, Ok(())), Duration::ZERO);
    let orders = machine.settle(Duration::ZERO);
    assert!(matches!(calls(&orders)[..], [Call::Close(_)]), "{orders:?}");
    assert_eq!(told(&orders), std::slice::from_ref(&key));
    machine.reply(Reply::Closed(Ok(())), Duration::ZERO);
    assert_eq!(machine.settle(Duration::ZERO), [Order::Done]);
}

/// The close of a live session frees its keys. A session that may have expired had no keys to give back.
#[test]
fn a_close_tells_the_release_of_what_a_live_session_holds() {
    let key = key(0);
    for (closed, is_told) in [(Ok(()), true), (Err(Failed::Unanswered), false), (Ok(()), false)] {
        let (mut machine, id) = working(&key);
        machine.shut_down();
        machine.say(&key, Say::Leaves, Duration::ZERO);
        machine.settle(Duration::ZERO);
        machine.reply(Reply::Released(id, Err(Failed::Unanswered)), TTL / 5);
        let orders = machine.settle(TTL / 5);
        assert!(matches!(calls(&orders)[..], [Call::Close(_)]), "{orders:?}");
        let answered = if closed.is_ok() && !is_told { machine.times.validity() } else { TTL / 5 };
        machine.reply(Reply::Closed(closed), answered);
        let orders = machine.settle(answered);
        assert!(orders.contains(&Order::Done), "{orders:?}");
        assert_eq!(!told(&orders).is_empty(), is_told, "{orders:?}");
    }
}

#[test]
fn a_key_that_was_granted_to_nobody_is_released_in_silence() {
    let (key, id) = (key(0), SessionId::from_bits(1));
    let mut machine = Machine::new(Times { ttl: TTL }, fastrand::Rng::with_seed(1));
    machine.say(&key, Say::Wants(0), Duration::ZERO);
    machine.settle(Duration::ZERO);
    machine.reply(Reply::Opened(Ok(id)), Duration::ZERO);
    machine.settle(Duration::ZERO);
    machine.say(&key, Say::Leaves, Duration::ZERO);
    machine.settle(Duration::ZERO);
    machine.reply(Reply::Acquired(id, Ok(vec![held(1)])), Duration::ZERO);
    let orders = machine.settle(Duration::ZERO);
    assert!(matches!(calls(&orders)[..], [Call::Release(..)]), "{orders:?}");
    machine.reply(Reply::Released(id, Ok(())), Duration::ZERO);
    let orders = machine.settle(Duration::ZERO);
    assert_eq!(told(&orders), []);
}

/// A task that is added again, or the next job of a slot, does not wait a period for other processes.
#[test]
fn a_key_that_is_wanted_again_during_its_release_is_asked_for_at_once() {
    let key = key(0);
    for resigns in [false, true] {
        let (mut machine, id) = working(&key);
        if resigns {
            machine.say(&key, Say::Resigns, Duration::ZERO);
        }
        machine.say(&key, Say::Leaves, Duration::ZERO);
        let orders = machine.settle(Duration::ZERO);
        assert!(matches!(calls(&orders)[..], [Call::Release(..)]), "{orders:?}");
        machine.say(&key, Say::Wants(1), Duration::ZERO);
        machine.settle(Duration::ZERO);
        machine.reply(Reply::Released(id, Ok(())), Duration::ZERO);
        let orders = machine.settle(Duration::ZERO);
        let asks = matches!(calls(&orders)[..], [Call::Acquire(..)]);
        assert_eq!(asks, !resigns, "{orders:?}");
    }
}

/// The order lets the engine drop its state of the key.
#[test]
fn a_key_is_told_to_be_forgotten_however_its_lease_has_ended() {
    let key = key(0);
    let forgotten = Order::Forgotten { key: key.clone() };
    for expires in [false, true] {
        let (mut machine, id) = working(&key);
        if expires {
            machine.settle(TTL / 2);
            machine.reply(Reply::Renewed(id, Err(Failed::Expired)), TTL / 2);
            assert!(!machine.settle(TTL / 2).contains(&forgotten));
            machine.say(&key, Say::Leaves, TTL / 2);
        } else {
            machine.say(&key, Say::Leaves, TTL / 2);
            assert!(!machine.settle(TTL / 2).contains(&forgotten));
            machine.reply(Reply::Released(id, Ok(())), TTL / 2);
        }
        let orders = machine.settle(TTL / 2);
        assert_eq!(orders.last(), Some(&forgotten), "{orders:?}");
        assert!(machine.entries.is_empty());
    }
}

/// Returns a machine whose unit has run tick 7, in the step in which `end` begins.
fn done(end: &[Say]) -> (Machine, SessionId) {
    let (mut machine, id) = working(&key(0));
    machine.say(&key(0), Say::Done(7), Duration::ZERO);
    for say in end {
        machine.say(&key(0), *say, Duration::ZERO);
    }
    let orders = machine.settle(Duration::ZERO);
    let call = Call::Mark(id, key(0), FencingToken::from_number(1), 7);
    assert_eq!(calls(&orders), [&call], "{end:?}");
    (machine, id)
}

/// So no other owner repeats the tick.
#[test]
fn a_tick_that_has_run_is_in_the_store_before_its_key_is_free() {
    let key = key(0);
    for end in [
        &[Say::Leaves][..],
        &[Say::Resigns, Say::Wants(1)],
        &[Say::Resigns, Say::Leaves],
        &[Say::Resigns, Say::Withdraws(1)],
    ] {
        for marked in [Ok(true), Ok(false), Err(Failed::Unanswered)] {
            let (mut machine, id) = done(end);
            assert_eq!(machine.settle(Duration::ZERO), [], "it waits for the answer");
            assert!(machine.wakes_at(Duration::ZERO).is_some_and(|at| at > Duration::ZERO), "{end:?}");
            machine.reply(Reply::Marked(id, key.clone(), 7, marked), Duration::ZERO);
            let orders = machine.settle(Duration::ZERO);
            assert!(matches!(calls(&orders)[..], [Call::Release(..)]), "{end:?}, {marked:?}: {orders:?}");
            assert!(!orders.iter().any(|order| matches!(order, Order::Marked { .. })), "nobody has asked");
        }
    }
    // In a shutdown, the session is closed after that too.
    let (mut machine, id) = done(&[Say::Leaves]);
    machine.shut_down();
    assert_eq!(machine.settle(Duration::ZERO), []);
    machine.reply(Reply::Marked(id, key.clone(), 7, Ok(true)), Duration::ZERO);
    assert!(matches!(calls(&machine.settle(Duration::ZERO))[..], [Call::Release(..)]));
}

#[test]
fn a_tick_that_has_run_is_marked_although_its_work_is_told_to_stop() {
    let key = key(0);
    let (mut machine, id) = working(&key);
    machine.say(&key, Say::Resigns, Duration::ZERO);
    assert!(calls(&machine.settle(Duration::ZERO)).is_empty());
    machine.say(&key, Say::Mark(6), Duration::ZERO);
    assert_eq!(machine.settle(Duration::ZERO), [], "no tick begins");
    machine.say(&key, Say::Done(7), Duration::ZERO);
    assert!(matches!(calls(&machine.settle(Duration::ZERO))[..], [Call::Mark(_, _, _, 7)]));
    machine.reply(Reply::Marked(id, key.clone(), 7, Err(Failed::Unanswered)), Duration::ZERO);
    let at = machine.wakes_at(Duration::ZERO).unwrap();
    machine.settle(Duration::ZERO);
    assert!(
        matches!(calls(&machine.settle(at))[..], [Call::Mark(_, _, _, 7)]),
        "its work has not ended, so there is time"
    );
}

/// After the end of the lease, nothing is marked, and the key is not kept for it.
#[test]
fn a_tick_that_has_run_is_given_up_with_the_lease() {
    let key = key(0);
    let (mut machine, id) = done(&[Say::Leaves]);
    let validity = machine.times.validity();
    machine.settle(TTL / 2);
    assert!(calls(&machine.settle(validity)).iter().any(|call| matches!(call, Call::Release(..))));
    let (mut expired, _) = done(&[Say::Leaves]);
    expired.settle(TTL / 2);
    expired.reply(Reply::Renewed(id, Err(Failed::Expired)), TTL / 2);
    let orders = expired.settle(TTL / 2);
    assert_eq!(told(&orders), std::slice::from_ref(&key));
    expired.say(&key, Say::Done(8), TTL / 2);
    assert!(calls(&expired.settle(TTL)).is_empty(), "the unit is gone");
}

/// A unit that begins again under the same lease would take the tick for one that is due.
#[test]
fn the_next_grant_knows_of_the_tick_that_has_run() {
    let key = key(0);
    let (mut machine, id) = done(&[Say::Leaves, Say::Wants(1)]);
    assert_eq!(machine.settle(Duration::ZERO), []);
    machine.reply(Reply::Marked(id, key, 7, Ok(true)), Duration::ZERO);
    let orders = machine.settle(Duration::ZERO);
    assert!(matches!(orders[..], [Order::Grant { last_tick: Some(7), .. }]), "{orders:?}");
}

#[test]
fn a_tick_counts_as_run_only_while_the_work_of_its_lease_has_not_ended() {
    let key = key(0);
    for end in [&[Say::Leaves][..], &[Say::Resigns, Say::Wants(1)]] {
        let (mut machine, _) = working(&key);
        for say in end.iter().chain(&[Say::Done(7)]) {
            machine.say(&key, *say, Duration::ZERO);
        }
        let orders = machine.settle(Duration::ZERO);
        assert!(matches!(calls(&orders)[..], [Call::Release(..)]), "{end:?}: {orders:?}");
    }
    // The session has expired, and its work has not ended yet.
    let (mut machine, id) = working(&key);
    machine.settle(TTL / 2);
    machine.reply(Reply::Renewed(id, Err(Failed::Expired)), TTL / 2);
    machine.say(&key, Say::Done(7), TTL / 2);
    machine.say(&key, Say::Leaves, TTL / 2);
    machine.shut_down();
    assert_eq!(machine.settle(TTL / 2).last(), Some(&Order::Done), "it waits for nobody");
}

/// As many keys as are declared begin at once, have a tick at the same time, and end together.
#[test]
fn an_answer_about_one_key_costs_no_look_at_the_others() {
    const KEYS: usize = 500;
    let (mut machine, id, now) =
        (Machine::new(Times { ttl: TTL }, fastrand::Rng::with_seed(1)), SessionId::from_bits(1), Duration::ZERO);
    let keys: Vec<_> = (0..KEYS).map(|number| LeaseKey::new(format!("k{number:03}")).unwrap()).collect();
    let mut seen = 0;
    let mut looks = |machine: &Machine, most: usize, what: &str| {
        let before = std::mem::replace(&mut seen, machine.entries.looks);
        let looks = machine.entries.looks - before;
        let least = if most == 0 { 0 } else { KEYS };
        assert!((least..=most * KEYS).contains(&looks), "{what}: {looks} looks at {KEYS} keys");
    };
    for key in &keys {
        machine.say(key, Say::Wants(0), now);
        machine.settle(now);
    }
    machine.reply(Reply::Opened(Ok(id)), now);
    machine.settle(now);
    looks(&machine, 4, "to want them");
    machine.reply(Reply::Acquired(id, Ok(vec![held(1); KEYS])), now);
    assert_eq!(machine.settle(now).len(), KEYS);
    looks(&machine, 2, "to take them");
    for key in &keys {
        machine.say(key, Say::Mark(7), now);
        assert_eq!(machine.settle(now).len(), 1, "the call that marks the tick");
    }
    for key in &keys {
        machine.reply(Reply::Marked(id, key.clone(), 7, Ok(true)), now);
        assert_eq!(machine.settle(now).len(), 1, "the answer");
    }
    looks(&machine, 4, "to mark a tick of each");
    let mut at = now;
    for _ in 0..KEYS {
        at = machine.wakes_at(at).unwrap();
        machine.settle(at);
        machine.reply(Reply::Renewed(id, Ok(StoreTime::from_unix(at))), at);
        machine.settle(at);
    }
    looks(&machine, 0, "to renew the session");
}

/// The unit is stopped, and wants to work again, before it has learned that its tick is in the store.
#[test]
fn a_tick_that_is_in_the_store_holds_up_no_grant() {
    let key = key(0);
    let (mut machine, id) = working(&key);
    machine.say(&key, Say::Mark(7), TTL / 5);
    machine.settle(TTL / 5);
    machine.reply(Reply::Marked(id, key.clone(), 7, Ok(true)), TTL / 5);
    machine.settle(TTL / 5);
    machine.say(&key, Say::Mark(7), TTL / 4);
    machine.say(&key, Say::Wants(1), TTL / 4);
    let orders = machine.settle(TTL / 4);
    let is_granted = |order: &Order| matches!(order, Order::Grant { number: 2, .. });
    assert!(orders.iter().any(is_granted), "{orders:?}");
}
