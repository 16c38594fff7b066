//! The builder of a supervisor.

use std::sync::Arc;

use super::config::SupervisorConfig;
use super::error::RuntimeError;
use super::handle::SupervisorHandle;
use super::owner::Supervisor;
use crate::events::Subscribe;
#[cfg(feature = "fleet")]
use crate::fleet::Fleet;
use crate::panics::Fenced;
use crate::runtime::{Core, Parts};
#[cfg(feature = "controller")]
use crate::slots::{ControllerConfig, SlotSpec};

/// Builds a [`Supervisor`].
#[must_use = "nothing is built yet"]
pub struct SupervisorBuilder {
    parts: Parts,
}

impl SupervisorBuilder {
    #[inline]
    pub(super) fn new(config: SupervisorConfig) -> Self {
        Self { parts: Parts::new(config) }
    }

    /// Adds subscribers.
    pub fn with_subscribers(mut self, subscribers: Vec<Arc<dyn Subscribe>>) -> Self {
        self.parts.subscribers.extend(subscribers.into_iter().map(Fenced::new));
        self
    }

    /// Declares a limit of that name: at most `max_concurrent` of the attempts that need it run at once. Must be at
    /// least 1. See [`TreeBuilder::with_named_limit`](crate::TreeBuilder::with_named_limit).
    pub fn with_named_limit(mut self, name: impl Into<Arc<str>>, max_concurrent: usize) -> Self {
        self.parts.limits.push(name.into(), max_concurrent);
        self
    }

    /// Sets the fleet in which the singletons of the supervisor run. See
    /// [`TreeBuilder::with_fleet`](crate::TreeBuilder::with_fleet).
    #[cfg(feature = "fleet")]
    pub fn with_fleet(mut self, fleet: Fleet) -> Self {
        self.parts.fleet = Some(fleet);
        self
    }

    /// Sets the limits of waiting submissions. Default: [`ControllerConfig::default`].
    #[cfg(feature = "controller")]
    pub fn with_controller(mut self, config: ControllerConfig) -> Self {
        self.parts.controller.config = config;
        self
    }

    /// Declares a slot. With a declared slot, [`run`](Supervisor::run) waits for a shutdown, because more tasks can be
    /// submitted.
    #[cfg(feature = "controller")]
    pub fn with_slot(mut self, slot: SlotSpec) -> Self {
        self.parts.controller.slots.push(slot);
        self
    }

    pub(crate) fn parts_mut(&mut self) -> &mut Parts {
        &mut self.parts
    }

    /// Builds the supervisor. The first call that uses an invalid config returns the error.
    #[must_use]
    pub fn build(self) -> Arc<Supervisor> {
        Arc::new(Supervisor { handle: SupervisorHandle::new(Core::shared(self.parts)) })
    }

    /// Builds the supervisor and checks its config.
    ///
    /// # Errors
    /// [`InvalidOption`](RuntimeError::InvalidOption).
    pub fn try_build(self) -> Result<Arc<Supervisor>, RuntimeError> {
        let supervisor = self.build();
        supervisor.core.check()?;
        Ok(supervisor)
    }
}

impl_debug!(SupervisorBuilder, |builder| config: builder.parts.config());
