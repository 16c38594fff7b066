//! Expressions of the wrong type, each reported at the expression.

use taskvisor::prelude::*;

const SECONDS: u64 = 5;
const RETRIES: usize = 5;
const NAME: u8 = 5;

#[task(timeout = SECONDS, stop_timeout = SECONDS, max_retries = RETRIES, backoff(factor = SECONDS, first = SECONDS))]
async fn options() {}

fn of_numbers(number: &u8) -> bool {
    *number == 0
}

fn by_value(text: String) -> bool {
    text.is_empty()
}

fn as_text(text: &String) -> &str {
    text
}

#[task(retry_if = of_numbers)]
async fn failing() -> Result<(), String> {
    Ok(())
}

#[task(retry_if = by_value)]
async fn failing_by_value() -> Result<(), String> {
    Ok(())
}

#[task(blocking, retry_if = as_text)]
fn failing_blocking() -> Result<(), String> {
    Ok(())
}

#[task(retry_if = no_such_function)]
async fn failing_unknown() -> Result<(), String> {
    Ok(())
}

#[task(name = NAME)]
async fn named() {}

#[task]
async fn ping(number: u8) {
    let _ = number;
}

fn main() {
    let _ = supervise!(
        name = NAME,
        config = SECONDS,
        grace = SECONDS,
        max_concurrent = SECONDS,
        signals = SECONDS,
        subscribers = [SECONDS],
        defaults(timeout = SECONDS),
        tasks = [
            SECONDS,
            ping { number: "one" },
            other = ping {},
            unknown {},
            task(options {}, timeout = SECONDS, name = SECONDS),
            ..SECONDS,
            ..[SECONDS],
            store = group(
                strategy = one_for_one(max_restarts = SECONDS, within = SECONDS),
                tasks = [SECONDS, inner = unknown {}],
                max_retries = NAME,
            ),
        ],
    );
}
