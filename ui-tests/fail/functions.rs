//! Functions that are no tasks. Each is still there, and callable.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;
use taskvisor::prelude::*;

#[task]
fn blocking(number: u8) -> u8 {
    number
}

#[task]
const fn constant() {}

#[task(blocking)]
const fn blocking_constant() {}

#[task(blocking)]
async fn blocking_async() {}

#[task(blocking = "pool")]
async fn pooled_async() {}

#[task(blocking = false)]
fn not_blocking() {}

#[task(blocking)]
fn blocking_borrow(text: &str) {
    let _ = text;
}

#[task]
async unsafe fn unsafely() {}

#[task]
async extern "C" fn external() {}

#[task]
async fn generic<T: Display, const N: usize>(value: T, array: [u8; N]) {
    let _ = (value.to_string(), array);
}

#[task]
async fn borrowing<'a>(text: &'a str) {
    let _ = text;
}

#[task]
async fn references(text: &str, bytes: &[u8], map: &mut HashMap<u8, u8>) {
    let _ = (text, bytes, map);
}

#[task]
async fn contexts(context: &TaskContext, token: &CancellationToken) {
    let _ = (context, token);
}

#[task]
async fn nested(text: Option<&str>, cow: Cow<'_, str>, call: fn(&str), boxed: Vec<Box<dyn Fn(&str) + Send + '_>>) {
    let _ = (text, cow, call, boxed);
}

#[task]
async fn nameless(value: impl Display) {
    let _ = value.to_string();
}

#[task]
async fn patterns((a, b): (u8, u8), _: u8, ref c: u8, d @ _: u8) {
    let _ = (a, b, c, d);
}

#[task]
async fn context_last(number: u8, context: TaskContext) {
    let _ = (number, context);
}

#[task]
async fn conditional(#[cfg(test)] number: u8) {}

#[task(restart = "always")]
/// Another function is about to be written above.
#[task]
async fn twice() {}

#[task]
struct NoFunction;

struct Service;

impl Service {
    #[task]
    async fn method(&self) {}

    #[task]
    async fn of_self(service: Self) {
        let _ = service;
    }
}

// What was refused is still there, with the same names.
#[tokio::main]
async fn main() {
    let _: u8 = blocking(1);
    blocking_async().await;
    not_blocking();
    references("", &[], &mut HashMap::new()).await;
    let text = String::from("text");
    let tree = supervise!(
        tasks = [
            blocking { number: 1 },
            blocking_async {},
            not_blocking {},
            generic { value: 1, array: [0; 4] },
            borrowing { text: &text },
            references::spec(text.as_str(), &[1], &mut HashMap::<u8, u8>::new()),
            nameless { value: text.clone() },
            patterns::spec((1, 2), 3, 4, 5),
            twice {},
        ],
    );
    tree.tasks.generic.cancel().await.ok();
    tree.tasks.borrowing.cancel().await.ok();
    let _ = (blocking::NAME, Service.method(), Service::of_self(Service));
}
