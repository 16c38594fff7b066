//! M10: what was told in the words of the parser or of a type is told as what to write.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task]
async fn pong(r#type: u8) {
    let _ = r#type;
}

// A list in other brackets.
#[task(backoff = { first: "1s" })]
async fn braces() {}

#[task(backoff = { first: "1s", max: "5s" }, timeout = "5s")]
async fn more_braces() {}

#[task(backoff = { first = "1s" })]
async fn block() {}

#[task(backoff { first: "1s" })]
async fn literal() {}

#[task(backoff = (first = "1s"))]
async fn parentheses() {}

#[task(backoff = (first = "1s", max = "2s"))]
async fn tuple() {}

// Values of Rust that are no values of these options.
#[task(restart = on-failure)]
async fn dashed() {}

#[task(restart = Unless-Stopped)]
async fn of_others() {}

#[task(restart = RestartPolicy::Always, max_retries = None)]
async fn variant() {}

#[task(max_retries = Some(3), timeout = 5 * 60, stop_timeout = (60 * 60 * 2) + 1)]
async fn numbers() {}

// Half-typed.
#[task(rest, time, re, fin)]
async fn begun() {}

#[task(crate = taskvisor::)]
async fn path() {}

fn main() {
    let specs = Vec::<TaskSpec>::new();
    let numbers = [1, 2];
    let _ = supervise!(limits = { limit(db, 4) }, tasks = [ping {}]);
    let _ = supervise!(config = { grace: "5s", drain: "6s" }, tasks = [ping {}]);
    let _ = supervise!(config { grace: "5s" }, tasks = [ping {}]);
    let _ = supervise!(signals = { interrupt: "drain" }, defaults = { timeout: "5s" }, tasks = []);
    let _ = supervise!(signals(sigint = "drain", sigterm = "stop"), tasks = []);
    let _ = supervise!(crate = taskvisor::, tasks = [task(ping {}, af)]);
    let _ = supervise!(tasks = [...specs]);
    let tree = supervise!(tasks = [pong { type: 1 }, other = ping {}]);
    let _ = (tree.tasks.pong.path(), tree.tasks.other.path());
    // What is said once, of one task, or at one place.
    let _ = supervise!(tasks = [task(ping {}, task(ping {})), other = task(ping {}, group(tasks = []))]);
    let _ = supervise!(tasks = [task(..specs, timeout = "5s")]);
    let _ = supervise!(
        tasks = [
            ..numbers.iter().map(|_| task(ping {}, timeout = "5s")),
            ..numbers.iter().map(|_| group(tasks = [ping {}])),
            ping {},
            store = group(tasks = [task(pong { r#type: 1 }, after = [ping])]),
        ],
    );
}
