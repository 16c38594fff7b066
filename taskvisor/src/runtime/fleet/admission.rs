//! The registration of singletons.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::super::core::{Admitted, Core};
use super::super::group::{GroupCell, GroupRef};
use super::super::task::{Cell, Membership, Origin, Tie};
use super::seat::Seat;
use crate::fleet::{LeaseKey, Singleton};
use crate::supervisor::InvalidOption;
use crate::tree::Declared;

/// Checks that a singleton is not inside another one.
pub(in crate::runtime) fn check_alone(subject: &str, around: Option<&Arc<str>>) -> Result<(), InvalidOption> {
    let Some(around) = around else { return Ok(()) };
    let expected = format!("no singleton in the singleton `{around}`: the group has one lease for all");
    Err(InvalidOption::new(subject.to_owned(), "singleton", "set", expected))
}

/// Checks a task that is added to a group, as one that is declared in it.
pub(in crate::runtime) fn check_added(group: &GroupRef, task: &Admitted) -> Result<(), InvalidOption> {
    if task.policy.singleton.is_none() {
        return Ok(());
    }
    check_alone(&format!("task `{}`", task.name), singleton_around(group).as_ref())
}

/// Returns the path of the group if it is a singleton, or of the singleton around it.
pub(in crate::runtime) fn singleton_around(group: &GroupRef) -> Option<Arc<str>> {
    let is_one = |group: &&GroupCell| matches!(group.declared.overrides.singleton, Some(Some(_)));
    group.with_parents().find(is_one).map(|group| Arc::clone(group.path()))
}

impl Core {
    /// Checks a group that is declared in a group.
    pub(in crate::runtime) fn check_singleton_group(
        &self,
        around: Option<&Arc<str>>,
        group: &Declared,
    ) -> Result<(), InvalidOption> {
        let Some(Some(singleton)) = &group.overrides.singleton else { return Ok(()) };
        self.check_singleton(&format_args!("group `{}`", group.name), Some(singleton), None)?;
        check_alone(&format!("group `{}`", group.name), around)
    }

    /// Checks a singleton: there is a fleet, its key is valid, and its stop timeout is short enough.
    pub(in crate::runtime) fn check_singleton(
        &self,
        subject: &fmt::Arguments<'_>,
        singleton: Option<&Singleton>,
        stop_timeout: Option<Duration>,
    ) -> Result<(), InvalidOption> {
        let Some(singleton) = singleton else { return Ok(()) };
        let subject = || subject.to_string();
        let Some(engine) = &self.fleet else {
            let expected =
                "a supervisor with a fleet: `fleet = Fleet::new(store)`, or `Fleet::local()` for one process";
            return Err(InvalidOption::new(subject(), "singleton", "set", expected));
        };
        if let Some(Err(error)) = singleton.key.as_ref().map(|key| LeaseKey::new(Arc::clone(key))) {
            let expected = "1 to 512 bytes without control characters";
            return Err(InvalidOption::new(subject(), "singleton", format!("{:?}", error.key), expected));
        }
        if let Some(timeout) = stop_timeout.filter(|timeout| *timeout > engine.clean_up()) {
            let most = engine.clean_up();
            let expected = format!("at most {most:?} for a singleton: a fifth of the time to live of the fleet");
            return Err(InvalidOption::new(subject(), "stop_timeout", format!("{timeout:?}"), expected));
        }
        Ok(())
    }

    /// Makes a submission to a slot of the fleet a singleton, with the key of the slot.
    #[cfg(feature = "controller")]
    #[cold]
    pub(in crate::runtime) fn lease_slot(
        &self,
        admitted: &mut Admitted,
        slot: &str,
        admission: crate::AdmissionPolicy,
    ) -> Result<(), InvalidOption> {
        if admission == crate::AdmissionPolicy::Replace {
            let subject = format!("slot `{slot}`");
            return Err(InvalidOption::new(subject, "admission", "`Replace`", crate::slots::NO_REPLACE));
        }
        if admitted.policy.singleton.is_some() {
            let expected =
                format!("no singleton in the slot `{slot}` of the fleet: its jobs have the lease of the slot");
            return Err(InvalidOption::new(format!("task `{}`", admitted.name), "singleton", "set", expected));
        }
        // No path begins with a slash, so the key is never that of a path.
        let key = LeaseKey::of_path(&format!("/slot/{slot}"));
        let singleton = Singleton { key: Some(key.as_str().into()), ..Singleton::default() };
        let stop_timeout = admitted.policy.stop_timeout;
        self.check_singleton(&format_args!("task `{}`", admitted.name), Some(&singleton), stop_timeout)?;
        Arc::make_mut(&mut admitted.policy).singleton = Some(Arc::new(singleton));
        Ok(())
    }

    /// Creates the cell of a singleton, with its seat.
    #[cold]
    pub(in crate::runtime) fn leased_cell(
        self: &Arc<Self>,
        admitted: Admitted,
        origin: Origin,
        tie: Option<Arc<Tie>>,
    ) -> Arc<Cell> {
        let tie = self.lease(&admitted, tie);
        let cell = Arc::new(Cell::new(admitted, Arc::clone(self), origin, tie));
        cell.takes_seat();
        cell
    }

    /// Creates the seat of a singleton at a path.
    pub(in crate::runtime) fn seat_of(
        &self,
        singleton: Option<&Option<Arc<Singleton>>>,
        path: &str,
    ) -> Option<Arc<Seat>> {
        let (singleton, engine) = (singleton?.as_deref()?, self.fleet.as_ref()?);
        let key = singleton.key.clone().and_then(|key| LeaseKey::new(key).ok());
        Some(Seat::new(engine, singleton, key.unwrap_or_else(|| LeaseKey::of_path(path))))
    }

    /// Returns the tie of a singleton, with its seat.
    #[cold]
    fn lease(&self, admitted: &Admitted, tie: Option<Arc<Tie>>) -> Option<Arc<Tie>> {
        let seat = self.seat_of(Some(&admitted.policy.singleton), &admitted.name);
        match (seat, tie.map(Arc::try_unwrap)) {
            (None, tie) => tie.map(|tie| tie.map_or_else(|shared| shared, Arc::new)),
            (Some(seat), tie) => Some(Arc::new(match tie {
                None => Tie::Leased(seat, None),
                Some(Ok(Tie::Group(member))) => Tie::Group(Membership { seat: Some(seat), ..member }),
                Some(Ok(Tie::Slot(slot))) => Tie::Leased(seat, Some(slot)),
                Some(Ok(Tie::Leased(_, slot))) => Tie::Leased(seat, slot),
                // Only ties to slots are shared.
                Some(Err(shared)) => Tie::Leased(
                    seat,
                    match &*shared {
                        Tie::Slot(slot) | Tie::Leased(_, Some(slot)) => Some(Arc::clone(slot)),
                        Tie::Leased(_, None) | Tie::Group(_) => None,
                    },
                ),
            })),
        }
    }
}
