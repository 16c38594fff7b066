//! Actions: the requests of an operator to the supervisor, and their results.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use taskvisor::{NodeKind, RuntimeError, SlotSnapshot, SupervisorHandle, TaskOutcome, TaskState, WaitingFor};

use crate::console::Console;
use crate::reply::{Reply, error, json};
use crate::view;
use crate::within::within;

/// The longest time that an answer waits for the end of a canceled task or group.
const PATIENCE: Duration = Duration::from_secs(5);

/// An action on a task, a group, a slot or the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Restart,
    Trigger,
    Cancel,
    Pause,
    Resume,
    PauseSlot,
    ResumeSlot,
    Shutdown,
}

/// The result of an action.
type Answer = Result<Cow<'static, str>, (StatusCode, Cow<'static, str>)>;

fn refused(why: impl Into<Cow<'static, str>>) -> Answer {
    Err((StatusCode::CONFLICT, why.into()))
}

fn not_found(what: &'static str) -> Answer {
    Err((StatusCode::NOT_FOUND, what.into()))
}

impl Action {
    pub(crate) const ALL: [(&'static str, Self); 8] = [
        ("restart", Self::Restart),
        ("trigger", Self::Trigger),
        ("cancel", Self::Cancel),
        ("pause", Self::Pause),
        ("resume", Self::Resume),
        ("pause_slot", Self::PauseSlot),
        ("resume_slot", Self::ResumeSlot),
        ("shutdown", Self::Shutdown),
    ];

    pub(crate) fn of(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(name, _)| *name == key).map(|(_, action)| action)
    }

    fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, action)| *action == self).map_or("", |(name, _)| name)
    }

    /// Carries out the action, logs it, and returns the answer.
    ///
    /// # Cancel safety
    /// The first poll requests the action. Dropping the future after that only ends the wait for the answer, and
    /// nothing is logged.
    pub(crate) async fn carry_out(self, console: &Console, subject: &str) -> Reply {
        let answer = self.apply(&console.settings.supervisor, subject).await;
        let text = match &answer {
            Ok(text) | Err((_, text)) => &**text,
        };
        let line = view::action(self.name(), subject, text);
        #[cfg(feature = "tracing")]
        tracing::info!(action = self.name(), subject, answer = text, "console action");
        console.hub.log_action(subject, line);
        match answer {
            Ok(text) => json(StatusCode::OK, json!({ "ok": true, "answer": text }).to_string()),
            Err((status, text)) => error(status, &text),
        }
    }

    async fn apply(self, supervisor: &SupervisorHandle, subject: &str) -> Answer {
        match self {
            Self::Shutdown => {
                if view::is_over(supervisor.phase()) {
                    return Ok("already shutting down".into());
                }
                // The shutdown proceeds without its future.
                drop(supervisor.shutdown());
                Ok("shutting down".into())
            }
            Self::PauseSlot | Self::ResumeSlot => self.apply_to_slot(supervisor, subject),
            _ => match supervisor.node(subject).map(|node| node.kind) {
                Some(NodeKind::Task) => self.apply_to_task(supervisor, subject).await,
                Some(_) => self.apply_to_group(supervisor, subject).await,
                None => match view::Waits::of(supervisor, subject) {
                    Some(waits) => refused(waits.refusal(self == Self::Cancel)),
                    None => not_found("there is no task or group at this path"),
                },
            },
        }
    }

    fn apply_to_slot(self, supervisor: &SupervisorHandle, name: &str) -> Answer {
        // An idle key of a slot exists, though it is in no list.
        let is_key = |slot: &str| name.strip_prefix(slot).is_some_and(|key| key.len() > 1 && key.starts_with('/'));
        let is_it = |slot: &SlotSnapshot| slot.name == name || (slot.keyed && is_key(&slot.name));
        if !supervisor.slots().iter().any(is_it) {
            return not_found("there is no slot of this name");
        }
        let slot = supervisor.slot(name);
        if self == Self::PauseSlot {
            paused(slot.pause(), supervisor)
        } else {
            Ok(resumed(slot.resume(), slot.snapshot().paused).into())
        }
    }

    async fn apply_to_task(self, supervisor: &SupervisorHandle, path: &str) -> Answer {
        let task = supervisor.child(path);
        match self {
            Self::Restart if task.restart() => Ok("restarted".into()),
            Self::Restart => refused("no attempt can follow: it stops, its group does, or it cannot start again"),
            Self::Trigger if task.trigger() => Ok("triggered".into()),
            Self::Trigger => Ok(stands_by(supervisor, path).unwrap_or_else(|| waits(supervisor, path)).into()),
            Self::Pause => paused(task.pause(), supervisor),
            Self::Resume => Ok(resumed(task.resume(), task.is_paused()).into()),
            _ => {
                let Some(current) = supervisor.task(path) else { return refused("it has ended, or has not started") };
                let canceled = within(PATIENCE, current.cancel()).await;
                let ended = match current.try_outcome() {
                    Some(TaskOutcome::Aborted { .. }) => "aborted",
                    Some(TaskOutcome::Completed) => "completed",
                    _ => "canceled",
                };
                canceled_as(canceled.as_ref(), ended)
            }
        }
    }

    async fn apply_to_group(self, supervisor: &SupervisorHandle, path: &str) -> Answer {
        let group = supervisor.group(path);
        let is_root = path.is_empty();
        match self {
            Self::Restart | Self::Cancel if is_root => refused("the root ends by a shutdown only, and never restarts"),
            Self::Restart if group.restart() => Ok("restarted".into()),
            Self::Restart => refused("it has ended, stops for good, or has not started"),
            Self::Trigger => refused("only a task can be triggered"),
            Self::Pause => paused(group.pause(), supervisor),
            Self::Resume => Ok(resumed(group.resume(), group.is_paused()).into()),
            _ => canceled_as(within(PATIENCE, group.cancel()).await.as_ref(), "canceled"),
        }
    }
}

/// Names the replica that runs a task instead of this one, if the task or a group around it stands by.
fn stands_by(supervisor: &SupervisorHandle, path: &str) -> Option<String> {
    let mut paths = std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(group, _)| group));
    let node = paths.find_map(|path| supervisor.node(path).filter(|node| node.state == TaskState::Standby))?;
    Some(match node.waiting_for {
        Some(WaitingFor::Lease(Some(owner))) => format!("stands by; {} runs it", view::shown(&owner)),
        _ => "stands by for its lease".to_owned(),
    })
}

/// Describes the wait of a task that a trigger does not end.
fn waits(supervisor: &SupervisorHandle, path: &str) -> String {
    match supervisor.node(path).and_then(|node| node.waiting_for) {
        Some(waiting_for) if waiting_for != WaitingFor::Delay => {
            format!("waits for {waiting_for}, which a trigger does not end")
        }
        _ => "not waiting".to_owned(),
    }
}

/// The answer to a cancel that has ended in time, or has not.
fn canceled_as(canceled: Option<&Result<bool, RuntimeError>>, ended: &'static str) -> Answer {
    match canceled {
        None => Ok("stopping".into()),
        Some(Ok(true)) => Ok(ended.into()),
        Some(Ok(false)) => Ok("already canceled".into()),
        Some(Err(RuntimeError::TaskRemoveTimeout { .. })) => Ok("aborted, but it blocks its thread".into()),
        Some(Err(_)) => refused("the supervisor is shutting down"),
    }
}

fn paused(is_new: bool, supervisor: &SupervisorHandle) -> Answer {
    match is_new {
        true => Ok("paused".into()),
        false if view::is_over(supervisor.phase()) => refused("the supervisor is shutting down"),
        false => Ok("already paused".into()),
    }
}

const fn resumed(is_new: bool, is_paused_above: bool) -> &'static str {
    match (is_new, is_paused_above) {
        (true, false) => "resumed",
        (true, true) => "resumed, but what is above it is paused",
        (false, true) => "not paused by itself, but by what is above it",
        (false, false) => "not paused",
    }
}
