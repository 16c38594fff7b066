//! M03, M08: options, names, literals and keywords where an entry or a label stands.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task]
async fn pool(size: u32) {
    let _ = size;
}

fn main() {
    // An option among the entries.
    let _ = supervise!(tasks = [ping {}, restart = "always", critical = false, max_retries = 3]);
    let _ = supervise!(tasks = [ping {}, backoff(first = "1s"), store = group(tasks = [ping {}, timeout = "5s"])]);
    let _ = supervise!(tasks = [ping {}.timeout("5s"), pool { size: 1 }.with_max_retries(3)]);
    let _ = supervise!(tasks = [task(ping {}, critical).with_timeout("5s")]);
    // A literal as a task.
    let _ = supervise!(tasks = ["ping", "not a name", 5, other = "ping"]);
    // The name of a group in its list.
    let tree = supervise!(tasks = [group("store", [ping {}, pool { size: 1 }])]);
    let _ = tree.groups.store.tasks.pool.path();
    let _ = supervise!(tasks = [group("my store", tasks = [ping {}]), group(cache, [ping {}, 5]), group(critical, [ping {}])]);
    let tree = supervise!(tasks = [store = group("db", tasks = [ping {}])]);
    let _ = tree.groups.store.tasks.ping.path();
    // A limit without names.
    let _ = supervise!(strategy = one_for_all(5, "60s"), tasks = [store = group(strategy = rest_for_one(3), tasks = [])]);
    let _ = supervise!(strategy = one_for_one("60s", 5, 1), tasks = [ping {}]);
    // The arguments of a task.
    let tree = supervise!(tasks = [pool { size = 5 }, other = pool { size = 5, }, third = pool(size = 5), fourth = pool { size: 5, after = [other] }]);
    let _ = tree.tasks.pool.path();
    // A list that is none, and one that is.
    let _ = supervise!(tasks = [..ping {}, while true { ping {} }, loop { ping {} }]);
    // Keywords.
    let tree = supervise!(tasks = [loop = ping {}, store = group(tasks = [type = ping {}, match = pool { size: 1 }])]);
    let _ = (tree.tasks.r#loop.path(), tree.groups.store.tasks.r#type.path());
    let _ = supervise!(type = "x", tasks = [ping {}]);
    // Commas.
    let _ = supervise!(tasks = [ping {} other = ping {}]);
    let _ = supervise!(grace = "5s" tasks = [ping {}]);
    let _ = supervise!(grace = "5s"; tasks = [ping {}, pool { size: [1; 1][0] }];);
}
