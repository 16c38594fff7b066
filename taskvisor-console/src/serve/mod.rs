//! Serves the console on a port or socket of its own, with the feature `serve`.
//!
//! `connections` serves HTTP/1.1 on the connections of a listener, and `timely` ends those whose client takes nothing.
//! `tcp` and `unix` open the listeners.

mod connections;
mod tcp;
mod timely;
#[cfg(unix)]
mod unix;
