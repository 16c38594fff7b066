//! Trees whose type is needed by name: in other modules, in fields, as arguments.

use std::fmt::Display;
use std::time::Duration;

use taskvisor::prelude::*;
use taskvisor::{ChildHandle, GroupHandle, Tree};

mod work {
    use taskvisor::prelude::*;

    #[task]
    pub async fn ping(number: u8) {
        let _ = number;
    }

    #[task(ready = "signal")]
    pub async fn pool(ctx: TaskContext, size: u8) {
        let _ = size;
        ctx.ready();
        ctx.cancelled().await;
    }
}

mod trees {
    use super::work::{ping, pool};
    use taskvisor::prelude::*;

    /// All of it.
    #[supervisor]
    pub fn app(size: u8, name: &str) -> App {
        let number = size - 1;
        let label = format!("{name}-{number}");
        supervise!(
            name = label,
            slots = [slot(jobs, admission = "replace")],
            tasks = [
                ping { number },
                store = group(
                    tasks = [pool { size }, r#type = group(tasks = [other_one = ping { number }])],
                    after = [ping],
                ),
                last = task(ping { number }, after = [store]),
                #[cfg(any())]
                absent = group(tasks = [missing {}]),
                ..(0..2).map(|number| ping::spec(number).with_name(format!("ping-{number}"))),
            ],
        )
    }

    /// Called by a path, async, and with attributes, generics and a `where` clause.
    #[supervisor()]
    #[inline(never)]
    pub(crate) async fn generic<'a, T, const N: usize>(value: T, text: &'a str, rest: impl Iterator) -> Generic
    where
        T: std::fmt::Display + 'a,
    {
        tokio::task::yield_now().await;
        let _ = value.to_string();
        assert_eq!((N, text, rest.count()), (1, "", 1));
        ::taskvisor::supervise! { name = value.to_string(), tasks = [text = ping { number: 1 }] }
    }
}

mod imported {
    use super::work::ping;
    use taskvisor::supervise;
    use taskvisor::supervisor;

    #[supervisor]
    pub(super) fn small() -> Small {
        supervise![tasks = [ping { number: 1 }]]
    }

    #[supervisor]
    #[cfg(any())]
    pub fn absent() -> Small {
        supervise!(tasks = [missing {}])
    }

    #[supervisor]
    #[cfg(all())]
    pub fn present() -> Present {
        supervise!(tasks = [group = group(tasks = [ping { number: 1 }])])
    }

    #[supervisor]
    fn private() -> Private {
        return supervise!(tasks = [ping { number: 1 }, unused = ping { number: 1 }])
    }

    pub fn name() -> String {
        private().tasks.ping.path().to_owned()
    }
}

struct Service {
    app: trees::App,
}

impl Service {
    fn ping(&self) -> &ChildHandle {
        &self.app.tasks.ping
    }

    fn store(&self) -> &trees::AppGroupStore {
        &self.app.groups.store
    }
}

fn names(tasks: &trees::AppTasks, of_store: &trees::AppTasksOfStore, inner: &trees::AppGroupsOfStore) -> [String; 4] {
    let deep: &trees::AppGroupStoreType = &inner.r#type;
    [&tasks.ping, &tasks.last, &of_store.pool, &deep.tasks.other_one].map(|task| task.path().to_owned())
}

fn show(value: impl Display) -> String {
    value.to_string()
}

async fn all() -> Result<(), RuntimeError> {
    let service = Service { app: trees::app(3, "app") };
    let jobs: &SlotHandle = &service.app.slots.jobs;
    assert_eq!(jobs.admission(), AdmissionPolicy::Replace);
    let tree: &Tree = &service.app;
    assert_eq!(show(tree.name()), "app-2");
    assert!(!service.ping().cancel().await?);
    let store: &GroupHandle = service.store();
    assert_eq!(store.name(), "store");
    let store = service.store();
    let names = names(&service.app.tasks, &store.tasks, &store.groups);
    assert_eq!(names, ["ping", "last", "store/pool", "store/type/other_one"]);
    assert!(format!("{:?}", service.app).starts_with("DeclaredTree { tasks: AppTasks { ping: "));
    service.app.run_until(tokio::time::sleep(Duration::from_millis(10))).await?;
    assert!(service.app.tasks.last.outcome().await.is_some_and(|outcome| outcome.is_completed()));

    let generic = trees::generic::<_, 1>("generic", "", 0..1).await;
    assert_eq!((generic.name(), generic.tasks.text.path()), ("generic", "text"));
    assert_eq!((imported::small().tasks.ping.path(), &*imported::name()), ("ping", "ping"));
    assert_eq!(imported::present().groups.group.tasks.ping.path(), "group/ping");
    Ok(())
}

fn in_a_function() {
    #[task]
    async fn local() {}

    #[supervisor]
    fn inner() -> Inner {
        supervise!(tasks = [local {}])
    }
    assert_eq!(inner().tasks.local.path(), "local");
}

#[tokio::main]
async fn main() {
    all().await.unwrap();
    in_a_function();
}
