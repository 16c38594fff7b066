//! The settings of a console.

use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::request::Parts;
use taskvisor::{History, NodeKind, NodeSnapshot, SupervisorHandle, TaskState};

use crate::access::{Access, Hosts};
use crate::view::{Source, is_behind, recent};

pub(crate) type AccessFn = dyn Fn(&Parts) -> Access + Send + Sync;
pub(crate) type RedactFn = dyn Fn(&str) -> String + Send + Sync;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) supervisor: SupervisorHandle,
    pub(crate) history: Option<History>,
    pub(crate) hosts: Hosts,
    pub(crate) access: Granted,
    pub(crate) allows_shutdown: bool,
    pub(crate) redact: Option<Arc<RedactFn>>,
}

/// The source of the access of a request.
#[derive(Clone)]
pub(crate) enum Granted {
    /// Every request has this access.
    Everybody(Access),
    /// The function decides.
    By(Arc<AccessFn>),
}

impl Granted {
    /// Returns the access of a request. `None` if the function panicked.
    pub(crate) fn of(&self, request: &Parts) -> Option<Access> {
        match self {
            Self::Everybody(access) => Some(*access),
            Self::By(access) => call(|| access(request)),
        }
    }
}

/// Calls a function of the user. `None` if it panicked.
fn call<T>(function: impl FnOnce() -> T) -> Option<T> {
    let payload = match catch_unwind(AssertUnwindSafe(function)) {
        Ok(result) => return Some(result),
        Err(payload) => payload,
    };
    // The payload of a second panic is leaked, because its drop could panic as well.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(payload);
    }
    None
}

/// The text that replaces that of an error if the function that redacts it panicked.
const HIDDEN: &str = "[redacting it panicked]";

impl Settings {
    pub(crate) fn redacted(&self, text: String) -> String {
        match &self.redact {
            Some(redact) => call(|| redact(&text)).unwrap_or_else(|| HIDDEN.to_owned()),
            None => text,
        }
    }

    /// Reads a node, with redacted errors.
    pub(crate) fn node(&self, path: &str) -> Option<NodeSnapshot> {
        let mut node = self.supervisor.node(path)?;
        self.redact_node(&mut node);
        Some(node)
    }

    /// Returns `true` if the history does not have the current state of the node yet, because it has not received the
    /// event.
    pub(crate) fn is_ahead_of_history(&self, node: &NodeSnapshot) -> bool {
        let is_running = matches!(node.state, TaskState::Running | TaskState::Stopping);
        let is_task = node.kind == NodeKind::Task;
        let history = self.history.as_ref().filter(|_| is_task);
        history.is_some_and(|history| is_behind(&history.of(&node.path), node.attempt, is_running))
    }

    pub(crate) fn redact_node(&self, node: &mut NodeSnapshot) {
        if self.redact.is_some() {
            node.last_error = node.last_error.take().map(|error| self.redacted(error));
        }
    }
}

impl Source for Settings {
    fn recent(&self, path: &str) -> Option<String> {
        self.history.as_ref().map(|history| recent(&history.of(path)))
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}
