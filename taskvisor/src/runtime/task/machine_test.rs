//! Tests every input in every reachable state, for every combination of policies.

use std::collections::HashSet;

use super::*;
use crate::inspect::TaskOutcome;
use crate::policy::Overrides;
use crate::runtime::task::decision::after_stop;
use crate::supervisor::SupervisorConfig;
use crate::task::{Panic, StopReason, TaskError};

/// A state of the machine, with facts about its past that the machine does not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Node {
    machine: Machine,
    /// The number of attempts that began after a stop was requested.
    begun_after_stop: u8,
    /// `true` if the group waits for a `Held`.
    owes_held: bool,
    /// `true` if the result of the joined attempt ends the registration in any case.
    must_end: bool,
}

struct Play<'a> {
    policy: &'a ResolvedPolicy,
    managed: bool,
    reached: HashSet<Node>,
    open: Vec<Node>,
    steps: usize,
}

#[derive(Debug, Clone, Copy)]
enum Command {
    Stop { at_once: bool },
    Restart,
    Trigger,
    Release,
    Resume,
    Hold,
    Bar(Barred),
    Ready { stale: bool },
    Progress,
    HelperPanicked,
    Pause,
    PauseAndStop,
    Unpause,
}

const COMMANDS: [Command; 16] = [
    Command::Stop { at_once: false },
    Command::Stop { at_once: true },
    Command::Restart,
    Command::Trigger,
    Command::Release,
    Command::Resume,
    Command::Hold,
    Command::Bar(Barred::ForNow),
    Command::Bar(Barred::ForGood),
    Command::Ready { stale: false },
    Command::Ready { stale: true },
    Command::Progress,
    Command::HelperPanicked,
    Command::Pause,
    Command::PauseAndStop,
    Command::Unpause,
];

fn endings() -> [Ending; 8] {
    let fail = |reason: &str| Err(TaskError::Fail { reason: reason.into() });
    [
        Ending::Result(Ok(())),
        Ending::Result(fail("x")),
        Ending::Result(fail("x").map_err(|error| error.retry_after(Duration::ZERO))),
        Ending::Result(Err(TaskError::Fatal { reason: "x".into() })),
        Ending::Result(Err(TaskError::Canceled)),
        Ending::Result(Err(TaskError::Panicked(Box::new(Panic::new("x"))))),
        Ending::Dropped,
        Ending::Aborted,
    ]
}

fn is_same_end(a: &Next, b: &Next) -> bool {
    use TaskOutcome::Canceled;
    let (
        Next::End(Canceled { error: None, reason, finished }),
        Next::End(Canceled { error: None, reason: of, finished: is }),
    ) = (a, b)
    else {
        return false;
    };
    matches!((reason, of), (StopReason::Canceled, StopReason::Canceled)) && finished == is
}

impl Play<'_> {
    /// Limits the numbers, so that the number of states is finite. No transition depends on the reason.
    fn reach(&mut self, mut node: Node) {
        node.machine.why = None;
        node.machine.attempt = node.machine.attempt.min(2);
        node.machine.streak = node.machine.streak.min(3);
        self.steps += 1;
        if self.reached.insert(node) {
            self.open.push(node);
        }
    }

    fn command(&mut self, before: Node, command: Command) {
        let policy = self.policy;
        let is_pause = matches!(command, Command::Pause | Command::PauseAndStop | Command::Unpause);
        if is_pause && policy.max_retries.is_some() {
            // Half of the policies are enough: no transition of a pause depends on the retries.
            return;
        }
        let mut after = before;
        let machine = &mut after.machine;
        let attempt = machine.attempt;
        let is_over = matches!(before.machine.stage, Stage::Over | Stage::Ended);
        let effects = match command {
            // A queued submission is withdrawn from its slot instead.
            Command::Stop { .. } if before.machine.stage == Stage::Queued => return,
            Command::Stop { at_once } => stop(machine, policy, at_once),
            Command::Restart => {
                let effects = machine.restart();
                let refuses = is_over
                    || before.must_end
                    || before.machine.request == Request::Stop
                    || before.machine.bars.has(Bars::FOR_GOOD)
                    || before.machine.stage == Stage::Queued;
                assert_eq!(effects.is_none(), refuses, "{before:?}");
                effects.unwrap_or_default()
            }
            Command::Trigger if machine.owe(policy) => {
                assert!(before.machine.is_alive() && !before.must_end, "{before:?}");
                Effects::default()
            }
            Command::Trigger => {
                let effects = machine.trigger(policy);
                let is_retired = before.machine.bars.has(Bars::FOR_GOOD);
                let may = matches!(before.machine.stage, Stage::Waiting(_)) && !is_retired;
                assert!(effects.is_none() || may && machine.owed, "{before:?}");
                assert!(effects.is_some() || !before.machine.is_held_back(), "{before:?}");
                assert!(effects.is_none() || !machine.rests() || machine.is_stopping_soon(), "{before:?}");
                effects.unwrap_or_default()
            }
            // A group opens the gate of a child only after the child has reported `Held`.
            Command::Release | Command::Resume if before.owes_held => return,
            Command::Release => machine.release(),
            Command::Resume => {
                machine.resume();
                Effects::default()
            }
            Command::Hold => {
                after.owes_held = !is_over && before.machine.request != Request::Stop;
                after.machine.hold().unwrap_or_default()
            }
            Command::Bar(barred) => {
                machine.bar(barred);
                assert!(!before.machine.bars.has(Bars::FOR_GOOD) || machine.bars.has(Bars::FOR_GOOD));
                Effects::default()
            }
            Command::Ready { stale } => {
                let effects = machine.signal_ready(policy, attempt.wrapping_sub(u64::from(stale)));
                effects.unwrap_or_default()
            }
            Command::Progress => {
                machine.progress(attempt);
                Effects::default()
            }
            Command::HelperPanicked if !before.machine.is_alive() => return,
            Command::HelperPanicked => machine.helper_panicked(),
            Command::Pause | Command::Unpause => {
                let pauses = matches!(command, Command::Pause);
                let changes = machine.set_paused(pauses);
                let differs = before.machine.is_paused() != pauses || before.machine.bars.has(Bars::TRIGGERED);
                assert_eq!(changes, differs && before.machine.stage != Stage::Ended);
                assert!(!changes || !pauses || !machine.may_begin(policy), "{before:?}");
                Effects::default()
            }
            Command::PauseAndStop => {
                machine.set_paused(true);
                let effects = machine.stop_in_pause();
                let runs = before.machine.is_alive();
                assert!(effects.is_none() || runs, "{before:?}");
                effects.unwrap_or_default()
            }
        };
        let machine = &after.machine;
        assert_eq!(is_over, matches!(machine.stage, Stage::Over | Stage::Ended), "{command:?} in {before:?}");
        assert!(machine.request >= before.machine.request || matches!(command, Command::Release), "{command:?}");
        assert!(before.machine.request != Request::Stop || machine.request == Request::Stop, "a stop is taken back");
        assert!(!effects.interrupts || machine.canceled, "{command:?} in {before:?}");
        assert_eq!(machine.attempt, attempt, "a command begins no attempt");
        if effects.note == Some(Note::Ready) {
            let was_open = before.machine.gate == Gate::Open || matches!(command, Command::Release);
            assert!(was_open && machine.gate == Gate::Passed && machine.ready, "{command:?} in {before:?}");
        }
        if matches!(command, Command::Stop { at_once: true }) && matches!(machine.stage, Stage::Waiting(_)) {
            assert!(!machine.is_last(), "an attempt would begin though there is no time for it: {before:?}");
        }
        if machine.request == Request::Stop {
            after.owes_held = false;
        }
        self.reach(after);
    }

    fn waits(&mut self, before: Node) {
        let policy = self.policy;
        let mut after = before;
        let (turn, note) = after.machine.turn(policy);
        let machine = &after.machine;
        if note == Some(Note::Held) {
            assert!(before.owes_held && turn == Turn::Parked && !machine.ready);
            after.owes_held = false;
        }
        match turn {
            Turn::Over => {
                assert!(machine.stage == Stage::Over && before.machine.request >= Request::Hold);
                after.owes_held = false;
            }
            Turn::Parked => assert!(machine.gate == Gate::Shut || machine.is_barred(), "{before:?}"),
            Turn::Waits | Turn::Due => {
                // A backoff or an interval continues during a pause.
                let barred = if turn == Turn::Due { machine.is_barred() } else { machine.is_stopping_soon() };
                assert!(machine.is_last() || (machine.gate != Gate::Shut && !barred), "{before:?}");
                assert!(machine.request != Request::Stop || machine.is_last(), "{before:?}");
                assert!(machine.request != Request::Hold);
            }
        }
        self.reach(after);
        if turn == Turn::Waits {
            let mut waited = after;
            waited.machine.waited();
            self.reach(waited);
            waited.machine.come();
            assert!(waited.machine.stage == Stage::Waiting(Wait::Due) && waited.machine.streak == 0);
            self.reach(waited);
        }
        self.keeps_its_schedule(before);
        // Anything may happen between the turn and the begin, so that the begin is tried in every state.
        let mut begun = before;
        let Some((_, note)) = begun.machine.begin(policy) else { return };
        let is_open = before.machine.gate != Gate::Shut || before.machine.is_last();
        assert!(is_open && !before.machine.is_barred(), "{before:?}");
        assert!(before.machine.request != Request::Hold, "{before:?}");
        assert_eq!(begun.machine.attempt, before.machine.attempt + 1);
        let is_ready = match policy.ready {
            Ready::Start => true,
            Ready::FirstSuccess => before.machine.ready,
            _ => false,
        };
        assert_eq!(begun.machine.ready, is_ready, "{before:?}");
        assert_eq!(note.is_some(), before.machine.gate == Gate::Open && is_ready);
        assert!(!begun.machine.canceled);
        if before.machine.request == Request::Stop {
            begun.begun_after_stop += 1;
            assert!(policy.final_attempt && begun.begun_after_stop == 1, "{before:?}");
        }
        self.reach(begun);
    }

    /// Lets the actor of a scheduled task begin to wait, and skip the run for which it is due.
    fn keeps_its_schedule(&mut self, before: Node) {
        if !self.policy.is_scheduled() {
            return;
        }
        let mut rested = before;
        let (counted, note) = rested.machine.rest();
        let (machine, was) = (&rested.machine, &before.machine);
        assert!(!counted || was.unready && !machine.unready);
        assert_eq!(note.is_some(), was.gate == Gate::Open && machine.gate == Gate::Passed);
        let may_rest = was.stage == Stage::Waiting(Wait::Scheduled) && was.gate != Gate::Shut;
        assert!(machine.ready == was.ready || machine.ready && may_rest);
        self.reach(rested);
        let mut skipped = before;
        let waits = skipped.machine.reschedule().is_some();
        assert!(
            !waits || !before.machine.owed && !before.machine.is_last(),
            "what was triggered is skipped: {before:?}"
        );
        assert_eq!(waits, skipped.machine != before.machine);
        let may_rest = waits && was.gate != Gate::Shut && was.request != Request::Stop;
        let (machine, has_passed) = (&skipped.machine, skipped.machine.gate == Gate::Passed);
        assert!(!may_rest || machine.ready && has_passed, "what is after it waits: {before:?}");
        self.reach(skipped);
    }

    fn runs(&mut self, before: Node) {
        for (takes_context, at_once, panicked) in
            (0..8).map(|bits| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0 && before.machine.canceled))
        {
            let mut after = before;
            match after.machine.heed(takes_context, at_once, panicked) {
                Heed::End(Ending::Aborted) => assert!(takes_context && at_once),
                Heed::End(ending) => {
                    assert!(matches!(ending, Ending::Dropped) && !takes_context);
                    assert_ne!(before.machine.request, Request::Nothing);
                }
                Heed::CleanUp(Cut::Requested) => assert!(before.machine.request != Request::Nothing && takes_context),
                Heed::CleanUp(cut) => assert!(cut == Cut::HelperPanicked && panicked),
                Heed::GoOn => {}
            }
            self.reach(after);
            after.machine.knows();
            assert!(!after.machine.has_last());
            self.reach(after);
        }
        let mut exceeded = before;
        let exceeds = exceeded.machine.exceed(StopKind::Timeout);
        assert!(!exceeds || exceeded.machine.canceled);
        assert!(!exceeds || before.machine.request == Request::Nothing || before.machine.is_last());
        self.reach(exceeded);
        for (has_helpers, at_once) in [(false, 0), (false, 10), (true, 0)] {
            for ending in endings() {
                self.concludes(before, ending, has_helpers, at_once);
            }
        }
    }

    fn concludes(&mut self, before: Node, ending: Ending, has_helpers: bool, at_once: u8) {
        let mut after = before;
        if has_helpers {
            after.machine.join(self.policy, &ending, None);
            let Stage::Joining { unasked, ends } = after.machine.stage else { panic!("{before:?}") };
            assert!(unasked || before.machine.request != Request::Nothing);
            after.must_end = ends;
        } else {
            let mut stopped = before.machine;
            let usual = after_stop(&ending, || StopReason::Canceled).filter(|_| stopped.conclude_stop());
            let mut next = after.machine.decide(self.policy, ending, Ran { at_once, ..Ran::default() }, None, None);
            after.machine.remove_wait(&mut next);
            assert!(!before.machine.owed || !matches!(next, Next::Repeat(delay) if !delay.is_zero()));
            let note = after.machine.concludes(self.policy, &next, self.managed);
            if let Some(usual) = usual {
                // The fast path has the same result.
                assert_eq!(stopped, after.machine);
                assert!(is_same_end(&usual, &next) && note.is_none(), "{usual:?} {next:?}");
            }
            let ends = matches!(next, Next::End(_));
            let succeeded = matches!(next, Next::Repeat(_) | Next::Throttle { .. });
            if self.policy.ready == Ready::FirstSuccess {
                let may_stay = before.machine.ready && matches!(next, Next::Retry { .. } | Next::Restart(_));
                assert!(ends || after.machine.ready == succeeded || may_stay, "{before:?} {next:?}");
                assert_eq!(note.is_some(), succeeded && before.machine.gate == Gate::Open, "{before:?} {next:?}");
            } else if matches!(next, Next::Scheduled | Next::GiveUp { .. }) {
                assert!(self.policy.is_scheduled() && after.machine.ready && after.machine.streak == 0);
                assert_eq!(note.is_some(), before.machine.gate == Gate::Open);
                let is_due = before.machine.owed || after.machine.is_last();
                assert_eq!(is_due, after.machine.stage == Stage::Waiting(Wait::Due));
            } else {
                assert_eq!(note, None);
            }
            assert_eq!(ends, after.machine.stage == Stage::Over);
            let follows = before.machine.has_last() && after.machine.is_last();
            assert!(ends || before.machine.request != Request::Stop || follows, "{before:?}");
            match next {
                Next::Hold(_) => {
                    assert!(before.owes_held && after.machine.gate == Gate::Shut);
                    after.owes_held = false;
                }
                Next::Retry { .. } => assert!(!self.managed || after.machine.gate == Gate::Shut || follows),
                _ => {}
            }
            // A registration that ends does not leave a group waiting for its report.
            assert!(!ends || !matches!(after.machine.stage, Stage::Waiting(_)));
            after.owes_held &= !ends;
            after.must_end = false;
        }
        assert!(after.machine.canceled);
        self.reach(after);
    }

    /// Asserts that after a stop request the actor alone reaches the end, and begins at most one attempt.
    fn comes_to_an_end(&self, mut node: Node) {
        for _ in 0..6 {
            let machine = &mut node.machine;
            match machine.stage {
                Stage::Queued | Stage::Ended => return,
                Stage::Waiting(_) => {
                    let (turn, _) = machine.turn(self.policy);
                    match turn {
                        Turn::Over => {}
                        Turn::Due => assert!(machine.begin(self.policy).is_some(), "{node:?}"),
                        Turn::Waits | Turn::Parked => panic!("{turn:?} after a stop: {node:?}"),
                    }
                }
                Stage::Running(_) | Stage::Joining { .. } => {
                    let next = machine.decide(self.policy, Ending::Result(Ok(())), Ran::default(), None, None);
                    machine.concludes(self.policy, &next, self.managed);
                }
                Stage::Over => {
                    machine.end();
                }
            }
        }
        panic!("no end: {node:?}");
    }

    fn explore(&mut self) {
        while let Some(node) = self.open.pop() {
            for command in COMMANDS {
                self.command(node, command);
            }
            match node.machine.stage {
                Stage::Queued => {
                    #[cfg(feature = "controller")]
                    {
                        let mut started = node;
                        started.machine.leave_slot(self.policy);
                        self.reach(started);
                    }
                }
                Stage::Waiting(_) => self.waits(node),
                Stage::Running(_) => self.runs(node),
                Stage::Joining { unasked, ends } => {
                    if node.machine.has_last() {
                        let mut late = node;
                        late.machine.gives_up_last();
                        self.reach(late);
                    }
                    for ending in endings() {
                        // Only the results that match the one that the attempt joined with.
                        let mut machine = node.machine;
                        machine.request = if unasked { Request::Nothing } else { machine.request };
                        let facts = Facts {
                            policy: self.policy,
                            request: machine.request,
                            late: unasked,
                            streak: machine.streak,
                            stopped: None,
                            lived: None,
                            at_once: 0,
                            ticks: None,
                        };
                        if ends == is_final(&facts, &ending) {
                            self.joins(node, ending, ends);
                        }
                    }
                }
                Stage::Over => {
                    let mut ended = node;
                    ended.machine.end();
                    self.reach(ended);
                }
                Stage::Ended => {}
            }
            if node.machine.request == Request::Stop {
                self.comes_to_an_end(node);
            }
        }
    }

    fn joins(&mut self, node: Node, ending: Ending, ends: bool) {
        if ends {
            let mut after = node;
            let next = after.machine.decide(self.policy, ending, Ran::default(), None, None);
            assert!(matches!(next, Next::End(_)), "a result that ends is run again: {node:?}");
            after.machine.concludes(self.policy, &next, self.managed);
            after.owes_held = false;
            after.must_end = false;
            self.reach(after);
        } else {
            self.concludes(node, ending, false, 0);
        }
    }
}

impl Machine {
    fn concludes(&mut self, policy: &ResolvedPolicy, next: &Next, managed: bool) -> Option<Note> {
        let has_last = self.has_last();
        let note = self.conclude(policy, next, managed);
        if has_last {
            self.comes_to_last();
        }
        note
    }

    /// Returns `true` if an attempt that is due would begin. A final attempt does not count.
    fn may_begin(mut self, policy: &ResolvedPolicy) -> bool {
        !self.is_last() && self.begin(policy).is_some()
    }
}

/// Returns all combinations of options that make a difference.
fn all_policies() -> Vec<ResolvedPolicy> {
    let mut all = Vec::new();
    for restart in [RestartPolicy::Never, RestartPolicy::OnFailure, RestartPolicy::Always { interval: None }] {
        for interval in [None, Some(Duration::from_secs(1))] {
            for bits in 0..32 {
                let restart = match restart {
                    RestartPolicy::Always { .. } => RestartPolicy::Always { interval },
                    other => other,
                };
                let overrides = Overrides {
                    restart: Some(restart),
                    max_retries: (bits & 1 != 0).then_some(Some(1)),
                    ready: match (bits & 2 != 0, bits & 16 != 0) {
                        (true, false) => Some(Ready::Signal),
                        (false, true) => Some(Ready::FirstSuccess),
                        (true, true) => continue,
                        (false, false) => None,
                    },
                    unready_after: Some((bits & 1 != 0).then_some(2)),
                    initial_delay: (bits & 4 != 0).then_some(Duration::from_secs(1)),
                    final_attempt: Some(bits & 8 != 0),
                    ..Overrides::default()
                };
                let policy = overrides.resolve(&SupervisorConfig::default());
                #[cfg(feature = "cron")]
                if restart == (RestartPolicy::Always { interval: None }) && bits & (2 | 4 | 16) == 0 {
                    all.push(ResolvedPolicy { cron: Some("@daily".into()), ..policy.clone() });
                }
                all.push(policy);
            }
        }
    }
    all
}

/// Requests a stop, and compares the fast path with it.
fn stop(machine: &mut Machine, policy: &ResolvedPolicy, at_once: bool) -> Effects {
    let before = *machine;
    let effects = machine.stop(policy, at_once);
    let mut short = before;
    if short.stop_running(policy) {
        if !at_once {
            assert_eq!(short, *machine, "{before:?}");
            assert_eq!(effects, Effects { interrupts: true, is_first: true, note: None }, "{before:?}");
        }
    } else {
        assert_eq!(short, before, "it changes nothing");
    }
    effects
}

#[test]
fn every_input_in_every_reachable_state() {
    let (mut states, mut steps) = (0, 0);
    // Miri takes 100 times as long.
    for policy in all_policies().into_iter().step_by(if cfg!(miri) { 25 } else { 1 }) {
        for (managed, gate, queued) in [
            (false, Gate::Open, false),
            (false, Gate::Open, true),
            (false, Gate::Shut, false),
            (true, Gate::Shut, false),
        ] {
            let machine = Machine::new(&policy, queued, gate, true);
            let start = Node { machine, begun_after_stop: 0, owes_held: false, must_end: false };
            let mut play = Play { policy: &policy, managed, reached: HashSet::new(), open: Vec::new(), steps: 0 };
            play.reach(start);
            play.explore();
            states += play.reached.len();
            steps += play.steps;
            assert!(queued || play.reached.iter().any(|node| node.machine.stage == Stage::Ended));
        }
    }
    println!("{states} states, {steps} steps");
    assert!(states > 10_000 || cfg!(miri), "{states}");
}

#[test]
fn k5r_the_numbers_of_attempts_never_repeat() {
    // 32-bit numbers that saturate would let a stale context pass for the current one.
    let policy = all_policies().remove(0);
    let mut machine = Machine::new(&policy, false, Gate::Open, false);
    machine.attempt = u64::from(u32::MAX);
    assert!(machine.begin(&policy).is_some());
    assert!(machine.is_running(u64::from(u32::MAX) + 1) && !machine.is_running(u64::from(u32::MAX)));
}

#[test]
fn k5i_a_restart_while_helpers_are_joined_does_not_run_a_taken_success_again() {
    let policy = Overrides::default().resolve(&SupervisorConfig::default());
    let mut machine = Machine::new(&policy, false, Gate::Open, false);
    assert!(machine.begin(&policy).is_some());
    machine.join(&policy, &Ending::Result(Ok(())), None);
    assert!(machine.restart().is_none());
    let next = machine.decide(&policy, Ending::Result(Ok(())), Ran::default(), None, None);
    assert!(matches!(next, Next::End(TaskOutcome::Completed)));
}

#[test]
fn c01_what_snapshots_show_costs_a_task_no_byte() {
    assert_eq!(size_of::<Machine>(), 24);
}

#[test]
fn an_attempt_that_heeded_its_stop_ends_the_short_way() {
    let policy = Overrides::default().resolve(&SupervisorConfig::default());
    let mut machine = Machine::new(&policy, false, Gate::Open, false);
    machine.begin(&policy);
    let ends = |machine: &Machine| { *machine }.conclude_stop();
    assert!(!ends(&machine), "nothing was requested");
    machine.stop(&policy, false);
    assert!(!ends(&machine), "the attempt has not heeded the request");
    assert!(matches!(machine.heed(true, false, false), Heed::CleanUp(Cut::Requested)));
    assert!(ends(&machine));
    assert!(machine.set_paused(true));
    assert!(!ends(&machine), "the pause is to be noted");
}
