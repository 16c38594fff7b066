//! What a hand in a hurry types: commas and signs that are missing, keywords, and options of another place.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task(timeout = "5s" restart = always)]
async fn no_comma() {}

#[task(async)]
async fn keyword() {}

#[task(= "5s")]
async fn no_name() {}

#[task(strategy = one_for_all)]
async fn option_of_a_group() {}

#[task]
fn not_async(number: u8) -> Result<(), String> {
    number.checked_sub(1).map(drop).ok_or_else(String::new)
}

#[task]
async fn generic<T: Send>(value: T) {
    let _ = value;
}

#[task]
async fn any(value: impl Into<String> + Send) {
    let _ = value;
}

#[task]
async fn borrowed<'a>(value: &'a str) {
    let _ = value;
}

#[task]
async fn pattern((x, y): (u8, u8)) {
    let _ = (x, y);
}

// `mut` is fine.
#[task]
async fn counted(mut number: u8) {
    number += 1;
    let _ = number;
}

fn main() {
    supervise!(tasks [ping {}]);
    supervise!(tasks [ping {}, counted { number: 1 }]);
    supervise!(tasks = [store = group(tasks [ping {}])]);
    supervise!(tasks = [ping {} counted { number: 1 }]);
    supervise!(ping {}, counted { number: 1 });
    supervise!([ping {}]);
}
