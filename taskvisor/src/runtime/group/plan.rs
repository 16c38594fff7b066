//! Decides which children of a group stop and start, and in which order. Plain data: notes go in, actions come out.
//!
//! The cost of a note is linear in the edges of the order that it touches: each child counts the children before it
//! that block its start, and the children after it that block its stop. Only the begin of a stop or restart, and the
//! start after it, visit every affected child.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::children::{Child, Epoch, Key, Phase, Slot, Slots};
use super::window::{Limit, Window};
use crate::inspect::TaskOutcome;
use crate::tree::{Order, Strategy};

/// The final end of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Canceled,
    Failed,
    /// It did not stop after a request. For its group this is a failure, unless the group requested the stop.
    Aborted,
}

impl End {
    pub(crate) fn of(outcome: Option<&TaskOutcome>) -> Self {
        match outcome {
            Some(TaskOutcome::Completed) => Self::Completed,
            Some(TaskOutcome::Canceled { .. }) => Self::Canceled,
            Some(TaskOutcome::Aborted { .. }) => Self::Aborted,
            _ => Self::Failed,
        }
    }
}

/// A report of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// It was started, and is ready.
    Ready,
    /// It was started, and waits for its next start. It counts as ready, but children after it wait for its attempt.
    Delayed,
    /// It failed and has stopped, and asks to be started again after this time.
    Failed(Duration),
    /// It has stopped after a hold, and can be started again.
    Held,
    /// It ended for good.
    Ended(End),
    /// It was requested to begin at once while it waits for its group.
    Skip,
    /// A nested group whose remaining tasks ignore their abort.
    GivenUp,
}

/// The actions of the plan, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start a child: open its gate.
    Start(Key, Epoch),
    /// Let a failed child start again after its own backoff.
    Resume(Key, Epoch),
    /// Stop a child to start it again; this number of layers stops after it.
    Hold(Key, Epoch, u32),
    /// Prevent further attempts of a child, which stops when the children after it have stopped.
    Retire(Key),
    /// Stop a child for good; this number of layers stops after it.
    Stop(Key, Epoch, u32),
    /// A stop or restart begins, with its own time limit.
    Begin,
    /// Call [`Plan::waited`] after this time.
    Wait(Duration),
    /// The remaining tasks of the group ignore their abort.
    GivenUp,
    /// The root must stop, which requests a shutdown.
    Ask(Why),
    /// The group ends.
    Over(Why),
}

/// The reason for the end of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Every child has ended.
    Completed,
    /// A significant child has ended in success.
    Significant,
    /// A stop was requested.
    Requested,
    /// This child exceeded the limit of failures.
    Limit(Key),
    /// This critical child ended in failure.
    Lost(Key),
}

impl Why {
    fn is_failure(self) -> bool {
        matches!(self, Self::Limit(_) | Self::Lost(_))
    }
}

#[derive(Debug)]
enum Mode {
    Up,
    Restarting(Restart),
    /// The root continues without restarts until the shutdown stops it.
    Asking(Why),
    Stopping(Why),
    Over,
}

/// The children from `first` on stop, and start again after the longest backoff of the failed children.
#[derive(Debug)]
struct Restart {
    first: Key,
    /// The failed children with their backoffs, the last declared first.
    causes: Vec<(Key, Duration)>,
    /// The number of children that still run.
    running: usize,
    /// The time at which all had stopped.
    since: Option<Duration>,
    /// The end of the requested wait.
    until: Option<Duration>,
}

impl Restart {
    fn delay(&self) -> Duration {
        self.causes.iter().map(|(_, delay)| *delay).max().unwrap_or_default()
    }
}

/// The state of one run of a group.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Plan {
    strategy: Strategy,
    window: Option<Window>,
    order: Arc<Order>,
    slots: Slots,
    mode: Mode,
    epoch: Epoch,
    /// `true` for a group without declared children, which runs until it is requested to stop.
    stays: bool,
    pub(super) is_root: bool,
    /// `true` if no further attempt may begin, because a parent stops.
    retired: bool,
    /// The number of children that have not ended.
    left: usize,
    /// The number of children that are neither ready nor ended and count for readiness.
    unready: usize,
    /// The number of these that do not wait for their next start.
    awaited: usize,
    /// The number of remaining children that are no longer waited for.
    given_up: usize,
    gave_up: bool,
    /// The base of the layers of the current stop.
    base: i64,
    /// The children that may have to start or stop after a change.
    startable: Vec<Key>,
    stoppable: Vec<Key>,
    actions: Vec<Action>,
    /// The number of visited children and edges.
    steps: Steps,
}

impl Plan {
    /// Creates a plan in which nothing has started, with epochs above `epoch`. In `rest_for_one`, each child is after
    /// the previous one.
    pub(crate) fn new(
        strategy: Strategy,
        limit: Option<Limit>,
        order: &Arc<Order>,
        children: &[Child],
        epoch: Epoch,
    ) -> Self {
        let slot =
            |(index, child): (usize, &Child)| Slot::new(*child, count(order.earlier(index)), count(order.later(index)));
        let declared: Vec<_> = children.iter().enumerate().map(slot).collect();
        Self {
            strategy,
            window: limit.map(Window::new),
            order: Arc::clone(order),
            mode: Mode::Up,
            epoch,
            stays: declared.is_empty(),
            is_root: false,
            retired: false,
            left: declared.len(),
            unready: declared.iter().filter(|slot| slot.is_unready()).count(),
            awaited: declared.iter().filter(|slot| slot.is_awaited()).count(),
            given_up: 0,
            gave_up: false,
            base: 0,
            startable: (0..declared.len() as Key).collect(),
            stoppable: Vec::new(),
            actions: Vec::new(),
            slots: Slots { declared, added: BTreeMap::new() },
            steps: Steps::default(),
        }
    }

    /// Returns the last epoch.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Adds a child at the end. It starts with the others, or at once if they run.
    pub(crate) fn add(&mut self, key: Key, child: Child) {
        let before = if self.is_chain() { self.slots.before_added(key) } else { None };
        let unmet = before.and_then(|before| self.slots.get(before)).is_some_and(|before| !before.passes());
        self.slots.added.insert(key, Slot::new(child, u32::from(unmet), 0));
        self.left += 1;
        self.unready += usize::from(!child.uncounted);
        self.awaited += usize::from(!child.uncounted);
        self.startable.push(key);
    }

    /// Returns the actions that are possible at `now`.
    pub(crate) fn proceed(&mut self, now: Duration) -> Vec<Action> {
        match &self.mode {
            Mode::Up => self.proceed_up(),
            Mode::Restarting(restart) => {
                let first = restart.first;
                self.stop_due();
                // The children before it continue meanwhile.
                self.start_due(first);
                self.wait_if_stopped(now);
            }
            Mode::Asking(why) => {
                let why = *why;
                self.startable.clear();
                self.stoppable.clear();
                if self.left == 0 {
                    self.is_over(why);
                }
            }
            Mode::Stopping(why) => {
                let why = *why;
                self.startable.clear();
                self.stop_due();
                if self.left == 0 {
                    self.is_over(why);
                } else if self.given_up == self.left && !std::mem::replace(&mut self.gave_up, true) {
                    self.actions.push(Action::GivenUp);
                }
            }
            Mode::Over => {}
        }
        std::mem::take(&mut self.actions)
    }

    fn proceed_up(&mut self) {
        self.stoppable.clear();
        self.start_due(Key::MAX);
        if self.left == 0 && !self.stays {
            self.is_over(Why::Completed);
        }
    }

    /// Handles a note of a child, and returns the actions.
    pub(crate) fn note(&mut self, key: Key, epoch: Epoch, note: Note, now: Duration) -> Vec<Action> {
        let Some(slot) = self.slots.get(key) else { return Vec::new() };
        let current = slot.epoch == epoch;
        match note {
            Note::Ready if current && slot.phase == Phase::Starting => self.set(key, Phase::Ready),
            Note::Delayed if current && slot.phase == Phase::Starting => self.set_delayed(key),
            Note::Failed(delay) if current => self.failed(key, delay, now),
            Note::Held if current && slot.phase == Phase::Holding => self.set(key, Phase::Down),
            Note::GivenUp if current => self.give_up(key),
            Note::Ended(end) => self.ended(key, end),
            Note::Skip => self.skip(),
            // The note belongs to an earlier start or stop.
            Note::Ready | Note::Delayed | Note::Failed(_) | Note::Held | Note::GivenUp => return Vec::new(),
        }
        self.proceed(now)
    }

    /// Handles the end of the last `Action::Wait`.
    pub(crate) fn waited(&mut self, now: Duration) -> Vec<Action> {
        if let Mode::Restarting(Restart { since: Some(_), .. }) = self.mode {
            self.start_again();
        }
        self.proceed(now)
    }

    /// Handles a stop request of the group.
    pub(crate) fn stop(&mut self, now: Duration) -> Vec<Action> {
        self.stop_because(Why::Requested);
        self.proceed(now)
    }

    /// Prevents further attempts. Running attempts continue until they are stopped.
    pub(crate) fn retire(&mut self, now: Duration) -> Vec<Action> {
        if !std::mem::replace(&mut self.retired, true) {
            let up = self.slots.from(0).filter(|(_, slot)| slot.is_up()).map(|(key, _)| Action::Retire(key));
            self.actions.extend(up);
        }
        self.proceed(now)
    }

    /// Continues the run, because a child was added when the last had ended.
    pub(crate) fn go_on(&mut self) {
        self.mode = Mode::Up;
    }

    /// Returns `true` if children can be added.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.mode, Mode::Up | Mode::Restarting(_) | Mode::Asking(_))
    }

    /// Returns `true` if every child that has not ended is ready or waits for its next start.
    pub(crate) fn counts_as_ready(&self) -> bool {
        matches!(self.mode, Mode::Up) && self.awaited == 0
    }

    /// Returns `true` if every child that has not ended is ready.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.mode, Mode::Up) && self.unready == 0
    }

    /// Returns `true` if the group stops because of this child.
    pub(crate) fn is_lost(&self, key: Key) -> bool {
        matches!(self.mode, Mode::Stopping(Why::Lost(lost)) | Mode::Asking(Why::Lost(lost)) if lost == key)
    }

    fn is_chain(&self) -> bool {
        self.strategy == Strategy::RestForOne
    }

    fn next_epoch(&mut self, key: Key) -> Epoch {
        self.epoch = self.epoch.wrapping_add(1);
        let epoch = self.epoch;
        if let Some(slot) = self.slots.get_mut(key) {
            slot.epoch = epoch;
        }
        epoch
    }

    fn failed(&mut self, key: Key, delay: Duration, now: Duration) {
        let Some(slot) = self.slots.get(key) else { return };
        if !slot.is_up() && slot.phase != Phase::Holding {
            return;
        }
        let counts = match &self.mode {
            Mode::Up => true,
            // A stopping child is already part of the restart; an earlier child is not.
            Mode::Restarting(restart) => key < restart.first,
            Mode::Asking(_) | Mode::Stopping(_) | Mode::Over => false,
        };
        if !counts || self.retired {
            return self.set(key, Phase::Down);
        }
        if self.window.as_mut().is_some_and(|window| window.hit(now)) {
            self.set(key, Phase::Down);
            return self.stop_because(Why::Limit(key));
        }
        if self.strategy == Strategy::OneForOne {
            // Its phase stays, so that the children after it stay released.
            let epoch = self.next_epoch(key);
            return self.actions.push(Action::Resume(key, epoch));
        }
        self.set(key, Phase::Down);
        let first = if self.is_chain() { key } else { 0 };
        self.restart(first, (key, delay));
    }

    /// Stops the children from `first` on, to start them again.
    fn restart(&mut self, first: Key, cause: (Key, Duration)) {
        let before = std::mem::replace(&mut self.mode, Mode::Up);
        let mut restart = if let Mode::Restarting(restart) = before {
            restart
        } else {
            self.actions.push(Action::Begin);
            Restart { first: Key::MAX, causes: Vec::new(), running: 0, since: None, until: None }
        };
        let end = std::mem::replace(&mut restart.first, first);
        restart.causes.push(cause);
        (restart.since, restart.until) = (None, None);
        self.survey(first, end);
        for (key, slot) in self.slots.from(first).take_while(|(key, _)| *key < end) {
            self.steps.add(1);
            restart.running += usize::from(slot.runs());
            if slot.is_up() && slot.dependents == 0 {
                self.stoppable.push(key);
            }
        }
        self.mode = Mode::Restarting(restart);
    }

    /// Counts the layers of a stop of the children from `first` up to `end`. From `end` on they are counted already.
    fn survey(&mut self, first: Key, end: Key) {
        if end == Key::MAX {
            self.base = 0;
        } else {
            // A partial stop is only possible in a chain, and grows towards earlier children.
            let grown = self.slots.from(first).take_while(|(key, _)| *key < end);
            self.base -= grown.map(|(_, slot)| slot.layers()).sum::<i64>();
        }
        let mut altitude = self.base;
        if self.is_chain() {
            for (_, slot) in self.slots.mut_from(first).take_while(|(key, _)| *key < end) {
                slot.altitude = altitude;
                altitude += slot.layers();
            }
            return;
        }
        // In the order of declaration, so that the children that a child is after come first. The order passes through
        // children that do not run.
        for index in 0..self.slots.declared.len() {
            let declared = &self.slots.declared;
            let below = self.order.earlier(index).iter().map(|earlier| &declared[*earlier as usize]);
            self.slots.declared[index].altitude =
                below.map(|earlier| earlier.altitude + earlier.layers()).max().unwrap_or(altitude);
        }
        self.slots.added.values_mut().for_each(|slot| slot.altitude = altitude);
    }

    pub(super) fn ended(&mut self, key: Key, end: End) {
        let Some(slot) = self.slots.get(key) else { return };
        if slot.phase == Phase::Ended {
            return;
        }
        let requested = matches!(slot.phase, Phase::Holding | Phase::Stopping | Phase::Dissolving);
        let failed = end == End::Failed || (end == End::Aborted && !requested);
        // An added child is after all earlier children but depends on none: only declared children count as waiting.
        let needed = slot.child.critical || (slot.phase != Phase::Ready && slot.waiting > 0);
        let significant = slot.child.significant && end == End::Completed;
        self.set(key, Phase::Ended);
        if self.slots.declared(key).is_none() {
            // The order passes through it now, so that nothing changes for the others.
            self.slots.added.remove(&key);
        }
        if let Mode::Restarting(restart) = &mut self.mode {
            if let Ok(cause) = restart.causes.binary_search_by(|(cause, _)| key.cmp(cause)) {
                restart.causes.remove(cause);
            }
        }
        if failed && needed {
            self.stop_because(Why::Lost(key));
        } else if significant {
            self.stop_because(Why::Significant);
        }
    }

    fn skip(&mut self) {
        if let Mode::Restarting(restart) = &mut self.mode {
            restart.causes.clear();
        }
    }

    fn give_up(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if slot.given_up || !matches!(slot.phase, Phase::Holding | Phase::Stopping) {
            return;
        }
        let held = slot.holds();
        slot.given_up = true;
        let holds = slot.holds();
        self.given_up += 1;
        if held != holds {
            self.holds_changed(key, holds);
        }
    }

    /// Sets the reason of the stop. The first reason stands, but a failure has the highest rank.
    fn stop_because(&mut self, why: Why) {
        let (before, stops) = match self.mode {
            Mode::Asking(before) => (Some(before), false),
            Mode::Stopping(before) => (Some(before), true),
            Mode::Over => return,
            Mode::Up | Mode::Restarting(_) => (None, false),
        };
        let reason = match before {
            Some(before) if before.is_failure() || !why.is_failure() => before,
            _ => why,
        };
        if self.is_root && !stops && why != Why::Requested {
            if before != Some(reason) {
                self.actions.push(Action::Ask(reason));
            }
            self.mode = Mode::Asking(reason);
            return;
        }
        self.mode = Mode::Stopping(reason);
        if !stops {
            self.begin_stop();
        }
    }

    fn begin_stop(&mut self) {
        self.actions.push(Action::Begin);
        self.survey(0, Key::MAX);
        for (key, slot) in self.slots.from(0).rev() {
            self.steps.add(1);
            if slot.dependents == 0 {
                self.stoppable.push(key);
            } else if slot.is_up() && !self.retired {
                self.actions.push(Action::Retire(key));
            }
        }
        self.retired = true;
    }

    fn is_over(&mut self, why: Why) {
        self.mode = Mode::Over;
        self.actions.push(Action::Over(why));
    }

    /// Starts the children before `end` that can start.
    fn start_due(&mut self, end: Key) {
        let mut due = std::mem::take(&mut self.startable);
        due.sort_unstable();
        for key in due.drain(..) {
            let Some(slot) = self.slots.get(key) else { continue };
            if slot.phase == Phase::Down && slot.unmet == 0 && key < end && !self.retired {
                self.set(key, Phase::Starting);
                let epoch = self.next_epoch(key);
                self.actions.push(Action::Start(key, epoch));
            }
        }
        // A start enables no other start, so the allocation is reused.
        self.startable = due;
    }

    /// Stops the children for which no later child has to stop first.
    fn stop_due(&mut self) {
        let mut due = std::mem::take(&mut self.stoppable);
        due.sort_unstable_by(|a, b| b.cmp(a));
        for key in due.drain(..) {
            let Some(slot) = self.slots.get(key) else { continue };
            if slot.dependents > 0 {
                continue;
            }
            let below = u32::try_from(slot.altitude - self.base).unwrap_or(0);
            match (&self.mode, slot.phase) {
                (Mode::Restarting(restart), Phase::Starting | Phase::Ready) if key >= restart.first => {
                    self.set(key, Phase::Holding);
                    let epoch = self.next_epoch(key);
                    self.actions.push(Action::Hold(key, epoch, below));
                }
                (Mode::Stopping(_), Phase::Starting | Phase::Ready | Phase::Holding | Phase::Down) => {
                    let phase = if slot.phase == Phase::Down { Phase::Dissolving } else { Phase::Stopping };
                    self.set(key, phase);
                    let epoch = self.next_epoch(key);
                    self.actions.push(Action::Stop(key, epoch, below));
                }
                _ => {}
            }
        }
        self.stoppable = due;
    }

    /// Waits for the backoff of the failed children, when all stopping children have stopped.
    fn wait_if_stopped(&mut self, now: Duration) {
        let Mode::Restarting(restart) = &mut self.mode else { return };
        if restart.running > 0 {
            return;
        }
        let due = restart.since.get_or_insert(now).saturating_add(restart.delay());
        if due <= now {
            self.start_again();
            self.proceed_up();
        } else if restart.until.replace(due) != Some(due) {
            self.actions.push(Action::Wait(due.saturating_sub(now)));
        }
    }

    fn start_again(&mut self) {
        if let Mode::Restarting(restart) = std::mem::replace(&mut self.mode, Mode::Up) {
            self.count_unmet(restart.first);
            let down = self.slots.from(restart.first).filter(|(_, slot)| slot.phase == Phase::Down);
            self.startable.extend(down.map(|(key, _)| key));
        }
    }

    /// Returns the child from which on nothing starts. The counters of these children are not updated, because each
    /// would change with every sibling that stops.
    fn unknown_from(&self) -> Key {
        match &self.mode {
            Mode::Restarting(restart) => restart.first,
            Mode::Stopping(_) | Mode::Over => 0,
            Mode::Up | Mode::Asking(_) => Key::MAX,
        }
    }

    /// Recounts the children that block the starts from `first` on, which were not counted during the stop.
    fn count_unmet(&mut self, first: Key) {
        let start = self.slots.declared(first).unwrap_or(self.slots.declared.len());
        for index in start..self.slots.declared.len() {
            let earlier = self.order.earlier(index);
            self.steps.add(1 + earlier.len());
            let closed = earlier.iter().filter(|earlier| !self.slots.declared[**earlier as usize].passes());
            self.slots.declared[index].unmet = u32::try_from(closed.count()).unwrap_or(u32::MAX);
        }
        if !self.is_chain() {
            return;
        }
        let added = self.slots.added.range(first..).next().map(|(key, _)| *key);
        let before = added.and_then(|key| self.slots.before_added(key)).and_then(|before| self.slots.get(before));
        let mut closed = before.is_some_and(|before| !before.passes());
        for slot in self.slots.added.range_mut(first..).map(|(_, slot)| slot) {
            slot.unmet = u32::from(closed);
            closed = !slot.passes();
        }
    }

    /// Notes that a started child waits for its next start.
    fn set_delayed(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        self.awaited -= usize::from(slot.is_awaited());
        slot.delayed = true;
    }

    /// Moves a child to another phase, and updates its neighbors in the order.
    fn set(&mut self, key: Key, phase: Phase) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let before = (slot.passes(), slot.holds(), slot.waits(), slot.runs(), slot.is_unready(), slot.is_awaited());
        let ends = phase == Phase::Ended && slot.phase != Phase::Ended;
        slot.phase = phase;
        slot.delayed = false;
        if slot.given_up && !matches!(phase, Phase::Holding | Phase::Stopping) {
            slot.given_up = false;
            self.given_up -= 1;
        }
        let after = (slot.passes(), slot.holds(), slot.waits(), slot.runs(), slot.is_unready(), slot.is_awaited());
        let (unmet, dependents) = (slot.unmet, slot.dependents);
        self.left -= usize::from(ends);
        self.unready = self.unready + usize::from(after.4) - usize::from(before.4);
        self.awaited = self.awaited + usize::from(after.5) - usize::from(before.5);
        if let Mode::Restarting(restart) = &mut self.mode {
            if key >= restart.first {
                restart.running = restart.running + usize::from(after.3) - usize::from(before.3);
            }
        }
        if phase == Phase::Down {
            if unmet == 0 {
                self.startable.push(key);
            }
            if dependents == 0 {
                self.stoppable.push(key);
            }
        }
        if before.0 != after.0 && key < self.unknown_from() {
            self.passes_changed(key, after.0);
        }
        if before.1 != after.1 {
            self.holds_changed(key, after.1);
        }
        if before.2 && !after.2 {
            self.waits_no_more(key);
        }
    }

    /// Updates whether a child blocks the starts of the children after it.
    fn passes_changed(&mut self, key: Key, passes: bool) {
        let unknown_from = self.unknown_from();
        let mut changed = vec![key];
        while let Some(key) = changed.pop() {
            let index = self.slots.declared(key);
            let declared = index.map_or(&[][..], |index| self.order.later(index));
            let is_last = index.is_none_or(|index| index + 1 == self.slots.declared.len());
            let added = if self.is_chain() && is_last { self.slots.next_added(key) } else { None };
            let later = declared.iter().map(|later| Key::from(*later)).chain(added);
            for later in later.take_while(|later| *later < unknown_from) {
                self.steps.add(1);
                let Some(slot) = self.slots.get_mut(later) else { continue };
                let before = slot.passes();
                slot.unmet = if passes { slot.unmet - 1 } else { slot.unmet + 1 };
                if slot.unmet == 0 && slot.phase == Phase::Down {
                    self.startable.push(later);
                }
                if before != slot.passes() {
                    changed.push(later);
                }
            }
        }
    }

    /// Updates whether a child blocks the stops of the children that it is after.
    fn holds_changed(&mut self, key: Key, holds: bool) {
        let mut changed = vec![key];
        while let Some(key) = changed.pop() {
            let index = self.slots.declared(key);
            let declared = index.map_or(&[][..], |index| self.order.earlier(index));
            let added = if self.is_chain() && index.is_none() { self.slots.before_added(key) } else { None };
            for earlier in declared.iter().map(|earlier| Key::from(*earlier)).chain(added) {
                self.steps.add(1);
                let Some(slot) = self.slots.get_mut(earlier) else { continue };
                let before = slot.holds();
                slot.dependents = if holds { slot.dependents + 1 } else { slot.dependents - 1 };
                if slot.dependents == 0 {
                    self.stoppable.push(earlier);
                }
                if before != slot.holds() {
                    changed.push(earlier);
                }
            }
        }
    }

    /// Notes that neither a declared child nor the children after it wait for earlier children any more.
    fn waits_no_more(&mut self, key: Key) {
        let mut changed = vec![key];
        while let Some(key) = changed.pop() {
            let Some(index) = self.slots.declared(key) else { continue };
            for earlier in self.order.earlier(index) {
                self.steps.add(1);
                let slot = &mut self.slots.declared[*earlier as usize];
                slot.waiting -= 1;
                if !slot.waits() {
                    changed.push(Key::from(*earlier));
                }
            }
        }
    }
}

/// Counts the steps of a plan, for tests.
#[derive(Debug, Default)]
struct Steps {
    #[cfg(test)]
    count: u64,
}

impl Steps {
    #[cfg_attr(not(test), expect(unused_variables, clippy::unused_self, reason = "only tests count"))]
    fn add(&mut self, steps: usize) {
        #[cfg(test)]
        {
            self.count += steps as u64;
        }
    }
}

fn count(places: &[u32]) -> u32 {
    u32::try_from(places.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "plan_test.rs"]
mod tests;
