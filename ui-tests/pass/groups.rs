//! Groups: typed handles, order, strategies, and the same tree by the builder.

use std::cell::RefCell;
use std::time::Duration;

use taskvisor::prelude::*;
use taskvisor::{ChildHandle, Group, GroupHandle, Ready, Strategy, TaskSpec, Tree};

const WITHIN: Duration = Duration::from_secs(90);

#[task]
async fn pool(size: u8) {
    let _ = size;
}

#[task(name = "mig", ready = "completed", start_timeout = "5m", significant)]
async fn migrate() {}

#[task(restart = "always", ready = "signal", watchdog = "10s", critical)]
async fn serve(ctx: TaskContext) {
    ctx.cancelled().await;
}

fn computed() -> TaskSpec {
    pool::spec(9).with_name("computed")
}

fn what_the_macro_says_the_builder_can_say() {
    let limit = 7;
    let tree = supervise!(
        strategy = one_for_all(max_restarts = limit - 1, within = WITHIN),
        defaults(start_timeout = "20s"),
        tasks = [
            pool { size: 1 },
            store = group(
                strategy = rest_for_one(max_restarts = 5, within = "60s"),
                tasks = [
                    pool { size: 2 },
                    migrate {},
                    replica = group(
                        tasks = [task(pool { size: 3 }, ready = "start", start_timeout = WITHIN), computed()],
                        strategy = one_for_all,
                        after = [pool, migrate],
                        critical = false,
                    ),
                    task(serve {}, after = [replica, migrate]),
                ],
                after = [pool],
                restart = "always",
                backoff(first = "1s", factor = 2.0, reset_after = "2m"),
                max_retries = 3,
                critical,
            ),
            empty = group(),
            last = group(tasks = [], restart = "on_failure", significant, critical = true, after = [store, empty]),
            r#type = task(computed(), critical, significant = true, after = [r#pool]),
            task(serve {}, watchdog = "3s", after = [r#type, store]),
            ..[computed().with_name("spread")],
        ],
    );
    let _: [&ChildHandle; 3] = [&tree.tasks.pool, &tree.tasks.r#type, &tree.groups.store.tasks.pool];
    let _: &GroupHandle = &tree.groups.store;
    let names = [
        tree.groups.store.path(),
        tree.groups.store.tasks.pool.path(),
        tree.groups.store.tasks.migrate.path(),
        tree.groups.store.groups.replica.path(),
        tree.groups.store.groups.replica.tasks.pool.path(),
        tree.groups.last.path(),
        tree.tasks.serve.path(),
    ];
    let expected =
        ["store", "store/pool", "store/mig", "store/replica", "store/replica/pool", "last", "serve"];
    assert_eq!(names, expected);
    assert_eq!(tree.groups.store.child("pool").path(), "store/pool");
    let shown = format!("{:?}", tree.groups);
    assert!(shown.starts_with("Groups { store: DeclaredGroup { tasks: TasksOfStore { pool: "), "{shown}");
    assert_eq!(format!("{:#?}", &*tree), format!("{:#?}", built()));
}

fn built() -> Tree {
    let config = SupervisorConfig { start_timeout: Duration::from_secs(20), ..SupervisorConfig::default() };
    let replica = Group::one_for_all("replica")
        .with_after(["pool", "mig"])
        .not_critical()
        .task(pool::spec(3).with_ready(Ready::Start).with_start_timeout(WITHIN))
        .task(computed());
    let backoff = BackoffPolicy { first: Duration::from_secs(1), factor: 2.0, ..BackoffPolicy::default() };
    let store = Group::rest_for_one("store")
        .with_limit(5, Duration::from_secs(60))
        .with_after(["pool"])
        .with_restart(RestartPolicy::Always { interval: None })
        .with_backoff(backoff)
        .with_reset_after(Duration::from_secs(120))
        .with_max_retries(3)
        .task(pool::spec(2))
        .task(migrate::spec())
        .group(replica)
        .task(serve::spec().with_after(["replica", "mig"]));
    let last = Group::one_for_one("last").with_restart(RestartPolicy::OnFailure).significant().with_after(["store", "empty"]);
    Tree::builder(config)
        .with_strategy(Strategy::OneForAll)
        .with_limit(6, WITHIN)
        .task(pool::spec(1))
        .group(store)
        .group(Group::one_for_one("empty"))
        .group(last)
        .task(computed().with_name("type").critical().significant().with_after(["pool"]))
        .task(serve::spec().with_watchdog(Duration::from_secs(3)).with_after(["type", "store"]))
        .tasks([computed().with_name("spread")])
        .build()
}

fn each_expression_is_evaluated_once_and_in_order() {
    let seen = RefCell::new(Vec::new());
    let see = |what: &'static str| seen.borrow_mut().push(what);
    let tree = supervise!(
        tasks = [
            task({ see("first"); pool { size: 1 } }, start_timeout = { see("its start"); WITHIN }),
            store = group(
                max_retries = { see("retries"); 3 },
                tasks = [
                    { see("inner"); serve {} },
                    deep = group(backoff(max = { see("backoff"); WITHIN }), tasks = [..{ see("spread"); [computed()] }]),
                ],
                strategy = one_for_one(within = { see("within"); WITHIN }, max_restarts = { see("restarts"); 1 }),
            ),
            { see("last"); migrate {} },
        ],
        strategy = one_for_one(max_restarts = 1, within = { see("of the tree"); WITHIN }),
    );
    drop(tree);
    let expected =
        ["first", "its start", "retries", "inner", "backoff", "spread", "within", "restarts", "last", "of the tree"];
    assert_eq!(*seen.borrow(), expected);
}

// An entry that is not compiled has no handle, and nothing waits for it.
fn conditions_hold_for_all_that_is_in_a_group() {
    let tree = supervise!(
        tasks = [
            #[cfg(any())]
            absent = group(tasks = [inner = absent::spec(NOT_THERE), deep = group(tasks = [missing {}], after = [inner])]),
            #[cfg(all())]
            one = group(tasks = [pool { size: 1 }, #[cfg(any())] missing {}]),
            #[cfg(any())]
            one = group(tasks = [missing {}]),
            #[cfg(any())]
            other = missing {},
            #[cfg(all())]
            other = pool { size: 2 },
            #[cfg(any())]
            other = missing {},
            #[cfg(any())]
            third = missing {},
            third = pool { size: 4 },
            last = group(tasks = [pool { size: 3 }], after = [absent, one, other]),
            task(serve {}, after = [absent]),
        ],
    );
    assert_eq!(tree.groups.one.tasks.pool.path(), "one/pool");
    assert_eq!(tree.groups.last.tasks.pool.path(), "last/pool");
    assert_eq!(tree.tasks.third.path(), "third");
    let built = Tree::builder(SupervisorConfig::default())
        .group(Group::one_for_one("one").task(pool::spec(1)))
        .task(pool::spec(2).with_name("other"))
        .task(pool::spec(4).with_name("third"))
        .group(Group::one_for_one("last").task(pool::spec(3)).with_after(["one", "other"]))
        .task(serve::spec())
        .build();
    assert_eq!(format!("{:#?}", &*tree), format!("{built:#?}"));
}

// Names that could collide: of structs, of fields, of locals.
fn names_do_not_meet() {
    let (tree, group0, builder) = (1, 2, 3);
    let tree = supervise!(
        tasks = [
            tasks = group(tasks = [groups = group(tasks = [tree = pool { size: tree }])]),
            tasks_groups = group(tasks = [pool { size: group0 }, group = pool { size: builder }]),
            r#type = group(tasks = [a_b = group(tasks = [pool { size: 1 }]), aB = group(tasks = [serve {}])]),
            group0 = pool { size: 1 },
            _1 = group(tasks = [__ = group(tasks = [_2 = pool { size: 1 }])]),
            größe = group(tasks = [pool { size: 1 }]),
        ],
    );
    assert_eq!(tree.groups.tasks.groups.groups.tasks.tree.path(), "tasks/groups/tree");
    assert_eq!(tree.groups.tasks_groups.tasks.group.path(), "tasks_groups/group");
    assert_eq!(tree.groups.r#type.groups.aB.tasks.serve.path(), "type/aB/serve");
    assert_eq!(tree.groups._1.groups.__.tasks._2.path(), "_1/__/_2");
    assert_eq!(tree.groups.größe.tasks.pool.path(), "größe/pool");
}

fn main() {
    what_the_macro_says_the_builder_can_say();
    each_expression_is_evaluated_once_and_in_order();
    conditions_hold_for_all_that_is_in_a_group();
    names_do_not_meet();
}
