//! Tests of when the store is told to be out of reach, and to be back.
#![allow(clippy::unchecked_time_subtraction, reason = "the later time is first")]

use super::answers::{SECOND, ZERO, asking, busy, machine};
use super::cases::{TTL, calls, held, key, working};
use super::*;

#[test]
fn the_store_is_told_to_be_out_of_reach_once_and_to_be_back_once() {
    let (mut machine, id) = asking(1, &key(0));
    let mut hears = |acquired| {
        machine.reply(Reply::Acquired(id, acquired), ZERO);
        let orders = machine.settle(ZERO);
        machine.entries.change(&key(0), |entry| entry.ask_at = ZERO).unwrap();
        assert!(matches!(calls(&machine.settle(ZERO))[..], [Call::Acquire(..)]));
        orders.into_iter().find(|order| matches!(order, Order::Reachable(_)))
    };
    let told = [Err(Failed::Unanswered), Err(Failed::Unanswered), busy("b"), busy("b")].map(&mut hears);
    assert_eq!(told, [Some(Order::Reachable(false)), None, Some(Order::Reachable(true)), None]);
}

/// Runs a machine up to this time, with an answer at once to each call, and returns when the store went out of reach
/// and came back.
fn reach(
    machine: &mut Machine,
    until: Duration,
    mut answer: impl FnMut(Call, Duration) -> Reply,
) -> Vec<(bool, Duration)> {
    let (mut now, mut told) = (ZERO, Vec::new());
    while now < until {
        let orders = machine.settle(now);
        let is_idle = orders.is_empty();
        for order in orders {
            match order {
                Order::Call(call) => machine.reply(answer(call, now), now),
                Order::Reachable(reachable) => told.push((reachable, now)),
                _ => {}
            }
        }
        if is_idle {
            now = machine.wakes_at(now).unwrap();
        }
    }
    told
}

fn renewed(call: &Call, now: Duration) -> Reply {
    let Call::Renew(id) = *call else { panic!("{call:?}") };
    Reply::Renewed(id, Ok(StoreTime::from_unix(now)))
}

#[test]
fn a_store_that_refuses_one_kind_of_calls_is_out_of_reach_until_it_takes_one_of_them() {
    let (mut machine, id) = asking(1, &key(0));
    machine.reply(Reply::Acquired(id, Err(Failed::Unanswered)), ZERO);
    let told = reach(&mut machine, 8 * TTL, |call, now| match call {
        Call::Acquire(..) if now < 4 * TTL => Reply::Acquired(id, Err(Failed::Unanswered)),
        Call::Acquire(..) => Reply::Acquired(id, busy("b")),
        call => renewed(&call, now),
    });
    assert!(matches!(told[..], [(false, ZERO), (true, at)] if at >= 4 * TTL && at < 5 * TTL), "{told:?}");
}

#[test]
fn a_refused_call_that_is_not_repeated_does_not_keep_the_store_out_of_reach() {
    let key = key(0);
    let (mut machine, _) = working(&key);
    machine.say(&key, Say::Done(7), ZERO);
    machine.settle(ZERO);
    machine.say(&key, Say::Wants(1), ZERO);
    let mut marks = 1;
    let (id, _) = machine.session_until().unwrap();
    machine.reply(Reply::Marked(id, key.clone(), 7, Err(Failed::Unanswered)), ZERO);
    let told = reach(&mut machine, 4 * TTL, |call, now| {
        marks += usize::from(matches!(call, Call::Mark(..)));
        renewed(&call, now)
    });
    assert_eq!(marks, 1);
    assert!(matches!(told[..], [(false, ZERO), (true, at)] if at >= TTL && at <= 2 * TTL), "{told:?}");
}

/// A machine whose two units work.
fn two_working() -> (Machine, SessionId) {
    let (mut machine, id) = (machine(1), SessionId::from_bits(1));
    for n in 0..2 {
        machine.say(&key(n), Say::Wants(0), ZERO);
    }
    machine.settle(ZERO);
    machine.reply(Reply::Opened(Ok(id)), ZERO);
    machine.settle(ZERO);
    machine.reply(Reply::Acquired(id, Ok(vec![held(1), held(2)])), ZERO);
    machine.settle(ZERO);
    (machine, id)
}

#[test]
fn marks_of_two_keys_that_are_refused_keep_the_store_out_of_reach() {
    let (mut machine, _) = two_working();
    for n in 0..2 {
        machine.say(&key(n), Say::Mark(7), ZERO);
    }
    let told = reach(&mut machine, 4 * TTL, |call, now| match call {
        Call::Mark(id, key, _, tick) => Reply::Marked(id, key, tick, Err(Failed::Unanswered)),
        call => renewed(&call, now),
    });
    assert_eq!(told, [(false, ZERO)]);
}

#[test]
fn a_mark_of_another_key_that_has_not_failed_does_not_keep_the_store_out_of_reach() {
    let (mut machine, id) = two_working();
    machine.say(&key(0), Say::Mark(7), ZERO);
    machine.settle(ZERO);
    machine.reply(Reply::Marked(id, key(0), 7, Err(Failed::Unanswered)), ZERO);
    assert!(machine.settle(ZERO).contains(&Order::Reachable(false)));
    machine.say(&key(1), Say::Mark(7), ZERO);
    assert!(matches!(calls(&machine.settle(SECOND))[..], [Call::Mark(..), Call::Mark(..)]));
    machine.reply(Reply::Marked(id, key(0), 7, Ok(true)), SECOND);
    assert!(machine.settle(SECOND).contains(&Order::Reachable(true)));
}

#[test]
fn a_mark_of_another_key_does_not_bring_the_store_back() {
    let (mut machine, id) = two_working();
    let mut told = Vec::new();
    for (n, marked, is_over) in [
        (0, Err(Failed::Unanswered), false),
        (1, Ok(true), true),
        (0, Err(Failed::Unanswered), false),
        (0, Ok(true), true),
    ] {
        if machine.entries.get(&key(n)).unwrap().mark.is_none() {
            machine.say(&key(n), Say::Mark(7), ZERO);
        }
        machine.entries.change(&key(n), |entry| entry.mark.as_mut().unwrap().at = ZERO).unwrap();
        machine.settle(ZERO);
        machine.reply(Reply::Marked(id, key(n), 7, marked), ZERO);
        assert_eq!(machine.entries.get(&key(n)).unwrap().mark.is_none(), is_over);
        told.extend(machine.settle(ZERO).into_iter().filter(|order| matches!(order, Order::Reachable(_))));
    }
    assert_eq!(told, [Order::Reachable(false), Order::Reachable(true)]);
}
