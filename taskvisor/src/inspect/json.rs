#![doc = include_str!("json.md")]

use std::error::Error;
use std::time::SystemTime;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::causes::{messages, one_line};
use super::health::{Health, Problem, Unhealthy};
use super::outcome::{RejectReason, TaskOutcome};
use super::snapshot::{NodeKind, NodeSnapshot, TreeSnapshot};
use super::status::{TaskId, TaskState, TaskStatus};
use super::timestamp::Rfc3339;
use crate::events::{Event, EventKind, Reason};
use crate::supervisor::RuntimeError;
use crate::task::TaskError;
use crate::tree::Strategy;

// Written by hand, so that no build needs the derive macros.

/// Serializes the fields that are `Some`.
macro_rules! fields {
    ($serializer:expr, $name:literal, { $($field:ident: $value:expr),+ $(,)? }) => {{
        // One expression, so that no value can use an earlier field.
        let ($($field,)+) = ($($value,)+);
        let len = 0 $(+ usize::from($field.is_some()))+;
        let mut out = $serializer.serialize_struct($name, len)?;
        $(match &$field {
            Some(value) => out.serialize_field(stringify!($field), value)?,
            None => out.skip_field(stringify!($field))?,
        })+
        out.end()
    }};
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

as_text!(EventKind, Reason, TaskState, Strategy);

impl Serialize for TaskId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.number())
    }
}

struct Time(SystemTime);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Rfc3339(self.0))
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
        let Self { kind, seq, at, task, id, slot, attempt, reason, delay_ms, timeout_ms, count } = self;
        fields!(serializer, "Event", {
            kind: Some(kind),
            seq: Some(seq),
            at: Some(Time(*at)),
            task: task.as_deref(),
            id: id.as_ref(),
            slot: slot.as_deref(),
            attempt: attempt.as_ref(),
            reason: reason.as_ref(),
            error: self.error().map(|error| &**error),
            delay_ms: delay_ms.as_ref(),
            timeout_ms: timeout_ms.as_ref(),
            count: count.as_ref(),
        })
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
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "RejectReason", {
            reason: Some(self.as_label()),
            error: refusal(self),
        })
    }
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
        let failures = match self {
            Self::Exhausted { failures, .. } => Some(failures),
            _ => None,
        };
        fields!(serializer, "TaskOutcome", {
            outcome: Some(self.as_label()),
            failures: failures,
            error: self.error().map(|error| &**error),
        })
    }
}

impl Serialize for TaskStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "TaskStatus", {
            state: Some(self.state),
            attempt: Some(self.attempt),
            restarts: Some(self.restarts),
            failures: Some(self.failures),
            last_error: self.last_error.as_ref().map(|error| one_line(&**error)),
        })
    }
}

impl Serialize for Health {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "Health", {
            live: Some(self.is_live()),
            ready: Some(self.is_ready()),
            not_live: list(&self.not_live),
            not_ready: list(&self.not_ready),
            not_counted: list(&self.not_counted),
        })
    }
}

impl Serialize for Unhealthy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (label, instead) = match self.problem {
            Problem::Silent => ("silent", None),
            Problem::PastStop => ("past_stop", None),
            Problem::NotReady(state) => ("not_ready", Some(state)),
            Problem::Failed => ("failed", None),
            Problem::AwaitsPermit { .. } => ("awaits_permit", Some(TaskState::Pending)),
        };
        fields!(serializer, "Unhealthy", {
            path: Some(&self.path),
            problem: Some(label),
            state: instead,
            error: self.error.as_ref(),
            since: Some(Time(self.since)),
        })
    }
}

impl Serialize for TreeSnapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "TreeSnapshot", { root: Some(&self.root) })
    }
}

impl Serialize for NodeSnapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (label, strategy) = match self.kind {
            NodeKind::Task => ("task", None),
            NodeKind::Group(strategy) => ("group", Some(strategy)),
        };
        fields!(serializer, "NodeSnapshot", {
            name: Some(&self.name),
            path: Some(&self.path),
            kind: Some(label),
            strategy: strategy,
            state: Some(self.state),
            attempt: strategy.is_none().then_some(self.attempt),
            restarts: Some(self.restarts),
            last_error: self.last_error.as_ref(),
            since: self.since.map(Time),
            after: list(&self.after),
            children: list(&self.children),
        })
    }
}
