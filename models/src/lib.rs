//! The engine's protocols under loom: the shipped files, with loom's primitives behind `crate::sync`.
//!
//! `cargo test --release --manifest-path models/Cargo.toml`. The tests in `tests/` run what is modelled here.
#![forbid(unsafe_code)]
#![allow(dead_code, reason = "not all that is shipped is modelled")]

mod panics;
#[path = "../../taskvisor/src/engine/verdict.rs"]
mod shipped_verdict;
mod sync;

pub mod verdict;
