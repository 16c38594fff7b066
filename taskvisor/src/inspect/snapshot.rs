//! Snapshots of a tree.

use std::fmt::{self, Write as _};
use std::time::{Duration, SystemTime};

use super::health::Problem;
use super::outcome::OutcomeKind;
use super::status::{TaskId, TaskState};
use super::timestamp::{Rfc3339, now};
use super::waiting::WaitingFor;
use crate::tree::Strategy;

/// A snapshot of a tree, for a status page, a command line or a test. [`Tree::snapshot`](crate::Tree::snapshot) returns
/// it, and [`GroupHandle::snapshot`](crate::GroupHandle::snapshot) that of a group.
///
/// `Display` formats it as a tree of text: the state of each node, the strategy of a group, and the number of the
/// current attempt of a task, how long it has been in its state, and what it waits for. The last error is cut off at the
/// 80th column, but not below 12 characters; `{:#}` has all of it, as [`last_error`](NodeSnapshot::last_error) does.
/// [`to_mermaid`](Self::to_mermaid) formats the tree as a chart.
///
/// ```text
/// root                         running   one_for_one
/// ├─ store                     running   rest_for_one
/// │  ├─ migrate                ended     #1 0s
/// │  └─ pool                   running   #1 0s
/// └─ serve                     running   #1 0s
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
#[must_use = "it does nothing unless it is read"]
pub struct TreeSnapshot {
    /// The root, or the group.
    pub root: NodeSnapshot,
}

/// A snapshot of a task or group.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeSnapshot {
    /// The name among its siblings.
    pub name: String,
    /// The path. Empty for the root.
    pub path: String,
    /// The kind: task or group.
    pub kind: NodeKind,
    /// The id of the current or last registration of a task. `None` for groups, and before the start.
    pub id: Option<TaskId>,
    /// The state.
    pub state: TaskState,
    /// The number of the current or last attempt, from 1; 0 before the first, and for groups.
    pub attempt: u32,
    /// The number of attempts after the first, as in [`TaskStatus::restarts`](crate::TaskStatus::restarts); of a group,
    /// the number of runs after the first.
    pub restarts: u32,
    /// The number of consecutive failures: of attempts, or of the runs of a group. While an attempt or run goes on, it
    /// counts those before it.
    pub failures: u32,
    /// The largest number of consecutive failures that are retried, if the task has such a limit
    /// ([`TaskSpec::with_max_retries`](crate::TaskSpec::with_max_retries)).
    pub max_retries: Option<u32>,
    /// `true` if it is ready: a task that has started and has no problem in [`Health`](crate::Health), a group whose
    /// current run has been ready, and a task or group that has ended without a failure.
    pub ready: bool,
    /// The kind of its outcome. `None` before it has ended for good, and while its group is down and will start it
    /// again.
    pub outcome: Option<OutcomeKind>,
    /// The last failure with its causes, as the task has formatted them. Of a task it is that of
    /// [`TaskStatus::last_error`](crate::TaskStatus::last_error), which a success resets. Of a group it is kept after a
    /// success and in the next runs, also of a group that makes its children anew.
    pub last_error: Option<String>,
    /// The problem that [`Health`](crate::Health) reports of it; the first one if it is neither live nor ready.
    pub problem: Option<Problem>,
    /// The start of its current state. `None` for groups, and before the start.
    pub since: Option<SystemTime>,
    /// The time at which its next attempt or run is due, while it waits for a time: its initial delay, its backoff, its
    /// interval, its throttle or its schedule. It has a resolution of 10 ms, and of 1 s once the supervisor is 248 days
    /// old. `None` otherwise, and in the first turn of such a wait.
    pub next_at: Option<SystemTime>,
    /// What it waits for. `None` while it runs, if it has ended, before the start, and if its next attempt is about to
    /// begin.
    pub waiting_for: Option<WaitingFor>,
    /// The first time of its [schedule](crate::guide::schedules) that is to come, for a task that has one.
    pub next_run: Option<SystemTime>,
    /// The siblings that it is declared to be after.
    pub after: Vec<String>,
    /// `true` for a group that makes its children at each start ([`Group::fresh`](crate::Group::fresh)). It has none
    /// before its first start; after that, those of its current or last run.
    pub fresh: bool,
    /// `true` if it, or a group or slot above it, is paused: no attempt begins. `false` before the start, except under a
    /// root that was paused.
    pub paused: bool,
    /// The time at which it was paused, if it is paused by itself.
    pub paused_since: Option<SystemTime>,
    /// The children of a group: the declared ones in order, and then the added ones.
    pub children: Vec<NodeSnapshot>,
}

/// The kind of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeKind {
    /// A task.
    Task,
    /// A group of this strategy.
    Group(Strategy),
}

impl NodeSnapshot {
    pub(crate) fn pending(name: &str, path: &str, kind: NodeKind, after: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            path: path.to_owned(),
            kind,
            id: None,
            state: TaskState::Pending,
            attempt: 0,
            restarts: 0,
            failures: 0,
            max_retries: None,
            ready: false,
            outcome: None,
            last_error: None,
            problem: None,
            since: None,
            next_at: None,
            waiting_for: None,
            next_run: None,
            after,
            fresh: false,
            paused: false,
            paused_since: None,
            children: Vec::new(),
        }
    }

    /// Formats the line of the node, after the branches of the tree and its label; `whole` for all of its last error.
    fn line(&self, label: &str, whole: bool) -> String {
        let mut parts = vec![format!("{label:<28}"), format!("{:<9}", self.state)];
        match self.kind {
            NodeKind::Group(strategy) => parts.push(strategy.to_string()),
            NodeKind::Task if self.attempt > 0 => parts.push(format!("#{}", self.attempt)),
            NodeKind::Task => {}
        }
        if self.fresh {
            parts.push("fresh".to_owned());
        }
        // A paused task without an attempt has the state `paused` already.
        if self.paused && self.state != TaskState::Paused {
            parts.push("paused".to_owned());
        }
        match self.outcome {
            None | Some(OutcomeKind::Completed) => {}
            Some(outcome) => parts.push(outcome.to_string()),
        }
        if self.state == TaskState::Running && self.kind == NodeKind::Task && !self.ready {
            parts.push("not ready".to_owned());
        }
        if self.restarts > 0 {
            parts.push(format!("restarts={}", self.restarts));
        }
        if self.failures > 0 {
            parts.push(format!("failures={}", self.failures));
        }
        if let Some(since) = self.since {
            parts.push(age(since));
        }
        match (self.next_run, self.next_at) {
            (Some(next), _) => parts.push(format!("next={:.0}", Rfc3339(next))),
            (None, Some(next)) => {
                // Rounded, because the time has a coarse resolution.
                let left = next.duration_since(now()).unwrap_or_default() + Duration::from_millis(500);
                parts.push(format!("in={}", units(left)));
            }
            (None, None) => {}
        }
        if let Some(waits) = self.waiting_for.as_ref().and_then(in_words) {
            parts.push(format!("waits for {waits}"));
        }
        if let Some(error) = &self.last_error {
            let taken: usize = parts.iter().map(|part| part.chars().count() + 1).sum();
            let room = if whole { error.len() * LONGEST } else { COLUMNS.saturating_sub(taken + 2).max(LEAST) };
            parts.push(format!("\"{}\"", shortened(error, room)));
        }
        parts.join(" ")
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, prefix: &str, branch: &str) -> fmt::Result {
        let label = format!("{prefix}{branch}{}", self.name.escape_debug());
        writeln!(f, "{}", self.line(&label, f.alternate()).trim_end())?;
        let below = match branch {
            "" => String::new(),
            "└─ " => format!("{prefix}   "),
            _ => format!("{prefix}│  "),
        };
        for (index, child) in self.children.iter().enumerate() {
            let last = index + 1 == self.children.len();
            child.write(f, &below, if last { "└─ " } else { "├─ " })?;
        }
        Ok(())
    }

    fn write_mermaid(&self, out: &mut String, next: &mut usize) -> usize {
        let id = *next;
        *next += 1;
        let name = self.name.escape_debug().to_string().replace('#', "#35;").replace('"', "#quot;");
        let label = format!("{name}: {}", self.state);
        // Writing to a string cannot fail.
        let _ = match self.kind {
            NodeKind::Group(_) => writeln!(out, "    n{id}[[\"{label}\"]]"),
            NodeKind::Task => writeln!(out, "    n{id}[\"{label}\"]"),
        };
        let mut ids = Vec::new();
        for child in &self.children {
            let child_id = child.write_mermaid(out, next);
            let _ = writeln!(out, "    n{id} --> n{child_id}");
            for after in &child.after {
                if let Some((_, earlier)) = ids.iter().find(|(name, _)| *name == after) {
                    let _ = writeln!(out, "    n{earlier} -.-> n{child_id}");
                }
            }
            ids.push((&child.name, child_id));
        }
        id
    }
}

impl TreeSnapshot {
    /// Formats the tree as a Mermaid flowchart: groups are double boxes, `after` is a dotted arrow. Control characters
    /// and quotes are escaped, so that no name can forge a line.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut out = String::from("flowchart TD\n");
        self.root.write_mermaid(&mut out, &mut 0);
        out
    }
}

impl fmt::Display for TreeSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.write(f, "", "")
    }
}

/// Describes what a node waits for, unless its state shows it.
fn in_words(waiting_for: &WaitingFor) -> Option<String> {
    match waiting_for {
        WaitingFor::Lease(None) | WaitingFor::Delay | WaitingFor::Paused => None,
        _ => Some(shortened(&waiting_for.to_string(), AWAITED)),
    }
}

/// Formats the time since then in its two largest units.
fn age(since: SystemTime) -> String {
    units(now().duration_since(since).unwrap_or_default())
}

/// Formats a time in its two largest units.
fn units(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Returns a text on one line, with at most this many characters.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    let start: String = text.chars().take(most + 1).collect();
    // Quotes are common in errors, and safe in a line.
    let escaped = start.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'");
    let escaped: Vec<char> = escaped.chars().take(most + 1).collect();
    if escaped.len() <= most {
        return escaped.into_iter().collect();
    }
    let kept = escaped.into_iter().take(most.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// The largest width of what a node waits for.
const AWAITED: usize = 60;
/// The width of a terminal, and the smallest width of an error.
const COLUMNS: usize = 80;
const LEAST: usize = 12;
/// The largest number of characters that stand for a byte, such as `\u{7f}`.
const LONGEST: usize = 6;
