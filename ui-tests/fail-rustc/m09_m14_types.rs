//! Types that do not fit: one error each, although much is generated from them.

use std::rc::Rc;
use std::sync::Arc;

use taskvisor::prelude::*;

#[task]
async fn ping() {}

trait Store {}

#[task]
async fn m09_object(number: u8, store: Arc<dyn Store>) {}

#[task]
async fn m09_object_in_a_list(stores: Vec<Box<dyn Store + Send>>) {}

#[task]
async fn m09_counter(counter: Rc<u8>) -> Result<(), String> {
    Ok(())
}

#[task]
async fn m09_no_error() -> Result<()> {
    Ok(())
}

mod m13 {
    use taskvisor::{TaskContext, task};

    type Ctx = TaskContext;

    #[task]
    async fn alias(ctx: Ctx, number: u8) {}

    #[task]
    async fn token_alias(token: Token) -> Result<(), String> {
        Ok(())
    }

    type Token = taskvisor::CancellationToken;
}

fn main() {
    let tree = supervise!(tasks = [ping {}]);
    // M14: nothing generated is in the way of the user's names.
    tree.slots.deploy;
    tree.tree;
    tree.groups.store;
    let _ = supervise!(tasks = [m09_object { number: 1, store: store() }, m09_counter { counter: Rc::new(1) }]);
}

fn store() -> Arc<dyn Store> {
    panic!()
}
