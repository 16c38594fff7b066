//! M14, M24: functions of an `impl` without `self`: what to write instead. Some have a `Self`; of others the text of the file tells
//! where they stand.

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

impl Service {
    #[supervisor]
    fn tree() -> Trees {
        supervise!(tasks = [free {}])
    }

    #[supervisor]
    fn own(&self) -> Vec<Others> {
        vec![supervise!(tasks = [free {}])]
    }

    /// Of this type.
    #[task(blocking)]
    pub fn block(_url: String) -> Result<(), String> {
        Ok(())
    }

    #[task]
    pub(crate) async fn plain(_ctx: TaskContext, _url: String) {}

    #[subscriber]
    async fn hear(_event: &Event) {}

    fn method() {
        // A function in a method is free.
        #[task]
        async fn inside() {}
        let _ = supervise!(tasks = [inside {}]);
    }
}

#[rustfmt::skip]
unsafe trait Listed { #[task] async fn first() {} }

// An impl of nothing {
mod free_ones {
    use taskvisor::prelude::*;

    #[task]
    pub async fn ping() {}

    #[supervisor]
    pub fn pings() -> Pings {
        supervise!(tasks = [ping {}])
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
    let _ = (Service::block, Service::plain, Service::hear, Service::method, free_ones::pings());
}
