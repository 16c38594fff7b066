//! M14: the attribute on the `main` of a program.

use taskvisor::prelude::*;

/// Does all the work.
#[task(restart = "always", interval = "5s")]
async fn main(ctx: TaskContext) -> Result<(), String> {
    work(ctx).await;
    Ok(())
}

async fn work(ctx: TaskContext) {
    ctx.cancelled().await;
}
