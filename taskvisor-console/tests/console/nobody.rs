//! While nobody looks, a console costs nothing.

use crate::common::*;
use taskvisor::{History, SupervisorConfig, Tree};
use taskvisor_console::Console;
use tokio::runtime::{Builder, Handle, Runtime};

/// The allocations of many changes of a task.
fn allocations(runtime: &Runtime, tree: &Tree) -> u64 {
    let web = tree.child("web");
    let changes = async {
        for _ in 0..200 {
            assert!(web.pause() && web.resume());
            tokio::task::yield_now().await;
        }
    };
    allocation_counter::measure(|| runtime.block_on(changes)).count_total
}

#[test]
fn nobody_looks_and_so_there_is_no_allocation_event_or_task() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _entered = runtime.enter();
    let tree = runtime.block_on(started(Tree::builder(SupervisorConfig::default()).task(runs("web"))));
    // The relay of events stays once there was a stream, and sleeps.
    runtime.block_on(async {
        drop(tree.supervisor().events());
        tree.child("web").pause();
        tree.child("web").resume();
        let _stream = tree.supervisor().events();
        tree.child("web").pause();
        tree.child("web").resume();
        tokio::task::yield_now().await;
    });
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let (_, before) = (allocations(&runtime, &tree), allocations(&runtime, &tree));
    let tasks_before = tasks();

    let console: Console = console(&tree).history(History::new()).allow_actions().redact(str::to_owned);
    runtime.block_on(async {
        for query in ["?tree", "?node=web", "?why=web", "?timers", "?log", ""] {
            assert_eq!(get(&console, query).await.status, http::StatusCode::OK);
        }
    });
    assert_eq!(allocations(&runtime, &tree), before, "it was asked, and nobody follows");

    let stream = runtime.block_on(async {
        let mut stream = Stream::open(&console).await;
        stream.until(|message| message.event == "snapshot").await;
        stream
    });
    assert!(tasks() > tasks_before);
    assert!(allocations(&runtime, &tree) > before, "events are made while it is followed");

    drop(stream);
    runtime.block_on(async {
        let ended = async {
            while tasks() > tasks_before {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), ended).await.expect("the pump ends");
    });
    assert_eq!(allocations(&runtime, &tree), before, "nobody follows any more");
}
