//! M07: two tasks of one name. Each item that is generated beside the second function names its struct, and the compiler
//! reads that name as the first: so each of them is an error as well. A name of its own for each struct would end that, and
//! would stand in each message and in the docs in place of the name of the task.

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

// Why there is more than one E0428: a function and a struct are in two namespaces, and the compiler tells both as one only
// where both have the same span, as a tuple struct has. That of the function is code of the user, to which his lints apply.
// The compiler goes on after E0428, as it does with a `derive` on two structs of one name, and an expansion does not know
// what other expansions are in its module.
fn main() {}
