//! Tests of the results of the methods, and of the instants at which these change.
#![allow(clippy::unchecked_time_subtraction, reason = "the later time is first")]

use super::*;

const TTL: Duration = Duration::from_secs(15);
const NANOSECOND: Duration = Duration::from_nanos(1);

fn at(time: Duration) -> StoreTime {
    StoreTime::from_unix(Duration::from_secs(1_700_000_000) + time)
}

fn key(name: &str) -> LeaseKey {
    LeaseKey::new(name).unwrap()
}

fn open(leases: &mut Leases, label: &str) -> SessionId {
    leases.open(&SessionSpec::new("fleet", label, TTL), at(Duration::ZERO)).unwrap()
}

/// The token, if the key was taken.
fn acquire(leases: &mut Leases, session: SessionId, name: &str, now: StoreTime) -> Option<FencingToken> {
    match leases.acquire(session, &[key(name)], now).unwrap().pop() {
        Some(Claim::Held { token, now: told, .. }) if told == now => Some(token),
        Some(Claim::Busy { owner }) if owner == "a" => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_ends_its_time_to_live_after_it_was_opened_or_renewed() {
    let mut leases = Leases::default();
    let session = open(&mut leases, "a");
    assert_eq!(leases.renew(session, at(TTL - NANOSECOND)).unwrap(), at(TTL - NANOSECOND));
    assert!(leases.acquire(session, &[], at(2 * TTL - 2 * NANOSECOND)).is_ok());
    assert!(matches!(leases.acquire(session, &[], at(2 * TTL - NANOSECOND)), Err(LeaseError::Expired)));
}

#[test]
fn a_tick_is_new_once_and_only_to_the_owner() {
    let mut leases = Leases::default();
    let (session, now) = (open(&mut leases, "a"), at(Duration::ZERO));
    let token = acquire(&mut leases, session, "k", now).unwrap();
    let mut mark = |session, token, tick| leases.mark(session, &key("k"), token, tick, now).unwrap();
    for (tick, is_new) in [(5, true), (5, false), (4, false), (6, true), (5, false)] {
        assert_eq!(mark(session, token, tick), is_new, "{tick}");
    }
    assert!(!mark(session, FencingToken::from_number(token.number() - 1), 7));
    let other = open(&mut leases, "b");
    assert!(!leases.mark(other, &key("k"), token, 7, now).unwrap());
    assert!(leases.mark(session, &key("k"), token, 7, now).unwrap());
}

#[test]
fn a_hint_is_due_if_somebody_was_refused() {
    let now = at(Duration::ZERO);
    for closes in [false, true] {
        let mut leases = Leases::default();
        let [a, b] = ["a", "b"].map(|label| open(&mut leases, label));
        let end = |leases: &mut Leases, tokens: &[(LeaseKey, FencingToken)]| {
            if closes { leases.close(a) } else { leases.release(a, tokens, now).unwrap() }
        };
        let tokens = ["x", "y"].map(|name| (key(name), acquire(&mut leases, a, name, now).unwrap()));
        assert!(!end(&mut leases.clone(), &tokens), "nobody was refused");
        for (refused, other) in [("x", "z"), ("y", "z")] {
            let mut leases = leases.clone();
            assert_eq!(acquire(&mut leases, b, refused, now), None);
            assert!(acquire(&mut leases, b, other, now).is_some());
            assert!(end(&mut leases, &tokens), "{refused} was refused");
            let token = acquire(&mut leases, b, refused, now).unwrap();
            assert!(token > tokens[0].1.max(tokens[1].1));
            let again = acquire(&mut leases, b, refused, now);
            assert_eq!(again, Some(token), "who owns a key gets it again");
            let freed = leases.release(b, &[(key(refused), token)], now).unwrap();
            assert!(!freed, "what was refused before is forgotten");
        }
    }
}

#[test]
fn a_key_stays_with_its_owner_though_others_release_it() {
    let mut leases = Leases::default();
    let now = at(Duration::ZERO);
    let [a, b] = ["a", "b"].map(|label| open(&mut leases, label));
    let token = acquire(&mut leases, a, "k", now).unwrap();
    assert_eq!(acquire(&mut leases, b, "k", now), None);
    assert!(!leases.release(b, &[(key("k"), token)], now).unwrap());
    let old = FencingToken::from_number(token.number() - 1);
    assert!(!leases.release(a, &[(key("k"), old)], now).unwrap());
    assert!(!leases.close(b));
    assert_eq!(leases.token_of_owner("fleet", &key("k"), now), Some(token));
    assert!(leases.release(a, &[(key("k"), token)], now).unwrap());
    assert_eq!(leases.token_of_owner("fleet", &key("k"), now), None);
}
