//! M22: lists, options and closures in place of one value.

use taskvisor::prelude::*;

#[task(restart = "always", cron = ["0 * * * *", "30 2 * * *"])]
async fn two_patterns() {}

#[task(restart = "always", cron = vec!["0 * * * *"])]
async fn one_pattern() {}

#[task(restart = "always", cron = ("0 9 * * *", "0 17 * * *"), zone = ["UTC"])]
async fn pair() {}

#[task(restart = "always", cron = Some("0 9 * * *"), zone = None)]
async fn optional() {}

#[task(restart = "always", cron = || "0 9 * * *", zone = &["UTC"], missed = ["once"])]
async fn called() {}

#[task(name = ["a", "b"], metric_label = ("a", 1))]
async fn names() {}

#[task(name = None, metric_label = Some("x"))]
async fn no_name() {}

#[task(timeout = ["5s"], initial_delay = "1s".."5s", max_retries = [3])]
async fn numbers() {}

#[task(timeout = Some("5s"), stop_timeout = None, max_retries = (3, 4))]
async fn options() {}

#[task(restart = ["always"], ready = ("signal", "5s"), critical = ["any_end"], span = Some("none"))]
async fn words() {}

#[task(backoff = ["1s", "2s"])]
async fn waits() {}

#[task(backoff(first = ["1s", "2s"], factor = [2.0], jitter = ["full"]))]
async fn fields() {}

#[task(backoff("1s", "10s", 2.0))]
async fn without_names() {}

#[subscriber(name = ["log"], queue = [8])]
async fn log(event: &Event) {
    println!("{event:?}");
}

fn main() {
    let _ = supervise!(grace = ["5s"], max_concurrent = Some(4), tasks = [waits {}]);
}
