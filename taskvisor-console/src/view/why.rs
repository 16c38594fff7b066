//! The "why" sentence: the reason why a task or group does not run, or its state.

use std::time::SystemTime;

use taskvisor::{OutcomeKind, Problem, TaskState, WaitingFor};

use super::facts::{Facts, Look};
use super::times::spoken;

/// The reason for the state of a node: `waits for store/pool, in backoff`. If that lasts until a time, `, 3 s left`
/// belongs after the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Why {
    pub(crate) text: String,
    pub(crate) until: Option<SystemTime>,
}

/// The largest number of nodes in a chain, as in `waits for a, which waits for b`.
const LINKS: usize = 6;

impl Why {
    pub(crate) fn of(node: &Facts, tree: &impl Look) -> Self {
        let why = match node.state {
            TaskState::Running => running(node, tree, LINKS),
            TaskState::Stopping if node.problem == Some(Problem::PastStop) => {
                Self::new("was requested to stop, and is past its deadline")
            }
            TaskState::Stopping => Self::new("was requested to stop, and has not ended"),
            TaskState::Ended => Self::new(ended(node)),
            _ => waiting(node, tree, LINKS),
        };
        let goes_on = matches!(node.state, TaskState::Running | TaskState::Stopping | TaskState::Ended);
        if node.paused && node.state == TaskState::Running {
            Self { text: format!("{}; it is paused, and no other attempt begins", why.text), ..why }
        } else if node.paused && !goes_on && !matches!(node.state, TaskState::Paused) {
            Self { text: format!("is paused, and {}", why.text), ..why }
        } else {
            why
        }
    }

    /// Returns the text with the time that is left.
    pub(crate) fn sentence(&self, now: SystemTime) -> String {
        let left = self.until.map(|until| until.duration_since(now).unwrap_or_default());
        match left {
            Some(left) if left.is_zero() => format!("{}, due now", self.text),
            Some(left) => format!("{}, {} left", self.text, spoken(left)),
            None => self.text.clone(),
        }
    }

    /// Adds the holders of the permits that a task waits for, after "all of which are held".
    pub(super) fn name_holders(&mut self, holders: &[String]) {
        let named: Vec<_> = holders.iter().take(LINKS).map(|path| shown(path)).collect();
        match (holders.len().saturating_sub(named.len()), named.is_empty()) {
            (_, true) => {}
            (0, false) => self.text = format!("{} by {}", self.text, named.join(", ")),
            (more, false) => self.text = format!("{} by {} and {more} more", self.text, named.join(", ")),
        }
    }

    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), until: None }
    }

    fn until(text: impl Into<String>, until: Option<SystemTime>) -> Self {
        Self { text: text.into(), until }
    }
}

fn running(node: &Facts, tree: &impl Look, links: usize) -> Why {
    match &node.problem {
        Some(Problem::Silent) => Why::new("runs, but has sent no heartbeat for longer than its watchdog allows"),
        Some(Problem::Quiet { .. }) => Why::new("runs, but its heartbeat is late or its probe failed"),
        Some(Problem::Making) => Why::new("makes its children"),
        _ if node.ready && node.is_group => Why::new("runs"),
        _ if node.ready => Why::new(format!("runs attempt {}", node.attempt)),
        _ if !node.is_group => Why::new(format!("runs attempt {}, and is not ready yet", node.attempt)),
        _ => match tree.find_child(&node.path, |child| !child.ready) {
            Some(child) => {
                let (how, until) = how_it_is(child, tree, links.saturating_sub(1));
                Why::until(format!("waits until {} is ready, {how}", shown(&child.path)), until)
            }
            None => Why::new("runs, and is not ready"),
        },
    }
}

fn ended(node: &Facts) -> &'static str {
    match node.outcome {
        Some(OutcomeKind::Completed) => "has completed",
        Some(OutcomeKind::Canceled) => "was canceled",
        Some(OutcomeKind::Failed) => "has failed, and is not retried",
        Some(OutcomeKind::Exhausted) => "has failed, and no retry is left",
        Some(OutcomeKind::Fatal) => "has failed with a fatal error, and is not retried",
        Some(OutcomeKind::Panicked) => "has panicked, and is not retried",
        Some(OutcomeKind::Aborted) => "was aborted",
        Some(OutcomeKind::Rejected) => "was rejected by its slot",
        _ => "has ended",
    }
}

/// Describes a node that waits. States that are a reason by themselves come first, and then the target of the wait.
fn waiting(node: &Facts, tree: &impl Look, links: usize) -> Why {
    let until = node.next_at;
    match node.state {
        TaskState::Delayed => return Why::until("waits for its initial delay", until),
        TaskState::Backoff if node.is_group => {
            return Why::until(format!("is in backoff after {}", failed(node)), until);
        }
        TaskState::Backoff => return Why::until(format!("is in backoff after {}", failed(node)), until),
        TaskState::Interval => return Why::until("waits for its interval", until),
        TaskState::Throttled => {
            return Why::until("is slowed down, because it succeeds at once again and again", until);
        }
        TaskState::Scheduled => return Why::until("waits for the next time of its schedule", until),
        _ => {}
    }
    match (&node.waiting_for, node.state) {
        (Some(WaitingFor::After(paths)), _) if !paths.is_empty() => waits_for(paths, tree, links),
        (Some(WaitingFor::Permit), _) => Why::new("waits for a permit of `max_concurrent`, all of which are held"),
        (Some(WaitingFor::Limit(name)), _) => {
            Why::new(format!("waits for a permit of the limit {}, all of which are held", shown(name)))
        }
        (Some(WaitingFor::Group), _) => waits_for_group(node, tree, links),
        (Some(WaitingFor::Slot(1)), _) => Why::new("waits for its slot, and is next"),
        (Some(WaitingFor::Slot(position)), _) => Why::new(format!("waits for its slot, at position {position}")),
        (_, TaskState::Queued) => Why::new("waits for its slot"),
        (Some(WaitingFor::Lease(owner)), _) => lease(owner.as_deref()),
        (_, TaskState::Standby) => lease(None),
        (Some(WaitingFor::Paused), _) | (_, TaskState::Paused) => paused(node, tree),
        (Some(WaitingFor::Delay), _) => waits_for_restart(node, tree),
        _ if node.attempt == 0 && !node.has_started => Why::new("has not started"),
        _ => Why::new("is about to begin"),
    }
}

fn failed(node: &Facts) -> String {
    match (node.failures, node.is_group) {
        (0 | 1, false) => format!("attempt {} failed", node.attempt),
        (0 | 1, true) => "a failure in it".to_owned(),
        (failures, _) => format!("{failures} failures in a row"),
    }
}

fn waits_for(paths: &[String], tree: &impl Look, links: usize) -> Why {
    // The first path is named; `paths` are in the order of the declaration.
    let Some(first) = paths.first() else { return Why::new("is about to begin") };
    let more = match paths.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let name = shown(first);
    match tree.find(first) {
        Some(node) => {
            let (how, until) = how_it_is(node, tree, links.saturating_sub(1));
            Why::until(format!("waits for {name}{more}, {how}"), until)
        }
        None => Why::new(format!("waits for {name}{more}")),
    }
}

fn waits_for_group(node: &Facts, tree: &impl Look, links: usize) -> Why {
    let Some(group) = tree.find_parent(&node.path) else { return Why::new("waits for its group") };
    let name = if group.path.is_empty() { "the tree".to_owned() } else { shown(&group.path) };
    if group.state == TaskState::Running {
        return Why::new(format!("waits for its turn in {name}"));
    }
    let (how, until) = how_it_is(group, tree, links.saturating_sub(1));
    Why::until(format!("waits for its group {name}, {how}"), until)
}

/// Describes a node that its group starts again at a time, with the failed siblings.
fn waits_for_restart(node: &Facts, tree: &impl Look) -> Why {
    let Some(group) = tree.find_parent(&node.path) else { return Why::until("waits for its time", node.next_at) };
    let name = if group.path.is_empty() { "the tree".to_owned() } else { shown(&group.path) };
    let failed = tree.find_child(&group.path, |child| child.state == TaskState::Backoff);
    let because = failed.map(|child| format!(", where {} is in backoff", shown(&child.path))).unwrap_or_default();
    Why::until(format!("waits for the restart of {name}{because}"), node.next_at)
}

fn lease(owner: Option<&str>) -> Why {
    Why::new(match owner {
        Some(owner) => format!("waits for its lease, which {} has", shown(owner)),
        None => "waits for its lease".to_owned(),
    })
}

/// Names the highest paused group above the node.
fn paused(node: &Facts, tree: &impl Look) -> Why {
    let mut highest = None;
    let mut above = tree.find_parent(&node.path);
    while let Some(group) = above.filter(|group| group.paused) {
        highest = Some(group);
        above = tree.find_parent(&group.path);
    }
    Why::new(match highest {
        Some(group) if group.path.is_empty() => "is due, and is paused with the whole tree".to_owned(),
        Some(group) => format!("is due, and is paused with {}", shown(&group.path)),
        None => "is due, and is paused".to_owned(),
    })
}

/// Describes the state of another node, to follow its path and a comma.
fn how_it_is(node: &Facts, tree: &impl Look, links: usize) -> (String, Option<SystemTime>) {
    let until = |text: &str| (text.to_owned(), node.next_at);
    match node.state {
        TaskState::Backoff => until("in backoff"),
        TaskState::Delayed => until("in its initial delay"),
        TaskState::Interval => until("in its interval"),
        TaskState::Throttled => until("slowed down"),
        TaskState::Scheduled => until("scheduled"),
        TaskState::Running if node.ready => ("running".to_owned(), None),
        TaskState::Running if node.is_group && links > 0 => {
            let why = running(node, tree, links);
            (format!("which {}", why.text), why.until)
        }
        TaskState::Running => ("running and not ready yet".to_owned(), None),
        TaskState::Stopping => ("stopping".to_owned(), None),
        TaskState::Ended => (format!("which {}", ended(node)), None),
        _ if links == 0 => (node.state.to_string(), None),
        _ => {
            let why = waiting(node, tree, links);
            (format!("which {}", why.text), why.until)
        }
    }
}

/// Returns a name, quoted if it could be mistaken for words of the sentence.
pub(crate) fn shown(name: &str) -> String {
    let is_plain = !name.is_empty() && name.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != ',');
    if is_plain { name.to_owned() } else { format!("{name:?}") }
}

#[cfg(test)]
#[path = "why_test.rs"]
mod tests;
