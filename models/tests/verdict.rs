//! The verdict of a shutdown, in every interleaving.

use models::verdict;

#[test]
fn a_waiter_never_misses_the_verdict() {
    verdict::a_waiter_never_misses_the_verdict();
}

#[test]
fn two_requesters_share_one_shutdown() {
    verdict::two_requesters_share_one_shutdown();
}

#[test]
fn a_death_and_an_end_give_one_verdict() {
    verdict::a_death_and_an_end_give_one_verdict();
}

#[test]
fn a_force_is_heard_and_told_once() {
    verdict::a_force_is_heard_and_told_once();
}

#[test]
fn a_force_races_with_the_verdict() {
    verdict::a_force_races_with_the_verdict();
}

#[test]
fn a_wait_is_over_or_woken() {
    verdict::a_wait_is_over_or_woken();
}

#[test]
#[should_panic(expected = "the wake-up was missed")]
fn a_wait_that_looks_once_misses_it() {
    verdict::a_wait_that_looks_once();
}
