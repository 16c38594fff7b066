//! The configuration of the controller.

use super::SlotSpec;
use crate::supervisor::{InvalidOption, UNDECLARED_LIMIT};

/// The limits of waiting submissions. The guide explains [slots](crate::guide::slots) and how to
/// [choose limits](crate::guide::limits).
///
/// # Examples
/// ```
/// use taskvisor::{ControllerConfig, Supervisor, SupervisorConfig};
///
/// let controller = ControllerConfig { slot_capacity: 10, ..ControllerConfig::default() };
/// let supervisor = Supervisor::builder(SupervisorConfig::default()).with_controller(controller).build();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerConfig {
    /// The number of submissions that may wait in the queues of all slots together. Beyond that, [`submit`] waits for
    /// room. A submission that replaces a task, and a submission to an idle slot, need no room; [`max_concurrent`]
    /// limits how many run at a time. Default: 1024.
    ///
    /// [`submit`]: crate::SupervisorHandle::submit
    /// [`max_concurrent`]: crate::SupervisorConfig::max_concurrent
    pub queue_capacity: usize,
    /// The number of submissions that may wait in the queue of a slot that sets none. Further submissions are rejected
    /// as full. Default: 100.
    pub slot_capacity: usize,
}

impl Default for ControllerConfig {
    fn default() -> Self {
        Self { queue_capacity: 1024, slot_capacity: 100 }
    }
}

impl ControllerConfig {
    pub(crate) fn check(&self) -> Result<(), InvalidOption> {
        let Self { queue_capacity, slot_capacity } = *self;
        for (option, capacity) in [("queue_capacity", queue_capacity), ("slot_capacity", slot_capacity)] {
            if capacity == 0 {
                return Err(InvalidOption::new("controller", option, "0", "at least 1"));
            }
        }
        Ok(())
    }
}

/// The setup of a controller.
#[derive(Debug, Default, Clone)]
pub(crate) struct ControllerSetup {
    pub(crate) config: ControllerConfig,
    pub(crate) slots: Vec<SlotSpec>,
}

impl ControllerSetup {
    /// Checks the setup; `is_limit` returns `true` for the name of a declared limit.
    pub(crate) fn check(&self, is_limit: impl Fn(&str) -> bool) -> Result<(), InvalidOption> {
        self.config.check()?;
        for (position, slot) in self.slots.iter().enumerate() {
            check_slot_name(slot.name())?;
            slot.check()?;
            if let Some(limit) = slot.named_limit().filter(|name| !is_limit(name)) {
                let (subject, value) = (format!("slot `{}`", slot.name()), format!("`{limit}`"));
                return Err(InvalidOption::new(subject, "limit", value, UNDECLARED_LIMIT));
            }
            if self.slots[..position].iter().any(|earlier| earlier.name() == slot.name()) {
                let (value, expected) = ("declared twice", "one slot of each name");
                return Err(InvalidOption::new(format!("slot `{}`", slot.name()), "name", value, expected));
            }
        }
        Ok(())
    }
}

/// Any name is valid except an empty one, also a name that looks like a path.
#[inline]
pub(crate) fn check_slot_name(name: &str) -> Result<(), InvalidOption> {
    if name.is_empty() {
        return Err(InvalidOption::new("a slot", "name", "\"\"", "a name that is not empty"));
    }
    Ok(())
}
