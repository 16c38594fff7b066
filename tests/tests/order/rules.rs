//! The rules of one registration: which event may come after which.

use taskvisor::EventKind as E;

use crate::checker::Stage::{self, *};

/// Returns the state after an event; `None` if the event must not come then.
pub(crate) fn next(stage: Stage, event: E, is_stopping: bool) -> Option<Stage> {
    Some(match (stage, event) {
        (Submitted, E::TaskAddRequested) => Requested,
        (Submitted, E::ControllerRejected) | (Added | Waiting | Stopped | Failed | Over, E::TaskRemoved) => Removed,
        (Requested, E::TaskAdded) => Added,
        (Added | Waiting | Stopped | Failed, E::TaskStarting) if !is_stopping => Running,
        (Running, E::TaskStopped) => Stopped,
        (Running, E::TaskFailed) => Failed,
        (Stopped | Failed, E::BackoffScheduled) if !is_stopping => Waiting,
        (Stopped, E::ActorExhausted) | (Failed, E::ActorExhausted | E::ActorDead) => Over,
        (Submitted, E::TaskRemoveRequested | E::ControllerSlotTransition) | (Running, E::TimeoutHit | E::TaskReady) => {
            stage
        }
        (Added | Running | Stopped | Failed | Waiting | Over, event) if keeps_stage(event) => stage,
        _ => return None,
    })
}

/// Returns `true` for an event that can come at any time of a registration.
fn keeps_stage(event: E) -> bool {
    matches!(
        event,
        E::TaskRemoveRequested
            | E::ControllerSlotTransition
            | E::TaskPaused
            | E::TaskResumed
            | E::Warning
            | E::RunsMissed
            | E::LeaseAcquired
            | E::LeaseLost
            | E::LeaseOverrun
    )
}

/// Returns `true` if `path` is `above`, or is in the group `above`; the path of the root is empty.
pub(crate) fn is_within(path: &str, above: &str) -> bool {
    above.is_empty() || path == above || path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}
