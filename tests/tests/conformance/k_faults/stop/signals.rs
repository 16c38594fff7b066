//! K3 and K5: signals to a child process.

use crate::e_stop::signals::{LONG, Victim};

const ROUNDS: usize = 4;
const HOWS: [&str; 3] = ["exit", "spawned", "spawned-quiet"];

/// The process exits only when `run` has returned, although a thread is blocked forever.
#[test]
fn k3c_a_signal_ends_a_run_though_the_stop_blocks_a_thread() {
    for (how, task) in HOWS.into_iter().flat_map(|how| [(how, "cleanup-blocks"), (how, "drop-blocks")]) {
        for _ in 0..ROUNDS {
            let victim = Victim::start(&["100", how, task]);
            victim.signal("-TERM");
            let ended = victim.wait();
            assert_eq!(ended.status, Some(3), "{how} {task}");
            assert_eq!(ended.stderr, format!("Error: 1 task not stopped in time (grace 100ms): {task}\n"));
        }
    }
}

#[test]
fn k3c_a_second_signal_is_heard_though_the_stop_blocks_a_thread() {
    for how in HOWS {
        for _ in 0..ROUNDS {
            let mut victim = Victim::start(&[LONG, how, "cleanup-blocks", "deaf"]);
            victim.signal("-TERM");
            while victim.line() != "blocked\n" {}
            victim.signal("-TERM");
            let ended = victim.wait();
            assert_eq!(ended.status, Some(4), "{how}: a day has not passed");
            let names = ended.stderr.strip_prefix("Error: 2 tasks aborted, as the shutdown was forced after ");
            assert!(names.is_some_and(|names| names.ends_with(": cleanup-blocks, deaf\n")), "{}", ended.stderr);
        }
    }
}

/// Both threads are blocked in the end, so the process is ended from outside of the runtime. Before that, `deaf` is aborted
/// and ends in time, or `drop-late` ends when the shutdown waits for it no longer.
#[test]
fn k3c_what_ends_a_process_without_a_thread_names_what_was_aborted_before_too() {
    for name in ["deaf", "drop-late"] {
        for _ in 0..ROUNDS {
            let mut victim = Victim::start(&[LONG, "spawned-quiet", "cleanup-blocks", name, "drop-blocks"]);
            victim.signal("-TERM");
            while victim.line() != "blocked\n" {}
            victim.signal("-TERM");
            let ended = victim.wait();
            assert_eq!(ended.status, Some(4));
            let names = ended.stderr.strip_prefix("Error: 3 tasks aborted, as the shutdown was forced after ");
            let all = format!(": cleanup-blocks, {name}, drop-blocks\n");
            assert!(names.is_some_and(|names| names.ends_with(&all)), "{}", ended.stderr);
        }
    }
}

/// Tokio keeps its signal handlers. The documentation of `run` says so, and what a program can do about it.
#[test]
fn k5k_the_docs_say_that_ctrl_c_stays_caught_after_a_run() {
    let docs = include_str!("../../../../../taskvisor/src/supervisor/owner.rs").replace("///", " ");
    let docs = docs.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(docs.contains("After a `run` that ended by itself, Ctrl+C does nothing unless the program listens to it"));
}
