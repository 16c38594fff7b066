//! Groups that cannot be read, their options, their strategies, and labels that collide in them.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task]
async fn pong() {}

#[tokio::main]
async fn main() {
    // Labels.
    let tree = supervise!(
        tasks = [
            group(tasks = [inside = ping {}], retries = 3),
            task(group(tasks = [ping {}]), critical),
            wrapped = task(group(tasks = [ping {}])),
            ping {},
            ping = group(tasks = [ping {}, ping = pong {}, deep = group(tasks = [pong {}]), deep = pong {}]),
            store = group(tasks = [ping {}]),
            store = group(tasks = [ping {}]),
            5 = group(tasks = [ping {}]),
            named = group(name = "name", tasks = [ping {}]),
        ],
    );
    tree.groups.ping.tasks.ping.cancel().await.ok();
    tree.groups.ping.groups.deep.tasks.pong.cancel().await.ok();
    tree.groups.store.tasks.ping.cancel().await.ok();
    tree.groups.wrapped.tasks.ping.cancel().await.ok();
    tree.groups.named.tasks.ping.cancel().await.ok();

    // Options.
    let tree = supervise!(
        tasks = [
            unknown = group(stratgy = one_for_all, taks = [ping {}], frobnicate, tasks = [pong {}]),
            repeated = group(tasks = [ping {}], tasks = [pong {}], after = [], critical, critical = false),
            forms = group(tasks(ping {}), strategy(one_for_all), after, restart, significant("yes"), ping {}),
            values = group(tasks = ping {}, restart = "alway", max_retries = "3", critical = "no", significant = 1),
            computed = group(critical = true && false, tasks = [ping {}]),
            misplaced = group(max_restarts = 5, timeout = "5s", ready = "start", grace = "5s", factor = 2.0),
            always = group(restart = "always", significant, backoff(first = "1m")),
            never = group(restart = "never", max_retries = 3, critical = false),
        ],
    );
    tree.groups.unknown.tasks.pong.cancel().await.ok();
    tree.groups.repeated.tasks.ping.cancel().await.ok();
    tree.groups.computed.tasks.ping.cancel().await.ok();
    let _ = supervise!(max_restarts = 5, groups = [ping {}], critical, group(ping {}), after = [ping]);

    // Strategies.
    let _ = supervise!(
        strategy = one_for_al,
        tasks = [
            far = group(strategy = "simple"),
            quoted = group(strategy = "one_for_one"),
            path = group(strategy = Strategy::RestForOne),
            number = group(strategy = 5),
            misspelt = group(strategy = rest_for_on(max_restarts = 5, within = "60")),
            called = group(strategy = Strategy::RestForOne(max_restarts = 5)),
            empty = group(strategy = rest_for_one()),
            only_restarts = group(strategy = rest_for_one(max_restarts = 5)),
            only_within = group(strategy = rest_for_one(within = "60s")),
            zero = group(strategy = one_for_one(max_restarts = 0, within = "0s")),
            numbers = group(strategy = one_for_one(max_restarts = -1, within = 60)),
            texts = group(strategy = one_for_one(max_restarts = "many", within = "long")),
            positional = group(strategy = one_for_one(5, "60s")),
            names = group(strategy = one_for_one(max_retries = 5, within = "60s", within = "70s")),
        ],
    );
    let _ = supervise!(strategy = one_for_one(max_restarts = 5), strategy = one_for_all, tasks = [ping {}]);
}
