//! Lists without equal names: of tasks whose names only the compiler knows, and of types without a name.

#![deny(warnings)]

use taskvisor::prelude::*;
use taskvisor::{BoxTaskFuture, Task};

#[task]
async fn ping() {}

#[task(name = "pong")]
async fn renamed(number: u8) {
    let _ = number;
}

#[task(name = "ping")]
async fn same_name() {}

#[task]
async fn entry() {}

#[task]
#[deprecated = "use `ping`"]
async fn old() {}

/// A hand-written task.
struct Worker<T> {
    value: T,
}

impl<T: Send + Sync + 'static> Task for Worker<T> {
    fn name(&self) -> &str {
        "ping"
    }

    fn spawn(&self, _: CancellationToken) -> BoxTaskFuture {
        let _ = &self.value;
        Box::pin(async { Ok(()) })
    }
}

impl<T: Send + Sync + 'static> From<Worker<T>> for TaskSpec {
    fn from(worker: Worker<T>) -> Self {
        TaskSpec::inherit(std::sync::Arc::new(worker))
    }
}

/// A struct named like a function, and one with a type parameter as well.
#[allow(non_camel_case_types)]
struct worker {
    value: String,
}

#[allow(non_camel_case_types)]
struct pair<T> {
    value: T,
}

enum Kind {
    Of { value: u8 },
    #[allow(non_camel_case_types)]
    kind {
        value: u8,
    },
}

impl From<worker> for TaskSpec {
    fn from(worker: worker) -> Self {
        Worker { value: worker.value }.into()
    }
}

impl<T: Send + Sync + 'static> From<pair<T>> for TaskSpec {
    fn from(pair: pair<T>) -> Self {
        Worker { value: pair.value }.into()
    }
}

impl From<Kind> for TaskSpec {
    fn from(kind: Kind) -> Self {
        let (Kind::Of { value } | Kind::kind { value }) = kind;
        Worker { value }.into()
    }
}

mod inner {
    #[taskvisor::task(name = "of inner")]
    pub(crate) async fn ping() {}

    pub(crate) use self::ping as alias;
}

struct Service {
    number: u8,
}

impl From<Service> for TaskSpec {
    fn from(service: Service) -> Self {
        renamed::spec(service.number)
    }
}

impl Service {
    /// A generic function, whose inner items see neither its parameters nor `Self`.
    fn tree<T: Send + Sync + 'static>(value: T) -> usize {
        #[task(name = "local")]
        async fn ping() {}

        let tree = supervise!(
            tasks = [
                ping {},
                Worker { value },
                worker { value: String::new() },
                pair::<u8> { value: 1 },
                Kind::kind { value: 1 },
                variant = Kind::Of { value: 1 },
                service = Self { number: 1 },
                inner = inner::ping {},
                inner::alias {},
            ]
        );
        tree.tasks.ping.path().len()
    }
}

macro_rules! tree_of {
    ($label:ident, $name:ident, $path:path) => {
        supervise!(tasks = [$name {}, $path {}, $label = group(tasks = [$path {}, task($name {}, timeout = "1s")])])
    };
}

fn main() {
    assert_eq!(Service::tree(1), "local".len());

    // A label gives the name, and a group is a list of its own.
    #[allow(deprecated)]
    let tree = supervise!(
        tasks = [
            ping {},
            entry {},
            second = same_name {},
            task(old {}, name = "third"),
            fourth = group(tasks = [same_name {}, renamed { number: 1 }]),
            // Only one of them is compiled.
            #[cfg(all())]
            renamed { number: 1 },
            #[cfg(any())]
            renamed { number: 2 },
            #[cfg(any())]
            fourth = same_name {},
            #[cfg(any())]
            group = group(tasks = [no_such_type {}, renamed { number: 1 }]),
            // Names that are known only at run time.
            task(same_name {}, name = String::from("fifth")),
            same_name::spec().with_name("sixth"),
        ],
    );
    assert_eq!(tree.tasks.second.path(), "second");
    let tree = tree_of!(label, ping, inner::alias);
    assert_eq!(tree.groups.label.path(), "label");

    #[allow(deprecated)]
    let tree = supervise!(tasks = [old {}, ping {}]);
    assert_eq!(tree.tasks.old.path(), "old");
}
