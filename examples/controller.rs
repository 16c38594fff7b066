//! Slots: the admission policies for a task that is submitted while another task of its slot runs.
//!
//! ```text
//! cargo run --example controller --features controller
//! ```
//!
//! The output of the tasks is indented.

use std::time::Duration;

use taskvisor::prelude::*;
use tokio::time::sleep;

/// Deploys a version. When requested to stop it rolls back, and its slot is busy until that is done.
#[task]
async fn deploy(ctx: TaskContext, version: &'static str) {
    println!("    {version}: begins");
    if ctx.sleep(Duration::from_millis(200)).await {
        println!("    {version}: is live");
    } else {
        sleep(Duration::from_millis(50)).await;
        println!("    {version}: is rolled back");
    }
}

/// The submissions of one part of this program: version, policy and handle of each.
#[derive(Default)]
struct Submissions(Vec<(&'static str, AdmissionPolicy, TaskHandle)>);

impl Submissions {
    /// All tasks are named `deploy`, and so is their slot. The handle identifies a submission.
    fn add(&mut self, version: &'static str, policy: AdmissionPolicy, handle: TaskHandle) {
        println!("submitted {version} as #{}, to {policy}: {}", handle.id(), handle.status().state);
        self.0.push((version, policy, handle));
    }

    /// Every submission has exactly one outcome, whether it ran or not.
    async fn tell(self) {
        for (version, policy, handle) in self.0 {
            println!("#{} {version}, {policy}: {}", handle.id(), handle.outcome().await);
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), RuntimeError> {
    let cfg = SupervisorConfig::default();
    let sup = Supervisor::builder(cfg).with_controller(ControllerConfig::default()).build();

    println!("queue: each waits its turn");
    let mut queued = Submissions::default();
    for version in ["v1", "v2"] {
        let handle = sup.submit(ControllerSpec::queue(deploy::spec(version))).await?;
        queued.add(version, AdmissionPolicy::Queue, handle);
    }
    queued.tell().await;

    println!("\nreplace: the latest wins, and starts when the one that ran has ended");
    let mut replacing = Submissions::default();
    for version in ["v3", "v4", "v5"] {
        let handle = sup.submit(ControllerSpec::replace(deploy::spec(version))).await?;
        replacing.add(version, AdmissionPolicy::Replace, handle);
        sleep(Duration::from_millis(20)).await;
    }
    replacing.tell().await;

    println!("\ndrop if running: one at a time, and no waiting");
    let mut dropping = Submissions::default();
    for version in ["v6", "v7"] {
        let handle = sup.submit(ControllerSpec::drop_if_running(deploy::spec(version))).await?;
        dropping.add(version, AdmissionPolicy::DropIfRunning, handle);
    }
    dropping.tell().await;

    println!("\nshut down with one that runs, and one that waits");
    let mut last = Submissions::default();
    for version in ["v8", "v9"] {
        let handle = sup.submit(ControllerSpec::queue(deploy::spec(version))).await?;
        last.add(version, AdmissionPolicy::Queue, handle);
    }
    sleep(Duration::from_millis(20)).await;
    sup.shutdown().await?;
    last.tell().await;
    if let Err(refused) = sup.submit(ControllerSpec::queue(deploy::spec("v10"))).await {
        println!("v10 is not even taken: {refused}");
    }
    Ok(())
}
