//! Times and names that are given where others are wanted.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

fn text_as_time() {
    let _ = ping::spec().with_timeout("5s");
    let _ = ping::spec().with_timeout(5);
}

mod one_name_for_two_trees {
    use taskvisor::prelude::*;

    #[task]
    async fn pong() {}

    #[supervisor]
    fn one() -> App {
        supervise!(tasks = [pong {}])
    }

    #[supervisor]
    pub fn two() -> App {
        supervise!(tasks = [pong {}])
    }
}

fn main() {}
