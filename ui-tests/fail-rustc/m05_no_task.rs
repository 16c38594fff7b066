//! M05: something that is no task is one error, at each place that takes a task.

use taskvisor::prelude::*;
use taskvisor::{Group, GroupHandle};

#[task]
async fn ping() {}

async fn m05_supervisor(handle: SupervisorHandle) {
    handle.add_task(ping()).await.unwrap().cancel().await.unwrap();
}

async fn m05_group(handle: &GroupHandle) {
    let _ = handle.add_task("ping").await;
}

async fn m05_slot(slot: &SlotHandle) {
    slot.submit(ping).await.unwrap();
    slot.queue(5).await.unwrap();
    slot.replace(Some(ping {})).await.unwrap();
    slot.drop_if_running(()).await.unwrap();
}

fn m05_entry() {
    let _ = supervise!(tasks = [Group::one_for_one("store")]);
    let _ = Group::one_for_one("store").task(ping());
}

fn main() {}
