//! Options, limits and labels that stand elsewhere.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task]
async fn pool(size: u32, timeout: u32) {
    let _ = (size, timeout);
}

fn main() {
    // Options in the braces of a task.
    let _ = supervise!(tasks = [ping {}, pool { size: 1, timeout: 2, after = [ping, nobody] }]);
    let _ = supervise!(tasks = [pool { after = [ping], timeout = 2, size = 1 }]);

    // A limit of failures.
    let _ = supervise!(tasks = [ping {}], limit(max_restarts = 5, within = "60s"));

    // Names of variables, which are no labels.
    let (spec, specs, own) = (pool::spec(1, 2), vec![pool::spec(1, 2)], TaskFn::arc("own", |_| async { Ok(()) }));
    let _ = supervise!(
        tasks = [
            task(spec.clone(), critical),
            ..specs,
            std::sync::Arc::clone(&own),
            task(ping {}, after = [spec, specs, own, other]),
        ],
    );
}
