//! Functions that are no subscribers, and their options. Each is still there, and callable.

use std::sync::Arc;
use taskvisor::prelude::*;

#[subscriber]
fn blocking(event: &Event) {
    let _ = event;
}

#[subscriber]
const fn constant(event: &Event) {
    let _ = event;
}

#[subscriber]
async unsafe fn unsafely(event: &Event) {
    let _ = event;
}

#[subscriber]
async extern "C" fn external(event: &Event) {
    let _ = event;
}

#[subscriber]
async fn generic<'a, T, const N: usize>(event: &'a Event, value: T, array: [u8; N]) {
    let _ = (event, value, array);
}

#[subscriber]
async fn no_event() {}

#[subscriber]
async fn state_only(counter: Arc<u8>) {
    let _ = counter;
}

#[subscriber]
async fn by_value(event: Event) {
    let _ = event;
}

#[subscriber]
async fn mutably(event: &mut Event) {
    let _ = event;
}

#[subscriber]
async fn forever(event: &'static Event) {
    let _ = event;
}

#[subscriber]
async fn borrowing(event: &Event, text: &str, boxed: Box<dyn Fn(&u8) + '_>, any: impl Clone, again: &Event) {
    let _ = (event, text, boxed, any, again);
}

#[subscriber]
async fn patterns(&Event { seq, .. }: &Event, (a, b): (u8, u8), #[cfg(test)] c: u8) {
    let _ = (seq, a, b);
}

#[subscriber]
async fn outcome(event: &Event) -> Result<(), String> {
    let _ = event;
    Ok(())
}

#[subscriber]
struct NoFunction;

struct Service;

impl Service {
    #[subscriber]
    async fn method(&self, event: &Event) {
        let _ = event;
    }

    #[subscriber]
    async fn of_self(event: &Event, service: Self) {
        let _ = (event, service);
    }
}

// Options.
#[subscriber(queu = 5, nam = "x", restart = "always", queue_capacity = 5)]
async fn unknown(event: &Event) {
    let _ = event;
}

#[subscriber(queue = 5, queue = 6, name)]
async fn repeated(event: &Event) {
    let _ = event;
}

#[subscriber(queue = 0, name = "")]
async fn zero(event: &Event) {
    let _ = event;
}

#[subscriber(queue = "many", name = 5, crate = 5)]
async fn values(event: &Event) {
    let _ = event;
}

#[subscriber(queue = , name = "half")]
async fn half_typed(event: &Event, number: u8) {
    let _ = number;
    event.;
}

// What was refused is still there, with the same names.
#[tokio::main]
async fn main() {
    let _ = supervise!(
        subscribers = [
            blocking {},
            generic { value: 1, array: [1] },
            no_event {},
            state_only { counter: Arc::new(1) },
            by_value {},
            mutably {},
            forever {},
            borrowing { text: "text", boxed: 5, any: 6, again: 7 },
            outcome {},
            unknown {},
            repeated {},
            zero {},
            values {},
            half_typed { number: 1 },
        ],
    );
    no_event().await;
    state_only(Arc::new(1)).await;
    let _ = (blocking::NAME, values::NAME);
}
