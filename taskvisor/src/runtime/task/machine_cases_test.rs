//! Tests each query and each input of the machine, in the states that make a difference.

use super::*;
use crate::policy::Overrides;
use crate::supervisor::SupervisorConfig;
use crate::task::TaskError;

const SECOND: Duration = Duration::from_secs(1);
const ALWAYS: RestartPolicy = RestartPolicy::Always { interval: None };
const WAITS: [Wait; 6] = [Wait::Delay, Wait::Backoff, Wait::Interval, Wait::Throttle, Wait::Scheduled, Wait::Due];
const JOINING: Stage = Stage::Joining { unasked: true, ends: false };
const RUNNING: Stage = Stage::Running(Cut::Not);
const DUE: Stage = Stage::Waiting(Wait::Due);

fn policy(restart: RestartPolicy) -> ResolvedPolicy {
    let overrides = Overrides { restart: Some(restart), ..Overrides::default() };
    overrides.resolve(&SupervisorConfig::default())
}

fn plain() -> ResolvedPolicy {
    policy(RestartPolicy::OnFailure)
}

fn final_attempt() -> ResolvedPolicy {
    ResolvedPolicy { final_attempt: true, ..plain() }
}

#[cfg(feature = "cron")]
fn scheduled() -> ResolvedPolicy {
    ResolvedPolicy { cron: Some("@daily".into()), ..policy(ALWAYS) }
}

fn at(stage: Stage) -> Machine {
    Machine { stage, ..Machine::new(&plain(), false, Gate::Open, true) }
}

/// Returns the machine with these bars set.
fn barred(machine: Machine, bars: u8) -> Machine {
    let mut machine = machine;
    machine.bars.set(bars, true);
    machine
}

/// Returns the waits for which `holds` is true.
fn waits(holds: impl Fn(Machine) -> bool) -> Vec<Wait> {
    WAITS.into_iter().filter(|wait| holds(at(Stage::Waiting(*wait)))).collect()
}

fn shut(machine: Machine) -> Machine {
    Machine { gate: Gate::Shut, ..machine }
}

fn stopped(machine: Machine) -> Machine {
    Machine { request: Request::Stop, ..machine }
}

#[test]
fn waits_for_a_time() {
    let timed = [Wait::Interval, Wait::Throttle];
    assert_eq!(waits(|it| it.waits_for_its_time()), [Wait::Delay, timed[0], timed[1], Wait::Scheduled]);
    assert_eq!(waits(|it| shut(it).waits_for_its_time()), timed);
    assert_eq!(waits(|it| it.awaits_its_delay()), [Wait::Delay, Wait::Backoff, timed[0], timed[1]]);
    assert_eq!(waits(|it| shut(it).awaits_its_delay()), []);
    assert_eq!(waits(|it| barred(it, Bars::STANDBY).awaits_its_delay()), []);
    assert!(!at(RUNNING).waits_for_its_time() && !at(RUNNING).awaits_its_delay());
}

#[test]
fn the_public_state_follows_from_the_stage_the_bars_and_the_request() {
    let state = |wait| at(Stage::Waiting(wait)).state();
    let states = [TaskState::Delayed, TaskState::Backoff, TaskState::Interval, TaskState::Throttled];
    assert_eq!(
        WAITS.map(state),
        [states[0], states[1], states[2], states[3], TaskState::Scheduled, TaskState::Pending]
    );
    assert_eq!(waits(|it| barred(it, Bars::STANDBY).state() == TaskState::Standby), WAITS);
    assert_eq!(waits(|it| barred(it, Bars::PAUSED).state() == TaskState::Paused), [Wait::Due]);
    assert_eq!(barred(shut(at(DUE)), Bars::PAUSED).state(), TaskState::Pending);
    assert_eq!(stopped(barred(at(DUE), Bars::PAUSED)).state(), TaskState::Pending);
    assert_eq!(barred(at(DUE), Bars::PAUSED | Bars::FOR_NOW).state(), TaskState::Pending);
    for stage in [RUNNING, JOINING] {
        assert_eq!(at(stage).state(), TaskState::Running);
        assert_eq!(stopped(at(stage)).state(), TaskState::Stopping);
        assert_eq!(Machine { last: Last::Is, ..stopped(at(stage)) }.state(), TaskState::Running);
    }
    let states = [Stage::Queued, Stage::Over, Stage::Ended].map(|stage| at(stage).state());
    assert_eq!(states, [TaskState::Queued, TaskState::Stopping, TaskState::Ended]);
}

#[test]
fn what_lives_what_has_passed_and_what_is_parked() {
    assert!(at(RUNNING).is_alive() && at(JOINING).is_alive() && !at(DUE).is_alive() && !at(Stage::Over).is_alive());
    let gates = [Gate::Shut, Gate::Open, Gate::Passed].map(|gate| Machine { gate, ..at(DUE) });
    assert_eq!(gates.map(|it| it.has_passed()), [false, false, true]);
    assert_eq!(gates.map(|it| it.is_parked()), [true, false, false]);
    assert!(!shut(at(RUNNING)).is_parked());
    let mut because = at(RUNNING);
    because.because(StopKind::Timeout);
    assert_eq!(because.why, Some(StopKind::Timeout));
}

#[test]
fn the_first_stage() {
    let delayed = ResolvedPolicy { initial_delay: SECOND, ..plain() };
    let first = |policy: &ResolvedPolicy| Machine::new(policy, false, Gate::Open, true).stage;
    assert_eq!([first(&plain()), first(&delayed)], [DUE, Stage::Waiting(Wait::Delay)]);
    #[cfg(feature = "cron")]
    assert_eq!(first(&scheduled()), Stage::Waiting(Wait::Scheduled));
    #[cfg(feature = "controller")]
    {
        let mut queued = Machine::new(&delayed, true, Gate::Open, true);
        queued.leave_slot(&delayed);
        assert_eq!(queued.stage, Stage::Waiting(Wait::Delay));
    }
}

#[test]
fn a_final_attempt_begins_if_one_could_begin_and_has_time() {
    let stop = |machine: Machine, policy: &ResolvedPolicy, at_once| {
        let mut machine = machine;
        machine.stop(policy, at_once);
        (machine.is_last(), machine.stage)
    };
    let waiting = at(Stage::Waiting(Wait::Backoff));
    assert_eq!(stop(waiting, &final_attempt(), false), (true, DUE));
    let not = (false, waiting.stage);
    assert_eq!(stop(waiting, &plain(), false), not);
    assert_eq!(stop(waiting, &final_attempt(), true), not);
    assert_eq!(stop(shut(waiting), &final_attempt(), false), (true, DUE), "its siblings wait for its backoff");
    assert_eq!(stop(shut(at(DUE)), &final_attempt(), false), (false, DUE), "it waits for its siblings");
    assert_eq!(stop(stopped(waiting), &final_attempt(), false), not, "it was requested before");
    for bars in [Bars::PAUSED, Bars::STANDBY] {
        assert_eq!(stop(barred(waiting, bars), &final_attempt(), false), not);
    }
    assert_eq!(stop(at(RUNNING), &final_attempt(), false), (false, RUNNING));
    // A final attempt that has begun continues. One that has not begun does not begin without time.
    let last = |stage| Machine { last: Last::Is, ..stopped(at(stage)) };
    assert_eq!(stop(last(RUNNING), &final_attempt(), true), (true, RUNNING));
    assert_eq!(stop(last(RUNNING), &final_attempt(), false), (true, RUNNING));
    assert_eq!(stop(last(DUE), &final_attempt(), true), (false, DUE));
    assert_eq!(stop(last(DUE), &final_attempt(), false), (true, DUE));
    assert_eq!(stop(last(Stage::Over), &final_attempt(), false), (false, Stage::Over));
    assert_eq!(stop(at(RUNNING), &final_attempt(), true), (false, RUNNING));
}

#[test]
fn a_final_attempt_follows_one_that_could_not_hear_of_the_stop() {
    let stop = |machine: Machine, policy: &ResolvedPolicy, at_once| {
        let mut machine = machine;
        machine.stop(policy, at_once);
        machine
    };
    let soon = |stage| stop(at(stage), &final_attempt(), false);
    for stage in [RUNNING, Stage::Running(Cut::TimedOut), JOINING] {
        assert!(soon(stage).has_last() && !soon(stage).is_last());
        assert!(!stop(at(stage), &plain(), false).has_last());
        assert!(!stop(at(stage), &final_attempt(), true).has_last());
        assert!(!stop(soon(stage), &final_attempt(), true).has_last(), "a later request leaves no time");
        assert!(stop(soon(stage), &final_attempt(), false).has_last());
        assert!(!stop(shut(at(stage)), &final_attempt(), false).has_last(), "it is held with its siblings");
        assert!(!stop(stopped(at(stage)), &final_attempt(), false).has_last(), "it was requested before");
        for bars in [Bars::PAUSED, Bars::STANDBY] {
            assert!(!stop(barred(at(stage), bars), &final_attempt(), false).has_last());
        }
        let facts = soon(stage).facts(&final_attempt(), Ran::default(), None, None).request;
        assert_eq!(facts, Request::Nothing, "its result stands");
    }
    // An attempt that is polled after the request observes it.
    for stage in [RUNNING, Stage::Running(Cut::TimedOut)] {
        let mut polled = soon(stage);
        polled.heed(true, false, false);
        assert!(polled.has_last(), "what blocks a thread is not polled");
        polled.knows();
        assert!(!polled.has_last());
        assert_eq!(polled.facts(&final_attempt(), Ran::default(), None, None).request, Request::Stop);
    }
    let mut asked_before = soon(Stage::Running(Cut::Requested));
    assert!(!asked_before.conclude_stop(), "it was polled before the stop request");
    let come = |stage| {
        let mut machine = Machine { last: Last::Follows, ..stopped(at(stage)) };
        machine.comes_to_last();
        (machine.is_last(), machine.has_last(), machine.stage)
    };
    for wait in WAITS {
        assert_eq!(come(Stage::Waiting(wait)), (true, false, DUE));
    }
    assert_eq!(come(Stage::Over), (false, false, Stage::Over));
    let heard = |machine: Machine, attempt| {
        let mut machine = machine;
        machine.hears(attempt);
        (machine.has_last(), machine.is_last())
    };
    let asked = Machine { last: Last::Follows, attempt: 5, ..stopped(at(RUNNING)) };
    assert_eq!([heard(asked, 5), heard(asked, 4)], [(false, false), (true, false)], "the attempt that runs hears");
    assert_eq!(heard(Machine { last: Last::Is, ..asked }, 5), (false, true), "the final attempt stays the final one");
    let mut due = shut(Machine { last: Last::Is, ..stopped(at(DUE)) });
    assert_eq!(due.turn(&final_attempt()), (Turn::Due, None), "its group is not asked");
    assert!(due.begin(&final_attempt()).is_some());
}

#[test]
fn a_request_cancels_an_attempt_that_is_not_the_final_one() {
    let stop = |machine: Machine, at_once| {
        let mut machine = machine;
        let effects = machine.stop(&plain(), at_once);
        assert_eq!((effects.note, effects.interrupts), (None, machine.canceled));
        (effects.interrupts, effects.is_first)
    };
    let last = Machine { last: Last::Is, ..stopped(at(RUNNING)) };
    assert_eq!(stop(at(RUNNING), false), (true, true));
    assert_eq!(stop(stopped(at(RUNNING)), false), (true, false));
    assert_eq!(stop(at(DUE), false), (false, true));
    assert_eq!([stop(last, false), stop(last, true)], [(false, false), (true, false)]);
    let mut before = Machine { canceled: true, ..at(DUE) };
    before.stop(&plain(), false);
    assert!(before.canceled, "a canceled token stays so");
}

#[test]
fn a_restart_ends_a_wait_or_an_attempt_unless_none_can_follow() {
    let restart = |machine: Machine| {
        let mut machine = Machine { streak: 3, ..machine };
        let effects = machine.restart();
        effects.map(|effects| (machine.stage, machine.request, machine.streak, effects.interrupts))
    };
    let ends = Stage::Joining { unasked: true, ends: true };
    for refused in [at(Stage::Queued), at(Stage::Over), at(Stage::Ended), at(ends), stopped(at(RUNNING))] {
        assert_eq!(restart(refused), None);
    }
    for stage in [RUNNING, DUE] {
        assert_eq!(restart(barred(at(stage), Bars::FOR_GOOD)), None);
    }
    assert_eq!(restart(at(RUNNING)), Some((RUNNING, Request::Restart, 0, true)));
    assert_eq!(restart(at(JOINING)), Some((JOINING, Request::Restart, 0, true)));
    let held = Machine { request: Request::Hold, ..at(RUNNING) };
    assert_eq!(restart(held), Some((RUNNING, Request::Hold, 0, true)));
    assert_eq!(restart(at(Stage::Waiting(Wait::Backoff))), Some((DUE, Request::Nothing, 0, false)));
    let mut parked = shut(at(Stage::Waiting(Wait::Backoff)));
    assert_eq!(parked.restart().unwrap().note, Some(Note::Skip), "its group waits for it");
    assert_eq!(at(Stage::Waiting(Wait::Backoff)).restart().unwrap().note, None);
}

#[test]
fn a_trigger_ends_a_wait_for_a_time_or_a_pause() {
    let trigger = |machine: Machine, policy: &ResolvedPolicy| {
        let mut machine = machine;
        machine.trigger(policy).map(|_| (machine.stage, machine.owed, machine.bars.has(Bars::TRIGGERED)))
    };
    let timed = WAITS.into_iter().filter(|wait| trigger(at(Stage::Waiting(*wait)), &plain()).is_some());
    assert_eq!(timed.collect::<Vec<_>>(), WAITS[..5]);
    let interval = at(Stage::Waiting(Wait::Interval));
    assert_eq!(trigger(interval, &plain()), Some((DUE, true, false)));
    for (due, policy) in [(barred(at(DUE), Bars::PAUSED), plain()), (barred(interval, Bars::PAUSED), plain())] {
        assert_eq!(trigger(due, &policy), Some((DUE, true, true)));
    }
    assert_eq!(trigger(barred(at(DUE), Bars::PAUSED | Bars::TRIGGERED), &plain()), None, "it is triggered");
    #[cfg(feature = "cron")]
    assert_eq!(trigger(at(DUE), &scheduled()), Some((DUE, true, false)));
    for refused in [stopped(interval), barred(interval, Bars::FOR_GOOD), barred(interval, Bars::STANDBY), at(RUNNING)] {
        assert_eq!(trigger(refused, &plain()), None);
    }
}

#[test]
fn a_pause_changes_something_once() {
    let mut machine = at(DUE);
    assert!(!machine.set_paused(false));
    assert!(machine.set_paused(true) && machine.is_paused() && machine.is_held_back() && machine.rests());
    assert!(!machine.set_paused(true));
    assert!(machine.trigger(&plain()).is_some());
    #[cfg(feature = "cron")]
    assert!(machine.is_triggered_in_pause());
    assert!(!machine.is_held_back() && !machine.rests());
    assert!(machine.set_paused(true) && machine.is_held_back(), "what was triggered before does not begin");
    #[cfg(feature = "cron")]
    assert!(!machine.is_triggered_in_pause());
    assert!(machine.set_paused(false) && !machine.is_paused() && !machine.rests());
    assert!(!at(Stage::Ended).set_paused(true));
    assert_eq!(waits(|it| barred(it, Bars::PAUSED).rests()), WAITS);
    assert_eq!(waits(|it| barred(it, Bars::STANDBY).rests()), WAITS);
    assert_eq!(waits(|it| it.rests() || barred(it, Bars::FOR_NOW).rests()), []);
    assert!(!barred(at(RUNNING), Bars::PAUSED).rests());
    assert!(!Machine { last: Last::Is, ..barred(at(DUE), Bars::PAUSED) }.rests());
}

#[test]
fn a_trigger_is_forgotten_once() {
    let mut machine = barred(at(DUE), Bars::PAUSED | Bars::TRIGGERED);
    assert!(machine.forget_trigger() && !machine.forget_trigger());
    assert!(machine.bars.has(Bars::PAUSED) && !machine.bars.has(Bars::TRIGGERED));
}

#[test]
fn only_an_attempt_that_runs_is_stopped_in_a_pause() {
    assert!(barred(at(RUNNING), Bars::PAUSED).stop_in_pause().is_some_and(|effects| effects.interrupts));
    assert!(at(RUNNING).stop_in_pause().is_none());
    assert!(barred(at(Stage::Waiting(Wait::Backoff)), Bars::PAUSED).stop_in_pause().is_none());
}

#[test]
#[cfg(feature = "fleet")]
fn what_loses_its_lease_stands_by() {
    let lose = |machine: Machine, ends| {
        let mut machine = Machine { streak: 2, ..machine };
        let effects = machine.stands_by(ends)?;
        assert!(machine.is_standing_by());
        Some((machine, effects))
    };
    assert!(lose(at(Stage::Over), true).is_none() && lose(at(Stage::Ended), true).is_none());
    for wait in WAITS {
        let (machine, effects) = lose(at(Stage::Waiting(wait)), true).unwrap();
        let keeps = matches!(wait, Wait::Delay | Wait::Scheduled);
        assert_eq!(machine.stage, if keeps { Stage::Waiting(wait) } else { DUE });
        assert_eq!((machine.streak, machine.request, effects), (0, Request::Nothing, Effects::default()));
        assert!(machine.competes() && !shut(machine).competes() && !stopped(machine).competes());
        assert!(!at(Stage::Waiting(wait)).competes());
    }
    for ends in [false, true] {
        let (machine, effects) = lose(Machine { last: Last::Is, ..at(RUNNING) }, ends).unwrap();
        assert_eq!((effects.interrupts, machine.is_last()), (ends, !ends));
        assert_eq!(machine.request, if ends { Request::Restart } else { Request::Nothing });
        assert!(!machine.competes());
        assert!(!lose(at(RUNNING), ends).unwrap().0.is_last());
        assert!(!lose(Machine { last: Last::Is, ..at(DUE) }, ends).unwrap().0.is_last());
        assert!(!lose(Machine { last: Last::Follows, ..at(RUNNING) }, ends).unwrap().0.has_last());
    }
}

#[test]
#[cfg(feature = "fleet")]
fn what_takes_its_lease_waits_for_the_run_that_the_store_says() {
    let take = |machine: Machine, policy: &ResolvedPolicy| {
        let mut machine = machine;
        (machine.takes_lease(policy), machine.stage)
    };
    let standing_by = |stage| barred(at(stage), Bars::STANDBY);
    let rests = Stage::Waiting(Wait::Scheduled);
    assert_eq!(take(standing_by(DUE), &scheduled()), (true, rests));
    assert_eq!(take(standing_by(DUE), &plain()), (true, DUE));
    assert_eq!(take(at(DUE), &scheduled()), (false, DUE));
    assert_eq!(take(Machine { owed: true, ..standing_by(DUE) }, &scheduled()), (true, DUE));
    assert_eq!(take(standing_by(RUNNING), &scheduled()), (true, RUNNING));
    let backoff = Stage::Waiting(Wait::Backoff);
    assert_eq!(take(standing_by(backoff), &scheduled()), (true, backoff));
}

#[test]
fn restarts_of_a_periodic_task_are_its_failures() {
    let restarts =
        |stage, attempt, streak, policy: &ResolvedPolicy| Machine { streak, attempt, ..at(stage) }.restarts(policy);
    let periodic = policy(RestartPolicy::Always { interval: Some(SECOND) });
    assert_eq!([restarts(DUE, 0, 0, &plain()), restarts(RUNNING, 5, 0, &plain())], [0, 4]);
    assert_eq!([restarts(DUE, 5, 3, &periodic), restarts(RUNNING, 5, 3, &periodic)], [2, 3]);
    assert_eq!(restarts(DUE, 5, 0, &periodic), 0);
    // In a backoff, the last of four failures is that of the last attempt. An interrupted attempt has no failure.
    for (wait, left) in [(Wait::Backoff, 3), (Wait::Due, 4)] {
        let mut ended = Machine { streak: 4, attempt: 9, ..stopped(at(Stage::Waiting(wait))) };
        assert_eq!(ended.turn(&periodic).0, Turn::Over);
        assert_eq!((ended.restarts(&periodic), ended.streak), (left.into(), left));
    }
}

#[test]
fn a_running_periodic_task_owes_a_run() {
    let periodic = policy(RestartPolicy::Always { interval: Some(SECOND) });
    let owe = |machine: Machine, policy: &ResolvedPolicy| {
        let mut machine = machine;
        let owes = machine.owe(policy);
        assert_eq!(owes, machine.owed);
        (owes, machine.bars.has(Bars::TRIGGERED))
    };
    assert_eq!([owe(at(RUNNING), &periodic), owe(at(JOINING), &periodic)], [(true, false); 2]);
    assert_eq!(owe(barred(at(RUNNING), Bars::PAUSED), &periodic), (true, true));
    let ends = at(Stage::Joining { unasked: true, ends: true });
    for refused in [at(DUE), ends, stopped(at(RUNNING)), barred(at(RUNNING), Bars::FOR_GOOD)] {
        assert_eq!(owe(refused, &periodic), (false, false));
        assert_eq!(owe(barred(refused, Bars::PAUSED), &periodic), (false, false));
    }
    assert_eq!(owe(at(RUNNING), &plain()), (false, false));
    let mut twice = Machine { owed: true, ..at(DUE) };
    assert!(!twice.owe(&periodic) && twice.owed, "what is owed stays");
    for owed in [false, true] {
        let mut next = Next::Repeat(SECOND);
        Machine { owed, ..at(RUNNING) }.remove_wait(&mut next);
        assert_eq!(next.delay(), if owed { Duration::ZERO } else { SECOND });
    }
}

#[test]
fn a_release_makes_the_next_attempt_due() {
    let release = |machine: Machine| {
        let mut machine = Machine { ready: true, ..shut(machine) };
        machine.bar(Barred::ForNow);
        let note = machine.release().note;
        assert!(machine.gate != Gate::Shut && !machine.is_barred());
        (machine.stage, machine.ready, note)
    };
    let (delay, rests) = (Stage::Waiting(Wait::Delay), Stage::Waiting(Wait::Scheduled));
    for wait in [Wait::Backoff, Wait::Interval, Wait::Throttle, Wait::Due] {
        assert_eq!(release(at(Stage::Waiting(wait))), (DUE, false, None));
    }
    assert_eq!(release(at(delay)), (delay, false, Some(Note::Delayed)));
    assert_eq!(release(Machine { request: Request::Stop, ..at(delay) }), (delay, false, None));
    assert_eq!(release(at(rests)), (rests, true, Some(Note::Ready)));
    assert_eq!(release(stopped(at(rests))), (rests, false, None));
    assert_eq!(release(at(RUNNING)), (RUNNING, true, None));
    let mut by = shut(barred(at(DUE), Bars::STANDBY));
    assert_eq!(by.release().note, Some(Note::Delayed), "it waits for its lease");
    let mut by = stopped(shut(barred(at(DUE), Bars::STANDBY)));
    assert_eq!(by.release().note, None);
    let mut by = shut(barred(at(RUNNING), Bars::STANDBY));
    assert_eq!(by.release().note, None);
    let mut held = Machine { request: Request::Hold, ..shut(at(RUNNING)) };
    held.release();
    let mut restarted = Machine { request: Request::Restart, ..shut(at(RUNNING)) };
    restarted.release();
    assert_eq!([held.request, restarted.request], [Request::Nothing, Request::Restart]);
}

#[test]
fn a_hold_shuts_the_gate_unless_the_task_ends_anyway() {
    let mut running = barred(at(RUNNING), Bars::FOR_NOW);
    assert!(running.hold().is_some_and(|effects| effects.interrupts && effects.is_first));
    assert_eq!((running.gate, running.request, running.bars), (Gate::Shut, Request::Hold, Bars::NONE));
    for refused in [stopped(at(RUNNING)), at(Stage::Over), at(Stage::Ended)] {
        let mut machine = refused;
        assert!(machine.hold().is_none());
        assert_eq!(machine, refused);
    }
}

#[test]
fn bars_hold_back_what_is_due_and_not_a_final_attempt() {
    for bars in [Bars::FOR_NOW, Bars::FOR_GOOD, Bars::STANDBY, Bars::PAUSED] {
        let machine = barred(at(DUE), bars);
        let is_pause = bars == Bars::PAUSED;
        assert!(machine.is_barred() && !Machine { last: Last::Is, ..machine }.is_barred());
        assert_eq!(barred(machine, Bars::TRIGGERED).is_barred(), !is_pause, "a trigger passes only a pause");
        assert_eq!(machine.is_held_off(), !is_pause);
        assert_eq!(machine.is_stopping_soon(), bars == Bars::FOR_NOW || bars == Bars::FOR_GOOD);
        assert_eq!(machine.is_held_back(), is_pause || bars == Bars::STANDBY);
        let mut begins = machine;
        assert!(begins.begin(&plain()).is_none());
        assert_eq!(begins, machine);
        let turn = |machine: Machine| { machine }.turn(&plain()).0;
        assert_eq!(turn(machine), Turn::Parked);
        let waits = barred(at(Stage::Waiting(Wait::Backoff)), bars);
        assert_eq!(turn(waits), if is_pause { Turn::Waits } else { Turn::Parked }, "a backoff runs on in a pause");
        assert_eq!(turn(Machine { last: Last::Is, ..stopped(machine) }), Turn::Due);
    }
    let mut triggered = barred(at(DUE), Bars::PAUSED | Bars::TRIGGERED);
    assert!(triggered.begin(&plain()).is_some());
    assert!(triggered.is_paused() && !triggered.bars.has(Bars::TRIGGERED), "the trigger is used up");
    let mut bars = at(DUE);
    bars.bar(Barred::ForGood);
    bars.bar(Barred::ForNow);
    bars.resume();
    assert!(bars.bars.has(Bars::FOR_GOOD) && !bars.bars.has(Bars::FOR_NOW));
}

#[test]
fn a_running_attempt_reports() {
    let signals = ResolvedPolicy { ready: Ready::Signal, ..plain() };
    let ready = |machine: Machine, policy: &ResolvedPolicy, attempt| {
        let mut machine = machine;
        machine.signal_ready(policy, attempt).map(|effects| (effects.note, machine.ready))
    };
    let running = Machine { attempt: 2, streak: 3, ..at(RUNNING) };
    assert_eq!(ready(running, &signals, 2), Some((Some(Note::Ready), true)));
    assert_eq!(ready(shut(running), &signals, 2), Some((None, true)));
    assert_eq!(ready(running, &signals, 1), None);
    assert_eq!(ready(running, &plain(), 2), None);
    assert_eq!(ready(Machine { ready: true, ..running }, &signals, 2), None);
    let streak = |attempt| {
        let mut machine = running;
        machine.progress(attempt);
        machine.streak
    };
    assert_eq!([streak(1), streak(2)], [3, 0]);
    let mut panicked = running;
    let effects = panicked.helper_panicked();
    assert_eq!((effects.interrupts, panicked.canceled, panicked.why), (true, true, Some(StopKind::HelperPanicked)));
}

#[test]
fn a_turn_without_an_attempt() {
    let turn = |machine: Machine, policy: &ResolvedPolicy| {
        let mut machine = Machine { ready: true, ..machine };
        let (turn, note) = machine.turn(policy);
        (turn, note, machine.stage, machine.request, machine.ready)
    };
    let over = |request| (Turn::Over, None, Stage::Over, request, true);
    assert_eq!(turn(stopped(at(DUE)), &plain()), over(Request::Stop));
    let held = |wait| Machine { request: Request::Hold, ..shut(at(Stage::Waiting(wait))) };
    let never = policy(RestartPolicy::Never);
    assert_eq!(turn(Machine { attempt: 1, ..held(Wait::Due) }, &never), over(Request::Hold));
    let parked = (Turn::Parked, Some(Note::Held), DUE, Request::Nothing, false);
    assert_eq!(turn(Machine { attempt: 0, ..held(Wait::Due) }, &never), parked, "it runs after the hold");
    for wait in WAITS {
        let keeps = matches!(wait, Wait::Delay | Wait::Scheduled | Wait::Backoff);
        let stage = if keeps { Stage::Waiting(wait) } else { DUE };
        assert_eq!(turn(held(wait), &plain()), (Turn::Parked, Some(Note::Held), stage, Request::Nothing, false));
        let goes_on = if wait == Wait::Due { Turn::Due } else { Turn::Waits };
        let stage = Stage::Waiting(wait);
        assert_eq!(turn(at(stage), &plain()), (goes_on, None, stage, Request::Nothing, true));
        let mut waited = at(stage);
        waited.waited();
        assert_eq!((waited.stage, waited.streak), (DUE, 0));
        let mut come = Machine { streak: 2, ..at(stage) };
        come.come();
        assert_eq!((come.stage, come.streak), (DUE, 0));
    }
    assert_eq!(turn(at(RUNNING), &plain()).0, Turn::Parked);
    #[cfg(feature = "cron")]
    {
        let mut machine = Machine { streak: 2, ..at(DUE) };
        machine.forget_failures();
        assert_eq!(machine.streak, 0);
    }
}

#[test]
fn a_scheduled_task_rests_and_is_ready() {
    let rests = at(Stage::Waiting(Wait::Scheduled));
    let rest = |machine: Machine| {
        let mut machine = machine;
        let (counted, note) = machine.rest();
        (counted, note, machine.ready)
    };
    assert_eq!(rest(rests), (true, Some(Note::Ready), true));
    assert_eq!(rest(Machine { unready: false, ..rests }), (false, Some(Note::Ready), true));
    for not in [at(DUE), shut(rests), stopped(rests)] {
        assert_eq!(rest(not), (false, None, false));
    }
    let skip = |machine: Machine| {
        let mut machine = machine;
        machine.reschedule().map(|(counted, note)| (counted, note, machine.stage))
    };
    assert_eq!(skip(at(DUE)), Some((true, Some(Note::Ready), rests.stage)));
    assert_eq!(skip(stopped(at(DUE))), Some((false, None, rests.stage)));
    for not in [rests, Machine { owed: true, ..at(DUE) }, Machine { last: Last::Is, ..at(DUE) }] {
        assert_eq!(skip(not), None);
    }
}

#[test]
fn an_attempt_begins_if_it_is_due_and_nothing_is_requested() {
    let begin = |machine: Machine, policy: &ResolvedPolicy| {
        let mut machine = machine;
        machine.begin(policy).map(|(counted, note)| (counted, note, machine))
    };
    let asked =
        Machine { request: Request::Restart, why: Some(StopKind::Timeout), owed: true, canceled: true, ..at(DUE) };
    let (counted, note, after) = begin(asked, &plain()).unwrap();
    let expected = Machine { gate: Gate::Passed, ready: true, unready: false, attempt: 1, ..at(RUNNING) };
    assert_eq!((counted, note, after), (true, Some(Note::Ready), expected));
    for request in [Request::Hold, Request::Stop] {
        assert!(begin(Machine { request, ..at(DUE) }, &plain()).is_none());
    }
    let last = Machine { last: Last::Is, why: Some(StopKind::Timeout), ..stopped(at(DUE)) };
    let (.., after) = begin(last, &plain()).unwrap();
    assert_eq!((after.request, after.why), (Request::Stop, Some(StopKind::Timeout)));
    assert!(begin(shut(at(DUE)), &plain()).is_none() && begin(at(RUNNING), &plain()).is_none());
    assert!(begin(at(Stage::Waiting(Wait::Backoff)), &plain()).is_none());
    for (ready, before, is_ready) in [
        (Ready::Start, false, true),
        (Ready::Signal, true, false),
        (Ready::FirstSuccess, true, true),
        (Ready::FirstSuccess, false, false),
    ] {
        let policy = ResolvedPolicy { ready, ..plain() };
        let (.., after) = begin(Machine { ready: before, ..at(DUE) }, &policy).unwrap();
        assert_eq!(after.ready, is_ready, "{ready:?}");
    }
}

#[test]
fn a_running_attempt_heeds_what_is_requested() {
    let heed = |machine: Machine, takes_context, at_once, panicked| {
        let mut machine = machine;
        format!("{:?}", machine.heed(takes_context, at_once, panicked))
    };
    let (running, asked) = (at(RUNNING), stopped(at(RUNNING)));
    let last = Machine { last: Last::Is, ..asked };
    for takes_context in [false, true] {
        assert_eq!(heed(running, takes_context, true, false), "GoOn", "nothing is requested");
        assert_eq!(heed(running, takes_context, false, true), "CleanUp(HelperPanicked)");
        assert_eq!(heed(last, takes_context, false, false), "GoOn");
        assert_eq!(heed(last, takes_context, false, true), "CleanUp(HelperPanicked)");
    }
    assert_eq!([heed(asked, true, true, false), heed(asked, false, true, false)], ["End(Aborted)", "End(Dropped)"]);
    assert_eq!([heed(last, true, true, false), heed(last, false, true, false)], ["End(Aborted)", "End(Dropped)"]);
    assert_eq!(heed(asked, true, false, true), "CleanUp(Requested)");
    assert_eq!(heed(asked, false, false, false), "End(Dropped)");
    let cleans_up = Machine { stage: Stage::Running(Cut::TimedOut), ..asked };
    assert_eq!(heed(cleans_up, true, false, true), "GoOn");
    assert_eq!(heed(stopped(at(DUE)), true, true, true), "GoOn");
}

#[test]
fn a_limit_is_exceeded_unless_the_end_is_requested() {
    let exceed = |machine: Machine| {
        let mut machine = machine;
        let exceeds = machine.exceed(StopKind::Timeout);
        assert_eq!((exceeds, exceeds), (machine.canceled, machine.why.is_some()));
        exceeds.then_some(machine.stage)
    };
    let cut = Some(Stage::Running(Cut::TimedOut));
    let last = Machine { last: Last::Is, ..stopped(at(RUNNING)) };
    assert_eq!([exceed(at(RUNNING)), exceed(last), exceed(stopped(at(RUNNING)))], [cut, cut, None]);
    assert_eq!([exceed(at(Stage::Running(Cut::Requested))), exceed(at(JOINING))], [None, None]);
}

#[test]
fn an_attempt_joins_its_helpers_with_its_result() {
    let join = |machine: Machine, ending: &Ending| {
        let mut machine = machine;
        machine.join(&plain(), ending, None);
        assert!(machine.canceled);
        let Stage::Joining { unasked, ends } = machine.stage else { panic!("{machine:?}") };
        (unasked, ends)
    };
    let fail = Ending::Result(Err(TaskError::Fail { reason: "x".into() }));
    let success = Ending::Result(Ok(()));
    assert_eq!([join(at(RUNNING), &success), join(at(RUNNING), &fail)], [(true, true), (true, false)]);
    assert_eq!(join(stopped(at(RUNNING)), &fail), (false, true));
    let panicked = at(Stage::Running(Cut::HelperPanicked));
    assert_eq!(join(panicked, &success), (true, false), "the panic makes a failure of it");
}

#[test]
fn readiness_after_an_attempt() {
    let error = || std::sync::Arc::new(TaskError::Fail { reason: "x".into() });
    let retry = |streak| Next::Retry { error: error(), delay: SECOND, streak, is_told: false };
    let conclude = |ready, next: &Next, managed| {
        let policy = ResolvedPolicy { ready, unready_after: Some(2), ..policy(ALWAYS) };
        let mut machine = Machine { ready: true, streak: 7, ..at(RUNNING) };
        let note = machine.conclude(&policy, next, managed);
        assert!(machine.canceled);
        (machine, note)
    };
    for (next, stays) in [(retry(1), true), (retry(2), false), (retry(3), false), (Next::Restart(None), true)] {
        assert_eq!(conclude(Ready::FirstSuccess, &next, false).0.ready, stays, "{next:?}");
        assert!(!conclude(Ready::Start, &next, false).0.ready);
    }
    assert!(!conclude(Ready::FirstSuccess, &Next::Hold(None), false).0.ready);
    let not_ready = ResolvedPolicy { ready: Ready::FirstSuccess, ..policy(ALWAYS) };
    let mut machine = at(RUNNING);
    machine.conclude(&not_ready, &retry(1), false);
    assert!(!machine.ready, "a failure makes nothing ready");
    for next in [Next::Repeat(SECOND), Next::Throttle { pause: SECOND, is_first: true }] {
        let (machine, note) = conclude(Ready::FirstSuccess, &next, false);
        assert_eq!((machine.ready, machine.streak, note), (true, 0, Some(Note::Ready)));
        assert_eq!(conclude(Ready::Start, &next, false).1, None);
    }
    for (managed, gate) in [(false, Gate::Open), (true, Gate::Shut)] {
        let machine = conclude(Ready::Start, &retry(3), managed).0;
        assert_eq!((machine.gate, machine.streak, machine.stage), (gate, 3, Stage::Waiting(Wait::Backoff)));
    }
    assert_eq!(conclude(Ready::Start, &Next::Repeat(Duration::ZERO), false).0.stage, DUE);
}

#[cfg(feature = "cron")]
#[test]
fn a_run_was_over_if_it_ended_before_the_request() {
    let policy = scheduled();
    let was_over = |machine: Machine, result: Result<(), TaskError>| {
        machine.was_run_over(&policy, &Ending::Result(result), Ran::default())
    };
    let failed = || Err(TaskError::Fail { reason: "x".into() });
    let restarts = |stage| Machine { request: Request::Restart, ..at(stage) };
    let asked = Stage::Joining { unasked: false, ends: false };
    assert!(was_over(restarts(JOINING), Ok(())) && was_over(stopped(at(JOINING)), Ok(())));
    assert!(!was_over(restarts(JOINING), failed()), "it is retried");
    assert!(!was_over(at(JOINING), Ok(())), "nothing was requested");
    assert!(!was_over(restarts(asked), Ok(())) && !was_over(restarts(RUNNING), Ok(())), "the request came before");
}

#[cfg(feature = "cron")]
#[test]
fn a_run_that_was_over_before_a_pause_or_a_hand_over_is_not_due_again() {
    let error = || std::sync::Arc::new(TaskError::Fail { reason: "x".into() });
    let stage = |machine: Machine, policy: &ResolvedPolicy, error| {
        let mut machine = Machine { request: Request::Restart, ..machine };
        machine.conclude(policy, &Next::Restart(error), false);
        machine.stage
    };
    for bar in [Bars::PAUSED, Bars::STANDBY] {
        let over = || barred(at(JOINING), bar);
        assert_eq!(stage(over(), &scheduled(), None), Stage::Waiting(Wait::Scheduled));
        assert_eq!(stage(over(), &scheduled(), Some(error())), DUE, "it failed");
        assert_eq!(stage(over(), &policy(ALWAYS), None), DUE, "it has no times");
        assert_eq!(stage(Machine { owed: true, ..over() }, &scheduled(), None), DUE, "one more was triggered");
        assert_eq!(stage(barred(at(RUNNING), bar), &scheduled(), None), DUE, "it was interrupted");
    }
    assert_eq!(stage(at(JOINING), &scheduled(), None), DUE, "it is to begin again at once");
}

#[test]
fn c03_a_run_is_routine_after_ten_successes() {
    for (attempt, streak, successes, expected) in
        [(2, 0, 9, false), (2, 0, 10, true), (2, 0, 255, true), (1, 0, 10, false), (2, 1, 10, false)]
    {
        let machine = Machine { streak, attempt, ..at(RUNNING) };
        assert_eq!(machine.is_routine(&policy(ALWAYS), successes), expected, "{attempt} {streak} {successes}");
    }
}

#[test]
fn a_requested_restart_and_a_run_of_the_schedule_end_a_streak() {
    let policy = policy(ALWAYS);
    let error = || std::sync::Arc::new(TaskError::Fail { reason: "x".into() });
    for next in [Next::Restart(Some(error())), Next::Scheduled] {
        let mut machine = Machine { streak: 7, ..at(RUNNING) };
        machine.conclude(&policy, &next, false);
        assert_eq!(machine.streak, 0, "{next:?}");
    }
}
