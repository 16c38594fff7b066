//! Models of the engine's protocols between threads.
//!
//! The files of the engine that implement a protocol are included unchanged. They take their locks and atomics from
//! `crate::sync`, which here uses loom instead of std. Each model explores the interleavings of its threads, and has a
//! twin with a planted bug that must be found.

#![allow(dead_code, unused_imports, reason = "a model uses a part of what a file offers")]

mod panics;
mod sync;

#[path = "../../taskvisor/src/runtime/task/news.rs"]
mod news;

#[path = "../../taskvisor/src/runtime/shutdown/verdict.rs"]
mod shipped_verdict;

// Left out where the unit tests of these files would be compiled, which run outside of a model.
#[cfg(not(test))]
pub mod events;
pub mod verdict;

/// Copies of the bus with one planted bug each; see `build.rs`.
#[cfg(not(test))]
pub mod mutants {
    include!(concat!(env!("OUT_DIR"), "/mutants.rs"));
}

#[cfg(test)]
mod news_model;
#[cfg(test)]
mod waiters_model;

/// Explores every interleaving with at most three preemptions.
#[cfg(test)]
fn explore(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}
