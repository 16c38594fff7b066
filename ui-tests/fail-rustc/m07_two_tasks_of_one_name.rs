//! M07: two functions of one name are that error alone, whatever else would be generated beside the second.

use taskvisor::prelude::*;

#[task]
async fn copied(number: u8) {
    let _ = number;
}

#[task]
async fn copied(number: u8) {
    let _ = number;
}

#[task]
async fn ping() {}

/// Text between them: `}` "{ '{'
#[task(timeout = "5s", backoff(first = "1s"))]
async fn ping(number: u8) -> Result<(), String> {
    println!("{{ {number}");
    Ok(())
}

mod subscribers {
    use taskvisor::prelude::*;

    #[task]
    async fn ping() {}

    #[subscriber]
    async fn listen(event: &Event) {
        let _ = event;
    }

    #[subscriber(queue = 5)]
    async fn listen(event: &Event, number: u8) {
        let _ = (event, number);
    }

    #[task]
    async fn listen() {}
}

mod trees {
    use taskvisor::prelude::*;

    #[task]
    async fn ping() {}

    #[supervisor]
    pub(super) fn app() -> App {
        supervise!(tasks = [ping {}])
    }

    #[supervisor]
    fn app() -> App {
        supervise!(grace = "5s", tasks = [first = ping {}, second = ping {}])
    }

    #[supervisor]
    fn another() -> Result<App, String> {
        Ok(supervise!(tasks = [first = ping {}, store = group(tasks = [ping {}])]))
    }

    #[supervisor]
    fn ping() -> Ping {
        supervise!(tasks = [first = ping {}])
    }
}

mod structs {
    use taskvisor::prelude::*;

    #[task(struct = Ping)]
    async fn ping(number: u8) {
        let _ = number;
    }

    #[task(struct = Ping)]
    async fn pong(text: String) {
        let _ = text;
    }

    struct Pang;

    #[task(struct = Pang)]
    async fn pang() {}
}

fn within() {
    #[task]
    async fn ping() {}

    #[task]
    async fn ping() {}

    supervise!(tasks = [ping {}]);
}

fn main() {
    supervise!(tasks = [copied { number: 1 }, ping {}]);
    let _ = trees::app().tasks.ping;
}
