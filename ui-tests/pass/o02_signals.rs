//! O02: `signals` takes a flag, a value and a list.

use std::time::Duration;
use taskvisor::prelude::*;

#[task]
async fn ping() {}

fn main() {
    let listens = std::env::args().count() > 9;
    let action = SignalAction::Drain;
    let force_after = Duration::from_secs(3);
    let trees = [
        supervise!(signals, tasks = [ping {}]).into(),
        supervise!(signals = false, tasks = [ping {}]).into(),
        supervise!(signals = listens, tasks = [ping {}]).into(),
        supervise!(signals = Signals { force_after, ..Signals::default() }, tasks = [ping {}]).into(),
        supervise!(signals(), tasks = [ping {}]).into(),
        supervise!(signals(force_after = force_after, interrupt = action, terminate = stop), tasks = [ping {}]).into(),
    ];
    let trees: Vec<taskvisor::Tree> = trees.into();
    let config = |tree: &taskvisor::Tree| format!("{tree:?}");
    assert_eq!(config(&trees[1]), config(&trees[2]));
    assert_eq!(config(&trees[0]), config(&trees[4]));
    assert!(config(&trees[5]).contains("force_after: 3s, interrupt: Drain, terminate: Stop"), "{}", config(&trees[5]));
}
