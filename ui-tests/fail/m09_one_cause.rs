//! M09: one error for one cause. What is refused is there with its name, so that its uses are no further errors.

use std::borrow::Cow;

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task]
async fn pong(ctx: TaskContext) {
    ctx.cancelled().await;
}

#[task]
async fn elided(name: Cow<'_, str>) {
    let _ = name;
}

#[task]
async fn named<'a>(name: Cow<'a, str>, text: &'a str) {
    let _ = (name, text);
}

#[task]
async fn pattern((x, y): (u8, u8), [.., last]: [u8; 3], plain: u8) {
    let _ = (x, y, last, plain);
}

#[task]
async fn nameless(_: u8) {}

#[task]
async fn generic<T: Send>(value: T, name: String) {
    let _ = (value, name);
}

#[task(restrat = "always")]
async fn typo(name: String) {
    let _ = name;
}

#[subscriber]
async fn listen(event: &Event, (x, y): (u8, u8)) {
    let _ = (event, x, y);
}

#[task(restart = "never", interval = "1s", every = "2s")]
async fn repeated() {}

#[task]
#[task(timeout = "5s")]
async fn twice(number: u8) {
    let _ = number;
}

#[supervisor]
fn one_of_two(flag: bool) -> OneOfTwo {
    if flag { supervise!(tasks = [ping {}]) } else { supervise!(tasks = [pong {}]) }
}

#[supervisor]
fn one_of_three(number: u8) -> Result<OneOfThree, String> {
    match number {
        1 => Ok(taskvisor::supervise!(tasks = [ping {}])),
        2 => Err("two".to_owned()),
        _ => Ok(supervise!(tasks = [pong {}])),
    }
}

// As advised.
fn one_of_two_trees(flag: bool) -> Tree {
    if flag { supervise!(tasks = [ping {}]).into() } else { supervise!(tasks = [pong {}]).into() }
}

struct Client;

impl Client {
    // The advice has the context in its place.
    #[task]
    async fn listen(&self, ctx: TaskContext) {
        ctx.cancelled().await;
    }

    #[task]
    async fn fetch(&self, number: u8, ctx: &TaskContext, url: &str) {
        let _ = (number, url, ctx.cancelled().await);
    }
}

// Without its `async`, each `.await` would be one more error; that of a block inside would not.
#[task]
fn plain(url: String) -> Result<(), String> {
    std::future::ready(()).await;
    Err(url)
}

#[task]
fn inner() {
    let _ = async { std::future::ready(()).await };
}

#[task]
async fn two(first: TaskContext, second: TaskContext) {
    let _ = (first.attempt(), second.attempt());
}

#[task(max-retries = 5, "interval" = "5s", timeout = 5u64)]
async fn dashed() {}

fn main() {
    let _ = (one_of_two(true).tasks.pong.path(), one_of_three(1).unwrap().tasks.pong.path(), one_of_two_trees(true));
    let tree = supervise!(
        subscribers = (listen { x: 1, y: 2 }),
        tasks = [
            elided { name: "x".into() },
            named { name: "x".into(), text: "x" },
            pattern { x: 1, y: 2, last: 3, plain: 4 },
            nameless {},
            generic { value: 5, name: "x".into() },
            typo { name: "x".into() },
            more = group(
                tasks = [
                    elided::spec("x".into()),
                    named::spec("x".into(), "x"),
                    pattern::spec((1, 2), [3; 3], 4),
                    nameless::spec(5),
                    generic::spec(5, "x"),
                    typo::spec("x"),
                    twice { number: 1 },
                ],
            ),
        ],
    );
    let _ = (tree.tasks.pattern.path(), tree.groups.more.tasks.nameless.path(), pattern::NAME);

    // Lists in other brackets, or without any.
    let tree = supervise!(tasks = (ping {}, second = task(pong {}, after = [ping])));
    let _ = (tree.tasks.ping.path(), tree.tasks.second.path());
    let _ = supervise!(tasks = (ping {})).tasks.ping.path();
    let _ = supervise!(tasks = ping {}).tasks.ping.path();
    let _ = supervise!(tasks = { ping {} }).tasks.ping.path();
    let _ = supervise!(tasks = &[ping {}]).tasks.ping.path();
    let _ = supervise!(tasks = vec![ping {}, second = pong {}]).tasks.second.path();
    let _ = supervise!(ping {}).tasks.ping.path();
    let _ = supervise!(slots = slot(jobs), tasks = []).slots.jobs.len();
    let _ = supervise!(slots = jobs, tasks = []).slots.jobs.len();
    let _ = supervise!(slots = ["jobs"], tasks = []).slots.jobs.len();
    let _ = supervise!(limits = limit(db, 4), tasks = [task(ping {}, limit = db)]).tasks.ping.path();
    // Groups.
    let tree = supervise!(
        tasks = [
            first = [ping {}, second = pong {}],
            second = group[ping {}],
            third = group(ping {}, pong {}),
            fourth = group(tasks = vec![ping {}]),
        ],
    );
    let groups = &tree.groups;
    let _ = (groups.first.tasks.second.path(), groups.second.tasks.ping.path(), groups.fourth.tasks.ping.path());
    let _ = groups.third.tasks.ping.path();
    // Entries.
    let flag = true;
    let tree = supervise!(
        tasks = [
            "quoted" = ping {},
            critical(ping {}),
            if flag {
                pong {}
            },
            store = group(tasks = [Some(ping {}), &pong {}, &ping {}]),
        ],
    );
    let _ = (tree.tasks.quoted.path(), tree.tasks.ping.path(), tree.tasks.pong.path());
    let _ = tree.groups.store.tasks.pong.path();
    let _ = supervise!("grace" = "5s", tasks = [plain { url: String::new() }, inner {}, two {}, task(dashed {}, stop-timeout = "5s")]);
}
