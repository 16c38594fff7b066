//! The `Debug` output of a declared group.

use std::fmt;

use super::Declared;

/// The number of levels that `Debug` shows.
const SHOWN: u32 = 16;

impl fmt::Debug for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown { group: self, levels: SHOWN }.fmt(f)
    }
}

/// A group with a limited number of levels below it, for `Debug`.
struct Shown<'a> {
    group: &'a Declared,
    levels: u32,
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.group;
        let mut shown = f.debug_struct("Group");
        shown.field("name", &group.name);
        let Some(levels) = self.levels.checked_sub(1) else { return shown.finish_non_exhaustive() };
        let children = group.children.iter().enumerate().map(|(place, child)| -> Box<dyn fmt::Debug> {
            match (&child.group, group.task(place)) {
                (Some(group), _) => Box::new(Shown { group, levels }),
                (None, Some(task)) => Box::new(task),
                (None, None) => Box::new(&child.name),
            }
        });
        shown
            .field("strategy", &group.strategy())
            .field("limit", &group.limit())
            .field("dynamic", &group.dynamic)
            .field("max_starting", &group.max_starting())
            .field("max_concurrent", &group.max_concurrent)
            .field("fresh", &group.is_fresh)
            .field("after", &group.after)
            .field("set", &group.overrides)
            .field("children", &children.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
