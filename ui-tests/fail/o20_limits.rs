//! O20: a limit of a task that says too little, or nothing.

use taskvisor::prelude::*;

#[task(limit(max_restarts = 5))]
async fn no_time() {}

#[task(limit(within = "60s"))]
async fn no_number() {}

#[task(limit())]
async fn empty() {}

#[task(limit(max_restarts = 5, within = "0s"))]
async fn no_window() {}

#[task(limit = 5)]
async fn no_list() {}

#[task(limit(restarts = 5, within = "60s"))]
async fn synonym() {}

#[task(max_restarts = 5, within = "60s")]
async fn without_its_list() {}

#[task(restart = "never", limit(max_restarts = 5, within = "60s"))]
async fn never_retried() {}

#[task(max_retries = 0, limit(max_restarts = 5, within = "60s"))]
async fn no_retries() {}

#[task]
async fn fine() {}

fn main() {
    let _ = supervise!(tasks = [
        task(fine {}, limit(max_restarts = 5)),
        g = group(tasks = [fine {}], limit(max_restarts = 5, within = "60s")),
    ]);
    let _ = supervise!(tasks = [fine {}], limit(max_restarts = 5, within = "60s"));
    let _ = supervise!(tasks = [fine {}], defaults(limit(max_restarts = 5, within = "60s")));
}
