//! Every key of `supervise!`, every kind of entry, and the order of evaluation.

use std::cell::RefCell;
use std::time::Duration;

use taskvisor::prelude::*;
use taskvisor::{ChildHandle, SupervisorConfig, TaskError, TaskSpec, Tree};

const GRACE: Duration = Duration::from_secs(3);

#[task]
async fn ping(number: u8) -> Result<(), String> {
    let _ = number;
    Ok(())
}

#[task(name = "ponger", restart = "on_failure")]
async fn pong() {}

mod nested {
    use taskvisor::prelude::*;

    #[task]
    pub async fn poll() {}
}

struct Custom;

impl From<Custom> for TaskSpec {
    fn from(_: Custom) -> Self {
        pong::spec().with_name("from custom")
    }
}

// Names that the generated code uses, here with meanings of the user's.
fn tree() -> TaskSpec {
    ping::spec(9).with_name("own tree")
}
struct Tasks;
impl Tasks {
    fn spec() -> TaskSpec {
        ping::spec(8).with_name("own tasks")
    }
}

fn fallible() -> Result<TaskSpec, TaskError> {
    Ok(pong::spec().with_name("fallible"))
}

async fn deferred() -> TaskSpec {
    pong::spec().with_name("deferred")
}

async fn all() -> Result<(), TaskError> {
    let extra = pong::spec().with_name("extra name");
    let (builder, spec, config, value0) = (1, 2, 3, 4);
    let tree = supervise!(
        name = format!("tree {builder}{spec}{config}{value0}"),
        config = SupervisorConfig::default(),
        grace = "3s",
        drain = GRACE,
        max_concurrent = 4,
        signals = false,
        defaults(
            restart = "always",
            interval = "1s",
            timeout = GRACE,
            stop_timeout = "2s",
            max_retries = 7,
            backoff(factor = 2.0, reset_after = "1m"),
        ),
        subscribers = [],
        tasks = [
            ping { number: 1 },
            second = ping { number: 2 },
            r#type = ping { number: 3 },
            nested::poll {},
            task(pong::spec(), timeout = "5s", max_retries = 2 + 1),
            third = task(
                nested::poll::spec(),
                restart = "always",
                every = "1s",
                initial_delay = GRACE,
                stop_timeout = "1s",
                backoff(first = "1s")
            ),
            task(ping::spec(4).with_name("no field"), restart = "never"),
            renamed = Custom,
            task(nested_named(), name = "named by option"),
            extra,
            tree(),
            Tasks::spec(),
            fallible()?,
            deferred().await,
            #[cfg(any())]
            absent {},
            #[cfg(all())]
            present = pong {},
            ..(0..2).map(|number| ping::spec(number).with_name(format!("spread-{number}"))),
            ..String::from("ab").chars().map(|letter| pong::spec().with_name(letter.to_string())),
            ..[Custom],
        ],
    );
    assert_eq!(tree.tasks.ping.path(), "ping");
    assert_eq!(tree.tasks.second.path(), "second");
    assert_eq!(tree.tasks.r#type.path(), "type");
    assert_eq!(tree.tasks.poll.path(), "poll");
    assert_eq!(tree.tasks.pong.path(), "ponger");
    assert_eq!(tree.tasks.third.path(), "third");
    assert_eq!(tree.tasks.renamed.path(), "renamed");
    assert_eq!(tree.tasks.extra.path(), "extra name");
    assert_eq!(tree.tasks.present.path(), "present");
    let handle: &ChildHandle = &tree.tasks.ping;
    drop(handle.clone());
    let _: &Tree = &tree;
    assert!(format!("{tree:?}").starts_with("DeclaredTree { tasks: Tasks { ping: "));
    Ok(())
}

fn nested_named() -> TaskSpec {
    nested::poll::spec()
}

fn each_expression_is_evaluated_once_and_in_order() {
    let seen = RefCell::new(Vec::new());
    let see = |what: &'static str| seen.borrow_mut().push(what);
    let tree = supervise!(
        tasks = [
            task(
                { see("first task"); ping { number: 1 } },
                timeout = { see("its timeout"); GRACE },
                restart = "always",
                interval = { see("its interval"); GRACE },
            ),
            { see("second task"); pong {} },
            ..[0].map(|_| { see("spread"); Custom }),
        ],
        grace = { see("grace"); GRACE },
        subscribers = [],
        config = { see("config"); SupervisorConfig::default() },
        name = { see("name"); "ordered" },
        defaults(timeout = { see("default"); GRACE }),
    );
    drop(tree);
    let expected = ["first task", "its timeout", "its interval", "second task", "spread", "grace", "config", "name", "default"];
    assert_eq!(*seen.borrow(), expected);
}

fn least() {
    let _ = supervise!();
    let _ = supervise!(tasks = []);
    let _ = supervise! { crate = taskvisor, tasks = [pong {}] };
    let _ = supervise![crate = "::taskvisor", subscribers = [], tasks = [pong {}],];
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(all()).unwrap();
    each_expression_is_evaluated_once_and_in_order();
    least();
}
