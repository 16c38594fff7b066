//! The parts of a supervisor that is not built yet.

use std::mem;
use std::sync::Arc;

use super::super::limits::DeclaredLimits;
use crate::events::{Introduced, Subscribe};
#[cfg(feature = "fleet")]
use crate::fleet::Fleet;
use crate::panics::Fenced;
use crate::settings::{InvalidOverride, OfSupervisor};
#[cfg(feature = "controller")]
use crate::slots::ControllerSetup;
use crate::supervisor::{InvalidOption, RuntimeError, SupervisorConfig};

/// The parts that a supervisor is built from.
#[derive(Default)]
pub(crate) struct Parts {
    pub(super) config: SupervisorConfig,
    pub(crate) subscribers: Vec<Fenced<Arc<dyn Subscribe>>>,
    /// The limit of the config, and the named limits.
    pub(crate) limits: DeclaredLimits,
    #[cfg(feature = "controller")]
    pub(crate) controller: ControllerSetup,
    #[cfg(feature = "fleet")]
    pub(crate) fleet: Option<Fleet>,
    /// The overrides that were refused.
    pub(crate) invalid: Vec<InvalidOverride>,
}

impl Parts {
    #[inline]
    pub(crate) fn new(config: SupervisorConfig) -> Self {
        let mut limits = DeclaredLimits::default();
        limits.set_all(config.max_concurrent);
        Self { config, limits, ..Self::default() }
    }

    pub(crate) fn config(&self) -> &SupervisorConfig {
        &self.config
    }

    /// Replaces the config, which may have another limit.
    pub(crate) fn set_config(&mut self, config: SupervisorConfig) {
        self.limits.set_all(config.max_concurrent);
        self.config = config;
    }

    pub(super) fn check(&mut self, subscribers: &[Introduced]) -> Result<(), RuntimeError> {
        if !self.invalid.is_empty() {
            return Err(RuntimeError::InvalidOverrides(mem::take(&mut self.invalid)));
        }
        self.config.check()?;
        self.limits.check()?;
        #[cfg(feature = "fleet")]
        self.fleet.as_ref().map_or(Ok(()), Fleet::check)?;
        #[cfg(feature = "controller")]
        self.controller.check(|limit| self.limits.named().iter().any(|(name, _)| **name == *limit))?;
        #[cfg(all(feature = "controller", feature = "fleet"))]
        if let (None, Some(slot)) = (&self.fleet, self.controller.slots.iter().find(|slot| slot.is_fleet())) {
            let expected =
                "a supervisor with a fleet: `fleet = Fleet::new(store)`, or `Fleet::local()` for one process";
            return Err(InvalidOption::new(format!("slot `{}`", slot.name()), "fleet", "set", expected).into());
        }
        let Some(one) = subscribers.iter().find(|one| one.capacity.is_none_or(|capacity| capacity == 0)) else {
            return Ok(());
        };
        let (option, value, expected) = match one.capacity {
            Some(_) => ("queue_capacity", "0", "at least 1"),
            None => ("name`, `wants` or `queue_capacity", "a panic", "a value"),
        };
        Err(InvalidOption::new(format!("subscriber `{}`", one.name), option, value, expected).into())
    }

    /// Returns the parts that have settings.
    pub(crate) fn of_settings(&self) -> OfSupervisor {
        OfSupervisor {
            config: self.config.clone(),
            limits: self.limits.named().to_vec(),
            #[cfg(feature = "controller")]
            controller: self.controller.config.clone(),
            #[cfg(feature = "controller")]
            slots: self.controller.slots.clone(),
        }
    }
}
