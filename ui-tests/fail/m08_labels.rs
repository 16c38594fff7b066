//! Labels in another place and with other punctuation, and words before an entry. Each entry has its handle.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task]
async fn pong() {}

fn main() {
    // Between a label and its entry.
    let tree = supervise!(tasks = [a := ping {}, b -> ping {}, c <- ping {}, d @ ping {}, e => task(ping {}, critical)]);
    let _ = (&tree.tasks.a, &tree.tasks.b, &tree.tasks.c, &tree.tasks.d, &tree.tasks.e);
    let tree = supervise!(tasks = [a -> group(tasks = [b := ping {}]), #[cfg(all())] c: ping {}]);
    let _ = (&tree.groups.a.tasks.b, &tree.tasks.c);
    let tree = supervise!(tasks = ["a": ping {}, "b" => ping {}, "c" ping {}, d ping {}, e: Task = ping {}]);
    let _ = (&tree.tasks.a, &tree.tasks.b, &tree.tasks.c, &tree.tasks.d, &tree.tasks.e);
    // Behind the entry.
    let tree = supervise!(tasks = [ping {} as a, ping {} = b, c == ping {}, ("d", ping {})]);
    let _ = (&tree.tasks.a, &tree.tasks.b, &tree.tasks.c, &tree.tasks.d);
    let tree = supervise!(tasks = [ping {} as "a", ping {} @ b, ping {}: "c", ping {} => d, ping {} "e", ping {} -> f]);
    let _ = (&tree.tasks.a, &tree.tasks.b, &tree.tasks.c, &tree.tasks.d, &tree.tasks.e, &tree.tasks.f);
    // Words and marks before it.
    let tree = supervise!(tasks = [move ping {}, mut pong {}, a = new ping {}, async task(b = ping {})]);
    let _ = (&tree.tasks.ping, &tree.tasks.pong, &tree.tasks.a);
    let tree = supervise!(tasks = [@ping {}, task a = ping {}, critical b = ping {}, pub c = ping {}, await pong {}]);
    let _ = (&tree.tasks.ping, &tree.tasks.a, &tree.tasks.b, &tree.tasks.c, &tree.tasks.pong);
    let tree = supervise!(tasks = [*ping {}, a = !ping {}, -pong {}]);
    let _ = (&tree.tasks.ping, &tree.tasks.a, &tree.tasks.pong);
    let _ = supervise!(tasks = [async fn pinging() {}, a = ping {}, depends_on b = group(tasks = [])]);
    // No values.
    let tree = supervise!(tasks = [#[cfg(all())] a: u32, b: String]);
    let _ = (&tree.tasks.a, &tree.tasks.b);
    let _ = supervise!(tasks = [{ name: "a" }, { "name": "a", "run": ping }]);
    let tree = supervise!(tasks = [a: { critical: true }, b = { "critical": true }, c-d = ping {}, "e f" = ping {}]);
    let _ = (&tree.tasks.a, &tree.tasks.b, &tree.tasks.c_d, &tree.tasks.e_f);
    let tree = supervise!(tasks = ['a: ping {}, $b = ping {}, let mut c = ping {}, let d: Task = ping {}, x = ping {} as y]);
    let _ = (&tree.tasks.a, &tree.tasks.b, &tree.tasks.c, &tree.tasks.d, &tree.tasks.x);
    let tree = supervise!(tasks = [a ?= ping {}, b += ping {}]);
    let _ = (&tree.tasks.a, &tree.tasks.b);
    // Options behind an entry.
    let tree = supervise!(tasks = [ping {} with critical = true, a = ping {} { critical: true }, b = pong {} (timeout = "5s")]);
    let _ = (&tree.tasks.ping, &tree.tasks.a, &tree.tasks.b);
    let tree = supervise!(tasks = [ping {} where timeout = "5s", (pong {}, critical)]);
    let _ = (&tree.tasks.ping, &tree.tasks.pong);
    // Between entries.
    let tree = supervise!(tasks = [ping {} -> pong {}, a = ping {}]);
    let _ = (&tree.tasks.ping, &tree.tasks.pong, &tree.tasks.a);
    let tree = supervise!(tasks = [ping {}. pong {}, a = group(tasks = [ping {} and pong {}])]);
    let _ = (&tree.tasks.ping, &tree.tasks.pong);
    let tree = supervise!(tasks = [ping {} | pong {}, a = group(tasks = [ping {}..pong {}])]);
    let _ = (&tree.tasks.ping, &tree.tasks.pong, &tree.groups.a.tasks.pong);
    let tree = supervise!(tasks = [ping {} > pong {}, a = group(tasks = [ping {} && pong {}])]);
    let _ = (&tree.tasks.ping, &tree.tasks.pong, &tree.groups.a.tasks.pong);
    let tree = supervise!(tasks = [ping {}; pong {}]);
    let _ = (&tree.tasks.ping, &tree.tasks.pong);
    let tree = supervise!(tasks = [ping {}; pong {}; a = ping {}]);
    let _ = (&tree.tasks.ping, &tree.tasks.pong, &tree.tasks.a);
    let tree = supervise!(tasks = [ping {},, pong {};]);
    let _ = (&tree.tasks.ping, &tree.tasks.pong);
    let tree = supervise!(tasks = [{ ping {}, pong {} }]);
    let _ = (&tree.tasks.ping, &tree.tasks.pong);
}
