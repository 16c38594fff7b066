//! The program, run against a server that plays a console, and against a real one.
//!
//! `mock` is that server and `answers` what it answers; `program` serves a real console, which `console` asks. `looks` has the commands that look, `acts` those that change
//! something, `parts` the status of a part, `follow` the stream of events, `failures` what goes wrong, and `hostile` names and errors that attack the
//! terminal.
//! They need sockets, signals and terminals of Unix.

#![cfg(unix)]

mod acts;
mod answers;
mod console;
mod failures;
mod follow;
mod hostile;
mod looks;
mod mock;
mod parts;
mod program;

use std::process::{Command, Output, Stdio};

/// What a run of the program did.
#[derive(Debug, PartialEq)]
struct Run {
    status: i32,
    stdout: String,
    stderr: String,
}

/// The program with arguments, without what the environment of the tests says.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskvisor"));
    command.args(arguments).stdin(Stdio::null());
    for name in ["TASKVISOR_URL", "TASKVISOR_TOKEN", "NO_COLOR"] {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str]) -> Run {
    ended(command(arguments).output().unwrap())
}

fn ended(output: Output) -> Run {
    Run {
        status: output.status.code().expect("it was not killed"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn printed(stdout: &str) -> Run {
    Run { status: 0, stdout: stdout.to_owned(), stderr: String::new() }
}
