//! O01: a log that blocks its thread holds up neither the stop of the tasks nor the exit.

use super::signals::{Operated, RUNTIMES, with};

/// A log that blocks its thread when it is told of the shutdown, as a full pipe does, holds up no exit.
#[test]
fn o01_a_log_that_blocks_does_not_keep_the_process() {
    for runtime in RUNTIMES {
        for (signals, grace, status) in [(1, "grace=100", 3), (2, "grace=86400000", 4)] {
            let arguments = ["exit", "log=stuck", grace, "force_after=0", "deaf"];
            let mut operated = Operated::start(&with(&arguments, runtime), "ready");
            operated.signal(&["-TERM"]);
            assert_eq!(operated.line(), "ShutdownRequested SIGTERM");
            if signals > 1 {
                operated.signal(&["-TERM"]);
            }
            let ended = operated.wait();
            assert_eq!(ended.status, Some(status), "{}", ended.stderr);
            assert!(ended.stderr.ends_with(": deaf\n"), "{}", ended.stderr);
        }
    }
}

/// Nor does it keep a stop request from the tasks.
#[test]
fn o01_tasks_are_requested_to_stop_behind_a_log_that_blocks() {
    for runtime in RUNTIMES {
        let arguments = ["exit", "log=stuck", "grace=86400000", "cooperative"];
        let mut operated = Operated::start(&with(&arguments, runtime), "ready");
        operated.signal(&["-TERM"]);
        let mut lines = [operated.line(), operated.line()];
        lines.sort();
        assert_eq!(lines, ["ShutdownRequested SIGTERM", "stopped: shutdown"]);
        let ended = operated.wait();
        assert_eq!((ended.status, &*ended.stderr), (Some(0), ""));

        let arguments = ["exit", "log=stuck", "drain=86400000", "grace=86400000", "force_after=0", "cooperative"];
        let mut operated = Operated::start(&with(&arguments, runtime), "ready");
        operated.signal(&["-TERM"]);
        assert_eq!(operated.line(), "ShutdownRequested SIGTERM");
        operated.signal(&["-TERM"]);
        assert_eq!(operated.line(), "stopped: shutdown");
        assert_eq!(operated.wait().status, Some(0));
    }
    // The thread of `run` is blocked, but the workers are not.
    let mut operated = Operated::start(&["run", "log=stuck", "grace=86400000", "cooperative"], "ready");
    operated.signal(&["-TERM"]);
    let mut lines = [operated.line(), operated.line()];
    lines.sort();
    assert_eq!(lines, ["ShutdownRequested SIGTERM", "stopped: shutdown"]);
}

/// Nor does it keep `run` from the aborts and its end, if the runtime has workers: a line about the wait or the end blocks
/// none of its threads.
#[test]
fn o01_a_run_ends_behind_a_log_that_blocks() {
    for (arguments, status) in [
        (["run", "log=waits", "grace=2500", "deaf"], 3),
        (["run", "log=over", "grace=1", "deaf"], 3),
        (["run", "log=over", "grace=86400000", "cooperative"], 0),
    ] {
        let operated = Operated::start(&arguments, "ready");
        operated.signal(&["-TERM"]);
        let ended = operated.wait();
        assert_eq!(ended.status, Some(status), "{arguments:?}: {}", ended.stderr);
    }
}
