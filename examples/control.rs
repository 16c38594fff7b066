//! Tasks that come and go while the supervisor runs: add, trigger, restart, cancel, remove.
//!
//! ```text
//! cargo run --example control
//! ```
//!
//! The output of the tasks is indented.

use std::time::Duration;

use taskvisor::prelude::*;
use tokio::time::sleep;

/// Works once a minute. Since it takes no context, it is dropped when it is requested to stop.
#[task(restart = "always", interval = "60s")]
async fn refresh(region: &'static str) {
    sleep(Duration::from_millis(10)).await;
    println!("    refreshed {region}");
}

/// Works until it is requested to stop, then cleans up.
#[task]
async fn serve(ctx: TaskContext) {
    println!("    {}: attempt {}, serves", ctx.name(), ctx.attempt());
    ctx.cancelled().await;
    println!("    {}: says goodbye", ctx.name());
}

#[tokio::main]
async fn main() -> Result<(), RuntimeError> {
    // It accepts tasks as soon as it is built, with and without `run`.
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);

    println!("add three tasks");
    let europe = supervisor.add_task(refresh::spec("Europe").with_name("refresh-eu")).await?;
    supervisor.add_task(refresh::spec("Asia").with_name("refresh-asia")).await?;
    let server = supervisor.add_task(serve {}).await?;
    settle().await;
    println!("registered: {:?}", supervisor.list_tasks().await);
    println!("under way: {:?}", supervisor.snapshot());

    println!("\nadd one whose name is taken");
    if let Err(refused) = supervisor.add_task(serve {}).await {
        println!("refused: {refused}");
    }

    println!("\ntrigger {}, which waits for its interval: {:?}", europe.name(), europe.status().state);
    europe.trigger();
    settle().await;

    println!("\nrestart {}", server.name());
    server.restart();
    settle().await;

    println!("\ncancel {}, and wait until it has ended", server.name());
    let told = supervisor.cancel(serve::NAME).await?;
    println!("told it to stop: {told}, outcome: {}", server.outcome().await);
    println!("another cancel finds nothing: {}", supervisor.cancel(serve::NAME).await?);

    println!("\nremove {}, and do not wait", europe.name());
    supervisor.remove_task(europe.path()).await?;
    println!("outcome: {}", europe.outcome().await);
    if let Err(unknown) = supervisor.remove_task("nobody").await {
        println!("refused: {unknown}");
    }

    println!("\nshut down with {:?} left", supervisor.list_tasks().await);
    supervisor.shutdown().await
}

/// Gives the tasks time to print.
async fn settle() {
    sleep(Duration::from_millis(50)).await;
}
