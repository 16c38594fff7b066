//! Compares the slot with a simple model, over a million random steps.

use std::collections::HashMap;

use fastrand::Rng;

use super::{AdmissionPolicy, Decision, Phase, Slot};

const STEPS: usize = 1_200_000;

/// A simple model of a slot: one list of the waiting jobs, with whether each of them replaces the owner.
#[derive(Default)]
struct Model {
    owner: Option<u64>,
    told: bool,
    waiting: Vec<(u64, bool)>,
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

    fn own(&mut self, job: u64) {
        assert_eq!(self.owner, None, "two at once");
        self.owner = Some(job);
        self.told = false;
        self.resolve(job, End::Started);
    }

    fn submit(&mut self, job: u64, admission: AdmissionPolicy, capacity: usize) -> Decision {
        if self.owner.is_none() {
            self.own(job);
            return Decision::Start;
        }
        match admission {
            AdmissionPolicy::DropIfRunning => {
                self.resolve(job, End::TurnedAway);
                Decision::Busy
            }
            AdmissionPolicy::Queue => {
                if self.waiting.iter().filter(|(_, replaces)| !replaces).count() >= capacity {
                    self.resolve(job, End::TurnedAway);
                    return Decision::Full;
                }
                self.waiting.push((job, false));
                Decision::Wait
            }
            AdmissionPolicy::Replace => {
                let before = self.waiting.iter().position(|(_, replaces)| *replaces);
                if let Some(before) = before {
                    let (displaced, _) = self.waiting.remove(before);
                    self.resolve(displaced, End::TurnedAway);
                }
                self.waiting.insert(0, (job, true));
                let stops = !std::mem::replace(&mut self.told, true);
                Decision::Replace { displaces: before.is_some(), stops }
            }
        }
    }

    fn release(&mut self) -> Option<u64> {
        self.owner = None;
        self.told = false;
        let next = (!self.waiting.is_empty()).then(|| self.waiting.remove(0).0)?;
        self.own(next);
        Some(next)
    }
}

/// An idle slot is `None`.
type Stored = Option<Slot<u64, u64>>;

/// Performs a submission as the engine does. Returns the decision, and the displaced job.
fn submit(stored: &mut Stored, job: u64, admission: AdmissionPolicy, capacity: usize) -> (Decision, Option<u64>) {
    let Some(slot) = stored else {
        *stored = Some(Slot::of(job));
        return (Decision::Start, None);
    };
    let decision = slot.decide(admission, || capacity);
    let displaced = match decision {
        Decision::Start => panic!("the slot is busy"),
        Decision::Wait => {
            slot.wait(job);
            None
        }
        Decision::Replace { .. } => slot.replace(job),
        Decision::Busy | Decision::Full => None,
    };
    (decision, displaced)
}

/// Handles the end of the owner as the engine does. Returns the next owner.
fn release(stored: &mut Stored) -> Option<u64> {
    let next = stored.as_mut()?.release(|job| *job);
    if next.is_none() {
        *stored = None;
    }
    next
}

#[test]
fn a_slot_does_as_its_model_over_a_million_steps() {
    let seed = std::env::var("SLOT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("SLOT_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let mut steps = 0;
    let mut kinds = HashMap::new();
    while steps < STEPS {
        let (mut slot, mut model) = (Stored::None, Model::default());
        let capacity = random.usize(1..6);
        let mut submitted = 0;
        for _ in 0..random.usize(1..400) {
            steps += 1;
            match random.u8(0..12) {
                0..=6 => {
                    let admission = [AdmissionPolicy::Queue, AdmissionPolicy::Replace, AdmissionPolicy::DropIfRunning]
                        [random.usize(0..3)];
                    let latest = model.waiting.iter().find(|(_, replaces)| *replaces).map(|(job, _)| *job);
                    let expected = model.submit(submitted, admission, capacity);
                    let (decision, displaced) = submit(&mut slot, submitted, admission, capacity);
                    assert_eq!(decision, expected);
                    assert_eq!(displaced, latest.filter(|_| matches!(expected, Decision::Replace { .. })));
                    assert!(slot.as_ref().is_some_and(|slot| slot.queued() <= capacity));
                    *kinds.entry(format!("{decision:?}")).or_insert(0) += 1;
                    submitted += 1;
                }
                7 | 8 => assert_eq!(release(&mut slot), model.release(), "the next after {:?}", model.owner),
                9 | 10 if submitted > 0 => {
                    let job = random.u64(0..submitted);
                    let position = model.waiting.iter().position(|(waiting, _)| *waiting == job);
                    if let Some(position) = position {
                        model.waiting.remove(position);
                        model.resolve(job, End::TurnedAway);
                    }
                    let withdrawn = slot.as_mut().and_then(|slot| slot.withdraw(|waiting| *waiting == job));
                    assert_eq!(withdrawn, position.map(|_| job));
                }
                11 if random.u8(0..20) == 0 => {
                    let all: Vec<_> = std::mem::take(&mut model.waiting).into_iter().map(|(job, _)| job).collect();
                    for job in &all {
                        model.resolve(*job, End::TurnedAway);
                    }
                    assert_eq!(slot.as_mut().into_iter().flat_map(Slot::withdraw_all).collect::<Vec<_>>(), all);
                }
                _ => {}
            }
            assert_eq!(slot.as_ref().map(|slot| *slot.owner()), model.owner);
            assert_eq!(slot.as_ref().map_or(0, Slot::waiting), model.waiting.len());
            assert!(model.waiting.len() <= capacity + 1);
            let phase = if model.told { Phase::Stopping } else { Phase::Running };
            assert_eq!(slot.as_ref().map(Slot::phase), model.owner.map(|_| phase));
        }
        // Once all have ended, each job was resolved once.
        while slot.is_some() {
            assert_eq!(release(&mut slot), model.release());
        }
        assert_eq!(model.resolved.len(), usize::try_from(submitted).unwrap_or(usize::MAX));
    }
    assert_eq!(kinds.len(), 7, "every decision was made: {kinds:?}");
}
