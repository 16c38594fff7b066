//! Functions that declare no tree by name. Each is still there, and so is the type of its tree.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[supervisor]
fn semicolon() -> Semicolon {
    supervise!(tasks = [ping {}]);
}

#[supervisor]
fn unfinished() -> Unfinished {
    let _number = 1;
}

#[supervisor]
fn empty() -> Empty {}

#[supervisor]
fn bound() -> Bound {
    supervise!(tasks = [ping {}]);
    tree()
}

#[supervisor]
fn builder() -> Builder {
    taskvisor::Tree::builder(SupervisorConfig::default()).build()
}

#[supervisor]
fn my_tree() {
    supervise!(tasks = [ping {}])
}

#[supervisor]
fn wrapped() -> Result<Tree, RuntimeError> {
    Ok(supervise!(tasks = [ping {}]))
}

#[supervisor]
fn qualified() -> taskvisor::Tree {
    supervise!(tasks = [ping {}])
}

#[supervisor]
fn generic() -> Generic<u8> {
    supervise!(tasks = [ping {}])
}

#[supervisor]
fn opaque() -> impl std::ops::Deref<Target = taskvisor::Tree> {
    supervise!(tasks = [ping {}])
}

#[supervisor]
fn unit() -> () {
    supervise!(tasks = [ping {}])
}

#[supervisor]
const fn constant() -> Constant {
    supervise!(tasks = [ping {}])
}

#[supervisor]
struct NoFunction;

struct Service;

impl Service {
    #[supervisor]
    fn method(&self) -> Method {
        todo!()
    }

    #[supervisor]
    fn of_self() -> Self {
        todo!()
    }
}

#[supervisor(crat = "taskvisor", name = "x", grace = "5s", retries, crate)]
fn options() -> Options {
    supervise!(tasks = [ping {}])
}

// What is wrong with the tree is said where it is, and the rest is there.
#[supervisor]
fn tree() -> App {
    supervise!(
        grac = "5s",
        tasks = [
            ping { },
            store = group(stratgy = one_for_all, tasks = [task(ping {}, timout = "5s"), half = ping { a. }]),
        ],
    )
}

#[supervisor]
fn half_typed() -> HalfTyped {
    let number = ;
    supervise!(tasks = [ping {}, store = group(tasks = [ping {}])])
}

struct Fields {
    semicolon: Semicolon,
    bound: Bound,
    fallible: Fallible,
    wrapped: Wrapped,
    constant: Constant,
    options: Options,
    app: App,
}

#[tokio::main]
async fn main() {
    let fields = Fields {
        semicolon: semicolon(),
        bound: bound(),
        fallible: fallible().unwrap(),
        wrapped: wrapped().unwrap(),
        constant: constant(),
        options: options(),
        app: tree(),
    };
    fields.semicolon.tasks.ping.cancel().await.ok();
    fields.bound.tasks.ping.cancel().await.ok();
    fields.fallible.tasks.ping.cancel().await.ok();
    fields.wrapped.tasks.ping.cancel().await.ok();
    fields.constant.tasks.ping.cancel().await.ok();
    fields.options.tasks.ping.cancel().await.ok();
    fields.app.groups.store.tasks.half.cancel().await.ok();
    unfinished().run().await.ok();
    empty().run().await.ok();
    builder().run().await.ok();
    my_tree().tasks.ping.cancel().await.ok();
    half_typed().groups.store.tasks.ping.cancel().await.ok();
    opaque().run().await.ok();
    qualified();
    unit();
}
