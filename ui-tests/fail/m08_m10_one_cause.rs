//! One error for one cause, in groups, slots, limits and values.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task]
async fn refused(name: &str) {
    let _ = name;
}

fn main() {
    // An argument with the name of an option, of a function that was refused.
    let _ = supervise!(tasks = [refused { name: "x" }]);
    // Slots and limits.
    let tree = supervise!(slots = { deploy: 3, build: slot(capacity = 3), other: { capacity: 3 } });
    let _ = (&tree.slots.deploy, &tree.slots.build, &tree.slots.other);
    let tree = supervise!(slots = [deploy: 3, other: slot(capacity = 3), slot build, slot more(capacity = 3)]);
    let _ = (&tree.slots.deploy, &tree.slots.other, &tree.slots.build, &tree.slots.more);
    let tree = supervise!(slots = [Slot(deploy), build(capacity = 3), other {}, slot(name = "more"), slot("one")]);
    let _ = (&tree.slots.deploy, &tree.slots.build, &tree.slots.other, &tree.slots.more, &tree.slots.one);
    let tree = supervise!(slots = "deploy", limits = [limit(db: 4)], tasks = [task(ping {}, limit = db)]);
    let _ = &tree.slots.deploy;
    let tree = supervise!(tasks = { ping: ping {}, a: task(ping {}, critical) });
    let _ = (&tree.tasks.ping, &tree.tasks.a);
    let _ = supervise!(limits = { db: 4, cpu: 3 }, tasks = [task(ping {}, limit = db), a = task(ping {}, limit = cpu)]);
    let _ = supervise!(limits = { db = 4 }, tasks = [task(ping {}, limit = db)]);
    let _ = supervise!(limits = [db: 4, limit cpu 3], tasks = [task(ping {}, limit = db)]);
    let _ = supervise!(limits(db = 4), tasks = [task(ping {}, limit = db)]);
    let _ = supervise!(limits = [("db", 4), limit("cpu", 4)], tasks = [a = task(ping {}, limit = db), task(ping {}, limit = cpu)]);
    let _ = supervise!(limits = [db(4), limit(cpu, max = 4)], tasks = [a = task(ping {}, limit = db), task(ping {}, limit = cpu)]);
    // Values without names.
    let _ = supervise!(tasks = [task(ping {}, limit(5, "60s")), a = task(ping {}, limit("9s")), b = task(ping {}, limit(7))]);
    let _ = supervise!(tasks = [task(ping {}, backoff("1s", "2s"))], signals("1s", "2s"));
    let _ = supervise!(strategy = one-for-all, tasks = [store = group(strategy: rest-for-one(max_restarts = 3, within = "1s"))]);
    // Groups.
    let _ = supervise!(tasks = [Group { tasks: [ping {}] }, a = Group { name: "x", strategy: 1 }, Supervisor { tasks: [] }]);
    let tree = supervise!(tasks = [store = Group(tasks = [ping {}]), a = one_for_all(tasks = [ping {}], max_restarts = 3)]);
    let _ = (&tree.groups.store.tasks.ping, &tree.groups.a.tasks.ping);
    let tree = supervise!(tasks = [a(tasks = [ping {}]), group b(tasks = [ping {}]), group c = (tasks = [ping {}])]);
    let _ = (&tree.groups.a.tasks.ping, &tree.groups.b.tasks.ping, &tree.groups.c.tasks.ping);
    let tree = supervise!(tasks = [group(a, tasks = [ping {}]), group(name = "b", tasks = [ping {}])]);
    let _ = (&tree.groups.a.tasks.ping, &tree.groups.b.tasks.ping);
    let tree = supervise!(tasks = [task[ping {}], a = task[ping {}, critical], b = Task(ping {}, critical)]);
    let _ = (&tree.tasks.ping, &tree.tasks.a, &tree.tasks.b);
    let tree = supervise!(tasks = [task ping {}]);
    let _ = &tree.tasks.ping;
}
