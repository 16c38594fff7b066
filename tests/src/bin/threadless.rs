//! A process that runs a blocking task, and prints its outcome. It has a runtime on one thread, and is started where no
//! other thread can be created.

use std::error::Error;
use std::io;
use std::iter::successors;

use taskvisor::{Supervisor, SupervisorConfig, task};

#[task(blocking, max_retries = 1, backoff(first = "1ms"))]
fn grind() {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    let outcome = supervisor.add_task(grind {}).await?.outcome().await;
    println!("{outcome:#}");
    let chain = successors(outcome.error().map(|error| &**error as &(dyn Error + 'static)), |&error| error.source());
    println!("io errors in the chain: {}", chain.filter(|error| error.is::<io::Error>()).count());
    Ok(())
}
