//! Trees in a `Result`, docs and conditions before entries and keys, and a task from another module.

use std::num::ParseIntError;
use std::sync::Arc;

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
