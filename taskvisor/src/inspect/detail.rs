//! The details of one task or group.

use super::snapshot::NodeSnapshot;

/// A task or group with its options and its last error. [`SupervisorHandle::detail`](crate::SupervisorHandle::detail)
/// returns it.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[must_use = "it does nothing unless it is read"]
pub struct NodeDetail {
    /// Its snapshot, without the children of a group.
    pub node: NodeSnapshot,
    /// The values of its options, in the order of the reference: each with its name, such as `backoff.max`, and the
    /// text by which [`Overrides`](crate::Overrides) set it; `none` is no value. Of the options that overrides cannot
    /// change, `restart`, `critical` and `ready` are listed. The root has those of the tree.
    pub options: Vec<(&'static str, String)>,
    /// Its last failure.
    pub error: Option<NodeError>,
    /// The paths that it waits for: the siblings that it is `after`, or those of a group around it. If it waits for a
    /// permit of a limit, the tasks that hold the permits, the longest first.
    pub awaits: Vec<String>,
}

/// A failure as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct NodeError {
    /// The message of the error. For an error that a task returned, it is the message of that error, not of its
    /// wrapper.
    pub message: String,
    /// The messages of its causes, the nearest first.
    pub sources: Vec<String>,
}

impl NodeError {
    /// Creates it from messages, of which the first is that of the error. Returns `None` if there are none.
    pub(crate) fn of_messages(messages: Vec<String>) -> Option<Self> {
        let mut messages = messages.into_iter();
        Some(Self { message: messages.next()?, sources: messages.collect() })
    }
}
