//! The rules of groups.

use std::collections::{BTreeMap, BTreeSet};

use taskvisor::EventKind;

use crate::checker::{Check, holds};
use crate::fact::Fact;
use crate::rules::is_within;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not registered.
    Ended,
    Up,
    /// It has failed, and starts again.
    Failed,
    /// It has failed for good.
    Lost,
}

/// Each group by its path, with its state and the number of its restarts.
pub(crate) struct Groups(BTreeMap<String, (State, u64)>);

impl Groups {
    /// Each of these groups has a declared task, so an event tells when it is registered.
    pub(crate) fn new(paths: &BTreeSet<String>) -> Self {
        Self(paths.iter().map(|path| (path.clone(), (State::Ended, 0))).collect())
    }

    /// Returns the groups that have not ended.
    pub(crate) fn alive(&self) -> impl Iterator<Item = &String> {
        self.0.iter().filter(|(_, (state, _))| *state != State::Ended).map(|(path, _)| path)
    }

    /// Follows an event. `alive_in` and `runs_in` return a task of a group that is registered, or whose attempts run.
    pub(crate) fn follow(
        &mut self,
        fact: &Fact,
        alive_in: impl Fn(&str) -> Option<String>,
        runs_in: impl Fn(&str) -> Option<String>,
    ) -> Check {
        let path = fact.path.as_str();
        match fact.kind {
            EventKind::TaskAdded if fact.slot.is_none() => {
                for (_, group) in self.0.iter_mut().filter(|(group, _)| path != *group && is_within(path, group)) {
                    if group.0 == State::Ended {
                        *group = (State::Up, 0);
                    }
                }
                return Ok(());
            }
            EventKind::TaskStarting => {
                let mut around = self.0.iter().filter(|(group, _)| path != *group && is_within(path, group));
                let down = around.find(|(_, (state, _))| *state != State::Up);
                return holds(down.is_none(), || format!("begins in a group that is down: {down:?}"));
            }
            EventKind::GroupFailed | EventKind::GroupRestarted | EventKind::GroupEnded => {}
            _ => return Ok(()),
        }
        let nested = |group: &&String| *group != path && is_within(group, path);
        let left = self.0.iter().find(|(group, (state, _))| nested(group) && *state != State::Ended);
        let left = left.map(|(group, _)| group.clone());
        let Some((state, restarts)) = self.0.get_mut(path) else { return Err("an unknown group".into()) };
        let before = *state;
        match fact.kind {
            EventKind::GroupFailed => {
                *state = if fact.delays { State::Failed } else { State::Lost };
                holds(before == State::Up || before == State::Failed, || format!("failed, and was {before:?}"))?;
                // A task that was added in the meantime waits for the next run.
                let child = runs_in(path);
                holds(child.is_none() && left.is_none(), || format!("failed, and {child:?} {left:?} are left"))
            }
            EventKind::GroupRestarted => {
                *state = State::Up;
                *restarts += 1;
                let restarts = *restarts;
                holds(fact.count == Some(restarts), || format!("restart {restarts}"))?;
                holds(before == State::Up || before == State::Failed, || format!("restarted, and was {before:?}"))
            }
            _ => {
                *state = State::Ended;
                holds(before != State::Ended, || "ended twice".into())?;
                let child = alive_in(path);
                holds(child.is_none() && left.is_none(), || format!("ended, and {child:?} {left:?} are left"))
            }
        }
    }
}
