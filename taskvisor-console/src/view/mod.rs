//! What is shown, as data: nodes, the "why" sentence, timers, details and events, in the form of the wire.
//!
//! Everything here is pure but `detail`, which asks the supervisor. `mirror` keeps the tree as clients have it.

mod mirror;
mod times;
mod why;
