//! A tree to look at, with its console. The browser tests drive it as well.
//!
//! ```text
//! cargo run -p taskvisor-console --example live --features fleet                 # a task in each state
//! cargo run -p taskvisor-console --example live --features fleet -- shop         # a small service that mostly works
//! cargo run -p taskvisor-console --example live --features fleet -- odd          # names and errors that are hard to show
//! cargo run -p taskvisor-console --example live --features fleet -- many 10000   # so many tasks, of which some fail
//! cargo run -p taskvisor-console --example live --features fleet -- storm 2000   # so many tasks that fail all the time
//! ```
//!
//! It prints the address of the console, which `LISTEN` sets, and ends with Ctrl+C or SIGTERM. With `READ_ONLY` set, the
//! console has no buttons.

mod odd;
mod scenes;

use std::env;
use std::error::Error;
use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use taskvisor::prelude::*;
use taskvisor::{History, Tree};
use taskvisor_console::Console;

/// Serves the console until the task is requested to stop, and then until no connection is left: an open page must not
/// hold it up.
fn console(listener: Arc<TcpListener>, history: History, read_only: bool) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc("console", move |ctx: TaskContext| {
        let (listener, history) = (listener.clone(), history.clone());
        async move {
            let mut console = Console::new(ctx.supervisor()).history(history);
            if !read_only {
                console = console.allow_actions().allow_shutdown();
            }
            let app = Router::new().route_service("/console", console.clone()).route_service("/console/", console);
            let listener =
                listener.try_clone().and_then(tokio::net::TcpListener::from_std).map_err(TaskError::error)?;
            let stop = async move { drop(ctx.cancelled().await) };
            axum::serve(listener, app).with_graceful_shutdown(stop).await.map_err(TaskError::error)
        }
    }))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let scene = arguments.next().unwrap_or_else(|| "states".to_owned());
    let count = arguments.next().map_or(Ok(1000), |count| count.parse())?;
    let history = History::new();
    let builder = Tree::builder(SupervisorConfig::default()).with_name(scene.as_str()).with_subscriber(history.clone());
    let builder = match &*scene {
        "states" => scenes::states(builder).await?,
        "shop" => scenes::shop(builder),
        "odd" => odd::odd(builder),
        "many" => scenes::many(builder, count, 0.02),
        "storm" => scenes::many(builder, count, 1.0),
        other => return Err(format!("unknown scene `{other}`: it is states, shop, odd, many or storm").into()),
    };
    let listener = TcpListener::bind(env::var("LISTEN").as_deref().unwrap_or("127.0.0.1:0"))?;
    listener.set_nonblocking(true)?;
    println!("http://{}/console", listener.local_addr()?);
    let console = console(Arc::new(listener), history, env::var_os("READ_ONLY").is_some());
    let tree = builder.task(console).with_limit(1_000_000, std::time::Duration::from_secs(1)).build();
    tree.start().await?;
    if scene == "states" {
        scenes::disturb(&tree).await?;
    }
    tree.run().await?;
    Ok(())
}
