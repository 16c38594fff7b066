//! Runs a program as a task: its end is a failure that is retried, and a stop of the task sends SIGTERM to the program.
//!
//! ```text
//! cargo run --example process --features process                 # a program of its own, for a second
//! cargo run --example process --features process -- ping ::1     # until Ctrl+C or SIGTERM
//! ```

use std::env;
use std::process::{Command, Stdio};
use std::time::Duration;

use taskvisor::prelude::*;

/// Runs the program again when it ends, with a growing pause. It has 5 s to end after SIGTERM, and then gets SIGKILL.
#[task(restart = "always", backoff(first = "100ms", max = "10s", factor = 2.0), stop_timeout = "5s")]
async fn program(ctx: TaskContext, command: Vec<String>) -> Result<(), TaskError> {
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).env("ATTEMPT", ctx.attempt().to_string());
    ctx.run_process(command).await
}

/// A program that fails in its first two attempts, and cleans up when it is requested to stop.
const DEMO: &str = "
    echo \"attempt $ATTEMPT\"
    [ \"$ATTEMPT\" -gt 2 ] || exit 3
    trap 'echo \"stopped\"; exit 0' TERM
    while :; do sleep 0.05; done
";

#[tokio::main]
async fn main() -> Result<(), RuntimeError> {
    let command: Vec<String> = env::args().skip(1).collect();
    let is_demo = command.is_empty();
    let command = if is_demo { ["sh", "-c", DEMO].map(String::from).to_vec() } else { command };
    let tree = supervise!(
        grace = "10s",
        subscribers = [LogWriter::default().with_level(LogLevel::Info)],
        tasks = [program { command }],
    );
    if is_demo { tree.run_until(tokio::time::sleep(Duration::from_secs(1))).await } else { tree.run().await }
}
