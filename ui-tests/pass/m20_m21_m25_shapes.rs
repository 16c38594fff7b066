//! Trees in a `Result`, docs and conditions before entries and keys, and a task from another module.

use std::num::ParseIntError;
use std::sync::Arc;
use std::time::Duration;

use taskvisor::prelude::*;

mod ping {
    use taskvisor::prelude::*;

    /// M25: the module has the name of the function, so the struct has another one.
    #[task(struct = PingTask)]
    pub async fn ping(
        /// How often it has been sent.
        number: u8,
    ) {
        let _ = number;
    }
}
use ping::{PingTask, ping};

trait Store: Send + Sync {
    fn name(&self) -> String;
}

struct Memory;

impl Store for Memory {
    fn name(&self) -> String {
        "memory".into()
    }
}

/// M09: a trait whose objects can be shared.
#[task(restart = never)]
async fn save(store: Arc<dyn Store>) -> Result<(), String> {
    Err(store.name())
}

/// M23: strings of any kind, and clones.
#[task(timeout = "5s")]
async fn greet(name: String, number: u8, title: std::string::String) {
    let _ = (name, number, title);
}

/// M13: a field whose type is no context.
#[task]
async fn deliver(ctx: Memory2, token: u8) {
    let _ = (ctx, token);
}

#[derive(Clone)]
struct Memory2;

/// M20: the call is in `Ok`.
#[supervisor]
fn app(number: &str) -> Result<App, ParseIntError> {
    let number = number.parse()?;
    Ok(supervise!(tasks = [ping = PingTask { number }]))
}

/// M20: a group from a function, with options of its own.
fn store(size: u8) -> Group {
    let pools = (0..size).map(|number| PingTask::spec(number).with_name(format!("pool-{number}")));
    Group::rest_for_one("made").tasks(pools)
}

fn m20_groups() {
    let prepared = store(1).significant();
    let tree = supervise!(
        tasks = [
            first = group(store(2)),
            /// The second.
            second = group(store(1).not_critical(), after = [first], max_retries = 3, critical = false),
            third = group(prepared),
            nested = group(
                strategy = one_for_all,
                tasks = [
                    ping = PingTask { number: 1 },
                    inner = group(Group::one_for_one("x").group(store(1)), backoff(first = "1s")),
                ],
            ),
            #[cfg(any())]
            absent = group(missing()),
        ],
    );
    let handle: &taskvisor::GroupHandle = &tree.groups.first;
    assert_eq!((handle.path(), handle.child("pool-1").path()), ("first", "first/pool-1"));
    assert_eq!(tree.groups.nested.groups.inner.group("made").path(), "nested/inner/made");
    let snapshot = tree.snapshot().to_string();
    for name in ["first", "second", "third", "pool-1", "inner", "made"] {
        assert!(snapshot.contains(name), "{snapshot}");
    }
    let by_hand = Tree::builder(SupervisorConfig::default())
        .group(store(2).with_name("first"))
        .group(store(1).with_name("second").not_critical().with_max_retries(3).with_after(["first"]))
        .group(store(1).with_name("third").significant())
        .group(
            Group::one_for_all("nested").task(PingTask::spec(1).with_name("ping")).group(
                Group::one_for_one("inner")
                    .with_backoff(BackoffPolicy { first: Duration::from_secs(1), ..BackoffPolicy::default() })
                    .group(store(1)),
            ),
        )
        .build();
    assert_eq!(format!("{:#?}", &*tree), format!("{by_hand:#?}"));
}

/// M20: the call is in a `let`, and the tree in a wrapper.
#[supervisor]
async fn shared() -> Option<Arc<Shared>> {
    let tree = supervise!(tasks = [store = group(tasks = [save { store: Arc::new(Memory) }])]);
    Some(Arc::new(tree))
}

/// M21: all of it.
#[deny(missing_docs)]
pub mod documented {
    use taskvisor::prelude::*;

    #[supervisor]
    pub(crate) fn tree() -> Documented {
        supervise!(
            /// The time for all.
            #[cfg(all())]
            grace = "3s",
            #[cfg(any())]
            drain = not_compiled(),
            #[cfg(any())]
            config = not_compiled(),
            #[cfg(any())]
            name = not_compiled(),
            #[cfg(any())]
            strategy = one_for_all(max_restarts = not_compiled(), within = "1s"),
            #[cfg(any())]
            defaults(timeout = not_compiled()),
            #[cfg(any())]
            subscribers = [not_compiled],
            #[cfg(any())]
            slots = [slot(absent)],
            tasks = [
                /// The first.
                first = super::PingTask { number: 1 },
                /// The store.
                store = group(
                    /// Its tasks.
                    tasks = [
                        #[cfg(all())]
                        /// The second.
                        second = super::PingTask { number: 2 },
                    ]
                ),
            ],
        )
    }
}

fn m23() {
    let name: &str = "name";
    let spec = greet::spec(name, 1, 'c').with_name("greeting");
    assert_eq!((spec.name(), spec.timeout().map(|timeout| timeout.as_secs())), ("greeting", Some(5)));
    let first = greet { name: "name".into(), number: 1, title: greet::NAME.into() };
    let second = first.clone();
    assert_eq!((second.name, second.number, first.title), (first.name, 1, "greet".to_owned()));
    let ping = PingTask { number: 3 };
    let tree = supervise!(tasks = [a = ping.clone(), b = ping.clone().with_name("x"), ping.with_name("c")]);
    assert_eq!((tree.tasks.a.name(), tree.tasks.b.name()), ("a", "b"));
    drop((deliver { ctx: Memory2, token: 1 }, self::ping(4)));
}

fn main() {
    m23();
    m20_groups();
    assert!(app("x").is_err());
    let tree = app("5").unwrap();
    assert_eq!((tree.tasks.ping.name(), tree.groups), ("ping", ()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tree = shared().await.unwrap();
        tree.run().await.unwrap();
        assert_eq!(tree.groups.store.tasks.save.path(), "store/save");
    });
    let tree = documented::tree();
    assert_eq!(tree.groups.store.tasks.second.path(), "store/second");
    assert_eq!(format!("{:?}", tree.slots), "DocumentedSlots");
    let tree: Tree = tree.into();
    assert_eq!(tree.name(), "root");
}
