//! Tests of the pool of a slot.

use std::collections::HashMap;
use std::time::Duration;

use fastrand::Rng;

use super::{Pool, Rate, Room};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn o31_a_rate_counts_the_starts_within_any_span() {
    let mut random = Rng::with_seed(31);
    // Miri takes 100 times as long.
    for _ in 0..if cfg!(miri) { 3 } else { 200 } {
        let rate = Rate { starts: random.usize(1..6), per: ms(random.u64(1..40)) };
        let mut pool = Pool::<u8>::new(None, Some(rate));
        let (mut now, mut starts) = (ms(0), Vec::<Duration>::new());
        for _ in 0..400 {
            now += ms(random.u64(0..8));
            let within = starts.iter().filter(|start| **start + rate.per > now).count();
            match pool.room(now) {
                Room::Free => {
                    assert!(within < rate.starts);
                    pool.take(now);
                    let unused = random.u8(0..4) == 0;
                    if !unused {
                        starts.push(now);
                    }
                    pool.give_back(unused);
                }
                Room::At(time) => {
                    assert!(within == rate.starts && time > now, "{within} {time:?} {now:?}");
                    assert_eq!(time, starts[starts.len() - rate.starts] + rate.per);
                }
                Room::Taken => panic!("there is no limit of places"),
            }
        }
        assert!(starts.len() > 10);
    }
}

#[test]
fn o31_places_are_taken_and_given_back() {
    let mut pool = Pool::<u8>::new(Some(2), None);
    for _ in 0..2 {
        assert_eq!(pool.room(ms(0)), Room::Free);
        pool.take(ms(0));
    }
    assert_eq!(pool.room(Duration::MAX), Room::Taken);
    pool.give_back(false);
    assert_eq!(pool.room(ms(0)), Room::Free);
    // Times at the end of the range do not overflow.
    let mut pool = Pool::<u8>::new(None, Some(Rate { starts: 1, per: Duration::MAX }));
    pool.take(ms(5));
    assert_eq!(pool.room(ms(u64::MAX)), Room::At(Duration::MAX));
}

/// Keys take turns: between two turns of a waiting key, each other waiting key has one.
#[test]
fn o31_a_free_place_goes_round() {
    let mut random = Rng::with_seed(7);
    let mut pool = Pool::new(Some(1), None);
    let mut waiting: HashMap<usize, usize> = (0..5).map(|key| (key, random.usize(1..200))).collect();
    for key in 0..5 {
        pool.line_up(key);
    }
    let mut since: HashMap<usize, Vec<usize>> = HashMap::new();
    while let Some(key) = pool.first() {
        let turns = since.insert(key, Vec::new());
        for (other, seen) in &mut since {
            if *other != key {
                assert!(!seen.contains(&key), "{key} had two turns before {other}");
                seen.push(key);
            }
        }
        drop(turns);
        let left = waiting.get_mut(&key).unwrap();
        *left -= 1;
        if *left > 0 {
            pool.line_up(key);
        } else {
            since.remove(&key);
        }
    }
    assert!(waiting.values().all(|left| *left == 0) && pool.in_line().is_none());
    pool.line_up(1);
    pool.line_up(2);
    pool.leave_line(&1);
    assert_eq!((pool.first(), pool.first()), (Some(2), None));
}

#[test]
fn a_place_goes_to_the_first_in_the_line() {
    let mut pool = Pool::<u8>::new(Some(1), None);
    assert!(!pool.has_rate() && pool.in_line().is_none());
    for key in 1..=3 {
        pool.line_up(key);
    }
    pool.leave_line(&2);
    assert_eq!((pool.in_line().copied(), pool.first()), (Some(1), Some(1)));
    assert_eq!((pool.in_line().copied(), pool.first()), (Some(3), Some(3)));
    assert_eq!(pool.first(), None);
    assert!(Pool::<u8>::new(None, Some(Rate { starts: 1, per: ms(1) })).has_rate());
}
