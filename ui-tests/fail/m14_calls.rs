//! A tree by another name, and functions that make one of its type.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[supervisor]
fn new() -> New {
    New::new()
}

#[supervisor]
fn built(size: usize) -> Built {
    let builder = Built::builder();
    builder.with(size)
}

#[supervisor]
fn literal() -> Result<Literal, ()> {
    Ok(Literal {})
}

#[supervisor]
fn around(size: usize) -> Around {
    let tree = supervise!(tasks = [ping {}]);
    Around::new(tree, size)
}

#[supervisor]
fn plain() -> Plain {
    supervise(tasks = [ping {}])
}

#[supervisor]
fn other() -> Result<Other, ()> {
    let tree = supervisor!(tasks = [ping {}]);
    Ok(tree)
}

// The name of the type, where it makes no value.
#[supervisor]
fn typed() -> Result<Typed, ()> {
    let tree: Typed = supervise!(tasks = [ping {}]);
    Result::<Typed, ()>::Ok(tree)
}

fn main() {
    let _ = (new(), built(3), literal());
    let _ = (&around(3).tasks.ping, &plain().tasks.ping, &other().unwrap().tasks.ping, &typed().unwrap().tasks.ping);
}
