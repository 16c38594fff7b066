//! A process that runs a tree to its exit, on a runtime without timers.

use taskvisor::{TaskContext, supervise, task};
use tokio::runtime::Builder;

#[task]
async fn serve(ctx: TaskContext) {
    ctx.cancelled().await;
}

fn main() -> Result<(), std::io::Error> {
    Builder::new_current_thread().build()?.block_on(supervise!(tasks = [serve {}]).run_to_exit())
}
