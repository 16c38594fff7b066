//! What is refused, with the value and what would be right.

use std::time::Duration;

use taskvisor::fleet::Fleet;
use taskvisor::{Group, SupervisorConfig, Tree, TreeBuilder};

use super::{Log, serve};

fn refused(tree: TreeBuilder) -> String {
    tree.try_build().err().map_or_else(String::new, |error| error.to_string())
}

fn builder() -> TreeBuilder {
    Tree::builder(SupervisorConfig::default())
}

#[tokio::test(start_paused = true)]
async fn t5_a_singleton_needs_a_fleet_and_stops_in_a_fifth_of_its_time() {
    let log = Log::new();
    let task = || serve(&log, 0, "ledger").with_singleton();
    for (tree, expected) in [
        (
            builder().task(task()),
            "task `ledger`: `singleton` is set, expected a supervisor with a fleet: `fleet = Fleet::new(store)`, or `Fleet::local()` for one process",
        ),
        (
            builder().group(Group::one_for_one("feeds").with_singleton().task(serve(&log, 0, "a"))),
            "group `feeds`: `singleton` is set, expected a supervisor with a fleet: `fleet = Fleet::new(store)`, or `Fleet::local()` for one process",
        ),
        (
            builder().with_fleet(Fleet::local()).task(task().with_stop_timeout(Duration::from_secs(4))),
            "task `ledger`: `stop_timeout` is 4s, expected at most 3s for a singleton: a fifth of the time to live of the fleet",
        ),
        (
            builder().with_fleet(Fleet::local().ttl(Duration::from_millis(10))),
            "the fleet: `ttl` is 10ms, expected 500 ms to 1 day",
        ),
        (
            builder().with_fleet(Fleet::local().name("")),
            "the fleet: `name` is \"\", expected 1 to 128 bytes without control characters",
        ),
        (
            builder().with_fleet(Fleet::local()).group(Group::one_for_one("feeds").with_singleton().task(task())),
            "task `ledger`: `singleton` is set, expected no singleton in the singleton `feeds`: the group has one lease for all",
        ),
    ] {
        assert_eq!(refused(tree), expected);
    }
    assert_eq!(
        refused(builder().with_fleet(Fleet::local()).task(task().with_stop_timeout(Duration::from_secs(3)))),
        ""
    );
}

#[tokio::test(start_paused = true)]
async fn t5_nothing_waits_for_a_singleton() {
    let log = Log::new();
    let tree = builder()
        .with_fleet(Fleet::local())
        .task(serve(&log, 0, "ledger").with_singleton())
        .task(serve(&log, 0, "web").with_after(["ledger"]));
    let expected = "`web`: `after` is `ledger`, expected a task that runs in every replica: put `web` and the singleton `ledger` into one group that is the singleton";
    assert_eq!(refused(tree), expected);
}
