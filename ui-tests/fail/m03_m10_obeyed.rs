//! M03, M10: what a message advises is right when it is followed, and is told once for one cause.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task]
async fn pong(ctx: TaskContext) {
    ctx.cancelled().await;
}

// Words of Erlang in place of a time.
#[task(shutdown = "brutal_kill")]
async fn killed() {}

#[task(shutdown = "infinity")]
async fn endless() {}

#[task(shutdown = "5s")]
async fn stopped() {}

// A time is no number, also with an exponent.
#[task(timeout = 1e3, initial_delay = 1.5e0, stop_timeout = 2_000.0)]
async fn floats() {}

// Arguments are no options.
#[task(state = foo, args = (1, 2))]
async fn with_state() {}

trait Service {
    #[task]
    async fn run(self);

    #[subscriber]
    async fn listen(&self, event: &Event);
}

#[subscriber]
async fn late_event(prefix: String, event: &Event) {
    let _ = (prefix, event);
}

#[subscriber]
async fn owned_event(prefix: String, number: u8, event: Event) {
    let _ = (prefix, number, event);
}

#[subscriber]
async fn no_event(prefix: String) {
    let _ = prefix;
}

#[supervisor]
fn by_name() -> HashMap<String, App> {
    supervise!(tasks = [ping {}])
}

#[supervisor]
fn several() -> Vec<App> {
    vec![supervise!(tasks = [ping {}])]
}

fn main() {
    let specs = vec![ping::spec()];
    let _ = supervise!(
        tasks = [
            // One cycle, with a way around it.
            task(ping {}, after = [third]),
            second = task(ping {}, after = [ping]),
            third = task(ping {}, after = [second]),
            fourth = task(ping {}, after = [third, fifth]),
            fifth = group(after = [fourth], tasks = [first = task(ping {}, after = [last]), last = ping {}]),
        ],
    );
    let _ = supervise!(
        tasks = [
            ..specs.clone(),
            ..(0..specs.len()).map(|_| ping {}),
            task(ping {}, after = [specs]),
        ],
    );
    let number = specs.len();
    let _ = supervise!(tasks = [..(0..number).map(|_| ping {}), task(pong {}, after = [number])]);
    let _ = supervise!(tasks = [|ctx| async move {}, label = move |_: TaskContext| async {}]);
    // As advised.
    let _ = supervise!(
        tasks = [TaskFn::arc("name", |ctx: TaskContext| async move {
            ctx.cancelled().await;
            Ok(())
        })],
    );
    let _ = supervise!(
        slots = [
            slot(first, rate = "10/s"),
            slot(second, rate = "5 / min"),
            slot(third, rate = "5/hour"),
            slot(fourth, rate = "5/x"),
            slot(fifth, rate = "5/2 m"),
        ],
        tasks = [],
    );
    let flag = true;
    let tree = supervise!(
        tasks = [
            ping {} if flag,
            label = pong {} after [ping],
            critical self::pong {},
            other = self::pong {} depends_on = [ping],
            paused task(ping {}),
            more = task(pong {} timeout = "5s"),
        ],
    );
    let _ = (tree.tasks.ping.path(), tree.tasks.label.path(), tree.tasks.other.path());
    let _ = supervise!(shutdown = "brutal_kill", tasks = [critical ping {}, paused self::pong {} when flag]);
}
