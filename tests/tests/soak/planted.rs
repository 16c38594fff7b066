//! Planted faults: each invariant of the model can fail, and it fails for the planted fault alone.

use std::sync::Arc;
use std::time::Duration;

use taskvisor::EventKind::{
    ActorExhausted, AllStoppedWithinGrace, BackoffScheduled, ControllerRejected, ControllerSubmitted, GroupRestarted,
    LeaseAcquired, LeaseLost, LeaseReleased, ShutdownRequested, SubscriberOverflow, TaskAddRequested, TaskAdded,
    TaskFailed, TaskPaused, TaskReady, TaskRemoveRequested, TaskRemoved, TaskResumed, TaskStarting, TaskStopped,
};
use taskvisor::{CancellationToken, EventKind, TaskContext, TaskId};
use tests::secs;
use tokio::time::Instant;

use crate::ledger::{Fact, Ledger};
use crate::rules;
use crate::world::{Bounds, Inside, Who, World};

/// A story that a ledger reads.
struct Story {
    world: Arc<World>,
    ledger: Arc<Ledger>,
    at: Instant,
    seq: u64,
}

fn new_id() -> TaskId {
    TaskContext::detached("x", CancellationToken::new()).id()
}

impl Story {
    fn new() -> Self {
        let world = World::new(0);
        let ledger = Ledger::new(&world, 1, false);
        Self { world, ledger, at: Instant::now(), seq: 0 }
    }

    fn fact(&mut self, kind: EventKind, path: &str) -> Fact {
        self.seq += 1;
        let (id, slot, attempt, reason, count, delay) = (None, None, None, None, None, None);
        Fact { seq: self.seq, kind, path: path.to_owned(), id, slot, attempt, reason, count, delay, at: self.at }
    }

    /// An event of a registration.
    fn of(&mut self, path: &str, id: TaskId, kind: EventKind) {
        let fact = Fact { id: Some(id), ..self.fact(kind, path) };
        self.ledger.note(&fact);
    }

    fn all_of(&mut self, path: &str, kinds: impl IntoIterator<Item = EventKind>) -> TaskId {
        let id = new_id();
        for kind in kinds {
            self.of(path, id, kind);
        }
        id
    }

    /// An event without a registration.
    fn event(&mut self, kind: EventKind, path: &str) {
        let fact = self.fact(kind, path);
        self.ledger.note(&fact);
    }

    fn lease(&mut self, kind: EventKind, path: &str, token: u64) {
        let fact = Fact { count: Some(token), ..self.fact(kind, path) };
        self.ledger.note(&fact);
    }

    fn submit(&mut self, slot: &str, path: &str) -> TaskId {
        let id = new_id();
        for kind in [ControllerSubmitted, TaskAddRequested, TaskAdded] {
            let fact = Fact { id: Some(id), slot: Some(slot.to_owned()), ..self.fact(kind, path) };
            self.ledger.note(&fact);
        }
        id
    }

    fn slot(&mut self, kind: EventKind, slot: &str) {
        let fact = Fact { slot: Some(slot.to_owned()), ..self.fact(kind, "") };
        self.ledger.note(&fact);
    }

    /// Nothing was wrong so far.
    #[track_caller]
    fn holds(&self) {
        assert_eq!(self.world.violations(), Vec::<String>::new());
    }

    /// One thing was wrong, and this is what.
    #[track_caller]
    fn caught(&self, what: &str) {
        let violations = self.world.violations();
        assert!(violations.len() == 1 && violations[0].contains(what), "not `{what}`: {violations:#?}");
    }
}

const NEW: [EventKind; 2] = [TaskAddRequested, TaskAdded];
const ONCE: [EventKind; 4] = [TaskStarting, TaskStopped, ActorExhausted, TaskRemoved];

#[test]
fn two_owners_of_one_name_are_caught() {
    let mut story = Story::new();
    story.all_of("a", NEW.into_iter().chain(ONCE));
    story.all_of("a", NEW);
    story.holds();
    story.all_of("a", NEW);
    story.caught("the name belongs to");
}

#[test]
fn a_name_that_another_registration_frees_is_caught() {
    let mut story = Story::new();
    story.all_of("a", NEW);
    let other = story.all_of("b", NEW);
    story.holds();
    story.of("a", other, TaskRemoved);
    story.caught("the name belongs to");
}

#[test]
fn events_in_a_wrong_order_are_caught() {
    let wrong: &[(&[EventKind], &str)] = &[
        (&[TaskStarting], "TaskStarting is its first event"),
        (&[TaskAdded], "TaskAdded is its first event"),
        (&[TaskAddRequested, TaskStarting], "TaskStarting after Requested"),
        (&[TaskAddRequested, TaskAdded, TaskStarting, TaskStarting], "TaskStarting after Running"),
        (&[TaskAddRequested, TaskAdded, TaskStopped], "TaskStopped after Added"),
        (&[TaskAddRequested, TaskAdded, TaskStarting, TaskRemoved], "TaskRemoved after Running"),
        (&[TaskAddRequested, TaskAdded, TaskStarting, BackoffScheduled], "BackoffScheduled after Running"),
        (&[TaskAddRequested, TaskAdded, TaskReady], "TaskReady after Added"),
        (&[TaskAddRequested, TaskAdded, TaskRemoveRequested, TaskRemoveRequested], "TaskRemoveRequested after Added"),
        (&[TaskAddRequested, TaskAdded, TaskRemoved, TaskStarting], "TaskStarting after its end"),
        (&[ControllerSubmitted, ControllerRejected, TaskAddRequested], "TaskAddRequested after its end"),
        (&[ControllerSubmitted, TaskStarting], "TaskStarting after Submitted"),
    ];
    for (kinds, what) in wrong {
        let mut story = Story::new();
        let id = new_id();
        let (last, first) = kinds.split_last().unwrap();
        for kind in first {
            story.of("a", id, *kind);
        }
        story.holds();
        story.of("a", id, *last);
        // An event can break the rule of its name too.
        let violations = story.world.violations();
        assert!(violations.iter().any(|violation| violation.contains(what)), "not `{what}`: {violations:#?}");
    }
}

#[test]
fn a_wrong_number_of_an_attempt_is_caught() {
    let mut story = Story::new();
    let id = story.all_of("a", NEW);
    let first = Fact { id: Some(id), attempt: Some(1), ..story.fact(TaskStarting, "a") };
    story.ledger.note(&first);
    story.holds();
    let failed = Fact { id: Some(id), attempt: Some(2), ..story.fact(TaskFailed, "a") };
    story.ledger.note(&failed);
    story.caught("the attempt is 1");
}

#[test]
fn an_event_that_comes_twice_or_is_lost_is_caught() {
    let mut story = Story::new();
    story.all_of("a", NEW);
    story.holds();
    story.seq -= 1;
    story.event(GroupRestarted, "g");
    story.caught("event 2 after 2");

    let mut story = Story::new();
    story.event(SubscriberOverflow, "ledger");
    story.caught("events are lost");
}

#[test]
fn a_start_before_what_it_is_after_is_caught() {
    let mut story = Story::new();
    story.all_of("feeds/a", [TaskAddRequested, TaskAdded, TaskStarting]);
    let dependent = story.all_of("feeds/b", [TaskAddRequested, TaskAdded, TaskStarting, TaskFailed]);
    story.of("feeds/b", dependent, TaskStarting);
    story.holds();
    // A restart of the group asks again.
    story.event(GroupRestarted, "feeds");
    story.of("feeds/b", dependent, TaskFailed);
    story.holds();
    story.of("feeds/b", dependent, TaskStarting);
    story.caught("feeds/b begins before feeds/a is ready");
}

#[test]
fn a_start_before_a_signal_and_before_a_whole_group_is_caught() {
    let mut story = Story::new();
    let pool = story.all_of("store/pool", [TaskAddRequested, TaskAdded, TaskStarting]);
    story.holds();
    let migrate = story.all_of("store/migrate", [TaskAddRequested, TaskAdded, TaskStarting]);
    story.caught("store/migrate begins before store/pool is ready");

    let mut story = Story { seq: story.seq, ..Story::new() };
    for (id, path) in [(pool, "store/pool"), (migrate, "store/migrate")] {
        for kind in NEW {
            story.of(path, id, kind);
        }
        story.of(path, id, TaskStarting);
        story.of(path, id, TaskReady);
    }
    story.holds();
    story.all_of("serve", [TaskAddRequested, TaskAdded, TaskStarting]);
    story.caught("serve begins before store is ready");
}

#[test]
fn a_start_in_a_pause_is_caught() {
    for paused in ["feeds/a", "feeds", ""] {
        let mut story = Story::new();
        let id = story.all_of("feeds/a", NEW);
        story.event(TaskPaused, paused);
        story.event(TaskResumed, paused);
        story.of("feeds/a", id, TaskStarting);
        story.of("feeds/a", id, TaskFailed);
        story.event(TaskPaused, paused);
        story.ledger.triggers("feeds/a");
        story.of("feeds/a", id, TaskStarting);
        story.of("feeds/a", id, TaskFailed);
        story.holds();
        story.of("feeds/a", id, TaskStarting);
        story.caught("begins in the pause of");
    }
    let mut story = Story::new();
    story.event(TaskResumed, "serve");
    story.caught("serve was not paused");
}

#[test]
fn a_start_without_a_lease_is_caught() {
    for ends in [LeaseReleased, LeaseLost] {
        let mut story = Story::new();
        story.lease(LeaseAcquired, "leaders", 1);
        let id = story.all_of("leaders/first", [TaskAddRequested, TaskAdded, TaskStarting, TaskFailed]);
        story.lease(ends, "leaders", 1);
        story.holds();
        story.of("leaders/first", id, TaskStarting);
        story.caught("leaders/first begins without its lease");
    }
    let mut story = Story::new();
    story.lease(LeaseAcquired, "ledger", 2);
    story.lease(LeaseAcquired, "ledger", 2);
    story.caught("acquired again");
    let mut story = Story::new();
    story.lease(LeaseAcquired, "ledger", 2);
    story.lease(LeaseReleased, "ledger", 1);
    story.caught("released, and held is");
    let mut story = Story::new();
    story.lease(LeaseLost, "ledger", 2);
    story.caught("lost without a lease");
}

#[test]
fn too_many_owners_of_a_slot_are_caught() {
    let mut story = Story::new();
    let first = story.submit("uploads/a", "j1");
    story.submit("uploads/a", "j2");
    story.of("j1", first, TaskRemoved);
    story.submit("uploads/a", "j3");
    story.holds();
    story.submit("uploads/a", "j4");
    story.caught("3 owners of uploads/a");

    let mut story = Story::new();
    ["a", "a", "b"]
        .iter()
        .enumerate()
        .for_each(|(n, key)| _ = story.submit(&format!("uploads/{key}"), &format!("j{n}")));
    story.holds();
    story.submit("uploads/c", "j4");
    story.caught("4 in all");

    let mut story = Story::new();
    story.submit("mail", "j1");
    story.holds();
    story.submit("mail", "j2");
    story.caught("2 owners of mail");
}

#[test]
fn too_many_starts_of_a_slot_within_its_rate_are_caught() {
    let mut story = Story::new();
    let starts = |story: &mut Story, count: usize| {
        for _ in 0..count {
            let id = story.submit("uploads/a", "j");
            story.of("j", id, TaskRemoved);
        }
    };
    starts(&mut story, rules::RATE.0);
    story.at += rules::RATE.1;
    starts(&mut story, rules::RATE.0);
    story.holds();
    story.at += rules::RATE.1.saturating_sub(Duration::from_millis(1));
    starts(&mut story, 1);
    story.caught("7 starts within");
}

#[test]
fn a_start_in_a_paused_slot_is_caught() {
    let mut story = Story::new();
    story.slot(TaskPaused, "mail");
    story.slot(TaskResumed, "mail");
    let id = story.submit("mail", "j1");
    story.of("j1", id, TaskRemoved);
    story.slot(TaskPaused, "mail");
    story.holds();
    story.submit("mail", "j2");
    story.caught("j2 starts in the pause of");
}

#[test]
fn outcomes_that_the_events_do_not_agree_with_are_caught() {
    let ended: &[EventKind] = &[TaskAddRequested, TaskAdded, TaskStarting, TaskStopped, ActorExhausted, TaskRemoved];
    let canceled: &[EventKind] = &[TaskAddRequested, TaskAdded, TaskRemoveRequested, TaskRemoved];
    for (kinds, right, wrong) in [(ended, "completed", "canceled"), (canceled, "canceled", "completed")] {
        let mut story = Story::new();
        let id = story.all_of("a", kinds.iter().copied());
        story.ledger.settled(id, right, "a");
        story.ledger.compare();
        story.holds();
        story.ledger.settled(id, wrong, "a");
        story.caught(&format!("has the outcome {wrong} after {right}"));

        let mut story = Story::new();
        let id = story.all_of("a", kinds.iter().copied());
        story.ledger.settled(id, wrong, "a");
        story.ledger.compare();
        story.caught(&format!("has the outcome {wrong} after"));
    }
    let story = Story::new();
    story.ledger.settled(new_id(), "completed", "a");
    story.ledger.compare();
    story.caught("and no end");
}

#[test]
fn a_shutdown_that_is_late_or_leaves_something_is_caught() {
    let mut story = Story::new();
    story.event(ShutdownRequested, "");
    story.at += rules::GRACE;
    story.event(AllStoppedWithinGrace, "");
    story.ledger.close(&[]);
    story.holds();
    story.all_of("a", [TaskAddRequested]);
    story.caught("TaskAddRequested after the end of the shutdown");

    let mut story = Story::new();
    story.event(ShutdownRequested, "");
    story.at += rules::GRACE + secs(2);
    story.event(AllStoppedWithinGrace, "");
    story.caught("longer than its grace");

    let mut story = Story::new();
    story.event(AllStoppedWithinGrace, "");
    story.caught("a second or an early step");

    let story = Story::new();
    story.ledger.close(&[]);
    story.caught("the end of the shutdown has no event");

    let mut story = Story::new();
    story.all_of("a", NEW);
    story.event(ShutdownRequested, "");
    story.event(AllStoppedWithinGrace, "");
    story.ledger.close(&[]);
    story.caught("was never removed");

    let mut story = Story::new();
    story.event(ShutdownRequested, "");
    story.event(AllStoppedWithinGrace, "");
    story.ledger.close(&[new_id()]);
    story.caught("was accepted and has no outcome");
}

/// An attempt of a task of life `life` begins.
fn enter(story: &Story, life: u32, path: &str, id: TaskId, bounds: &Bounds, token: Option<u64>) -> Inside {
    story.world.enter(&Who { life, path, id, token }, bounds)
}

#[test]
fn two_attempts_of_one_path_are_caught_and_helpers_count() {
    let (story, bounds) = (Story::new(), Bounds::default());
    let first = enter(&story, 1, "a", new_id(), &bounds, None);
    let _other_life = enter(&story, 2, "a", new_id(), &bounds, None);
    drop(first);
    let helper = enter(&story, 1, "a", new_id(), &bounds, None).helper();
    story.holds();
    let _next = enter(&story, 1, "a", new_id(), &bounds, None);
    story.caught("begins while an attempt of that path runs");
    drop(helper);
}

#[test]
fn a_limit_that_is_exceeded_is_caught() {
    let story = Story::new();
    let bounds = Bounds { limits: vec![("db".into(), 2)], lease: None };
    let first = enter(&story, 1, "a", new_id(), &bounds, None);
    let _second = enter(&story, 1, "b", new_id(), &bounds, None);
    drop(first);
    let _third = enter(&story, 1, "c", new_id(), &bounds, None);
    story.holds();
    let _fourth = enter(&story, 1, "d", new_id(), &bounds, None);
    story.caught("3 run under `db`");

    let story = Story::new();
    let first = story.world.hold(1, "starts", 1, "a");
    drop(first);
    let _second = story.world.hold(1, "starts", 1, "b");
    story.holds();
    let _third = story.world.hold(1, "starts", 1, "c");
    story.caught("2 run under `starts`");
}

#[test]
fn work_of_two_replicas_under_one_lease_is_caught() {
    let bounds = Bounds { limits: Vec::new(), lease: Some("ledger") };
    let story = Story::new();
    drop(enter(&story, 1, "ledger", new_id(), &bounds, Some(1)));
    let _second = enter(&story, 2, "ledger", new_id(), &bounds, Some(2));
    story.holds();
    let _third = enter(&story, 1, "ledger", new_id(), &bounds, Some(3));
    story.caught("while life 2 runs `ledger`");

    for (life, token) in [(2, 5), (1, 4)] {
        let story = Story::new();
        drop(enter(&story, 1, "ledger", new_id(), &bounds, Some(5)));
        drop(enter(&story, life, "ledger", new_id(), &bounds, Some(token)));
        story.caught("the token of `ledger`");
    }
    let story = Story::new();
    drop(enter(&story, 1, "ledger", new_id(), &bounds, None));
    story.caught("runs without the lease");
}

#[test]
fn what_runs_after_its_end_is_caught() {
    let bounds = Bounds::default();
    let mut story = Story::new();
    let id = story.all_of("a", NEW);
    let running = enter(&story, 1, "a", id, &bounds, None);
    story.of("a", id, TaskRemoved);
    story.caught("has ended and still runs");
    drop(running);

    let mut story = Story::new();
    let id = story.all_of("a", NEW);
    story.of("a", id, TaskRemoved);
    let _running = enter(&story, 1, "a", id, &bounds, None);
    story.caught("begins after its end");

    let story = Story::new();
    let running = enter(&story, 1, "a", new_id(), &bounds, None);
    story.world.down(1);
    story.caught("a runs after the shutdown of life 1");
    drop(running);

    let story = Story::new();
    story.world.down(1);
    let _running = enter(&story, 1, "a", new_id(), &bounds, None);
    story.caught("begins after the shutdown of life 1");
}

#[test]
fn a_message_that_comes_twice_or_is_lost_is_caught() {
    for wrong in [2, 4] {
        let story = Story::new();
        for number in [1, 2] {
            story.world.took(1, number);
        }
        story.holds();
        story.world.took(1, wrong);
        story.caught(&format!("takes message {wrong} after 2"));
    }
}
