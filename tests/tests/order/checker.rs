//! The rules of the order of events: for each registration, name, pause, slot, lease, and for the shutdown.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use taskvisor::{EventKind, StopReason, TaskId};

use crate::fact::Fact;
use crate::groups::Groups;
use crate::left::Left;
use crate::rules::{is_within, next};

/// What was declared, and what was triggered.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The declared tasks.
    pub(crate) tasks: BTreeSet<String>,
    /// The groups.
    pub(crate) groups: BTreeSet<String>,
    /// The tasks and groups that need a lease.
    pub(crate) singletons: BTreeSet<String>,
    /// How often each task was triggered: each time allows one attempt in a pause.
    pub(crate) triggers: HashMap<String, u32>,
}

/// The state of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Submitted,
    Requested,
    Added,
    Running,
    Stopped,
    Failed,
    Waiting,
    Over,
    Removed,
}

struct Registration {
    path: String,
    slot: Option<String>,
    stage: Stage,
    attempt: u32,
    is_stopping: bool,
    is_ready: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Up,
    Stopping,
    Down,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    Paused,
    Not,
    /// The pause of an added task ends with its name, unless the task has a successor.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lease {
    Held(u64),
    Lost(u64),
}

pub(crate) struct Checker<'a> {
    known: &'a Known,
    course: Course,
    is_forced: bool,
    /// A forced shutdown does not wait for the store of the fleet, and says so.
    gave_up_leases: bool,
    alive: BTreeMap<TaskId, Registration>,
    ended: BTreeSet<TaskId>,
    owners: HashMap<String, TaskId>,
    pauses: HashMap<String, Pause>,
    starts_in_pause: HashMap<String, u32>,
    slots: HashMap<String, String>,
    leases: HashMap<String, Lease>,
    groups: Groups,
    left: Left,
}

pub(crate) type Check = Result<(), String>;

pub(crate) fn holds(is: bool, what: impl FnOnce() -> String) -> Check {
    if is { Ok(()) } else { Err(what()) }
}

/// Returns what is wrong with the order of these events, each with the events before it that explain it.
pub(crate) fn check(facts: &[Fact], known: &Known) -> Vec<String> {
    let mut checker = Checker {
        known,
        course: Course::Up,
        is_forced: false,
        gave_up_leases: false,
        alive: BTreeMap::new(),
        ended: BTreeSet::new(),
        owners: HashMap::new(),
        pauses: HashMap::new(),
        starts_in_pause: HashMap::new(),
        slots: HashMap::new(),
        leases: HashMap::new(),
        groups: Groups::new(&known.groups),
        left: Left::default(),
    };
    let mut wrong = Vec::new();
    let mut seq = 0;
    for (place, fact) in facts.iter().enumerate() {
        let mut checks = vec![holds(fact.seq > seq, || format!("event {} after {seq}", fact.seq))];
        seq = fact.seq;
        checks.extend(checker.read(fact));
        for what in checks.into_iter().filter_map(Result::err) {
            wrong.push(format!("{what}{}", explained(&facts[..=place], |it| fact.is_about(it))));
        }
    }
    for (what, subject) in checker.close() {
        let is_about = |it: &Fact| it.path == subject || it.slot.as_ref() == Some(&subject);
        wrong.push(format!("{what}{}", explained(facts, is_about)));
    }
    wrong
}

/// Returns the last of these events.
fn explained(facts: &[Fact], is_about: impl Fn(&Fact) -> bool) -> String {
    let mut last: Vec<_> = facts.iter().rev().filter(|it| is_about(it)).take(16).collect();
    last.reverse();
    last.into_iter().fold(String::new(), |text, it| text + &format!("\n    {it:?}"))
}

impl Checker<'_> {
    fn read(&mut self, fact: &Fact) -> Vec<Check> {
        let checks = vec![
            self.follow_course(fact),
            self.follow_registration(fact),
            self.follow_names(fact),
            self.follow_pauses(fact),
            self.check_pause(fact),
            self.follow_slots(fact),
            self.follow_leases(fact),
            self.check_lease(fact),
            self.groups.follow(
                fact,
                |group| alive_in(&self.alive, group, &[]),
                |group| alive_in(&self.alive, group, &[Stage::Requested, Stage::Added, Stage::Waiting]),
            ),
        ];
        if matches!(fact.kind, EventKind::TaskRemoved | EventKind::ControllerRejected) {
            if let Some(id) = fact.id {
                self.alive.remove(&id);
                self.ended.insert(id);
            }
        }
        checks
    }

    fn follow_course(&mut self, fact: &Fact) -> Check {
        use EventKind as E;
        let is_told = matches!(fact.stop, Some(StopReason::Shutdown | StopReason::Dropped));
        match (self.course, fact.kind) {
            (Course::Up, E::ShutdownRequested) => self.course = Course::Stopping,
            (Course::Up, _) if is_told => return Err("stopped by a shutdown that was not requested".into()),
            (Course::Stopping, E::ShutdownForced) if !self.is_forced => self.is_forced = true,
            (Course::Stopping, E::AllStoppedWithinGrace) => {
                self.course = Course::Down;
                holds(self.alive.is_empty(), || "all has stopped, and tasks are left".into())?;
                let group = self.groups.alive().next();
                holds(group.is_none(), || format!("all has stopped, and the group {group:?} is left"))?;
            }
            (Course::Stopping, E::GraceExceeded) => {
                self.course = Course::Down;
                self.left = Left {
                    tasks: self.alive.values().map(|it| it.path.clone()).collect(),
                    slots: self.alive.values().filter_map(|it| it.slot.clone()).collect(),
                    groups: self.groups.alive().cloned().collect(),
                };
                let unnamed = self.left.tasks.iter().find(|path| !fact.reason.contains(*path));
                holds(unnamed.is_none(), || format!("{unnamed:?} is left, and not named"))?;
            }
            (_, E::SubscriberOverflow | E::SubscriberPanicked) => return Err("events are lost".into()),
            (course, E::ShutdownRequested | E::ShutdownForced | E::AllStoppedWithinGrace | E::GraceExceeded) => {
                return Err(format!("{:?} in {course:?}", fact.kind));
            }
            (_, E::FleetUnreachable) => self.gave_up_leases = true,
            (Course::Down, E::LeaseReleased | E::FleetReachable) if self.gave_up_leases => {}
            (Course::Down, kind) if !self.is_forced || !self.left.has(fact) => {
                return Err(format!("{kind:?} after the end of the shutdown"));
            }
            _ => {}
        }
        Ok(())
    }

    fn follow_registration(&mut self, fact: &Fact) -> Check {
        let Some(id) = fact.id else { return Ok(()) };
        if self.ended.contains(&id) {
            let is_lost = fact.kind == EventKind::Warning && fact.reason.starts_with("lost with its group");
            return holds(is_lost, || format!("{:?} after its end", fact.kind));
        }
        let Some(it) = self.alive.get_mut(&id) else {
            let stage = match fact.kind {
                EventKind::ControllerSubmitted => Stage::Submitted,
                EventKind::ControllerRejected => Stage::Removed,
                EventKind::TaskAddRequested => Stage::Requested,
                kind => return Err(format!("{kind:?} is its first event")),
            };
            let (path, slot) = (fact.path.clone(), fact.slot.clone());
            let new = Registration { path, slot, stage, attempt: 0, is_stopping: false, is_ready: false };
            self.alive.insert(id, new);
            return Ok(());
        };
        let before = it.stage;
        it.stage = next(before, fact.kind, it.is_stopping)
            .ok_or_else(|| format!("{:?} after {before:?}, stopping: {}", fact.kind, it.is_stopping))?;
        match fact.kind {
            EventKind::TaskRemoveRequested => {
                return holds(!std::mem::replace(&mut it.is_stopping, true), || "requested to stop twice".into());
            }
            EventKind::TaskStarting => {
                it.attempt += 1;
                it.is_ready = false;
            }
            EventKind::TaskReady => {
                holds(!std::mem::replace(&mut it.is_ready, true), || "ready twice".into())?;
            }
            _ => {}
        }
        let expected = it.attempt;
        holds(fact.attempt.is_none_or(|seen| seen == expected), || format!("the attempt is {expected}"))
    }

    fn follow_names(&mut self, fact: &Fact) -> Check {
        let Some(id) = fact.id else { return Ok(()) };
        match fact.kind {
            EventKind::TaskAdded => {
                let other = self.owners.insert(fact.path.clone(), id);
                holds(other.is_none(), || format!("the name belongs to {other:?}"))
            }
            EventKind::TaskRemoved => {
                let owner = self.owners.remove(&fact.path);
                holds(owner == Some(id), || format!("the name belongs to {owner:?}"))
            }
            _ => Ok(()),
        }
    }

    fn pause(&self, subject: &str) -> Pause {
        self.pauses.get(subject).copied().unwrap_or(Pause::Not)
    }

    fn follow_pauses(&mut self, fact: &Fact) -> Check {
        let subject = fact.slot.as_ref().map_or_else(|| fact.path.clone(), |slot| format!("slot {slot}"));
        match fact.kind {
            EventKind::TaskPaused => {
                // An added task that its group registers again: its pause ends if it is removed before that.
                let (path, known) = (fact.path.as_str(), self.known);
                let is_known = path.is_empty() || known.tasks.contains(path) || known.groups.contains(path);
                let returns = fact.slot.is_none() && fact.id.is_none() && !is_known;
                let pause = if returns { Pause::Unknown } else { Pause::Paused };
                let before = self.pauses.insert(subject, pause).unwrap_or(Pause::Not);
                holds(before != Pause::Paused, || "paused twice".into())
            }
            EventKind::TaskResumed => {
                let before = self.pauses.insert(subject, Pause::Not).unwrap_or(Pause::Not);
                holds(before != Pause::Not, || "resumed without a pause".into())
            }
            EventKind::TaskRemoved if !self.known.tasks.contains(&fact.path) => {
                if self.pause(&fact.path) == Pause::Paused {
                    self.pauses.insert(fact.path.clone(), Pause::Unknown);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Checks that nothing begins in a pause, but for triggered attempts.
    fn check_pause(&mut self, fact: &Fact) -> Check {
        let slot = fact.id.and_then(|id| self.alive.get(&id)?.slot.clone());
        let is_paused = |subject: &str| self.pause(subject) == Pause::Paused;
        let by = match (fact.kind, &slot) {
            (EventKind::TaskAdded, Some(slot)) => {
                let keyed = slot.split_once('/').map(|(keyed, _)| format!("slot {keyed}"));
                let subjects = [Some(String::new()), Some(format!("slot {slot}")), keyed];
                subjects.into_iter().flatten().find(|subject| is_paused(subject))
            }
            (EventKind::TaskStarting, None) => {
                let is_over = |(subject, pause): &(&String, &Pause)| {
                    **pause == Pause::Paused && !subject.starts_with("slot ") && is_within(&fact.path, subject)
                };
                self.pauses.iter().find(is_over).map(|(subject, _)| subject.clone())
            }
            (EventKind::TaskStarting, Some(_)) => Some(fact.path.clone()).filter(|path| is_paused(path)),
            _ => None,
        };
        let Some(by) = by else { return Ok(()) };
        let starts = self.starts_in_pause.entry(fact.path.clone()).or_default();
        *starts += 1;
        let most = self.known.triggers.get(&fact.path).copied().unwrap_or_default();
        holds(*starts <= most, || format!("begins in the pause of `{by}`"))
    }

    fn follow_slots(&mut self, fact: &Fact) -> Check {
        let Some(slot) = fact.slot.as_ref().filter(|_| fact.kind == EventKind::ControllerSlotTransition) else {
            return Ok(());
        };
        let Some((from, to)) = fact.reason.split_once(" -> ") else { return Err("no transition".into()) };
        let before = self.slots.insert(slot.clone(), to.to_owned()).unwrap_or_else(|| "idle".into());
        holds(before == from, || format!("the slot was {before}"))?;
        let is_owner = |it: &&Registration| {
            it.slot.as_ref() == Some(slot) && !matches!(it.stage, Stage::Submitted | Stage::Removed)
        };
        let owner = self.alive.values().find(is_owner).map(|it| &it.path);
        match to {
            "idle" | "waiting" => holds(owner.is_none(), || format!("{to}, and {owner:?} owns it")),
            "stopping" => holds(owner.is_some(), || "stopping without an owner".into()),
            _ => holds(fact.id.is_some(), || "running without an owner".into()),
        }
    }

    fn follow_leases(&mut self, fact: &Fact) -> Check {
        let (path, token) = (&fact.path, fact.count.unwrap_or_default());
        let before = self.leases.get(path).copied();
        match fact.kind {
            EventKind::LeaseAcquired => {
                self.leases.insert(path.clone(), Lease::Held(token));
                let grew = match before {
                    // A registration at the same path can have it without a release in between.
                    Some(Lease::Held(before) | Lease::Lost(before)) => token >= before,
                    None => true,
                };
                holds(grew, || format!("acquired after {before:?}"))
            }
            EventKind::LeaseLost => {
                let Some(Lease::Held(held)) = before else { return Err(format!("lost, and was {before:?}")) };
                self.leases.insert(path.clone(), Lease::Lost(held));
                Ok(())
            }
            EventKind::LeaseReleased => {
                self.leases.remove(path);
                let is_it = matches!(before, Some(Lease::Held(held) | Lease::Lost(held)) if held == token);
                holds(is_it, || format!("released, and was {before:?}"))
            }
            _ => Ok(()),
        }
    }

    fn check_lease(&self, fact: &Fact) -> Check {
        if fact.kind != EventKind::TaskStarting {
            return Ok(());
        }
        let mut units = self.known.singletons.iter().filter(|unit| is_within(&fact.path, unit));
        let without = units.find(|unit| !matches!(self.leases.get(*unit), Some(Lease::Held(_))));
        holds(without.is_none(), || format!("begins without the lease of {without:?}"))
    }

    /// Returns what is wrong after the last event, and with what.
    fn close(&self) -> Vec<(String, String)> {
        let mut wrong: Vec<(String, String)> = Vec::new();
        if self.course != Course::Down {
            wrong.push((format!("the shutdown has no end: {:?}", self.course), String::new()));
        }
        for it in self.alive.values().filter(|it| !self.left.tasks.contains(&it.path)) {
            wrong.push((format!("never removed: {:?}", it.stage), it.path.clone()));
        }
        let busy = self.slots.iter().filter(|(slot, phase)| *phase != "idle" && !self.left.slots.contains(*slot));
        for (slot, phase) in busy {
            wrong.push((format!("the slot is {phase} at the end"), slot.clone()));
        }
        for (unit, lease) in self.leases.iter().filter(|_| !self.gave_up_leases) {
            wrong.push((format!("the lease at the end: {lease:?}"), unit.clone()));
        }
        if let Some(group) = self.groups.alive().find(|group| !self.left.groups.contains(*group)) {
            wrong.push(("the group has no end".to_owned(), group.clone()));
        }
        wrong
    }
}

/// Returns a task of the group that is registered, in another stage than these.
fn alive_in(alive: &BTreeMap<TaskId, Registration>, group: &str, but: &[Stage]) -> Option<String> {
    let is_in = |it: &&Registration| {
        let is_registered = !matches!(it.stage, Stage::Submitted | Stage::Removed) && !but.contains(&it.stage);
        is_registered && it.slot.is_none() && it.path != group && is_within(&it.path, group)
    };
    alive.values().find(is_in).map(|it| it.path.clone())
}
