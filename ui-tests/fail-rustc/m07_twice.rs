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
//
// What does not help, as the name of the second struct means the first to all that is generated: `derive` in place of
// impls, a struct from a `macro_rules!`, and an import of it under another name in the block (the same errors). Structs
// imported by two globs are E0659 at each use of the name, and have another path in the docs. An alias of an associated
// type has no inherent items, and is shown as the type behind it. Items that hang on the struct are as many as before.
fn main() {}
