//! The commands that request an action. Each prints the result.

use super::show;
use crate::client::{Client, query};
use crate::failure::Failure;
use crate::output::Output;
use crate::reply::Done;
use crate::text::plain;

/// The requested action.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    Restart,
    Trigger,
    Cancel,
    Pause,
    Resume,
    PauseSlot,
    ResumeSlot,
}

impl Action {
    pub(super) fn is_of_slot(self) -> bool {
        matches!(self, Self::PauseSlot | Self::ResumeSlot)
    }
}

pub(super) async fn run(
    action: Action,
    path: &str,
    client: &Client,
    json: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let key = match action {
        Action::Restart => "restart",
        Action::Trigger => "trigger",
        Action::Cancel => "cancel",
        Action::Pause => "pause",
        Action::Resume => "resume",
        Action::PauseSlot => "pause_slot",
        Action::ResumeSlot => "resume_slot",
    };
    let answer = client.post(&query(key, path)).await?;
    let title = if path.is_empty() { "the tree".into() } else { plain(path) };
    show(&answer, json, output, |Done { answer }, _| format!("{title}: {}\n", plain(answer)))
}
