//! `run_until` with a future that has a result, which would be lost: the message shows the line that ignores it. The bound
//! gives its type to `pending()`, and to a block that never ends; see `pass/running.rs`. The compiler checks the bound
//! of an `async fn` at the argument, the call and the `.await`.

use taskvisor::prelude::*;
use tokio::signal::ctrl_c;
use tokio::sync::oneshot;

#[task]
async fn ping() {}

async fn of_a_tree() {
    let tree = supervise!(tasks = [ping {}]);
    tree.run_until(ctrl_c()).await.unwrap();
}

fn of_a_supervisor(stop: oneshot::Receiver<()>) {
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    drop(supervisor.run_until(vec![ping::spec()], stop));
}

fn main() {}
