//! J. The controller: admission slots.

mod bombs;
mod drop_if_running;
mod ending;
mod handles;
mod names;
mod queue;
mod races;
mod random;
mod refused;
mod replace;
mod room;
mod run;
mod sequences;
mod specs;
mod stuck;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use taskvisor::{
    ControllerConfig, ControllerSpec, EventKind, RuntimeError, SlotHandle, Supervisor, SupervisorConfig, TaskHandle,
    TaskId, TaskOutcome, TaskSpec,
};
use tests::{Recorder, secs};

type Result = std::result::Result<(), RuntimeError>;

/// A generous limit on real time, against hanging.
const FOREVER: Duration = secs(60);

/// Waits for a future that must complete.
async fn surely<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(FOREVER, future).await.expect("it hangs")
}

/// A supervisor with these capacities, for all slots together and for each slot, and its recorder.
fn controlled(queue_capacity: usize, slot_capacity: usize) -> (Arc<Supervisor>, Arc<Recorder>) {
    controlled_with(SupervisorConfig::default(), queue_capacity, slot_capacity)
}

fn controlled_with(
    config: SupervisorConfig,
    queue_capacity: usize,
    slot_capacity: usize,
) -> (Arc<Supervisor>, Arc<Recorder>) {
    let recorder = Recorder::new();
    let builder = Supervisor::builder(config).with_subscribers(vec![recorder.clone()]);
    (builder.with_controller(ControllerConfig { queue_capacity, slot_capacity }).build(), recorder)
}

/// A submission that queues in the slot `s`.
fn queued(spec: TaskSpec) -> ControllerSpec {
    ControllerSpec::queue(spec).with_slot("s")
}

/// Queues this many submissions.
async fn queue_all(
    slot: &SlotHandle,
    spec: &TaskSpec,
    number: usize,
) -> std::result::Result<Vec<TaskHandle>, RuntimeError> {
    let mut handles = Vec::new();
    for _ in 0..number {
        handles.push(slot.queue(spec.clone()).await?);
    }
    Ok(handles)
}

/// The label of the outcome, or of the reason for a rejection.
async fn end_of(handle: &TaskHandle) -> &'static str {
    label(&surely(handle.outcome()).await)
}

fn label(outcome: &TaskOutcome) -> &'static str {
    match outcome {
        TaskOutcome::Rejected { reason } => reason.as_label(),
        outcome => outcome.as_label(),
    }
}

async fn ends_of(handles: &[TaskHandle]) -> Vec<&'static str> {
    let mut ends = Vec::new();
    for handle in handles {
        ends.push(end_of(handle).await);
    }
    ends
}

fn ids(handles: &[TaskHandle]) -> Vec<TaskId> {
    handles.iter().map(TaskHandle::id).collect()
}

/// The registrations that started, in order.
fn started(recorder: &Recorder) -> Vec<TaskId> {
    recorder.seen().iter().filter(|seen| seen.kind == EventKind::TaskStarting).filter_map(|seen| seen.id).collect()
}
