//! Tests a group in each of its states, without a runtime.

use super::*;

const NOW: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

fn machine(children: usize) -> Machine {
    of(Rules {
        strategy: Strategy::OneForAll,
        limit: None,
        order: Arc::default(),
        children: vec![Role::default(); children],
        is_root: false,
        runs_once: false,
        is_fresh: false,
    })
}

fn of(rules: Rules) -> Machine {
    Machine::new(rules)
}

fn add(key: Key) -> Input {
    Input::Add { key, child: Role::default(), takes_place: false }
}

fn ended(key: Key, end: End) -> Input {
    Input::Note { key, epoch: 0, note: Note::Ended(end) }
}

fn is_stop(action: &Action, wanted: Key) -> bool {
    matches!(action, Action::Plan(plan::Action::Stop(key, ..)) if *key == wanted)
}

fn started(actions: &[Action]) -> Vec<Key> {
    let start = |action: &Action| match action {
        Action::Plan(plan::Action::Start(key, _)) => Some(*key),
        _ => None,
    };
    actions.iter().filter_map(start).collect()
}

/// Ends each child that is requested to stop, until no action is left.
fn obey(machine: &mut Machine, actions: Vec<Action>) -> Vec<Action> {
    let (mut queue, mut done) = (std::collections::VecDeque::from(actions), Vec::new());
    while let Some(action) = queue.pop_front() {
        done.push(action);
        if let Action::Plan(plan::Action::Stop(key, ..)) = action {
            queue.extend(machine.handle(ended(key, End::Canceled), NOW));
        }
    }
    done
}

fn running(children: usize) -> Machine {
    let mut machine = machine(children);
    machine.handle(Input::Release(1), NOW);
    machine
}

/// Returns a group that has failed and waits for its parent.
fn failed() -> Machine {
    let mut machine = of(Rules {
        strategy: Strategy::OneForOne,
        limit: None,
        order: Arc::default(),
        children: vec![Role { critical: true, ..Role::default() }],
        is_root: false,
        runs_once: false,
        is_fresh: false,
    });
    machine.handle(Input::Release(1), NOW);
    let over = machine.handle(ended(0, End::Failed), NOW);
    assert_eq!(over.last(), Some(&Action::Conclude(Why::Lost(0))));
    assert_eq!(
        machine.handle(Input::Follow(Follow::Park(RetryIn::Backoff(SECOND))), NOW),
        [Action::Report(Note::Failed(RetryIn::Backoff(SECOND)))]
    );
    machine
}

#[test]
fn k2a_what_is_added_before_the_start_starts_with_the_others() {
    let mut machine = machine(2);
    assert!(machine.takes_now());
    assert_eq!(machine.handle(add(2), NOW), []);
    assert_eq!(machine.handle(add(3), NOW), []);
    // An added child may end before the start, and so may a declared one.
    assert_eq!(machine.handle(ended(3, End::Canceled), NOW), []);
    assert_eq!(machine.handle(ended(0, End::Canceled), NOW), []);
    assert_eq!(started(&machine.handle(Input::Release(1), NOW)), [1, 2]);
}

#[test]
fn k2a_what_is_added_before_the_start_starts_and_stops_in_its_order() {
    let added = || {
        let mut machine = of(Rules {
            strategy: Strategy::RestForOne,
            limit: None,
            order: Arc::default(),
            children: Vec::new(),
            is_root: false,
            runs_once: false,
            is_fresh: false,
        });
        for key in 0..9 {
            assert_eq!(machine.handle(add(key), NOW), []);
        }
        machine
    };
    assert_eq!(started(&added().handle(Input::Release(1), NOW)), [0], "each waits for the one before it");
    let stops = (0..9).map(|key| Action::Plan(plan::Action::Stop(key, 0, 0)));
    let expected: Vec<_> = [Action::Stopping { for_good: true }].into_iter().chain(stops).collect();
    assert_eq!(added().handle(Input::Stop(None), NOW), expected);
}

#[test]
fn k2a_what_is_added_between_two_runs_is_part_of_the_next() {
    let mut machine = failed();
    assert!(!machine.takes_now(), "the names of the declared children are taken");
    assert_eq!(machine.handle(add(1), NOW), []);
    assert_eq!(machine.handle(Input::Resume(2), NOW), []);
    assert_eq!(machine.handle(add(2), NOW), []);
    assert_eq!(machine.handle(ended(2, End::Canceled), NOW), []);
    assert_eq!(machine.wakes_at(), Some(SECOND));
    assert_eq!(machine.handle(Input::Wake, SECOND / 2), []);
    assert_eq!(machine.handle(Input::Wake, SECOND), [Action::Register]);
    assert_eq!(machine.handle(add(3), SECOND), []);
    assert_eq!(started(&machine.handle(Input::Registered(true), SECOND)), [0, 1, 3]);
    assert!(machine.takes_now());
}

#[test]
fn k2a_what_is_added_while_it_stops_to_start_again_is_part_of_the_next_run() {
    let mut machine = running(1);
    let stop = machine.handle(Input::Restart, NOW);
    assert_eq!(stop[0], Action::Stopping { for_good: false });
    assert_eq!(machine.handle(add(1), NOW), []);
    let done = obey(&mut machine, stop);
    assert_eq!(done[done.len() - 2..], [Action::Forgive, Action::Register]);
    assert_eq!(started(&machine.handle(Input::Registered(true), NOW)), [0, 1]);
}

/// A child under the name of a declared one must stop if it was added just when the names were reserved again.
#[test]
fn k2a_what_has_the_name_of_a_declared_child_makes_place_for_it() {
    let mut machine = failed();
    let stop = machine.handle(Input::Add { key: 1, child: Role::default(), takes_place: true }, NOW);
    assert!(matches!(stop[..], [ref stop] if is_stop(stop, 1)), "{stop:?}");
    let mut running = running(1);
    let start = running.handle(Input::Add { key: 1, child: Role::default(), takes_place: true }, NOW);
    assert_eq!(started(&start), [1]);
}

/// Until what came too late has ended, the children that are made cannot have its names.
#[test]
fn k2a_a_fresh_group_registers_its_children_when_all_that_came_too_late_has_ended() {
    let late = || {
        let mut machine = of(Rules {
            strategy: Strategy::OneForOne,
            limit: None,
            order: Arc::default(),
            children: vec![Role::default()],
            is_root: false,
            runs_once: false,
            is_fresh: true,
        });
        for input in [again(0), Input::Add { key: 1, child: Role::default(), takes_place: true }] {
            let key = input.child().unwrap();
            let stop = machine.handle(input, NOW);
            assert!(matches!(stop[..], [ref stop] if is_stop(stop, key)), "{stop:?}");
        }
        assert_eq!(machine.handle(Input::Release(1), NOW), [Action::Make]);
        machine
    };
    let mut slow = late();
    assert_eq!(slow.handle(Input::Made, NOW), []);
    assert_eq!(slow.handle(ended(0, End::Canceled), NOW), [], "the other one still runs");
    assert_eq!(slow.handle(ended(1, End::Canceled), NOW), [Action::Register]);
    let mut fast = late();
    assert_eq!(fast.handle(ended(1, End::Canceled), NOW), []);
    assert_eq!(fast.handle(ended(0, End::Canceled), NOW), [], "the children are not made yet");
    assert_eq!(fast.handle(Input::Made, NOW), [Action::Register]);
}

#[test]
fn k2b_a_stop_is_heeded_in_every_state() {
    let mut machines = vec![machine(2), running(2), failed()];
    let mut waiting = failed();
    waiting.handle(Input::Resume(2), NOW);
    machines.push(waiting);
    let mut stopping = running(2);
    stopping.handle(Input::Hold(2), NOW);
    machines.push(stopping);
    for (number, mut machine) in machines.into_iter().enumerate() {
        machine.handle(add(9), NOW);
        let stop = machine.handle(Input::Stop(None), NOW);
        assert!(stop.contains(&Action::Stopping { for_good: true }), "{number}: {stop:?}");
        // Children that were already requested to stop end now.
        let mut done = obey(&mut machine, stop);
        for key in [0, 1] {
            done.extend(machine.handle(ended(key, End::Canceled), NOW));
        }
        let done = obey(&mut machine, done);
        assert!(done.iter().any(|action| is_stop(action, 9)), "{number}: {done:?}");
        assert_eq!(done.iter().filter(|action| **action == Action::End).count(), 1, "{number}: {done:?}");
        // After its end the group ignores every input.
        for input in [add(10), Input::Restart, Input::Hold(7), Input::Release(8), Input::Stop(None), Input::Retire] {
            assert_eq!(machine.handle(input, NOW), [], "{number}: {input:?}");
        }
    }
}

#[test]
fn k2b_a_group_that_ends_stops_what_was_added_for_the_next_run() {
    let mut machine = running(1);
    machine.handle(Input::Restart, NOW);
    machine.handle(add(1), NOW);
    // The stop takes precedence over the restart.
    machine.handle(Input::Stop(None), NOW);
    let over = machine.handle(ended(0, End::Canceled), NOW);
    assert!(over.iter().any(|action| is_stop(action, 1)) && !over.contains(&Action::End), "{over:?}");
    assert_eq!(machine.handle(ended(1, End::Canceled), NOW), [Action::End]);
}

#[test]
fn k2h_a_group_that_is_to_be_stopped_does_not_begin_again() {
    for retired_first in [true, false] {
        let mut machine = failed();
        if retired_first {
            machine.handle(Input::Retire, NOW);
        }
        machine.handle(Input::Resume(2), NOW);
        machine.handle(Input::Retire, NOW);
        assert_eq!(machine.handle(Input::Wake, SECOND), [], "{retired_first}");
    }
    let mut waits = running(1);
    waits.handle(Input::Retire, NOW);
    waits.handle(ended(0, End::Completed), NOW);
    assert_eq!(waits.handle(Input::Follow(Follow::Wait(NOW)), NOW), []);
    assert_eq!(waits.wakes_at(), None);
}

#[test]
fn a_run_wakes_for_its_restart() {
    let mut machine = running(1);
    assert_eq!(machine.wakes_at(), None);
    machine.handle(Input::Note { key: 0, epoch: 1, note: Note::Failed(RetryIn::Backoff(SECOND)) }, NOW);
    assert_eq!(machine.wakes_at(), Some(SECOND));
    assert_eq!(started(&machine.handle(Input::Wake, SECOND)), [0]);
}

/// K5s: the parent does not wait for any other child.
#[test]
fn k5s_a_restart_of_a_parked_group_skips_the_wait_of_its_parent() {
    let mut machine = failed();
    assert_eq!(machine.handle(Input::Restart, NOW), [Action::Report(Note::Skip)]);
    // A group in its own backoff begins at once.
    machine.handle(Input::Resume(2), NOW);
    assert_eq!(machine.handle(Input::Restart, NOW), [Action::Register]);
}

#[test]
fn k5s_a_hold_is_answered_in_every_state() {
    let mut parked = failed();
    assert_eq!(parked.handle(Input::Hold(2), NOW), [Action::Parked, Action::Report(Note::Held)]);
    assert_eq!(parked.requested_epoch, 2);
    // The hold ends the backoff.
    assert_eq!(parked.handle(Input::Resume(3), NOW), [Action::Register]);
    let mut running = running(1);
    let held = running.handle(Input::Hold(2), NOW);
    let held = obey(&mut running, held);
    assert_eq!(held[held.len() - 2..], [Action::Parked, Action::Report(Note::Held)]);
    // A group that runs once ends when it is held.
    let rules = Rules {
        strategy: Strategy::OneForOne,
        limit: None,
        order: Arc::default(),
        children: vec![Role::default()],
        is_root: false,
        runs_once: true,
        is_fresh: false,
    };
    let mut once = of(rules);
    let held = once.handle(Input::Hold(1), NOW);
    assert_eq!(obey(&mut once, held).last(), Some(&Action::End));
}

#[test]
fn k2a_a_child_that_comes_as_the_last_one_ends_is_started() {
    let mut machine = running(1);
    let over = machine.handle(ended(0, End::Completed), NOW);
    assert_eq!(over[..], [Action::Report(Note::Ready), Action::Conclude(Why::Completed)]);
    assert_eq!(machine.handle(Input::Follow(Follow::GoOn), NOW), []);
    assert_eq!(started(&machine.handle(add(1), NOW)), [1]);
    let over = machine.handle(ended(1, End::Completed), NOW);
    assert_eq!(over.last(), Some(&Action::Conclude(Why::Completed)));
    assert_eq!(machine.handle(Input::Follow(Follow::End), NOW), [Action::Stopping { for_good: true }, Action::End]);
}

/// K3e: a root that has lost a critical child ends as soon as all its children have.
#[test]
fn k3e_a_root_that_is_over_does_not_wait_for_its_shutdown() {
    let rules = Rules {
        strategy: Strategy::OneForOne,
        limit: None,
        order: Arc::default(),
        children: vec![Role { critical: true, ..Role::default() }, Role::default()],
        is_root: true,
        runs_once: false,
        is_fresh: false,
    };
    let mut root = of(rules);
    root.handle(Input::Release(0), NOW);
    let asks = root.handle(ended(0, End::Failed), NOW);
    assert_eq!(asks, [Action::Plan(plan::Action::Ask(Why::Lost(0)))]);
    assert_eq!(root.handle(ended(1, End::Completed), NOW), [Action::Conclude(Why::Lost(0))]);
}

fn again(key: Key) -> Input {
    Input::Again { key, end: End::Completed }
}

#[test]
fn a_child_comes_with_its_addition_and_with_its_new_registration() {
    assert_eq!([add(1).child(), again(2).child(), ended(3, End::Failed).child()], [Some(1), Some(2), None]);
    for (key, is_declared) in [(1, true), (2, false)] {
        assert_eq!(again(key).is_of_declared(2), is_declared);
        assert_eq!(ended(key, End::Failed).is_of_declared(2), is_declared);
        assert!(!add(key).is_of_declared(2));
    }
}

#[test]
fn a_group_that_ends_waits_for_what_comes_meanwhile() {
    let mut machine = machine(1);
    let stop = machine.handle(Input::Stop(None), NOW);
    assert!(is_stop(stop.last().unwrap(), 0), "{stop:?}");
    for input in [add(1), again(0)] {
        let key = input.child().unwrap();
        let stop = machine.handle(input, NOW);
        assert!(matches!(stop[..], [ref stop] if is_stop(stop, key)), "{stop:?}");
    }
    assert_eq!(machine.handle(ended(0, End::Canceled), NOW), []);
    let stop = machine.handle(again(0), NOW);
    assert!(matches!(stop[..], [ref stop] if is_stop(stop, 0)), "{stop:?}");
    assert_eq!(machine.handle(ended(1, End::Canceled), NOW), [], "the declared child came back");
    assert_eq!(machine.handle(ended(0, End::Canceled), NOW), [Action::End]);
    for input in [Input::Add { key: 2, child: Role::default(), takes_place: true }, again(0)] {
        assert_eq!(machine.handle(input, NOW), [], "it is over");
    }
}

#[test]
fn a_declared_child_that_comes_back_before_the_first_start_starts_with_the_others() {
    let mut machine = machine(3);
    for key in 0..3 {
        machine.handle(ended(key, End::Canceled), NOW);
    }
    assert_eq!(machine.handle(again(1), NOW), []);
    assert_eq!(started(&machine.handle(Input::Release(1), NOW)), [1]);
}

#[test]
fn a_declared_child_that_comes_back_between_two_runs_makes_place_for_the_next() {
    let mut machine = failed();
    let stop = machine.handle(again(0), NOW);
    assert!(matches!(stop[..], [ref stop] if is_stop(stop, 0)), "{stop:?}");
}

#[test]
fn what_is_added_to_a_group_that_fails_is_for_the_next_run() {
    let mut machine = of(Rules {
        strategy: Strategy::OneForOne,
        limit: None,
        order: Arc::default(),
        children: vec![Role { critical: true, ..Role::default() }, Role::default()],
        is_root: false,
        runs_once: false,
        is_fresh: false,
    });
    machine.handle(Input::Release(1), NOW);
    assert!(machine.takes_now() && !machine.is_lost(0));
    let stop = machine.handle(ended(0, End::Failed), NOW);
    assert!(stop.iter().any(|action| is_stop(action, 1)), "{stop:?}");
    assert!(machine.is_lost(0) && !machine.is_lost(1) && !machine.is_requested());
    assert!(!machine.takes_now());
    assert_eq!(machine.handle(add(2), NOW), []);
    assert_eq!(machine.handle(ended(1, End::Canceled), NOW), [Action::Conclude(Why::Lost(0))]);
    assert_eq!(machine.handle(Input::Follow(Follow::Wait(NOW)), NOW), [Action::Register]);
    assert_eq!(started(&machine.handle(Input::Registered(true), NOW)), [0, 1, 2]);
}

#[test]
fn a_request_is_one_of_the_run_or_a_stop_for_good() {
    let mut parked = failed();
    parked.handle(Input::Restart, NOW);
    assert!(!parked.is_requested(), "no run is stopped");
    let mut running = running(1);
    assert!(!running.is_requested());
    running.handle(Input::Restart, NOW);
    assert!(running.is_requested());
    let mut stopped = machine(1);
    stopped.handle(Input::Stop(None), NOW);
    assert!(stopped.is_requested());
}

#[test]
fn children_that_are_made_for_a_group_that_is_to_be_stopped_are_not_registered() {
    let mut machine = of(Rules {
        strategy: Strategy::OneForAll,
        limit: None,
        order: Arc::default(),
        children: Vec::new(),
        is_root: false,
        runs_once: false,
        is_fresh: true,
    });
    assert_eq!(machine.handle(Input::Release(1), NOW), [Action::Make]);
    assert_eq!(machine.handle(Input::Retire, NOW), [Action::Parked]);
    assert_eq!(machine.handle(Input::Made, NOW), []);
    assert_eq!(machine.handle(Input::Stop(None), NOW).last(), Some(&Action::End));
}
