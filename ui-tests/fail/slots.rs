//! Slots that cannot be read, and options of theirs that make no sense.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[tokio::main]
async fn main() {
    let tree = supervise!(
        slots = [
            slot(deploy, admission = "replace"),
            slot(deploy, capacity = 5),
            slot(zero, capacity = 0),
            slot(misspelt, admission = "replce", capacty = 5),
            slot(unknown, admission = "newest"),
            slot(bare, admission = replace),
            slot(variant, admission = AdmissionPolicy::Replace),
            slot(repeated, capacity = 5, capacity = 6),
            slot(misplaced, slot_capacity = 5, queue_capacity = 5, policy = "queue"),
            slot(number, capacity = "5"),
            slot(),
            slot(capacity = 5),
            slot("quoted"),
            slot(self),
            unwrapped,
            other(thing),
            #[cfg(all())]
            slot(here),
            slot(here),
            #[cfg(any())]
            slot(there),
            slot(there),
            #[must_use]
            slot(attribute),
        ],
        slot(stray),
        queue_capacity = 5,
        tasks = [ping {}, task(ping {}, slots = [slot(inner)])],
    );
    tree.slots.deploy.submit(ping {}).await.ok();
    tree.slots.zero.queue(ping {}).await.ok();
    tree.slots.misspelt.replace(ping {}).await.ok();
    tree.slots.repeated.drop_if_running(ping {}).await.ok();
    tree.slots.here.cancel_all().await.ok();
    tree.slots.there.cancel_all().await.ok();
    let _ = supervise!(slots = deploy, tasks = [ping {}]);
    let _ = supervise!(slots(deploy), controller(queue_capacity = 5), tasks = [ping {}]);
}
