//! M14: the attribute above one that starts a runtime, on `main`, which that one would refuse as well.

use taskvisor::prelude::*;

#[subscriber]
#[tokio::main]
async fn main(event: &Event) {
    println!("{event:?}");
}
