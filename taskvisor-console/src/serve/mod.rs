//! A port or socket of its own, with the feature `serve`.
//!
//! `connections` serves HTTP/1.1 on what a listener accepts, `tcp` and `unix` open the listeners.

mod connections;
mod tcp;
#[cfg(unix)]
mod unix;
