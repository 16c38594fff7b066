//! M14: the attribute on a `main` that starts a runtime.

use taskvisor::prelude::*;

#[tokio::main(flavor = "current_thread")]
#[task]
async fn main() {
    tokio::task::yield_now().await;
}
