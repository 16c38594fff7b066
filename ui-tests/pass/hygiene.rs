//! The macros without a prelude, with shadowed names, inside other macros and functions, and by other paths.

#![deny(warnings)]
#![deny(nonstandard_style, missing_docs, missing_debug_implementations, unreachable_pub, rust_2018_idioms)]
#![forbid(unsafe_code)]

/// Without a prelude.
pub mod no_prelude {
    #![no_implicit_prelude]

    /// Cloned for each attempt.
    #[derive(::std::clone::Clone, ::std::fmt::Debug)]
    pub struct Client;

    /// With all kinds of options.
    #[::taskvisor::task(
        restart = "always",
        interval = ::std::time::Duration::from_secs(1),
        timeout = "5s",
        max_retries = 3,
        backoff(factor = 2.0, jitter = "equal", reset_after = "10s")
    )]
    pub async fn ping(client: Client) -> ::std::result::Result<(), ::std::string::String> {
        let _ = client;
        ::std::result::Result::Ok(())
    }

    fn is_transient(text: &::std::string::String) -> ::std::primitive::bool {
        text.is_empty()
    }

    /// On a thread of its own.
    #[::taskvisor::task(blocking, retry_if = is_transient)]
    pub fn block(context: ::taskvisor::CancellationToken) -> ::std::result::Result<(), ::std::string::String> {
        let _ = context;
        ::std::result::Result::Ok(())
    }

    /// With a context.
    #[::taskvisor::task(ready = "signal", start_timeout = "1s", watchdog = "1s", critical, significant)]
    pub async fn serve(context: ::taskvisor::TaskContext, port: u16) {
        let _ = (context, port);
    }

    /// A subscriber.
    #[::taskvisor::subscriber(name = "listener", queue = 1 + 1)]
    pub async fn listen(event: &::taskvisor::Event, client: Client) {
        let _ = (event, client);
    }

    /// A tree by name.
    #[::taskvisor::supervisor]
    pub fn app(client: Client) -> App {
        ::taskvisor::supervise!(
            subscribers = [listen { client: ::std::clone::Clone::clone(&client) }],
            tasks = [ping { client }, group = group(tasks = [other = serve { port: 1 }], after = [ping])],
        )
    }

    /// A tree of them all.
    pub fn tree() -> usize {
        let tree = ::taskvisor::supervise!(
            name = "no prelude",
            grace = "3s",
            signals = true,
            max_concurrent = 2,
            strategy = one_for_all(max_restarts = 1, within = "1m"),
            defaults(restart = "always", interval = "1s", stop_timeout = "1s", max_retries = 3, backoff(first = "1s")),
            subscribers = [],
            tasks = [
                ping { client: Client },
                block {},
                other = task(serve { port: 1 }, timeout = "1s", after = [ping]),
                group = group(
                    strategy = rest_for_one(max_restarts = 1 + 1, within = ::std::time::Duration::from_secs(1)),
                    tasks = [ping { client: Client }, inner = group(tasks = [serve { port: 3 }], after = [ping])],
                    restart = "on_failure",
                    backoff(first = "1s"),
                    max_retries = 1,
                    critical = false,
                    significant,
                    after = [ping, other],
                ),
                ..[serve::spec(2)],
            ],
        );
        let inner = tree.groups.group.groups.inner.tasks.serve.path();
        let app = app(Client).groups.group.tasks.other.path().len();
        app + inner.len() + tree.tasks.other.path().len() + tree.tasks.ping.path().len()
    }
}

/// Among items with the names that the generated code uses.
mod shadowed {
    #![allow(dead_code, non_camel_case_types, clippy::pedantic)]
    #![allow(missing_debug_implementations)]

    use taskvisor::{subscriber, supervise, supervisor, task};

    pub(crate) struct Result;
    pub(crate) struct Ok;
    pub(crate) struct Err;
    pub(crate) struct Some;
    pub(crate) struct None;
    pub(crate) struct Option;
    pub(crate) struct Box;
    pub(crate) struct String;
    pub(crate) struct Vec;
    pub(crate) struct Arc;
    pub(crate) struct Duration;
    pub(crate) struct Task;
    pub(crate) struct TaskSpec;
    pub(crate) struct TaskContext;
    pub(crate) struct Tree;
    pub(crate) struct Tasks;
    pub(crate) struct Groups;
    pub(crate) struct Group;
    pub(crate) struct GroupStore;
    pub(crate) struct TasksOfStore;
    pub(crate) struct GroupsOfStore;
    pub(crate) struct Event;
    pub(crate) struct Subscribe;
    pub(crate) struct Delivery;
    pub(crate) struct Future;
    pub(crate) struct Pin;
    pub(crate) struct Ready;
    pub(crate) struct Strategy;
    pub(crate) struct str;
    pub(crate) struct bool;
    pub(crate) struct u32;
    pub(crate) struct usize;
    pub(crate) struct f64;
    pub(crate) trait Clone {}
    pub(crate) trait From {}
    pub(crate) trait Into {}
    pub(crate) trait Default {}
    pub(crate) trait Debug {}
    pub(crate) trait Deref {}
    pub(crate) trait Send {}
    pub(crate) trait Sync {}
    pub(crate) trait Sized {}
    pub(crate) trait IntoIterator {}
    pub(crate) mod std {}
    pub(crate) mod core {}
    pub(crate) mod alloc {}

    #[task(
        restart = "always",
        interval = "1s",
        timeout = ::std::time::Duration::ZERO,
        max_retries = 1 + 1,
        backoff(factor = 1.0 + 1.0, reset_after = "10s")
    )]
    pub(crate) async fn ping(text: ::std::string::String) -> ::std::result::Result<(), ::std::string::String> {
        ::std::result::Result::Err(text)
    }

    fn is_transient(text: &::std::string::String) -> ::core::primitive::bool {
        text.is_empty()
    }

    #[task(retry_if = is_transient, blocking)]
    pub(crate) fn check(text: ::std::string::String) -> ::std::result::Result<(), ::std::string::String> {
        ::std::result::Result::Err(text)
    }

    #[task]
    pub(crate) async fn pong(context: ::taskvisor::TaskContext) {
        let _ = context;
    }

    #[subscriber(queue = 1 + 1)]
    pub(crate) async fn listen(event: &::taskvisor::Event, text: ::std::string::String) {
        let _ = (event, text);
    }

    #[supervisor]
    pub(crate) fn app(text: ::std::string::String) -> App {
        supervise!(
            subscribers = [listen { text: ::std::clone::Clone::clone(&text) }],
            tasks = [ping { text }, store = group(tasks = [pong {}])],
        )
    }

    pub(crate) fn tree() -> ::std::string::String {
        let tree = supervise!(
            name = "shadowed",
            signals = !false,
            max_concurrent = 1 + 1,
            grace = "3s",
            defaults(restart = "always", interval = "1s", stop_timeout = "1s", max_retries = 3, backoff(first = "1s")),
            strategy = one_for_all(max_restarts = 1 + 1, within = "1s"),
            tasks = [
                ping { text: ::std::string::String::new() },
                check { text: ::std::string::String::new() },
                store = group(
                    strategy = one_for_one(max_restarts = 1 + 1, within = "1s"),
                    tasks = [pong {}, last = task(pong {}, ready = "start", watchdog = "1s", after = [pong])],
                ),
                task(pong {}, after = [store, ping]),
                ..[ping::spec(::std::string::String::new())],
            ],
        );
        let app = app(::std::string::String::new());
        tree.groups.store.path().to_owned() + tree.tasks.ping.path() + app.tasks.ping.path()
    }
}

macro_rules! define {
    ($name:ident, $argument:ident: $type:ty, $timeout:literal, $interval:expr) => {
        /// Made by a macro.
        #[taskvisor::task(restart = "always", timeout = $timeout, interval = $interval)]
        pub async fn $name($argument: $type) -> Result<(), String> {
            let inner = $argument;
            let _ = inner;
            Ok(())
        }
    };
}
define!(first, number: u8, "5s", std::time::Duration::from_secs(1));

macro_rules! define_whole {
    ($name:ident) => {
        #[taskvisor::task]
        async fn $name(inner: u8) {
            let _ = inner;
        }
    };
}

macro_rules! tree_of {
    ($grace:literal, $($entry:expr),*) => {
        taskvisor::supervise!(grace = $grace, tasks = [$($entry),*])
    };
}

macro_rules! tree_of_names {
    ($($name:ident),*) => {
        taskvisor::supervise!(tasks = [$($name { inner: 1 }),*])
    };
}

macro_rules! tree_of_labels {
    ($($label:ident => $task:path),*) => {{
        let number = 1;
        taskvisor::supervise!(tasks = [$($label = $task { inner: number }),*])
    }};
}

macro_rules! group_of {
    ($label:ident, $strategy:expr, $limit:literal, $after:expr, [$($entry:expr),*]) => {
        taskvisor::supervise!(
            tasks = [
                $($entry,)*
                $label = group(strategy = $strategy, tasks = [$($entry),*], after = [$after]),
                other = group(strategy = one_for_one(max_restarts = $limit, within = "1s"), after = [$label, $after]),
            ]
        )
    };
}

macro_rules! define_subscriber {
    ($name:ident, $event:ident: $of:ty, $argument:ident: $type:ty, $queue:expr) => {
        /// Made by a macro.
        #[taskvisor::subscriber(queue = $queue)]
        pub async fn $name($event: $of, $argument: $type) {
            let _ = ($event, $argument);
        }
    };
}
define_subscriber!(listen, event: &taskvisor::Event, number: u8, 4 + 4);

macro_rules! define_subscriber_whole {
    ($name:ident) => {
        #[taskvisor::subscriber]
        async fn $name(event: &taskvisor::Event, inner: u8) {
            let _ = (event, inner);
        }
    };
}

macro_rules! define_tree {
    ($function:ident, $name:ident, $($entry:expr),*) => {
        /// Made by a macro.
        #[taskvisor::supervisor]
        pub fn $function() -> $name {
            taskvisor::supervise!(tasks = [$($entry),*])
        }
    };
}
define_tree!(made, Made, first { number: 1 }, store = group(tasks = [first { number: 2 }]));

macro_rules! define_tree_of_parts {
    ($function:ident, $type:ty, $body:block) => {
        #[taskvisor::supervisor]
        fn $function() -> $type $body
    };
    ($function:ident = $tree:expr) => {
        #[taskvisor::supervisor]
        fn $function() -> OfExpression {
            let _ = 1;
            $tree
        }
    };
}
define_tree_of_parts!(of_parts, OfParts, {
    let number = 1;
    taskvisor::supervise!(tasks = [first { number }])
});
define_tree_of_parts!(of_expression = taskvisor::supervise!(tasks = [first { number: 1 }]));

/// Under another name, through a re-export.
pub mod reexport {
    pub use ::taskvisor as visor;
}

/// By other paths.
pub mod other_paths {
    use crate::reexport::visor as renamed;

    /// By a string.
    #[renamed::task(crate = "crate::reexport::visor", timeout = "5s")]
    pub async fn by_string(number: u8) {
        let _ = number;
    }

    /// By a path.
    #[renamed::task(crate = renamed)]
    pub async fn by_path(number: u8) {
        let _ = number;
    }

    /// On a thread of its own.
    #[renamed::task(crate = renamed, blocking, retry_if = renamed::TaskError::is_retryable)]
    pub fn block(number: u8) -> Result<(), renamed::TaskError> {
        let _ = number;
        Ok(())
    }

    /// A subscriber.
    #[renamed::subscriber(crate = renamed)]
    pub async fn listen(event: &renamed::Event) {
        let _ = event;
    }

    /// A named tree whose attribute gives the path of taskvisor.
    #[renamed::supervisor(crate = "crate::reexport::visor")]
    pub fn by_attribute() -> ByAttribute {
        renamed::supervise!(subscribers = [listen {}], tasks = [store = group(tasks = [by_path { number: 2 }])])
    }

    /// A named tree whose `supervise!` call gives the path of taskvisor.
    #[renamed::supervisor]
    pub fn by_call() -> ByCall {
        crate::reexport::visor::supervise!(crate = renamed, tasks = [by_path { number: 2 }])
    }

    /// A tree.
    pub fn tree() -> usize {
        assert_eq!(by_attribute().groups.store.tasks.by_path.path().len(), by_call().tasks.by_path.path().len() + 6);
        let tree = renamed::supervise!(
            crate = renamed,
            tasks = [by_string { number: 1 }, store = group(tasks = [by_path { number: 2 }], after = [by_string])],
        );
        tree.groups.store.tasks.by_path.path().len()
    }
}

fn main() {
    define_whole!(second);
    define_subscriber_whole!(listen_too);
    let _ = taskvisor::supervise!(subscribers = [listen { number: 1 }, listen_too { inner: 1 }]);
    assert_eq!(made().groups.store.tasks.first.path(), "store/first");
    assert_eq!(of_parts().tasks.first.path(), of_expression().tasks.first.path());
    no_prelude::tree();
    assert_eq!(shadowed::tree(), "storepingping");
    other_paths::tree();

    let tree = tree_of!("3s", first { number: 1 }, second { inner: 2 });
    assert_eq!(tree.tasks.first.path(), "first");
    assert_eq!(tree.tasks.second.path(), "second");
    let tree = tree_of_names!(second);
    assert_eq!(tree.tasks.second.path(), "second");
    let tree = tree_of_labels!(a => second, b => second);
    assert_eq!((tree.tasks.a.path(), tree.tasks.b.path()), ("a", "b"));
    let tree = group_of!(store, rest_for_one, 3, first, [first { number: 1 }, second { inner: 2 }]);
    assert_eq!(tree.groups.store.tasks.second.path(), "store/second");
}
