//! Tests of single cases of the plan of a group.

use super::tests::{chain, epoch_of, obey, plan, rules, start};
use super::*;
use crate::inspect::TaskOutcome;
use crate::task::StopReason;
use crate::tree::Order;

const NOW: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);
const CRITICAL: Role = Role { critical: true, significant: false, layers: 1, uncounted: false, has_last: false };

fn of(strategy: Strategy, limit: Option<(u32, Duration)>, children: &[Role]) -> Plan {
    Plan::new(&rules(strategy, limit, &Arc::default(), children), 0)
}

/// Returns a plan of three children with final attempts, each after the one before it.
fn with_last(strategy: Strategy) -> Plan {
    let child = Role { has_last: true, layers: 1, ..Role::default() };
    Plan::new(&rules(strategy, None, &Arc::new(Order::new(3, chain)), &[child; 3]), 0)
}

fn ended(plan: &mut Plan, key: Key, end: End) -> Vec<Action> {
    plan.note(key, 0, Note::Ended(end), NOW)
}

#[test]
fn the_end_of_a_child_is_that_of_its_outcome() {
    let canceled = TaskOutcome::Canceled { error: None, reason: StopReason::Canceled, finished: false };
    let outcomes = [TaskOutcome::Completed, canceled, TaskOutcome::Aborted { error: None }];
    assert_eq!(outcomes.map(|outcome| End::of(Some(&outcome))), [End::Completed, End::Canceled, End::Aborted]);
    assert_eq!(End::of(None), End::Failed);
}

#[test]
fn an_abort_is_a_failure_unless_the_stop_was_requested() {
    let mut plan = of(Strategy::OneForOne, None, &[CRITICAL]);
    start(&mut plan);
    assert_eq!(ended(&mut plan, 0, End::Aborted).last(), Some(&Action::Over(Why::Lost(0))));
    let mut plan = of(Strategy::OneForOne, None, &[CRITICAL]);
    start(&mut plan);
    plan.stop(NOW);
    assert_eq!(ended(&mut plan, 0, End::Aborted), [Action::Over(Why::Requested)]);
}

#[test]
fn a_significant_child_ends_its_group_by_a_success() {
    for (end, why) in [(End::Completed, Some(Why::Significant)), (End::Failed, None), (End::Canceled, None)] {
        let significant = Role { significant: true, ..Role::default() };
        let mut plan = of(Strategy::OneForOne, None, &[significant, Role::default()]);
        start(&mut plan);
        let actions = ended(&mut plan, 0, end);
        assert_eq!(actions.is_empty(), why.is_none(), "{actions:?}");
        assert_eq!(obey(&mut plan, actions).last(), why.map(Action::Over).as_ref());
    }
}

#[test]
fn a_group_without_declared_children_stays_until_it_is_requested_to_stop() {
    let mut plan = of(Strategy::OneForOne, None, &[]);
    assert_eq!(plan.proceed(NOW), []);
    assert_eq!(plan.readiness(), Some(Note::Ready));
    assert_eq!(plan.stop(NOW), [Action::Begin, Action::Over(Why::Requested)]);
}

#[test]
fn the_readiness_of_a_group_is_delayed_if_the_others_wait_for_their_start() {
    let mut plan = plan(Strategy::OneForOne, 2, |_| Vec::new());
    assert_eq!(plan.readiness(), None);
    let actions = plan.proceed(NOW);
    let epochs = [0, 1].map(|key| epoch_of(&actions, key));
    plan.note(0, epochs[0], Note::Delayed, NOW);
    assert_eq!(plan.readiness(), None);
    plan.note(1, epochs[1], Note::Ready, NOW);
    assert_eq!(plan.readiness(), Some(Note::Delayed));
    plan.note(0, epochs[0], Note::Ready, NOW);
    assert_eq!(plan.readiness(), Some(Note::Ready));
    plan.stop(NOW);
    assert_eq!(plan.readiness(), None);
}

#[test]
fn a_group_fails_by_a_lost_child_and_not_by_a_request() {
    let mut plan = of(Strategy::OneForOne, None, &[CRITICAL, Role::default()]);
    start(&mut plan);
    assert_eq!(plan.fails(), None);
    plan.stop(NOW);
    assert_eq!(plan.fails(), None);
    ended(&mut plan, 0, End::Failed);
    assert_eq!(plan.fails(), Some(Why::Lost(0)));
    assert!(plan.is_lost(0) && !plan.is_lost(1));
}

#[test]
fn a_skip_ends_the_wait_of_a_restart() {
    let mut plan = plan(Strategy::OneForAll, 2, |_| Vec::new());
    let started = start(&mut plan);
    let held = plan.note(0, epoch_of(&started, 0), Note::Failed(RetryIn::Backoff(SECOND)), NOW);
    obey(&mut plan, held);
    assert_eq!(plan.wakes_at(), Some(SECOND));
    let next = plan.note(0, 0, Note::Skip, NOW);
    assert!(matches!(next[..], [Action::Start(0, _), Action::Start(1, _)]), "{next:?}");
}

/// The child that it is after was about to stop, as the failed one is down.
#[test]
fn a_child_stops_after_the_final_attempt_of_the_one_whose_failure_was_too_many() {
    let child = Role { has_last: true, layers: 1, ..Role::default() };
    let order = Arc::new(Order::new(2, chain));
    let mut plan = Plan::new(&rules(Strategy::OneForOne, Some((0, SECOND)), &order, &[child; 2]), 0);
    let started = start(&mut plan);
    let last = plan.note(1, epoch_of(&started, 1), Note::Failed(RetryIn::Backoff(NOW)), NOW);
    assert!(matches!(last[..], [Action::Begin, Action::Retire(0), Action::Stop(1, ..)]), "{last:?}");
    let next = ended(&mut plan, 1, End::Failed);
    assert!(matches!(next[..], [Action::Stop(0, ..)]), "{next:?}");
}

/// The child is already part of the restart.
#[test]
fn the_failure_of_a_child_that_stops_for_a_restart_is_not_counted() {
    let mut plan = of(Strategy::OneForAll, Some((1, SECOND)), &[Role::default(); 2]);
    let started = start(&mut plan);
    let held = plan.note(1, epoch_of(&started, 1), Note::Failed(RetryIn::Backoff(NOW)), NOW);
    assert!(matches!(held[..], [Action::Begin, Action::Hold(0, ..)]), "{held:?}");
    let next = plan.note(0, epoch_of(&held, 0), Note::Failed(RetryIn::Backoff(NOW)), NOW);
    assert!(matches!(next[..], [Action::Start(0, _), Action::Start(1, _)]), "{next:?}");
    let over = plan.note(1, epoch_of(&next, 1), Note::Failed(RetryIn::Backoff(NOW)), NOW);
    assert!(over.contains(&Action::Begin) && plan.fails() == Some(Why::Limit(1)), "{over:?}");
}

/// A restart that grows stops earlier children while later ones still stop, and counts the layers from there.
#[test]
fn a_restart_that_grows_counts_the_layers_that_are_left() {
    let mut plan = plan(Strategy::RestForOne, 7, chain);
    let started = start(&mut plan);
    let fails =
        |plan: &mut Plan, key| plan.note(key, epoch_of(&started, key), Note::Failed(RetryIn::Backoff(NOW)), NOW);
    let hold = |actions: &[Action]| match *actions.last().unwrap() {
        Action::Hold(key, epoch, below) => (key, epoch, below),
        other => panic!("{other:?}"),
    };
    let (last, epoch, below) = hold(&fails(&mut plan, 4));
    assert_eq!((last, below), (6, 1));
    assert_eq!(fails(&mut plan, 1), []);
    let (key, epoch, below) = hold(&plan.note(6, epoch, Note::Held, NOW));
    assert_eq!((key, below), (5, 2), "two more are left");
    let (key, epoch, below) = hold(&plan.note(5, epoch, Note::Held, NOW));
    assert_eq!((key, below), (3, 1));
    let (key, epoch, below) = hold(&plan.note(3, epoch, Note::Held, NOW));
    assert_eq!((key, below), (2, 0));
    assert!(matches!(plan.note(2, epoch, Note::Held, NOW)[..], [Action::Start(1, _)]));
}

/// A child that others need must not fail before it is ready. An ended child needs no others, until it is registered
/// again.
#[test]
fn a_child_is_needed_again_when_what_comes_after_it_comes_back() {
    for (comes_back, is_needed) in [(false, false), (true, true)] {
        let order = Arc::new(Order::new(3, chain));
        let mut plan = Plan::new(&rules(Strategy::OneForOne, None, &order, &[Role::default(); 3]), 0);
        plan.proceed(NOW);
        ended(&mut plan, 1, End::Canceled);
        ended(&mut plan, 2, End::Canceled);
        if comes_back {
            assert_eq!(plan.start_again(2, End::Canceled, NOW), []);
        }
        ended(&mut plan, 0, End::Failed);
        assert_eq!(plan.fails(), is_needed.then_some(Why::Lost(0)));
    }
    // The need ends when the child has ended once more.
    let mut plan = plan(Strategy::OneForOne, 3, chain);
    plan.proceed(NOW);
    for key in [1, 2] {
        ended(&mut plan, key, End::Canceled);
    }
    for key in [1, 2] {
        plan.start_again(key, End::Canceled, NOW);
    }
    for key in [2, 1] {
        ended(&mut plan, key, End::Canceled);
    }
    assert_eq!(ended(&mut plan, 0, End::Failed), [Action::Over(Why::Completed)]);
}

#[test]
fn a_child_that_comes_back_starts_at_once_if_what_it_is_after_is_ready() {
    let mut plan = plan(Strategy::OneForOne, 2, chain);
    start(&mut plan);
    assert_eq!(ended(&mut plan, 1, End::Completed), []);
    assert!(matches!(plan.start_again(1, End::Completed, NOW)[..], [Action::Start(1, _)]));
    // The end and the new registration may be handled together.
    let mut plan = super::tests::plan(Strategy::OneForOne, 2, chain);
    start(&mut plan);
    assert!(matches!(plan.start_again(1, End::Completed, NOW)[..], [Action::Start(1, _)]));
}

/// A child that fails while the group stops is requested to stop for good in its turn.
#[test]
fn a_child_that_goes_down_during_a_stop_is_stopped_all_the_same() {
    let mut plan = plan(Strategy::OneForOne, 2, chain);
    let started = start(&mut plan);
    let stop = plan.stop(NOW);
    assert!(matches!(stop[..], [Action::Begin, Action::Retire(0), Action::Stop(1, _, 1)]), "{stop:?}");
    let failed = plan.note(0, epoch_of(&started, 0), Note::Failed(RetryIn::Backoff(NOW)), NOW);
    assert_eq!(failed, []);
    let next = ended(&mut plan, 1, End::Canceled);
    assert!(matches!(next[..], [Action::Stop(0, ..)]), "{next:?}");
    assert_eq!(ended(&mut plan, 0, End::Canceled), [Action::Over(Why::Requested)]);
    // The last child, whose stop nothing blocks.
    let mut plan = super::tests::plan(Strategy::OneForAll, 2, |_| Vec::new());
    let started = start(&mut plan);
    let held = plan.note(0, epoch_of(&started, 0), Note::Failed(RetryIn::Backoff(SECOND)), NOW);
    plan.stop(NOW);
    let down = plan.note(1, epoch_of(&held, 1), Note::Held, NOW);
    assert_eq!(down, [], "the stop came after the hold");
}

#[test]
fn a_child_that_comes_back_during_a_stop_is_stopped() {
    let mut plan = plan(Strategy::OneForOne, 2, |_| Vec::new());
    start(&mut plan);
    assert_eq!(ended(&mut plan, 1, End::Completed), []);
    let stop = plan.stop(NOW);
    assert!(matches!(stop[..], [Action::Begin, Action::Stop(0, ..)]), "{stop:?}");
    let stop = plan.start_again(1, End::Completed, NOW);
    assert!(matches!(stop[..], [Action::Stop(1, ..)]), "{stop:?}");
    assert_eq!(ended(&mut plan, 0, End::Canceled), []);
    assert_eq!(ended(&mut plan, 1, End::Canceled), [Action::Over(Why::Requested)]);
}

#[test]
fn what_an_earlier_child_tells_delays_no_restart_of_those_after_it() {
    let mut plan = plan(Strategy::RestForOne, 2, chain);
    let started = start(&mut plan);
    plan.note(1, epoch_of(&started, 1), Note::Failed(RetryIn::Backoff(SECOND)), NOW);
    assert_eq!(plan.retire(NOW), [Action::Retire(0), Action::Retire(1)]);
    assert_eq!(plan.note(0, epoch_of(&started, 0), Note::Failed(RetryIn::Told(9 * SECOND)), NOW), []);
    assert_eq!(plan.wakes_at(), Some(SECOND));
}

/// In an ordered stop, a child that fails, or that reports its hold late, can have its final attempt. The children that
/// it is after still wait for it.
#[test]
fn k6d_what_a_child_is_after_waits_for_it_if_it_goes_down_in_the_stop() {
    let stops = |actions: &[Action]| -> Vec<Key> {
        let stop = |action: &Action| if let Action::Stop(key, ..) = action { Some(*key) } else { None };
        actions.iter().filter_map(stop).collect()
    };
    for is_held in [true, false] {
        let mut plan = with_last(Strategy::OneForAll);
        let started = start(&mut plan);
        let (note, epoch) = if is_held {
            let failed = Note::Failed(RetryIn::Backoff(SECOND));
            let held = plan.note(2, epoch_of(&started, 2), failed, NOW);
            (Note::Held, epoch_of(&held, 1))
        } else {
            (Note::Failed(RetryIn::Backoff(SECOND)), epoch_of(&started, 1))
        };
        assert_eq!(stops(&plan.stop(NOW)), [2]);
        assert_eq!(stops(&plan.note(1, epoch, note, NOW)), []);
        assert_eq!(stops(&ended(&mut plan, 2, End::Canceled)), [1], "held: {is_held}");
        assert_eq!(stops(&ended(&mut plan, 1, End::Canceled)), [0], "held: {is_held}");
    }
}

#[test]
fn e04_a_refusal_restarts_and_does_not_count() {
    for (strategy, restarts) in [(Strategy::OneForOne, false), (Strategy::OneForAll, true)] {
        let mut plan = of(strategy, Some((0, SECOND)), &[CRITICAL]);
        let started = start(&mut plan);
        let epoch = epoch_of(&started, 0);
        let mut note = Note::Failed(RetryIn::Backoff(SECOND));
        note.does_not_count();
        let actions = plan.note(0, epoch, note, NOW);
        assert_eq!(actions.contains(&Action::Begin), restarts, "{actions:?}");
        assert!(plan.fails().is_none() && plan.is_open());
    }
}
