//! M22: different tasks in the arms of an `if` or a `match`.

use taskvisor::prelude::*;

#[task]
async fn ping() {}

#[task]
async fn pool(size: u32) {
    let _ = size;
}

fn spec(size: u32) -> TaskSpec {
    pool::spec(size)
}

fn tree(number: u32) -> String {
    let tree = supervise!(
        tasks = [
            first = if number == 0 { ping {} } else { pool { size: number } },
            second = if number == 0 {
                ping {}
            } else if number == 1 {
                let size = number * 2;
                pool { size }
            } else {
                panic!("no such number: {number}")
            },
            task(
                match number {
                    0 => ping {},
                    1 => {
                        let size = 1;
                        pool { size }
                    }
                    _ => unreachable!(),
                },
                timeout = "5s",
            ),
            // Arms that have one type already.
            third = if number == 0 { spec(1) } else { pool::spec(2) },
            fourth = if number == 0 { pool { size: 1 } } else { pool { size: 2 } },
            fifth = match number {
                0 => pool { size: 1 }.with_name("x"),
                _ => spec(2),
            },
            store = group(tasks = [inner = if number == 0 { ping {} } else { pool { size: 3 } }]),
        ],
    );
    let paths = [tree.tasks.first.path(), tree.tasks.second.path(), tree.groups.store.tasks.inner.path()];
    assert_eq!(paths, ["first", "second", "store/inner"]);
    tree.snapshot().to_string()
}

/// An arm can leave the function.
fn early(number: u32) -> Option<Tree> {
    let tree = supervise!(
        tasks = [
            only = match number {
                0 => return None,
                1 => ping {},
                size => pool { size },
            },
        ],
    );
    Some(tree.into())
}

fn main() {
    assert!(tree(0).contains("ping"));
    assert!(tree(1).contains("pool"));
    assert!(early(0).is_none() && early(1).is_some() && early(2).is_some());
}
