//! Builds the health of a tree from its cells.

use std::sync::Arc;
use std::time::SystemTime;

use super::by_id::sort_by_id;
use super::core::Core;
use super::failures::{Failure, is_within};
use super::observe;
use super::registry::Admission;
use super::task::{Cell, Machine};
#[cfg(feature = "fleet")]
use crate::fleet::FleetSnapshot;
use crate::inspect::{Health, Phase, Problem, TaskState, Unhealthy, into_line, now};
use crate::panics::drop_each;
use crate::policy::Ready;
use crate::sorting::sort_by_text;

impl Core {
    /// Returns the leases of the fleet. `None` without one.
    #[cfg(feature = "fleet")]
    pub(crate) fn fleet_snapshot(&self) -> Option<FleetSnapshot> {
        self.fleet.as_ref().map(|engine| engine.snapshot())
    }

    /// Returns the phase of the supervisor.
    pub(crate) fn phase(&self) -> Phase {
        let admission = self.registry().admission;
        self.phase_in(admission)
    }

    fn phase_in(&self, admission: Admission) -> Phase {
        match admission {
            Admission::Open if !self.readiness_is_claimed() => Phase::NotStarted,
            Admission::Open => Phase::Open,
            Admission::Closing | Admission::Stopping => Phase::ShuttingDown,
            Admission::Closed => Phase::Stopped,
        }
    }

    /// Returns the paths of the groups that make their children, in order.
    pub(super) fn making(&self) -> Vec<Arc<str>> {
        let groups: Vec<_> = self.registry().groups.values().cloned().collect();
        let mut making: Vec<Arc<str>> = Vec::new();
        for group in groups.iter().filter(|group| group.is_making()) {
            // There are few such groups, because each blocks a thread. A sort would add 9 KiB of code to each program.
            let at = making.partition_point(|earlier| earlier < group.path());
            making.insert(at, Arc::clone(group.path()));
        }
        drop_each(groups);
        making
    }

    /// Returns the unhealthy tasks and groups, of the whole tree or of one group.
    pub(crate) fn health(&self, within: &str) -> Health {
        let mut health = Health::default();
        let registry = self.registry();
        let (admission, mut cells) = (registry.admission, registry.cells());
        let is_over = admission == Admission::Closed;
        let is_listed = |path: &str| !is_over && registry.check_free(path).is_ok();
        let (failures, more) = self.failures.list(within, is_listed);
        let mut groups: Vec<_> = registry.groups.values().cloned().collect();
        drop(registry);
        let waiting_for_permits = self.limits.waiting(groups.iter());
        groups.retain(|group| is_within(group.path(), within));
        sort_by_text(&mut groups, |group| group.path());
        cells.retain(|cell| is_within(cell.name(), within));
        sort_by_id(&mut cells);
        let waiting: Vec<_> = groups.iter().filter_map(|group| Some((group, group.waits_for_run()?))).collect();
        health.tasks = cells.len() + failures.len() + waiting.len();
        health.more = more.counted;
        health.more_not_counted = more.not_counted;
        for (path, Failure { error, since, counts, .. }) in failures {
            let (path, since) = (path.to_string(), self.clock.time(since));
            let error = Some(into_line(error.into_inner()));
            health.add(counts, Unhealthy { path, problem: Problem::Failed, since, awaits: Vec::new(), error });
        }
        for (group, (problem, since)) in waiting {
            let (path, error) = (group.path().to_string(), group.failed_with());
            let since = self.clock.time(since);
            let is_pending = problem == Problem::NotReady(TaskState::Pending);
            let awaits = if is_pending { group.awaits() } else { Vec::new() };
            health.add(group.counts_for_readiness(), Unhealthy { path, problem, since, awaits, error });
        }
        drop_each(groups);
        let awaited = |cell: &Cell| {
            let awaited = waiting_for_permits.get(&cell.id())?;
            Some((awaited.problem()?, awaited.holders().map(ToString::to_string).collect::<Vec<_>>()))
        };
        for cell in cells {
            let since = || self.clock.time(cell.since());
            let unhealthy = |problem| {
                let (path, awaits) = (cell.name().to_string(), Vec::new());
                Unhealthy { path, problem, since: since(), awaits, error: None }
            };
            if let Some(problem) = cell.overdue() {
                health.not_live.push(unhealthy(problem));
            }
            if let Some((problem, awaits)) = awaited(&cell) {
                health.add(cell.counts_for_readiness(), Unhealthy { awaits, ..unhealthy(problem) });
            } else if !cell.is_well() {
                let state = cell.state();
                let awaits = if state == TaskState::Pending { cell.awaits() } else { Vec::new() };
                health.add(cell.counts_for_readiness(), Unhealthy { awaits, ..unhealthy(Problem::NotReady(state)) });
            } else if let Some(problem @ Problem::Quiet { silence, .. }) = cell.quiet() {
                let since = now().checked_sub(silence).unwrap_or(SystemTime::UNIX_EPOCH);
                health.add(cell.counts_for_readiness(), Unhealthy { since, ..unhealthy(problem) });
            }
        }
        health.phase = self.phase_in(admission);
        health.failure = self.stop.failure().map(str::to_owned);
        if within.is_empty() {
            observe::checked(&health);
        }
        health
    }
}

impl Cell {
    /// Returns `true` if the current attempt is ready, or the task waits for its next start.
    fn is_well(&self) -> bool {
        let machine = *self.lock().machine();
        self.is_well_as(&machine)
    }

    /// Like `is_well`, for a given state of the machine.
    pub(super) fn is_well_as(&self, machine: &Machine) -> bool {
        match machine.state() {
            // In its backoff, only a task with `Ready::FirstSuccess` can be ready.
            TaskState::Running | TaskState::Pending | TaskState::Backoff => machine.ready,
            // A pause does not change the readiness by the first success. Any other task would be ready by running.
            TaskState::Paused => machine.ready && self.policy().ready == Ready::FirstSuccess,
            TaskState::Ended => true,
            #[cfg(feature = "fleet")]
            TaskState::Standby => self.seat().is_none_or(|seat| seat.stands_by_ready()),
            _ => machine.waits_for_its_time(),
        }
    }
}
