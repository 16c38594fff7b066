//! Models of the engine's protocols between threads.
//!
//! The files of the engine that hold a protocol are included here as they are; `crate::sync`, which they take their
//! locks and atomics from, gives them loom's instead of std's. Each model explores every order in which its threads can
//! run, and has a twin with a planted bug that must be found.

#![allow(dead_code, unused_imports, reason = "a model uses a part of what a file offers")]

mod panics;
mod sync;

#[path = "../../taskvisor/src/runtime/task/news.rs"]
mod news;

#[path = "../../taskvisor/src/runtime/shutdown/verdict.rs"]
mod shipped_verdict;

// Not where their own tests would be compiled, which run without a model.
#[cfg(not(test))]
pub mod events;
pub mod verdict;

/// The bus with one planted bug each; `build.rs` says which.
#[cfg(not(test))]
pub mod mutants {
    include!(concat!(env!("OUT_DIR"), "/mutants.rs"));
}

#[cfg(test)]
mod news_model;
#[cfg(test)]
mod waiters_model;

/// Explores every order in which the threads can run that takes a thread its turn away at most three times.
#[cfg(test)]
fn explore(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}
