//! M14: what the compiler tells of a function by itself, so that the macro does not.

use taskvisor::prelude::*;

#[task]
async fn without_a_type(number) {}

#[task]
async fn with_a_value(number: u32 = 5) {}

#[task]
async fn late(number: u32, self) {}

#[task]
unsafe async fn swapped() {}

#[task]
async fn inferred(list: Vec<_>) {
    let _ = list;
}

#[task]
async fn variadic(number: u32, ...) {
    let _ = number;
}

fn main() {}
