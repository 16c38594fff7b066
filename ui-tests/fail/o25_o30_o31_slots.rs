//! Limits that are not declared, and options of slots that contradict each other.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task(limit = "db")]
async fn quoted() {}

#[task(limit = 4)]
async fn number() {}

const KEYED: bool = true;

fn main() {
    let _ = supervise!(
        limits = [limit(db, 4), limit(cpu, 0), limit(db, 2), limit(net), limit("io", 2), db, limit(negative, -1)],
        slots = [
            slot(a, limit = bd),
            slot(b, debounce = "2s"),
            slot(c, admission = "queue", debounce = "2s"),
            slot(d, admission = "latest", debounce_max = "2s"),
            slot(e, admission = "latest", debounce = "2s", debounce_max = "1s"),
            slot(f, admission = "latest", debounce = "0s"),
            slot(g, concurrency = 0),
            slot(h, max_concurrent = 3),
            slot(i, keyed, max_concurrent = 0),
            slot(j, rate = "10"),
            slot(k, rate = "0/1m"),
            slot(l, rate = "ten/1m"),
            slot(m, rate = "10/0s"),
            slot(n, rate = "10/minute"),
            slot(o, rate = 10),
            slot(p, keyed = KEYED),
            slot(q, keyed),
        ],
        tasks = [
            task(ping {}, limit = dbs),
            first = task(ping {}, limit = store),
            second = task(ping {}, after = [q]),
            group = group(max_concurrent = 0, limit = disk, tasks = [third = task(ping {}, max_concurrent = 2)]),
        ],
    );
    let _ = supervise!(limit = db, tasks = [task(ping {}, limit(db))]);
    // A limit that is refused is declared all the same.
    let _ = supervise!(limits = [limit(net), cpu], tasks = [task(ping {}, limit = net), task(ping {}, limit = cpu, name = "b")]);
    let _ = supervise!(tasks = [task(ping {}, limit = db)]);
}
