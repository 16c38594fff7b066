//! A process that is started where no thread can be created; its runtime has one thread. The argument says what it does:
//! it runs a blocking task or a singleton and prints the outcome, or it runs a tree to the exit of the process.

use std::env;
use std::error::Error;
use std::io;
use std::iter::successors;

use taskvisor::fleet::{Fleet, LocalStore};
use taskvisor::{Supervisor, SupervisorConfig, TaskContext, supervise, task};

#[task(blocking, max_retries = 1, backoff(first = "1ms"))]
fn grind() {}

#[task(restart = "never")]
async fn report(ctx: TaskContext) {
    println!("an attempt with a lease: {}", ctx.fencing_token().is_some());
}

#[task]
async fn serve(ctx: TaskContext) {
    ctx.cancelled().await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1).as_deref() {
        Some("exit") => supervise!(tasks = [serve {}]).run_to_exit().await,
        Some("fleet") => {
            let fleet = Fleet::new(LocalStore::new());
            supervise!(fleet = fleet, tasks = [task(report {}, singleton = true)]).run().await?;
        }
        _ => {
            let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
            let outcome = supervisor.add_task(grind {}).await?.outcome().await;
            println!("{outcome:#}");
            let error = outcome.error().map(|error| &**error as &(dyn Error + 'static));
            let chain = successors(error, |&error| error.source());
            println!("io errors in the chain: {}", chain.filter(|error| error.is::<io::Error>()).count());
        }
    }
    Ok(())
}
