//! O52: groups that make their children anew at each start.

mod checks;
mod failures;
mod names;
mod races;
mod restarts;
mod stops;
mod taken;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskvisor::{Group, RuntimeError, SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};
use tests::{Recorder, constant, secs};

use crate::journal::Journal;

type Result = std::result::Result<(), RuntimeError>;

fn tree(group: Group) -> (Tree, Arc<Recorder>) {
    let recorder = Recorder::new();
    (Tree::builder(SupervisorConfig::default()).with_subscriber(recorder.clone()).group(group).build(), recorder)
}

/// A group that restarts on the first failure in it, after 5 s.
fn group(name: &str) -> Group {
    Group::one_for_all(name).with_limit(0, secs(60)).with_backoff(constant(secs(5)))
}

/// The number of calls of a maker.
#[derive(Clone, Default)]
struct Calls(Arc<AtomicUsize>);

impl Calls {
    /// Counts a call, and returns its number from 1.
    fn next(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// What the children of one run share. The journal notes when it is made and dropped.
struct Shared {
    journal: Journal,
    number: usize,
}

impl Shared {
    fn new(journal: &Journal, number: usize) -> Arc<Self> {
        journal.add(format!("made {number}"));
        Arc::new(Self { journal: journal.clone(), number })
    }

    /// A child that has a part in it.
    fn child(self: &Arc<Self>, name: &str) -> TaskSpec {
        let shared = Arc::clone(self);
        TaskSpec::inherit(TaskFn::arc(name, move |ctx: TaskContext| {
            let shared = Arc::clone(&shared);
            async move {
                ctx.cancelled().await;
                drop(shared);
                Ok(())
            }
        }))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.journal.add(format!("dropped {}", self.number));
    }
}
