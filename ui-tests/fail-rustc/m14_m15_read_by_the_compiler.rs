//! What the compiler reports before any macro is expanded gets no other error.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[supervisor]
unsafe async fn app() -> App {
    supervise!(tasks = [ping {}])
}

fn main() {
    let _ = async { (&unsafe { app() }.await.tasks.ping).name().len() };
    let tree = supervise!(grace = '5s', name = 'app', strategy = 'one_for_all', tasks = [task(ping {}, timeout = '9s')]);
    let _ = &tree.tasks.ping;
}
