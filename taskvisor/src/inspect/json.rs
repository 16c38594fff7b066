#![doc = include_str!("json.md")]

use std::error::Error;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::causes::{messages, one_line};
use super::detail::{NodeDetail, NodeError};
use super::health::{Health, Problem, Unhealthy};
use super::outcome::{OutcomeKind, RejectReason, TaskOutcome};
use super::snapshot::{NodeKind, NodeSnapshot, TreeSnapshot};
use super::status::{TaskId, TaskState, TaskStatus};
use super::timestamp::Rfc3339;
use super::waiting::WaitingFor;
use crate::events::{Event, EventKind, Reason, Words};
#[cfg(feature = "fleet")]
use crate::fleet::{FleetSnapshot, LeaseSnapshot};
#[cfg(feature = "history")]
use crate::history::AttemptOutcome;
#[cfg(feature = "controller")]
use crate::slots::{SlotSnapshot, SlotTask};
use crate::supervisor::RuntimeError;
use crate::task::{StopReason, TaskError};
use crate::tree::Strategy;

// Written by hand, so that no build needs the derive macros.

/// Serializes the fields that are `Some`. A field is `name: value`, or `name(text): value` if its serialized name is
/// another.
macro_rules! fields {
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:expr) => { $name };
    ($serializer:expr, $type:expr, { $($field:ident $(($name:expr))?: $value:expr),+ $(,)? }) => {{
        // One expression, so that no value can use an earlier field.
        let ($($field,)+) = ($($value,)+);
        let len = 0 $(+ usize::from($field.is_some()))+;
        let mut out = $serializer.serialize_struct($type, len)?;
        $(match &$field {
            Some(value) => out.serialize_field(fields!(@name $field $($name)?), value)?,
            None => out.skip_field(fields!(@name $field $($name)?))?,
        })+
        out.end()
    }};
}

/// Generates the method that destructures a type by the pattern, and serializes it as an object of the fields that are
/// `Some`.
macro_rules! object {
    ($type:ident, $pattern:pat => { $($fields:tt)+ }) => {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let $pattern = self;
            fields!(serializer, stringify!($type), { $($fields)+ })
        }
    };
}

/// Serializes the `Display` text.
macro_rules! as_text {
    ($($type:ty),+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )+};
}

as_text!(EventKind, Reason, TaskState, OutcomeKind, Strategy, Rfc3339);
#[cfg(feature = "history")]
as_text!(AttemptOutcome);

impl Serialize for TaskId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

/// Returns a list unless it is empty.
fn list<T>(items: &[T]) -> Option<&[T]> {
    (!items.is_empty()).then_some(items)
}

/// An error with its label.
fn error<S: Serializer>(serializer: S, error: &(dyn Error + 'static), label: &str) -> Result<S::Ok, S::Error> {
    let messages = messages(error);
    fields!(serializer, "Error", {
        label: Some(label),
        message: messages.first(),
        sources: list(messages.get(1..).unwrap_or_default()),
    })
}

impl Serialize for TaskError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        error(serializer, self, self.as_label())
    }
}

impl Serialize for RuntimeError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        error(serializer, self, self.as_label())
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Without `..`, so that no new field is forgotten here.
        let Self {
            kind,
            seq,
            at,
            task,
            id,
            slot,
            attempt,
            routine,
            reason,
            stop,
            delay_ms,
            timeout_ms,
            count,
            last: _,
        } = self;
        let words = Words::of(*kind);
        fields!(serializer, "Event", {
            kind: Some(kind),
            seq: Some(seq),
            at: Some(Rfc3339(*at)),
            task(words.task): task.as_deref(),
            id: id.as_ref(),
            slot: slot.as_deref(),
            attempt: attempt.as_ref(),
            routine: routine.then_some(true),
            reason(words.reason): reason.as_ref(),
            error: self.error().map(|error| &**error),
            stop: stop.as_ref().map(StopReason::as_label),
            failed: stop.as_ref().and_then(failed),
            failure: stop.as_ref().and_then(failure),
            delay_ms(words.delay_ms): delay_ms.as_ref(),
            timeout_ms(words.timeout_ms): timeout_ms.as_ref(),
            count(words.count): count.as_ref(),
        })
    }
}

/// Returns the path of the task or group whose failure stops the task.
fn failed(stop: &StopReason) -> Option<&str> {
    match stop {
        StopReason::SiblingRestart { failed } => Some(failed),
        StopReason::GroupFailed { chain } => chain.links().first().map(|link| &*link.path),
        _ => None,
    }
}

/// Returns the failure of the group that stops the task.
fn failure(stop: &StopReason) -> Option<String> {
    match stop {
        StopReason::GroupFailed { chain } => Some(one_line(&**chain)),
        _ => None,
    }
}

/// Returns the supervisor's error, if that is the reason.
fn refusal(reason: &RejectReason) -> Option<&RuntimeError> {
    match reason {
        RejectReason::Refused { error } => Some(error),
        _ => None,
    }
}

impl Serialize for RejectReason {
    object!(RejectReason, reason => {
        reason: Some(reason.as_label()),
        error: refusal(reason),
    });
}

impl Serialize for TaskOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Self::Rejected { reason } = self {
            return fields!(serializer, "TaskOutcome", {
                outcome: Some(self.as_label()),
                reason: Some(reason.as_label()),
                error: refusal(reason),
            });
        }
        let (stop, finished) = match self {
            Self::Canceled { reason, finished, .. } => (Some(reason), Some(finished)),
            _ => (None, None),
        };
        fields!(serializer, "TaskOutcome", {
            outcome: Some(self.as_label()),
            reason: stop.map(StopReason::as_label),
            failed: stop.and_then(failed),
            failure: stop.and_then(failure),
            finished: finished,
            failures: if let Self::Exhausted { failures, .. } = self { Some(failures) } else { None },
            error: self.error().map(|error| &**error),
        })
    }
}

impl Serialize for TaskStatus {
    object!(TaskStatus, status => {
        state: Some(status.state),
        attempt: Some(status.attempt),
        restarts: Some(status.restarts),
        failures: Some(status.failures),
        paused: status.paused.then_some(true),
        last_error: status.last_error.as_ref().map(|error| one_line(&**error)),
        next_run: status.next_run.map(Rfc3339),
    });
}

impl Serialize for Health {
    object!(Health, health => {
        live: Some(health.is_live()),
        ready: Some(health.is_ready()),
        not_live: list(&health.not_live),
        not_ready: list(&health.not_ready),
        not_counted: list(&health.not_counted),
    });
}

fn label_of(problem: &Problem) -> &'static str {
    match problem {
        Problem::Silent => "silent",
        Problem::PastStop => "past_stop",
        Problem::NotReady(_) => "not_ready",
        Problem::Making => "making",
        Problem::Failed => "failed",
        Problem::AwaitsPermit { .. } => "awaits_permit",
        Problem::Quiet { .. } => "quiet",
    }
}

impl Serialize for Unhealthy {
    object!(Unhealthy, unhealthy => {
        path: Some(&unhealthy.path),
        problem: Some(label_of(&unhealthy.problem)),
        state: match unhealthy.problem {
            Problem::NotReady(state) => Some(state),
            Problem::AwaitsPermit { .. } => Some(TaskState::Pending),
            Problem::Making => Some(TaskState::Running),
            _ => None,
        },
        awaits: list(&unhealthy.awaits),
        limit: match &unhealthy.problem {
            Problem::AwaitsPermit { name, .. } => Some(&**name),
            _ => None,
        },
        error: unhealthy.error.as_ref(),
        since: Some(Rfc3339(unhealthy.since)),
    });
}

#[cfg(feature = "controller")]
impl Serialize for SlotSnapshot {
    object!(SlotSnapshot, slot => {
        name: Some(&slot.name),
        phase: Some(slot.phase.as_label()),
        owners: list(&slot.owners),
        next: slot.next.as_ref(),
        queue: list(&slot.queue),
        queued: Some(slot.queued),
        capacity: Some(slot.capacity),
        keyed: slot.keyed.then_some(true),
        paused: slot.paused.then_some(true),
        paused_since: slot.paused_since.map(Rfc3339),
    });
}

#[cfg(feature = "controller")]
impl Serialize for SlotTask {
    object!(SlotTask, task => { path: Some(&task.path), id: Some(task.id), state: Some(task.state) });
}

#[cfg(feature = "fleet")]
impl Serialize for FleetSnapshot {
    object!(FleetSnapshot, fleet => {
        label: Some(&fleet.label),
        unreachable: fleet.unreachable.as_ref(),
        leases: list(&fleet.leases),
    });
}

#[cfg(feature = "fleet")]
impl Serialize for LeaseSnapshot {
    object!(LeaseSnapshot, lease => {
        path: Some(&lease.path),
        key: Some(&lease.key),
        held: Some(lease.is_held),
        owner: lease.owner.as_ref(),
        token: lease.token.as_ref(),
    });
}

impl Serialize for TreeSnapshot {
    object!(TreeSnapshot, tree => { root: Some(&tree.root) });
}

impl Serialize for NodeSnapshot {
    object!(NodeSnapshot, node => {
        name: Some(&node.name),
        path: Some(&node.path),
        kind: Some(if node.kind == NodeKind::Task { "task" } else { "group" }),
        strategy: if let NodeKind::Group(strategy) = node.kind { Some(strategy) } else { None },
        state: Some(node.state),
        id: node.id,
        attempt: (node.kind == NodeKind::Task).then_some(node.attempt),
        restarts: Some(node.restarts),
        failures: Some(node.failures),
        max_retries: node.max_retries.as_ref(),
        ready: Some(node.ready),
        outcome: node.outcome,
        last_error: node.last_error.as_ref(),
        problem: node.problem.as_ref().map(label_of),
        since: node.since.map(Rfc3339),
        next_at: node.next_at.map(Rfc3339),
        waiting_for: node.waiting_for.as_ref(),
        next_run: node.next_run.map(Rfc3339),
        after: list(&node.after),
        paused: node.paused.then_some(true),
        paused_since: node.paused_since.map(Rfc3339),
        fresh: node.fresh.then_some(true),
        children: list(&node.children),
    });
}

impl Serialize for WaitingFor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (label, more) = match self {
            Self::After(_) => ("after", 1),
            Self::Permit => ("permit", 0),
            Self::Limit(_) => ("limit", 1),
            Self::Group => ("group", 0),
            Self::Slot(_) => ("slot", 1),
            Self::Delay => ("delay", 0),
            Self::Lease(owner) => ("lease", usize::from(owner.is_some())),
            Self::Paused => ("paused", 0),
        };
        let mut out = serializer.serialize_struct("WaitingFor", 1 + more)?;
        out.serialize_field("for", label)?;
        match self {
            Self::After(paths) => out.serialize_field("names", paths)?,
            Self::Limit(name) => out.serialize_field("name", name)?,
            Self::Slot(position) => out.serialize_field("position", position)?,
            Self::Lease(Some(owner)) => out.serialize_field("owner", owner)?,
            Self::Permit | Self::Group | Self::Delay | Self::Lease(None) | Self::Paused => {}
        }
        out.end()
    }
}

impl Serialize for NodeDetail {
    object!(NodeDetail, detail => {
        node: Some(&detail.node),
        options: Some(Options(&detail.options)),
        error: detail.error.as_ref(),
        awaits: list(&detail.awaits),
    });
}

/// A map of options.
struct Options<'a>(&'a [(&'static str, String)]);

impl Serialize for Options<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, text)| (name, text)))
    }
}

impl Serialize for NodeError {
    object!(NodeError, error => { message: Some(&error.message), sources: list(&error.sources) });
}

// After the macros that it uses.
#[cfg(feature = "history")]
mod history;
