//! What people type first, in the words and the punctuation of other libraries and languages.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task(max_attempts = 3, deadline = "5s", depends_on = [ping], before = [ping], schedule = "1h")]
async fn m06_options() {}

#[task(restart = "permanent", backoff(initial = "1s", multiplier = 2.0, cap = "3s"), retry = 3)]
async fn m06_values() {}

#[task(transient, concurrency = 4, children = [ping])]
async fn m06_elsewhere() {}

#[task(restart = "always", interval = period, timeout = period * 2)]
async fn m12(period: Duration) {}

#[task]
async fn m13_option(ctx: Option<TaskContext>) {}

#[task]
async fn m13_shared(ctx: Arc<TaskContext>) {}

#[task(timeout = 10_000, stop_timeout = "1e3s", cleanup = "00:05:00", initial_delay = "1h and 30m")]
async fn m15() {}

#[task(name = " ")]
async fn m16_blank() {}

#[task(name = "a\nb")]
async fn m16_lines() {}

fn main() {
    let list = vec![ping::spec()];
    let all = Vec::<Arc<dyn Subscribe>>::new();
    // M03
    let _ = supervise!(tasks = list);
    let _ = supervise!(tasks = vec![ping {}], subscribers = all);
    let _ = supervise!(tasks = [Some(ping {}), async {}, || async {}]);
    // M08
    let _ = supervise!(grace: "5s", tasks = [store: group(tasks = [ping {}]), other => ping {}]);
    let _ = supervise!(defaults { timeout = "5s" }, tasks = [store = group { tasks = [ping {}], critical = true }]);
    let _ = supervise!(tasks = { ping {}, a = ping {} });
    let _ = supervise!(tasks = [store = group[ping {}]]);
    let _ = supervise!(tasks = [store = grup(tasks = [ping {}]), tsk(ping {}, timeout = "5s")]);
    let _ = supervise!(tasks = [store = one_for_all(tasks = [ping {}]), run(ping {}, timeout = "5s")]);
    let _ = supervise!(tasks = [store = [ping {}, ping {}], other = group(ping {}, ping {})]);
    // M06
    let _ = supervise!(children = [ping {}], grace_period = "5s", intensity = 3, deadline = "1s");
    let _ = supervise!(tasks = [store = group(strategy = all, max_restarts = 3, tasks = [])]);
    let _: Cow<'static, str> = "".into();
}
