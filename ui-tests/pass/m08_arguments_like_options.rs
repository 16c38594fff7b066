//! M08: arguments with the names of options, and values like those of options.

use taskvisor::prelude::*;

const LONG: u64 = 9;

#[task]
async fn poll(timeout: u64, restart: &'static str, critical: bool, after: [u64; 1], r#name: String) {
    assert_eq!((timeout, restart, critical, after[0], &*name), (9, "always", true, 5, "poll"));
}

// A struct of the user's own.
#[expect(non_camel_case_types, reason = "it looks like a task")]
struct own {
    timeout: u64,
    restart: &'static str,
}

impl From<own> for TaskSpec {
    fn from(own { timeout, restart }: own) -> Self {
        poll::spec(timeout, restart, true, [5], "poll")
    }
}

mod inner {
    use taskvisor::prelude::*;

    #[deprecated]
    #[task]
    pub async fn old(timeout: u64, limit: u64) {
        assert_eq!((timeout, limit), (9, 3));
    }
}

#[tokio::main]
async fn main() {
    let store = 5;
    let name = String::from("poll");
    #[expect(deprecated, reason = "it is used all the same")]
    let tree = supervise!(
        tasks = [
            poll { timeout: LONG, restart: "always", critical: true, after: [store], name: name.clone() },
            second = task(poll { timeout: 9, restart: "always", critical: true, after: [5], name }, timeout = "5s"),
            store = group(tasks = [third = own { timeout: LONG, restart: "always" }, inner::old { timeout: 9, limit: 3 }]),
        ],
    );
    assert_eq!(tree.tasks.poll.name(), poll::NAME);
    assert_eq!(tree.groups.store.tasks.old.name(), "old");
    tree.run().await.unwrap();
}
