//! Compares the slot with a simple model, over a million random steps.

use std::collections::HashMap;
use std::time::Duration;

use fastrand::Rng;

use super::{AdmissionPolicy, Debounce, Decision, Slot, SlotPhase};
use crate::inspect::RejectReason;

/// Miri takes 100 times as long.
const STEPS: usize = if cfg!(miri) { 8_000 } else { 1_200_000 };
const ADMISSIONS: [AdmissionPolicy; 4] =
    [AdmissionPolicy::Queue, AdmissionPolicy::Replace, AdmissionPolicy::Latest, AdmissionPolicy::DropIfRunning];

/// The declaration of the slot.
#[derive(Clone, Copy)]
struct Terms {
    places: usize,
    capacity: usize,
    debounce: Option<Debounce>,
}

/// A simple model of a slot: the owners, one list of the waiting jobs, and the times of the next job.
#[derive(Default)]
struct Model {
    now: Duration,
    owners: Vec<u64>,
    told: bool,
    next: Option<u64>,
    /// The time of the first of the submissions that supersede each other, and of the last.
    times: Option<(Duration, Duration)>,
    queue: Vec<u64>,
    /// The result of each job: started, or rejected.
    resolved: HashMap<u64, End>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Started,
    TurnedAway,
}

impl Model {
    fn resolve(&mut self, job: u64, end: End) {
        assert_eq!(self.resolved.insert(job, end), None, "{job} was resolved twice");
    }

    fn own(&mut self, job: u64, terms: Terms) {
        self.owners.push(job);
        assert!(self.owners.len() <= terms.places, "too many at once");
        self.resolve(job, End::Started);
    }

    /// The time at which the next job can start.
    fn due(&self, terms: Terms) -> Option<Duration> {
        let ((first, last), Debounce { quiet, most }) = (self.times?, terms.debounce?);
        Some(most.map_or(last + quiet, |most| (last + quiet).min(first + most)))
    }

    fn next_is_due(&self, terms: Terms) -> bool {
        self.next.is_some() && self.due(terms).is_none_or(|due| due <= self.now)
    }

    fn is_free(&self, terms: Terms) -> bool {
        self.owners.len() < terms.places && self.queue.is_empty() && !self.next_is_due(terms)
    }

    fn take_next(&mut self) -> Option<u64> {
        self.times = None;
        self.next.take()
    }

    fn submit(&mut self, job: u64, admission: AdmissionPolicy, terms: Terms) -> Decision {
        let waits = admission == AdmissionPolicy::Latest && terms.debounce.is_some();
        if self.is_free(terms) && !waits {
            if matches!(admission, AdmissionPolicy::Latest | AdmissionPolicy::Replace) {
                if let Some(displaced) = self.take_next() {
                    self.resolve(displaced, End::TurnedAway);
                }
            }
            self.own(job, terms);
            return Decision::Start;
        }
        match admission {
            AdmissionPolicy::DropIfRunning => {
                self.resolve(job, End::TurnedAway);
                Decision::Busy
            }
            AdmissionPolicy::Queue => {
                if self.queue.len() >= terms.capacity {
                    self.resolve(job, End::TurnedAway);
                    return Decision::Full;
                }
                self.queue.push(job);
                Decision::Wait
            }
            AdmissionPolicy::Replace | AdmissionPolicy::Latest => {
                let times = waits.then(|| (self.times.map_or(self.now, |(first, _)| first), self.now));
                let superseded = self.take_next();
                if let Some(superseded) = superseded {
                    self.resolve(superseded, End::TurnedAway);
                }
                self.next = Some(job);
                self.times = times;
                let displaces = superseded.is_some();
                if admission == AdmissionPolicy::Latest {
                    return Decision::Latest { displaces };
                }
                let stops = !self.told && !self.owners.is_empty();
                self.told = !self.owners.is_empty();
                Decision::Replace { displaces, stops }
            }
        }
    }

    /// Starts all jobs that can start, and returns them.
    fn fill(&mut self, terms: Terms) -> Vec<u64> {
        let mut started = Vec::new();
        while self.owners.len() < terms.places {
            let next = if self.next_is_due(terms) { self.take_next() } else { None };
            let Some(job) = next.or_else(|| (!self.queue.is_empty()).then(|| self.queue.remove(0))) else { break };
            self.own(job, terms);
            started.push(job);
        }
        started
    }

    fn leave(&mut self, owner: u64) {
        let position = self.owners.iter().position(|other| *other == owner).unwrap();
        self.owners.remove(position);
        self.told &= position != 0;
    }

    fn waiting(&self) -> usize {
        usize::from(self.next.is_some()) + self.queue.len()
    }
}

/// An idle slot is `None`.
type Stored = Option<Slot<u64, u64>>;

/// Performs a submission as the engine does. Returns the decision, and the displaced job.
fn submit(
    stored: &mut Stored,
    job: u64,
    admission: AdmissionPolicy,
    terms: Terms,
    now: Duration,
) -> (Decision, Option<u64>) {
    let debounce = terms.debounce.filter(|_| admission == AdmissionPolicy::Latest);
    let slot = stored.get_or_insert_with(Slot::vacant);
    let free = slot.running() < terms.places && !slot.is_due(|| now);
    let decision = slot.decide(admission, free, debounce.is_some(), || terms.capacity);
    let displaced = match decision {
        Decision::Start => {
            let displaced = if admission.displaces() { slot.supersede() } else { None };
            slot.own(job);
            displaced
        }
        Decision::Wait => {
            slot.wait(job);
            None
        }
        Decision::Replace { .. } => slot.replace(job),
        Decision::Latest { .. } => slot.latest(job, debounce.map(|debounce| (debounce, now))),
        Decision::Busy | Decision::Full => None,
    };
    forget_vacant(stored);
    (decision, displaced)
}

/// Starts all jobs that can start, as the engine does. Returns them.
fn fill(stored: &mut Stored, terms: Terms, now: Duration) -> Vec<u64> {
    let mut started = Vec::new();
    if let Some(slot) = stored {
        while slot.running() < terms.places {
            let Some(job) = slot.pop(|| now) else { break };
            slot.own(job);
            started.push(job);
        }
    }
    forget_vacant(stored);
    started
}

fn forget_vacant(stored: &mut Stored) {
    if stored.as_ref().is_some_and(Slot::is_vacant) {
        *stored = None;
    }
}

fn any_terms(random: &mut Rng) -> Terms {
    let ms = |time| Duration::from_millis(time);
    let quiet = random.u64(1..6);
    let most = random.bool().then(|| ms(quiet + random.u64(0..8)));
    let debounce = random.bool().then_some(Debounce { quiet: ms(quiet), most });
    Terms { places: if random.bool() { 1 } else { random.usize(1..4) }, capacity: random.usize(1..6), debounce }
}

#[test]
fn o30_o31_a_slot_does_as_its_model_over_a_million_steps() {
    let seed = std::env::var("SLOT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("SLOT_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let mut steps = 0;
    let mut kinds = HashMap::new();
    while steps < STEPS {
        let (mut slot, mut model) = (Stored::None, Model::default());
        let terms = any_terms(&mut random);
        let mut submitted = 0;
        for _ in 0..random.usize(1..400) {
            steps += 1;
            match random.u8(0..14) {
                0..=6 => {
                    let admission = ADMISSIONS[random.usize(0..ADMISSIONS.len())];
                    let (next, waiting) = (model.next, model.waiting());
                    let expected = model.submit(submitted, admission, terms);
                    let (decision, displaced) = submit(&mut slot, submitted, admission, terms, model.now);
                    assert_eq!(decision, expected);
                    assert_eq!(decision.is_to_wait(), model.waiting() > waiting);
                    let takes_its_place = admission.displaces() && expected.rejection(false).is_none();
                    assert_eq!(displaced, next.filter(|_| takes_its_place));
                    assert!(slot.as_ref().is_none_or(|slot| slot.queued() <= terms.capacity));
                    *kinds.entry(format!("{decision:?}")).or_insert(0) += 1;
                    submitted += 1;
                }
                7 | 8 if !model.owners.is_empty() => {
                    let owner = model.owners[random.usize(0..model.owners.len())];
                    model.leave(owner);
                    assert!(slot.as_mut().is_some_and(|slot| slot.leave(|other| *other == owner)));
                    assert!(!slot.as_mut().is_some_and(|slot| slot.leave(|other| *other == owner)), "it has left");
                    assert_eq!(fill(&mut slot, terms, model.now), model.fill(terms));
                }
                9 | 10 if submitted > 0 => {
                    let job = random.u64(0..submitted);
                    let waited = model.next == Some(job) || model.queue.contains(&job);
                    if waited {
                        model.resolve(job, End::TurnedAway);
                        if model.next == Some(job) {
                            model.take_next();
                        }
                        model.queue.retain(|other| *other != job);
                    }
                    let withdrawn = slot.as_mut().and_then(|slot| slot.withdraw(|waiting| *waiting == job));
                    assert_eq!(withdrawn, waited.then_some(job));
                    forget_vacant(&mut slot);
                }
                11 if random.u8(0..20) == 0 => {
                    let all: Vec<_> = model.take_next().into_iter().chain(std::mem::take(&mut model.queue)).collect();
                    for job in &all {
                        model.resolve(*job, End::TurnedAway);
                    }
                    assert_eq!(slot.as_mut().into_iter().flat_map(Slot::withdraw_all).collect::<Vec<_>>(), all);
                    forget_vacant(&mut slot);
                }
                12 | 13 => {
                    model.now += Duration::from_millis(random.u64(0..4));
                    assert_eq!(fill(&mut slot, terms, model.now), model.fill(terms));
                }
                _ => {}
            }
            let owners = slot.as_ref().map_or(Vec::new(), |slot| slot.owners().copied().collect());
            assert_eq!(owners, model.owners);
            assert_eq!(slot.as_ref().map_or(0, Slot::waiting), model.waiting());
            assert!(slot.as_ref().map_or(0, Slot::queued) == model.queue.len());
            assert!(slot.iter().flat_map(Slot::queue).eq(&model.queue));
            assert_eq!(slot.as_ref().and_then(|slot| slot.owner().copied()), model.owners.first().copied());
            let first = model.next.or_else(|| model.queue.first().copied());
            assert_eq!(slot.as_ref().and_then(|slot| slot.first().copied()), first);
            let is_due = !model.queue.is_empty() || model.next_is_due(terms);
            assert_eq!(slot.as_ref().is_some_and(|slot| slot.is_due(|| model.now)), is_due);
            assert_eq!(slot.as_ref().and_then(|slot| slot.next().copied()), model.next);
            assert_eq!(slot.as_ref().and_then(Slot::due), model.next.and(model.due(terms)));
            assert!(model.waiting() <= terms.capacity + 1);
            let phase = match (model.owners.is_empty(), model.told) {
                (true, _) if model.waiting() == 0 => None,
                (true, _) => Some(SlotPhase::Waiting),
                (false, true) => Some(SlotPhase::Stopping),
                (false, false) => Some(SlotPhase::Running),
            };
            assert_eq!(slot.as_ref().map(Slot::phase), phase);
        }
        // When all jobs have ended, each was resolved once.
        while slot.is_some() {
            for owner in std::mem::take(&mut model.owners) {
                assert!(slot.as_mut().is_some_and(|slot| slot.leave(|other| *other == owner)));
            }
            model.told = false;
            model.now += Duration::from_secs(1);
            assert_eq!(fill(&mut slot, terms, model.now), model.fill(terms));
        }
        assert_eq!(model.resolved.len(), usize::try_from(submitted).unwrap_or(usize::MAX));
    }
    assert_eq!(kinds.len(), 10, "every decision was made: {kinds:?}");
}

#[test]
fn o30_the_latest_waits_for_the_quiet_time_and_at_most_for_the_longest() {
    let ms = Duration::from_millis;
    let debounce = Debounce { quiet: ms(20), most: Some(ms(50)) };
    let mut slot = Slot::<u64, u64>::vacant();
    for (job, at, due) in [(1, 0, 20), (2, 15, 35), (3, 30, 50), (4, 45, 50)] {
        assert_eq!(slot.latest(job, Some((debounce, ms(at)))), (job > 1).then_some(job - 1));
        assert_eq!(slot.due(), Some(ms(due)));
    }
    assert_eq!((slot.pop(|| ms(49)), slot.pop(|| ms(50))), (None, Some(4)));
    // The wait of the next job begins anew.
    slot.own(4);
    slot.latest(5, Some((debounce, ms(60))));
    assert_eq!(slot.due(), Some(ms(80)));
    assert_eq!(slot.withdraw(|job| *job == 5), Some(5));
    slot.latest(6, Some((debounce, ms(100))));
    assert_eq!(slot.due(), Some(ms(120)));
    // The largest times do not overflow.
    let never = Debounce { quiet: Duration::MAX, most: Some(Duration::MAX) };
    assert_eq!(slot.withdraw(|job| *job == 6), Some(6));
    assert_eq!(slot.latest(7, Some((never, ms(100)))), None);
    assert!(slot.leave(|owner| *owner == 4) && slot.pop(|| ms(u64::MAX)).is_none());
}

#[test]
fn a_job_that_waits_for_a_time_is_timed_unless_its_slot_waits_for_a_place() {
    let ms = Duration::from_millis;
    let mut slot = Slot::<u64, u64>::of(1);
    assert_eq!((slot.owner(), slot.timed()), (Some(&1), None));
    slot.latest(2, Some((Debounce { quiet: ms(20), most: None }, ms(0))));
    assert_eq!(slot.timed(), Some((&2, ms(20))));
    assert!(!slot.line_up(true) && slot.line_up(true));
    assert_eq!(slot.timed(), None);
    assert!(slot.line_up(false) && !slot.line_up(false));
    assert_eq!(slot.timed(), Some((&2, ms(20))));
    slot.forget_time();
    assert_eq!(slot.timed(), None);
}

#[test]
fn what_is_not_admitted_has_a_reason() {
    assert!(matches!(Decision::Busy.rejection(false), Some(RejectReason::Busy)));
    assert!(matches!(Decision::Busy.rejection(true), Some(RejectReason::Paused)));
    assert!(matches!(Decision::Full.rejection(false), Some(RejectReason::Full)));
    assert!(matches!(Decision::Full.rejection(true), Some(RejectReason::Full)));
    assert!(Decision::Start.rejection(true).is_none() && Decision::Wait.rejection(true).is_none());
}

#[test]
fn each_phase_has_a_label() {
    let phases = [SlotPhase::Idle, SlotPhase::Waiting, SlotPhase::Running, SlotPhase::Stopping];
    assert_eq!(phases.map(|phase| phase.as_label()), ["idle", "waiting", "running", "stopping"]);
}
