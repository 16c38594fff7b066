//! The commands: one request, and its answer as text. Other modules use only [`run`]. `node` has the texts about a task
//! or group that several commands share, and `missing` the message if there is no such path.

mod act;
mod events;
mod missing;
mod node;
mod slots;
mod status;
mod timers;
mod tree;
mod why;

pub(crate) use act::Action;
pub(crate) use events::Level;

use crate::client::{Answer, Client};
use crate::failure::Failure;
use crate::output::Output;
use crate::text::plain_json;

/// A command with its arguments.
#[derive(Debug)]
pub(crate) enum Command {
    Status(Option<String>),
    Why(String),
    Tree,
    Timers,
    Slots(Option<String>),
    Events { follow: bool, level: Level },
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
    let ended = match command {
        Command::Status(path) => status::run(path.as_deref(), client, json, output).await,
        Command::Why(path) => why::run(path, client, json, output).await.map(success),
        Command::Tree => tree::run(client, json, output).await.map(success),
        Command::Timers => timers::run(client, json, output).await.map(success),
        Command::Slots(name) => slots::run(name.as_deref(), client, json, output).await.map(success),
        Command::Events { follow, level } => events::run(*follow, *level, client, json, output).await.map(success),
        Command::Act(action, path) => act::run(*action, path, client, json, output).await.map(success),
    };
    match (ended, command.subject()) {
        (Err(Failure::NoSuchPath { said }), Some((name, of_slot))) => {
            Err(missing::named(said, name, of_slot, command.slot_command(), client).await)
        }
        (ended, _) => ended,
    }
}

impl Command {
    /// Returns the path or name that the command is about, and `true` if it is a slot.
    fn subject(&self) -> Option<(&str, bool)> {
        match self {
            Self::Status(path) => path.as_deref().map(|path| (path, false)),
            Self::Why(path) => Some((path, false)),
            Self::Slots(name) => name.as_deref().map(|name| (name, true)),
            Self::Act(action, subject) => Some((subject, action.is_of_slot())),
            Self::Tree | Self::Timers | Self::Events { .. } => None,
        }
    }

    /// Returns the corresponding command for a slot.
    fn slot_command(&self) -> &'static str {
        match self {
            Self::Act(Action::Pause, _) => "pause-slot",
            Self::Act(Action::Resume, _) => "resume-slot",
            _ => "slots",
        }
    }
}

/// Prints an answer as JSON, or as text.
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
