//! Tests of each message and each reply, and of the times at which the machine acts.
#![allow(clippy::unchecked_time_subtraction, reason = "the later time is first")]

use super::cases::{TTL, calls, held, key, working};
use super::*;

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const ZERO: Duration = Duration::ZERO;

pub(super) fn machine(seed: u64) -> Machine {
    Machine::new(Times { ttl: TTL }, fastrand::Rng::with_seed(seed))
}

/// A machine whose one unit has asked for its key, in a session since time zero.
pub(super) fn asking(seed: u64, key: &LeaseKey) -> (Machine, SessionId) {
    let (mut machine, id) = (machine(seed), SessionId::from_bits(1));
    machine.say(key, Say::Wants(0), ZERO);
    assert_eq!(machine.settle(ZERO), [Order::Call(Call::Open)]);
    machine.reply(Reply::Opened(Ok(id)), ZERO);
    assert_eq!(machine.settle(ZERO), [Order::Call(Call::Acquire(id, vec![key.clone()]))]);
    (machine, id)
}

#[expect(clippy::unnecessary_wraps, reason = "as it is replied")]
pub(super) fn busy(owner: &str) -> Result<Vec<Claim>, Failed> {
    Ok(vec![Claim::Busy { owner: owner.to_owned() }])
}

/// Renews the session, with an answer at once.
fn renew(machine: &mut Machine, id: SessionId, now: Duration) {
    assert!(machine.settle(now).contains(&Order::Call(Call::Renew(id))));
    machine.reply(Reply::Renewed(id, Ok(StoreTime::from_unix(now))), now);
}

/// Asserts that a wait is within this range, for many seeds, and uses its whole width.
fn spreads(low: f64, high: f64, wait: impl Fn(u64) -> Duration) {
    let waits: Vec<_> = (0..40).map(|seed| wait(seed).as_secs_f64()).collect();
    assert!(waits.iter().all(|wait| (low..=high).contains(wait)), "{low} to {high}: {waits:?}");
    let (quarter, width) = ((high - low) / 4.0, |wait: &f64| wait - low);
    assert!(waits.iter().any(|wait| width(wait) < quarter) && waits.iter().any(|wait| width(wait) > 3.0 * quarter));
}

#[test]
fn nothing_is_done_for_nobody() {
    let mut idle = machine(1);
    assert_eq!((idle.settle(SECOND), idle.wakes_at(SECOND)), (vec![], None));
    idle.shut_down();
    assert_eq!(idle.settle(SECOND), [Order::Done]);
    let mut wanted = machine(1);
    wanted.say(&key(0), Say::Wants(0), ZERO);
    wanted.shut_down();
    assert_eq!((wanted.wakes_at(ZERO), wanted.settle(ZERO)), (None, vec![Order::Done]));
}

#[test]
fn the_time_of_the_store_is_that_of_its_answer() {
    let (mut machine, id) = asking(1, &key(0));
    assert_eq!(machine.store_time(), None);
    machine.reply(Reply::Acquired(id, Ok(vec![held(1)])), 2 * SECOND);
    assert_eq!(machine.store_time(), Some((StoreTime::from_unix(TTL), 2 * SECOND)));
    let sent = 6 * SECOND;
    machine.settle(sent);
    machine.reply(Reply::Renewed(id, Ok(StoreTime::from_unix(SECOND))), sent + 2 * SECOND);
    assert_eq!(machine.store_time(), Some((StoreTime::from_unix(SECOND), sent + 2 * SECOND)));
}

#[test]
fn grants_are_counted_from_those_that_a_unit_knows() {
    let (mut machine, id) = (machine(1), SessionId::from_bits(1));
    machine.say(&key(0), Say::Wants(5), ZERO);
    machine.settle(ZERO);
    machine.reply(Reply::Opened(Ok(id)), ZERO);
    machine.settle(ZERO);
    machine.reply(Reply::Acquired(id, Ok(vec![held(1)])), ZERO);
    let orders = machine.settle(ZERO);
    assert!(matches!(orders[..], [Order::Grant { number: 6, .. }]), "{orders:?}");
}

#[test]
fn words_about_another_grant_or_in_another_state_change_nothing() {
    let key = key(0);
    let (mut machine, _) = working(&key);
    for say in [Say::Lost(0), Say::Withdraws(1), Say::Withdraws(0), Say::Wants(0)] {
        machine.say(&key, say, SECOND);
        assert_eq!(machine.settle(SECOND), [], "{say:?}");
    }
    machine.say(&key, Say::Lost(1), SECOND);
    let stop = Order::Stop { key: key.clone(), why: Why::NotRenewed };
    assert_eq!(machine.settle(SECOND), [stop]);
    for say in [Say::Lost(1), Say::Resigns, Say::Mark(7), Say::Wants(0), Say::Withdraws(0)] {
        machine.say(&key, say, SECOND);
        assert_eq!(machine.settle(SECOND), [], "{say:?}");
    }
}

#[test]
fn a_unit_withdraws_while_nothing_of_its_grant_runs() {
    let key = key(0);
    for (grants, withdraws) in [(0, true), (1, false)] {
        let (mut machine, id) = (machine(1), SessionId::from_bits(1));
        machine.say(&key, Say::Wants(0), ZERO);
        machine.settle(ZERO);
        machine.say(&key, Say::Withdraws(grants), ZERO);
        assert_eq!(machine.is_for_others(&key), withdraws);
        machine.reply(Reply::Opened(Ok(id)), ZERO);
        assert_eq!(machine.settle(ZERO).is_empty(), withdraws, "it asks for nothing");
    }
}

#[test]
fn a_key_is_for_others_unless_its_unit_wants_it() {
    let name = key(0);
    let (mut machine, id) = working(&name);
    assert!(machine.is_for_others(&key(1)) && !machine.is_for_others(&name));
    machine.say(&name, Say::Resigns, SECOND);
    assert!(!machine.is_for_others(&name), "its work still stops");
    machine.say(&name, Say::Wants(1), SECOND);
    assert!(machine.is_for_others(&name), "it is handed over");
    machine.settle(SECOND);
    machine.reply(Reply::Released(id, Ok(())), SECOND);
    assert!(!machine.is_for_others(&name));
    machine.say(&name, Say::Leaves, SECOND);
    assert!(machine.is_for_others(&name));
}

#[test]
fn after_a_hint_what_others_own_is_asked_for_within_50_ms() {
    let key = key(0);
    spreads(0.0, 0.05, |seed| {
        let (mut machine, id) = asking(seed, &key);
        machine.reply(Reply::Acquired(id, busy("b")), ZERO);
        assert!(calls(&machine.settle(SECOND)).is_empty());
        machine.hint(SECOND);
        let at = machine.wakes_at(SECOND).unwrap();
        assert!(matches!(calls(&machine.settle(at))[..], [Call::Acquire(..)]));
        at - SECOND
    });
    let (mut machine, _) = working(&key);
    let before = machine.wakes_at(SECOND);
    machine.hint(SECOND);
    assert_eq!(machine.wakes_at(SECOND), before, "nobody else owns it");
}

#[test]
fn a_hint_that_comes_before_the_answer_of_an_acquire_is_heeded() {
    let key = key(0);
    spreads(0.0, 0.05, |seed| {
        let (mut machine, id) = asking(seed, &key);
        machine.hint(SECOND);
        machine.hint(3 * SECOND);
        // The answer can be older than the hint.
        machine.reply(Reply::Acquired(id, busy("b")), SECOND);
        let at = machine.wakes_at(SECOND).unwrap();
        assert!(matches!(calls(&machine.settle(at))[..], [Call::Acquire(..)]));
        machine.reply(Reply::Acquired(id, busy("b")), at);
        assert!(machine.wakes_at(at).unwrap() > at + SECOND, "it is heeded once");
        at - SECOND
    });
}

#[test]
fn a_lease_that_is_handed_over_is_released_with_its_session() {
    let key = key(0);
    let (mut machine, id) = working(&key);
    machine.say(&key, Say::Resigns, ZERO);
    machine.settle(ZERO);
    machine.say(&key, Say::Wants(1), ZERO);
    let orders = machine.settle(ZERO);
    assert!(matches!(calls(&orders)[..], [Call::Release(..)]), "{orders:?}");
    machine.reply(Reply::Released(id, Err(Failed::Expired)), SECOND);
    let released = machine.settle(SECOND).iter().filter(|order| matches!(order, Order::Released { .. })).count();
    assert_eq!(released, 1);
}

/// It waits for the answer of the store to its tick, or for the end of the lease, before the next grant.
#[test]
fn a_lease_whose_work_has_ended_is_released_with_its_session_though_its_unit_wants_it() {
    let key = key(0);
    for has_tick in [true, false] {
        let (mut machine, id) = working(&key);
        let now = if has_tick { TTL / 2 } else { machine.times.validity() - machine.times.clean_up() };
        if has_tick {
            machine.say(&key, Say::Done(7), ZERO);
        }
        machine.settle(now);
        machine.say(&key, Say::Wants(1), now);
        let orders = machine.settle(now);
        assert!(!orders.iter().any(|order| matches!(order, Order::Grant { .. })), "{orders:?}");
        machine.reply(Reply::Renewed(id, Err(Failed::Expired)), now);
        let orders = machine.settle(now);
        let released = orders.iter().filter(|order| matches!(order, Order::Released { .. })).count();
        assert_eq!(released, 1, "{orders:?}");
    }
}

#[test]
fn a_lease_whose_work_has_not_ended_is_not_released_with_its_session() {
    let key = key(0);
    for resigns in [false, true] {
        let (mut machine, id) = working(&key);
        if resigns {
            machine.say(&key, Say::Resigns, ZERO);
            machine.settle(ZERO);
        }
        machine.settle(TTL / 2);
        machine.reply(Reply::Renewed(id, Err(Failed::Expired)), TTL / 2);
        let orders = machine.settle(TTL / 2);
        assert!(orders.contains(&Order::Drop { key: key.clone() }), "{orders:?}");
        assert!(!orders.iter().any(|order| matches!(order, Order::Released { .. })), "{orders:?}");
    }
}

#[test]
fn a_session_is_renewed_each_third_of_its_time() {
    spreads(4.5, 5.5, |seed| {
        let (mut machine, id) = asking(seed, &key(0));
        let at = machine.wakes_at(ZERO).unwrap();
        assert_eq!(machine.settle(at - Duration::from_nanos(1)), []);
        assert_eq!(machine.settle(at), [Order::Call(Call::Renew(id))]);
        assert_eq!(machine.settle(at), [], "one is under way");
        at
    });
}

#[test]
fn a_renewal_without_an_answer_is_repeated_soon_and_then_less_often() {
    for (failures, low, high) in [(1, 0.125, 0.25), (2, 0.25, 0.5), (3, 0.5, 1.0), (4, 0.5, 1.0)] {
        spreads(low, high, |seed| {
            let (mut machine, id) = asking(seed, &key(0));
            let mut now = machine.wakes_at(ZERO).unwrap();
            let mut sent = now;
            for _ in 0..failures {
                machine.settle(now);
                machine.reply(Reply::Renewed(id, Err(Failed::Unanswered)), now);
                (sent, now) = (now, machine.wakes_at(now).unwrap());
            }
            now - sent
        });
    }
}

#[test]
fn other_calls_without_an_answer_are_repeated_after_a_thirtieth_of_the_time_or_two() {
    let key = key(0);
    spreads(0.5, 1.0, |seed| {
        let mut machine = machine(seed);
        machine.say(&key, Say::Wants(0), ZERO);
        machine.settle(ZERO);
        machine.reply(Reply::Opened(Err(Failed::Unanswered)), SECOND);
        assert_eq!(machine.settle(SECOND), [Order::Reachable(false)]);
        let at = machine.wakes_at(SECOND).unwrap();
        assert_eq!(machine.settle(at), [Order::Call(Call::Open)]);
        at - SECOND
    });
    spreads(0.5, 1.0, |seed| {
        let (mut machine, id) = asking(seed, &key);
        machine.reply(Reply::Acquired(id, Err(Failed::Unanswered)), SECOND);
        let at = machine.wakes_at(SECOND).unwrap();
        assert!(matches!(calls(&machine.settle(at))[..], [Call::Acquire(..)]));
        at - SECOND
    });
    spreads(0.5, 1.0, |seed| {
        let (mut machine, id) = asking(seed, &key);
        machine.reply(Reply::Acquired(id, Ok(vec![held(1)])), ZERO);
        machine.settle(ZERO);
        machine.say(&key, Say::Leaves, ZERO);
        machine.settle(ZERO);
        machine.reply(Reply::Released(id, Err(Failed::Unanswered)), SECOND);
        let at = machine.wakes_at(SECOND).unwrap();
        assert!(matches!(calls(&machine.settle(at))[..], [Call::Release(..)]));
        at - SECOND
    });
}

#[test]
fn replies_of_another_session_are_not_heard() {
    let key = key(0);
    let (mut machine, id) = working(&key);
    let (other, until) = (SessionId::from_bits(2), machine.session_until());
    machine.settle(5 * SECOND + SECOND / 2);
    let now = StoreTime::from_unix(TTL);
    for reply in [
        Reply::Renewed(other, Ok(now)),
        Reply::Renewed(other, Err(Failed::Expired)),
        Reply::Acquired(other, Err(Failed::Expired)),
        Reply::Released(other, Err(Failed::Expired)),
        Reply::Marked(other, key.clone(), 1, Err(Failed::Expired)),
    ] {
        machine.reply(reply, 6 * SECOND);
        assert_eq!((machine.settle(6 * SECOND), machine.session_until()), (vec![], until));
    }
    machine.reply(Reply::Renewed(id, Ok(now)), 6 * SECOND);
    assert!(machine.session_until() > until);
}

#[test]
fn an_owner_is_told_when_it_is_another_than_before() {
    let key = key(0);
    let (mut machine, id) = asking(1, &key);
    let mut now = ZERO;
    for (owner, is_told) in [("b", true), ("b", false), ("c", true), ("c", false)] {
        machine.reply(Reply::Acquired(id, busy(owner)), now);
        let told = Order::Owned { key: key.clone(), owner: owner.to_owned() };
        assert_eq!(machine.settle(now), if is_told { vec![told] } else { vec![] });
        machine.hint(now);
        now += SECOND;
        assert!(matches!(calls(&machine.settle(now))[..], [Call::Acquire(..)]));
    }
}

#[test]
fn the_end_of_a_session_drops_its_work_once() {
    let [first, second] = [key(0), key(1)];
    let (mut machine, id) = working(&first);
    machine.say(&second, Say::Wants(0), ZERO);
    machine.reply(Reply::Acquired(id, Err(Failed::Expired)), ZERO);
    machine.settle(ZERO);
    machine.reply(Reply::Acquired(id, Err(Failed::Expired)), SECOND);
    let expected = [
        Order::Stop { key: first.clone(), why: Why::Expired },
        Order::Drop { key: first.clone() },
        Order::Call(Call::Open),
    ];
    assert_eq!(machine.settle(SECOND), expected, "and not what only waits");
    let again = SessionId::from_bits(2);
    machine.reply(Reply::Opened(Ok(again)), SECOND);
    assert_eq!(calls(&machine.settle(SECOND)), [&Call::Acquire(again, vec![second])]);
    machine.reply(Reply::Acquired(again, Err(Failed::Expired)), SECOND);
    assert_eq!(machine.settle(SECOND), [Order::Call(Call::Open)], "it was dropped before");
}

#[test]
fn only_what_was_granted_is_told_to_be_forgotten() {
    let mut machine = machine(1);
    machine.say(&key(0), Say::Wants(0), ZERO);
    machine.settle(ZERO);
    machine.say(&key(0), Say::Leaves, ZERO);
    assert_eq!(machine.settle(ZERO), []);
    assert!(machine.entries.is_empty());
}

#[test]
fn a_tick_is_the_unit_s_if_the_store_says_so() {
    let key = key(0);
    for won in [true, false] {
        let (mut machine, id) = working(&key);
        machine.say(&key, Say::Mark(7), ZERO);
        let call = Order::Call(Call::Mark(id, key.clone(), FencingToken::from_number(1), 7));
        assert_eq!(machine.settle(ZERO), [call]);
        assert_eq!(machine.settle(ZERO), [], "it is asked once");
        machine.reply(Reply::Marked(id, key.clone(), 6, Ok(true)), ZERO);
        assert_eq!(machine.settle(ZERO), [], "that was another tick");
        machine.reply(Reply::Marked(id, key.clone(), 7, Ok(won)), ZERO);
        assert_eq!(machine.settle(ZERO), [Order::Marked { key: key.clone(), tick: 7, won }]);
        machine.reply(Reply::Marked(id, key.clone(), 7, Ok(true)), ZERO);
        assert_eq!(machine.settle(ZERO), [], "it was told");
        machine.say(&key, Say::Mark(7), ZERO);
        assert_eq!(machine.settle(ZERO), [Order::Marked { key: key.clone(), tick: 7, won: false }], "it is known");
        machine.say(&key, Say::Mark(8), ZERO);
        assert!(matches!(calls(&machine.settle(ZERO))[..], [Call::Mark(_, _, _, 8)]));
    }
}

#[test]
fn a_tick_that_was_marked_without_an_answer_is_the_unit_s_unless_another_owner_had_it() {
    let key = key(0);
    for (last, won) in [(None, true), (Some(6), true), (Some(7), false), (Some(8), false)] {
        let (mut machine, id) = working(&key);
        machine.say(&key, Say::Mark(7), ZERO);
        machine.settle(ZERO);
        machine.reply(Reply::Marked(id, key.clone(), 7, Err(Failed::Unanswered)), SECOND);
        assert_eq!(machine.settle(SECOND), [Order::Reachable(false)]);
        machine.reply(Reply::Marked(id, key.clone(), 7, Ok(true)), SECOND);
        assert_eq!(machine.settle(SECOND), [Order::Reachable(true)], "nothing was asked");
        let at = machine.wakes_at(SECOND).unwrap();
        assert!(at > SECOND && at <= 2 * SECOND);
        assert!(matches!(calls(&machine.settle(at))[..], [Call::Mark(..)]));
        // As if a claim had arrived just before.
        machine.entries.change(&key, |entry| entry.held.as_mut().unwrap().last_tick = last).unwrap();
        machine.reply(Reply::Marked(id, key.clone(), 7, Ok(false)), at);
        assert_eq!(machine.settle(at), [Order::Marked { key: key.clone(), tick: 7, won }], "{last:?}");
    }
    let (mut machine, id) = working(&key);
    machine.say(&key, Say::Mark(7), ZERO);
    machine.settle(ZERO);
    machine.reply(Reply::Marked(id, key.clone(), 7, Err(Failed::Expired)), ZERO);
    assert!(machine.settle(ZERO).contains(&Order::Drop { key }));
}

#[test]
fn a_tick_of_work_whose_session_has_expired_is_not_asked_for_under_the_next_lease() {
    let key = key(0);
    let (mut machine, id) = working(&key);
    let now = machine.wakes_at(ZERO).unwrap();
    assert!(matches!(calls(&machine.settle(now))[..], [Call::Renew(_)]));
    machine.say(&key, Say::Mark(7), now);
    machine.reply(Reply::Renewed(id, Err(Failed::Expired)), now);
    assert!(machine.settle(now).contains(&Order::Call(Call::Open)));
    machine.say(&key, Say::Wants(1), now);
    let again = SessionId::from_bits(2);
    machine.reply(Reply::Opened(Ok(again)), now);
    machine.settle(now);
    machine.reply(Reply::Acquired(again, Ok(vec![held(2)])), now);
    let orders = machine.settle(now);
    assert!(matches!(orders[..], [Order::Grant { .. }]), "{orders:?}");
}

#[test]
fn work_wakes_the_machine_when_it_has_to_stop_to_be_dropped_and_to_be_told() {
    let key = key(0);
    let (mut machine, _) = working(&key);
    let (stop, over) = (9 * SECOND, 12 * SECOND);
    let sent = machine.wakes_at(ZERO).unwrap();
    assert!(matches!(calls(&machine.settle(sent))[..], [Call::Renew(_)]));
    assert_eq!(machine.wakes_at(sent), Some(stop));
    assert_eq!(machine.settle(stop - Duration::from_nanos(1)), []);
    assert_eq!(machine.settle(stop), [Order::Stop { key: key.clone(), why: Why::NotRenewed }]);
    assert_eq!(machine.wakes_at(stop), Some(over));
    assert_eq!(machine.settle(over), [Order::Drop { key: key.clone() }]);
    let late = over + Duration::from_millis(1_500);
    assert_eq!(machine.wakes_at(over), Some(late));
    assert_eq!(machine.settle(late), [Order::Overrun { key: key.clone() }]);
    assert_eq!((machine.wakes_at(late), machine.settle(late)), (None, vec![]));
}

#[test]
fn a_session_that_may_be_over_is_not_asked_with() {
    let key = key(0);
    let (mut machine, id) = asking(1, &key);
    machine.reply(Reply::Acquired(id, busy("b")), ZERO);
    machine.settle(ZERO);
    let renews = machine.wakes_at(ZERO).unwrap().max(5 * SECOND + SECOND / 2);
    machine.settle(renews);
    machine.reply(Reply::Acquired(id, busy("b")), renews);
    machine.settle(renews);
    let over = 12 * SECOND;
    machine.entries.change(&key, |entry| entry.ask_at = over).unwrap();
    assert_eq!(machine.wakes_at(over - Duration::from_nanos(1)), Some(over));
    assert_eq!((machine.wakes_at(over), machine.settle(over)), (None, vec![]));
}

#[test]
fn nothing_is_asked_for_in_a_shutdown() {
    let [first, second] = [key(0), key(1)];
    let (mut machine, id) = working(&first);
    machine.say(&second, Say::Wants(0), ZERO);
    machine.shut_down();
    assert_eq!(machine.settle(ZERO), []);
    assert!(machine.wakes_at(ZERO).is_some_and(|at| at >= 4 * SECOND), "it is only renewed");
    machine.say(&first, Say::Leaves, ZERO);
    assert!(matches!(calls(&machine.settle(ZERO))[..], [Call::Release(..)]));
    machine.reply(Reply::Released(id, Ok(())), ZERO);
    assert!(calls(&machine.settle(ZERO)).contains(&&Call::Close(id)));
}

/// A call without an answer can be carried out up to one time to live later.
#[test]
fn what_was_asked_for_without_an_answer_is_looked_at_once_more() {
    let key = key(0);
    let probe = 3 * SECOND + TTL;
    for (wanted, taken) in [(false, false), (true, false), (true, true)] {
        let (mut machine, id) = asking(1, &key);
        let claim = || if taken { Ok(vec![held(1)]) } else { busy("b") };
        if !wanted {
            machine.say(&key, Say::Leaves, SECOND);
        }
        machine.reply(Reply::Acquired(id, Err(Failed::Unanswered)), 3 * SECOND);
        machine.settle(3 * SECOND);
        // The key is asked for soon, though it is not wanted: the session may own it without use.
        let at = machine.wakes_at(3 * SECOND).unwrap();
        assert!(at <= 4 * SECOND && matches!(calls(&machine.settle(at))[..], [Call::Acquire(..)]));
        machine.reply(Reply::Acquired(id, claim()), at);
        machine.settle(at);
        for now in [6, 12].map(|seconds| seconds * SECOND) {
            renew(&mut machine, id, now);
            machine.reply(Reply::Acquired(id, claim()), now);
        }
        let orders = machine.settle(probe);
        assert!(calls(&orders).iter().any(|call| matches!(call, Call::Renew(_))));
        machine.reply(Reply::Renewed(id, Ok(StoreTime::from_unix(probe))), probe);
        let asks = calls(&orders).iter().any(|call| matches!(call, Call::Acquire(..)));
        assert_eq!(asks, !taken, "what is owned is not asked for");
        machine.reply(Reply::Acquired(id, claim()), probe);
        if wanted {
            machine.settle(probe);
            machine.say(&key, Say::Leaves, probe);
        }
        let orders = machine.settle(probe);
        assert_eq!(calls(&orders).iter().any(|call| matches!(call, Call::Release(..))), taken, "{orders:?}");
        assert!(!calls(&orders).iter().any(|call| matches!(call, Call::Acquire(..))), "{orders:?}");
        machine.reply(Reply::Released(id, Ok(())), probe);
        machine.settle(probe);
        assert!(machine.entries.is_empty(), "nothing is left: {:?}", machine.entries);
    }
}
