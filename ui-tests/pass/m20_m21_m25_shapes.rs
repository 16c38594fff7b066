//! Trees in a `Result`, docs and conditions before entries and keys, and a task from another module.

use std::num::ParseIntError;
use std::sync::Arc;

use taskvisor::prelude::*;

mod ping {
    use taskvisor::prelude::*;

    /// M25: the module has the name of the function, so the struct has another one.
    #[task(name = "ping")]
    pub async fn ping_task(
        /// How often it has been sent.
        number: u8,
    ) {
        let _ = number;
    }
}
use ping::ping_task;

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

/// M20: the call is in `Ok`.
#[supervisor]
fn app(number: &str) -> Result<App, ParseIntError> {
    let number = number.parse()?;
    Ok(supervise!(tasks = [ping_task { number }]))
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
                super::ping_task { number: 1 },
                /// The store.
                store = group(
                    /// Its tasks.
                    tasks = [
                        #[cfg(all())]
                        /// The second.
                        second = super::ping_task { number: 2 },
                    ]
                ),
            ],
        )
    }
}

fn main() {
    assert!(app("x").is_err());
    let tree = app("5").unwrap();
    assert_eq!((tree.tasks.ping_task.name(), tree.groups), ("ping", ()));
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
