//! A process that reports its state to systemd. Its one task becomes ready when it reads a line from stdin. The process
//! prints `ready` when the tree is ready, and `told` when the notifier has ended. With the argument `exits`, `run_to_exit`
//! ends it; with `blocked` too, and the task blocks the only worker at its stop. With `alone` there is one worker.

use std::thread;
use std::time::Duration;

use taskvisor::{Ready, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree};
use tokio::runtime::Builder;

fn serve(blocks: bool) -> TaskSpec {
    let task = TaskFn::arc("serve", move |ctx: TaskContext| async move {
        let line = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        line.await.map_err(TaskError::error)?.map_err(TaskError::error)?;
        ctx.ready();
        ctx.cancelled().await;
        if blocks {
            loop {
                thread::park();
            }
        }
        Err(TaskError::Canceled)
    });
    TaskSpec::inherit(task).with_ready(Ready::Signal)
}

fn main() -> Result<(), RuntimeError> {
    let argument = std::env::args().nth(1).unwrap_or_default();
    let workers = if matches!(&*argument, "alone" | "blocked") { 1 } else { 2 };
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    runtime.expect("a runtime").block_on(notifies(&argument))
}

async fn notifies(argument: &str) -> Result<(), RuntimeError> {
    let (drain, default) = (Duration::from_millis(100), SupervisorConfig::default());
    let grace = if argument == "blocked" { Duration::from_millis(100) } else { default.grace };
    let tree = Tree::builder(SupervisorConfig { drain, grace, ..default }).task(serve(argument == "blocked")).build();
    #[cfg(unix)]
    let telling = tokio::spawn(taskvisor::systemd::notify(tree.supervisor()));
    let ready = async {
        tree.wait_ready().await;
        println!("ready");
    };
    let result = if matches!(argument, "" | "alone") {
        tokio::join!(ready, tree.run()).1
    } else {
        tokio::join!(ready, async { tree.run_to_exit().await }).1
    };
    #[cfg(unix)]
    if telling.await.is_ok() {
        println!("told");
    }
    result
}
