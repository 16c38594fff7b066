//! M07: two tasks of one name.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task(timeout = "5s")]
async fn ping(number: u8) -> Result<(), String> {
    Ok(())
}

mod subscribers {
    use taskvisor::prelude::*;

    #[subscriber]
    async fn listen(event: &Event) {
        let _ = event;
    }

    #[subscriber]
    async fn listen(event: &Event) {
        let _ = event;
    }
}

fn main() {}
