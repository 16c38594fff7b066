//! M24: functions of an `impl` without `self`, as far as they show themselves: what to write instead.

use taskvisor::prelude::*;

struct Service;

impl Service {
    const LIMIT: u8 = 3;

    #[task]
    async fn run(ctx: TaskContext, number: u8) -> Result<(), TaskError> {
        let _ = (ctx, number.min(Self::LIMIT));
        Ok(())
    }

    #[task(timeout = "5s")]
    async fn nested() {
        if Self::is_on() {
            println!("on");
        }
    }

    #[subscriber]
    async fn listen(event: &Event) {
        let _ = (event, Self::is_on());
    }

    fn is_on() -> bool {
        true
    }
}

// As advised: beside the `impl`, with the type in place of `Type`.
#[task]
async fn run(ctx: TaskContext, number: u8) -> Result<(), TaskError> {
    Service::run(ctx, number).await
}

// A `Self` of its own is no sign of an `impl` around.
#[task]
async fn free() {
    struct Inner;
    impl Inner {
        fn new() -> Self {
            Self
        }
    }
    let _ = (Inner::new(), stringify!(Self));
}

fn main() {
    let _ = (Service::run, Service::nested, Service::listen, supervise!(tasks = [run { number: 1 }, free {}]));
}
