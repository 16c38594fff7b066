//! O07: the message of a process that ends is one line, whatever the names of its tasks are.

use super::signals::{Operated, RUNTIMES, with};

const NAME: &str = "a\u{1b}[2J\nError: b";

#[test]
fn o07_no_name_breaks_the_line_of_the_message() {
    for runtime in RUNTIMES {
        // The thread of the runtime is free, or blocked in the end.
        for (how, blocks) in [("run", None), ("exit", None), ("exit", Some("spin"))] {
            let arguments = [&[how, "grace=100", NAME][..], blocks.as_slice()].concat();
            let mut operated = Operated::start(&with(&arguments, runtime), "ready");
            if blocks.is_some() {
                assert_eq!(operated.line(), "spinning");
            }
            operated.signal(&["-TERM"]);
            let ended = operated.wait();
            assert_eq!(ended.status, Some(3), "{}", ended.stderr);
            let message = ended.stderr.strip_suffix('\n').unwrap();
            assert!(message.contains(r"a\u{1b}[2J\nError: b"), "{message}");
            assert!(!message.contains(char::is_control), "{message:?}");
        }
    }
}
