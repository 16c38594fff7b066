//! A process that reports its state to systemd. Its one task becomes ready when it reads a line from stdin. The process
//! prints `ready` when the tree is ready, and `told` when the notifier has ended. With the argument `exits`, `run_to_exit`
//! ends it.

use std::time::Duration;

use taskvisor::{Ready, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree};

fn serve() -> TaskSpec {
    let task = TaskFn::arc("serve", |ctx: TaskContext| async move {
        let line = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        line.await.map_err(TaskError::error)?.map_err(TaskError::error)?;
        ctx.ready();
        ctx.cancelled().await;
        Err(TaskError::Canceled)
    });
    TaskSpec::inherit(task).with_ready(Ready::Signal)
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), RuntimeError> {
    let config = SupervisorConfig { drain: Duration::from_millis(100), ..SupervisorConfig::default() };
    let tree = Tree::builder(config).task(serve()).build();
    #[cfg(unix)]
    let telling = tokio::spawn(taskvisor::systemd::notify(tree.supervisor()));
    let ready = async {
        tree.wait_ready().await;
        println!("ready");
    };
    let result = if std::env::args().nth(1).is_some_and(|argument| argument == "exits") {
        tokio::join!(ready, async { tree.run_to_exit().await }).1
    } else {
        tokio::join!(ready, tree.run()).1
    };
    #[cfg(unix)]
    if telling.await.is_ok() {
        println!("told");
    }
    result
}
