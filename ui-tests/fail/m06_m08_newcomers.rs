//! M06, M08: what people type who have read about fleets, slots and limits, and remember the words. What is refused keeps
//! its name, so that no second error says that it is missing.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task(singleton, ttl = "15s")]
async fn report() {}

fn main() {
    // An option around the entry in place of `task(..)`.
    let _ = supervise!(
        fleet = Fleet::local(),
        tasks = [singleton(ping {}), timeout(report {}, "5s"), a = leader(ping {}), b = depends_on(ping {}, [a])],
    );

    // The lease of a fleet.
    let _ = supervise!(fleet = Fleet::local(), ttl = "15s", slots = [slot(one, fleet, ttl = "15s")], tasks = [ping {}]);

    // Slots and limits that are declared like keys.
    let tree = supervise!(
        slots = [deploy, jobs = slot(), builds = slot(capacity = 5), slot(images, keys, throttle = "3/1s")],
        limits = [db = 4, limit(cpu = 2)],
        tasks = [task(ping {}, limit = db, after = [deploy, jobs]), group = group(limit = cpu, tasks = [ping {}])],
    );
    let _ = (&tree.slots.deploy, &tree.slots.jobs, &tree.slots.builds);

    // A list where a function is wanted.
    let _ = supervise!(tasks = [store = group(fresh = vec![ping::spec()])]);
}
