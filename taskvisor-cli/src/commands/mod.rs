//! The commands: one request, and its answer as text. [`run`] is all that is used from outside; `node` has what several
//! of them say about a task or group.

mod act;
mod events;
mod node;
mod status;
mod timers;
mod tree;
mod why;

pub(crate) use act::Action;

use crate::client::{Answer, Client};
use crate::failure::Failure;
use crate::output::Output;
use crate::text::plain_json;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Command {
    Status(Option<String>),
    Why(String),
    Tree,
    Timers,
    Events { follow: bool },
    Act(Action, String),
}

/// The exit status of a command that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Success = 0,
    NotReady = 3,
}

/// Carries a command out.
pub(crate) async fn run(
    command: &Command,
    client: &Client,
    json: bool,
    output: &mut Output,
) -> Result<Status, Failure> {
    let success = |()| Status::Success;
    match command {
        Command::Status(path) => status::run(path.as_deref(), client, json, output).await,
        Command::Why(path) => why::run(path, client, json, output).await.map(success),
        Command::Tree => tree::run(client, json, output).await.map(success),
        Command::Timers => timers::run(client, json, output).await.map(success),
        Command::Events { follow } => events::run(*follow, client, json, output).await.map(success),
        Command::Act(action, path) => act::run(*action, path, client, json, output).await.map(success),
    }
}

/// Prints an answer as it came, or as the text that is made of it.
fn show<T>(
    answer: &Answer<T>,
    json: bool,
    output: &mut Output,
    text: impl FnOnce(&T, bool) -> String,
) -> Result<(), Failure> {
    let text =
        if json { format!("{}\n", plain_json(answer.text.trim())) } else { text(&answer.value, output.colored()) };
    output.print(&text)
}
