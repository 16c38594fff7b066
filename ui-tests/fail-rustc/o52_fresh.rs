//! Functions that cannot make the tasks of a group.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

async fn make() -> Result<Vec<TaskSpec>, String> {
    Ok(vec![ping::spec()])
}

async fn infallible() -> Vec<TaskSpec> {
    vec![ping::spec()]
}

async fn of_url(_url: &str) -> Result<Vec<TaskSpec>, String> {
    make().await
}

async fn numbers() -> Result<Vec<u8>, String> {
    Ok(vec![1])
}

fn main() {
    supervise!(tasks = [called = group(fresh = make())]);
    supervise!(tasks = [plain = group(fresh = infallible)]);
    supervise!(tasks = [other = group(fresh = numbers)]);
    supervise!(tasks = [takes = group(fresh = of_url)]);
    supervise!(tasks = [unknown = group(fresh = mak)]);
}
