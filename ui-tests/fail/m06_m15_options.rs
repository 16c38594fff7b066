//! M06, M15: options as calls, durations in words, and functions with a runtime of their own.

use std::pin::Pin;

use taskvisor::prelude::*;

#[task(restart = always(interval = "5s"))]
async fn always_with_interval() {}

#[task(restart = permanent(interval = "5s", timeout = "1s"))]
async fn word_of_another_library() {}

#[task(restart = on_failure(), ready = start())]
async fn called() {}

#[task(backoff = exponential(first = "1s"))]
async fn exponential() {}

#[task(timeout = "5 seconds", stop_timeout = "1 hour and 30 minutes", initial_delay = "2 weeks")]
async fn words() {}

#[task(timeout = "five seconds", stop_timeout = "1 month", initial_delay = "5 S")]
async fn other_words() {}

#[task]
#[tokio::main]
async fn main_below() {}

#[tokio::main(flavor = "current_thread")]
#[task]
async fn main_above() {}

#[task]
#[tokio::test]
async fn test_below() {}

#[subscriber]
#[tokio::main]
async fn subscriber_below(event: &Event) {
    let _ = event;
}

#[task]
fn future() -> impl Future<Output = ()> {
    async {}
}

#[task]
fn boxed(number: u8) -> Pin<Box<dyn Future<Output = Result<(), Vec<String>>> + Send>> {
    Box::pin(async move { Err(vec![number.to_string()]) })
}

#[task]
async fn context_last(number: u8, ctx: TaskContext) {
    let _ = (number, ctx);
}

#[task]
async fn context_in_option(number: u8, ctx: Option<TaskContext>) {
    let _ = (number, ctx);
}

fn main() {
    // The context is none of the fields.
    let _ = supervise!(tasks = [context_last { number: 1 }, context_in_option::spec(1)]);
}
