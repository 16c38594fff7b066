//! Options of an entry that have no effect on its task, as only the compiler can know.

use taskvisor::prelude::*;

#[task]
async fn nothing(number: u8) {
    let _ = number;
}

#[task]
async fn token(token: CancellationToken) {
    token.cancelled().await;
}

#[task]
async fn whole(ctx: TaskContext) {
    ctx.cancelled().await;
}

#[task(blocking)]
fn blocking() {}

// Refused: what stands at its entry is no further error.
#[task]
async fn refused(text: &str) {
    let _ = text;
}

fn main() {
    let _ = supervise!(
        tasks = [
            task(nothing { number: 1 }, watchdog = "5s"),
            second = task(nothing { number: 1 }, ready = "signal"),
            third = task(nothing { number: 1 }, cleanup = "5s"),
            task(token {}, watchdog = "5s", cleanup = "5s"),
            fourth = task(token {}, ready = "signal"),
            store = group(
                tasks = [
                    #[cfg(any())]
                    task(nothing { number: 1 }, watchdog = "5s"),
                    #[cfg(not(any()))]
                    task(self::nothing { number: 2 }, watchdog = "5s"),
                ],
            ),
            // All of these have an effect, or are not known to have none.
            task(whole {}, watchdog = "5s", ready = "signal", cleanup = "5s"),
            task(blocking {}, cleanup = "5s", ready = "start"),
            task(refused { text: "text" }, watchdog = "5s", cleanup = "5s"),
            task(nothing::spec(1).with_name("fifth"), watchdog = "5s"),
        ],
    );
}
