//! What a forced shutdown leaves.

use std::collections::BTreeSet;

use crate::fact::Fact;

/// What a forced shutdown did not wait for: it may end later, or when nobody listens any more.
#[derive(Default)]
pub(crate) struct Left {
    pub(crate) tasks: BTreeSet<String>,
    pub(crate) slots: BTreeSet<String>,
    pub(crate) groups: BTreeSet<String>,
}

impl Left {
    /// Returns `true` if the event is about what is left.
    pub(crate) fn has(&self, fact: &Fact) -> bool {
        fact.id.is_some()
            || fact.slot.as_ref().is_some_and(|slot| self.slots.contains(slot))
            || self.groups.contains(&fact.path)
    }
}
