//! M07: tasks, subscribers and trees of one name, each in a scope of its own.

#![deny(warnings)]

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[supervisor]
fn app() -> App {
    supervise!(tasks = [ping {}])
}

mod first {
    use taskvisor::prelude::*;

    #[task]
    pub async fn ping(number: u8) {
        let _ = number;
    }

    pub mod inner {
        use taskvisor::prelude::*;

        #[task]
        pub async fn ping(text: String) {
            let _ = text;
        }
    }

    #[supervisor]
    pub fn app() -> App {
        supervise!(tasks = [ping { number: 1 }, other = inner::ping { text: "}".to_owned() }])
    }
}

mod second {
    use taskvisor::prelude::*;

    #[subscriber]
    pub async fn ping(event: &Event, number: u8) {
        let _ = (event, number);
    }
}

fn within(flag: bool) -> Tree {
    if flag {
        #[task]
        async fn ping(flag: bool) {
            let _ = flag;
        }
        supervise!(tasks = [ping { flag }]).into()
    } else {
        #[task]
        async fn ping(text: String) {
            let _ = text;
        }
        supervise!(tasks = [ping { text: String::new() }]).into()
    }
}

#[cfg(any())]
#[task]
async fn conditional(number: u8) {
    let _ = number;
}

#[cfg(not(any()))]
#[task]
async fn conditional(text: String) {
    let _ = text;
}

#[task]
#[cfg(any())]
async fn below() {}

#[task]
#[cfg(not(any()))]
async fn below(number: u8) {
    let _ = number;
}

/// Puts what it is given into modules of these names.
macro_rules! modules {
    ($($module:ident: $item:item)*) => { $(mod $module {
        use taskvisor::prelude::*;
        $item
    })* };
}

modules! {
    third:
    #[task]
    pub async fn ping(a: u8) {
        let _ = a;
    }
    fourth:
    #[task]
    pub async fn ping(b: u8) {
        let _ = b;
    }
}

macro_rules! task_of_module {
    ($module:ident, $name:ident, $field:ident) => {
        mod $module {
            use taskvisor::prelude::*;

            #[task]
            pub async fn $name($field: u8) {
                let _ = $field;
            }

            #[task]
            pub async fn fixed($field: u8) {
                let _ = $field;
            }
        }
    };
}

task_of_module!(fifth, ping, a);
task_of_module!(sixth, ping, b);

// A function, and the struct of another.
#[task(struct = pong)]
#[allow(non_camel_case_types)]
async fn pong_function(number: u8) {
    let _ = number;
}

#[task(struct = Pong)]
async fn pong(text: String) {
    let _ = text;
}

fn main() {
    assert_eq!(app().tasks.ping.path(), "ping");
    assert_eq!(first::app().tasks.other.path(), "other");
    let _ = (within(true), within(false));
    let tree = supervise!(
        subscribers = [second::ping { number: 1 }],
        tasks = [
            conditional { text: String::new() },
            below { number: 1 },
            third = third::ping { a: 1 },
            fourth = fourth::ping { b: 1 },
            fifth = fifth::ping { a: 1 },
            sixth = sixth::ping { b: 1 },
            seventh = fifth::fixed { a: 1 },
            eighth = sixth::fixed { b: 1 },
            ninth = pong { number: 1 },
            tenth = Pong { text: String::new() },
        ],
    );
    assert_eq!(tree.tasks.tenth.path(), "tenth");
}
