//! The bus with its relay, workers and streams: as shipped, and with a planted bug.

use models::events::model;
use models::mutants;

#[test]
fn every_event_is_delivered_once_and_in_order() {
    model::every_event_is_delivered_once_and_in_order();
}

#[test]
fn all_that_is_published_before_the_end_is_delivered() {
    model::all_that_is_published_before_the_end_is_delivered();
}

#[test]
fn a_stream_has_all_from_its_beginning_on() {
    model::a_stream_has_all_from_its_beginning_on();
}

#[test]
fn two_starters_make_one_crew() {
    model::two_starters_make_one_crew();
}

#[test]
fn a_relay_that_dies_is_replaced_by_one() {
    model::a_relay_that_dies_is_replaced_by_one();
}

#[test]
fn a_worker_that_dies_leaves_the_rest_to_the_next() {
    model::a_worker_that_dies_leaves_the_rest_to_the_next();
}

#[test]
fn one_that_gives_way_is_woken() {
    model::one_that_gives_way_is_woken();
}

#[test]
fn a_flush_ends_when_all_is_delivered() {
    model::a_flush_ends_when_all_is_delivered();
}

#[test]
#[should_panic(expected = "an event is lost")]
fn a_wake_up_before_the_event_is_found() {
    mutants::wake_before_push::model::every_event_is_delivered_once_and_in_order();
}

#[test]
#[should_panic(expected = "an event is lost")]
fn a_registration_in_a_second_step_is_found() {
    mutants::register_in_a_second_step::model::every_event_is_delivered_once_and_in_order();
}

#[test]
#[should_panic(expected = "an event is lost")]
fn a_batch_that_overtakes_another_is_found() {
    mutants::sharers_overtake::model::all_that_is_published_before_the_end_is_delivered();
}

#[test]
#[should_panic(expected = "an event is lost")]
fn an_end_that_leaves_events_behind_is_found() {
    mutants::close_without_sharing::model::all_that_is_published_before_the_end_is_delivered();
}

#[test]
#[should_panic(expected = "an event is lost")]
fn a_stream_that_lets_events_overtake_is_found() {
    mutants::sharers_overtake::model::a_stream_has_all_from_its_beginning_on();
}

#[test]
#[should_panic(expected = "a place is taken twice")]
fn a_claim_in_two_steps_is_found_by_two_starters() {
    mutants::claim_in_two_steps::model::two_starters_make_one_crew();
}

#[test]
#[should_panic(expected = "a place is taken twice")]
fn a_claim_in_two_steps_is_found_by_a_death() {
    mutants::claim_in_two_steps::model::a_relay_that_dies_is_replaced_by_one();
}

#[test]
#[should_panic(expected = "an event is lost")]
fn a_batch_that_dies_with_its_worker_is_found() {
    mutants::batch_dies_too::model::a_worker_that_dies_leaves_the_rest_to_the_next();
}

#[test]
#[should_panic(expected = "an event is lost")]
fn a_place_that_is_left_too_early_is_found() {
    mutants::place_left_too_early::model::a_worker_that_dies_leaves_the_rest_to_the_next();
}

#[test]
#[should_panic(expected = "it gives way for good")]
fn a_wait_for_room_without_a_second_look_is_found() {
    mutants::no_second_look_for_room::model::one_that_gives_way_is_woken();
}

#[test]
#[should_panic(expected = "it waits for what was delivered")]
fn a_flush_that_is_looked_for_too_early_is_found() {
    mutants::flush_looked_for_too_early::model::a_flush_ends_when_all_is_delivered();
}
