//! The commands that change something. Each prints what really happened.

use super::show;
use crate::client::{Client, query};
use crate::failure::Failure;
use crate::output::Output;
use crate::reply::Done;
use crate::text::plain;

/// What is to be changed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    Restart,
    Trigger,
    Cancel,
    Pause,
    Resume,
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
    };
    let answer = client.post(&query(key, path)).await?;
    show(&answer, json, output, |Done { answer }, _| format!("{}: {}\n", plain(path), plain(answer)))
}
