//! The shown data: nodes, the "why" sentence, timers, details and events, in the wire format.
//!
//! `mirror` keeps the tree that was sent to clients, as `facts` and texts (`node`). `why`, `mirror` and `changes` are
//! pure; `read` reads the supervisor and the history, and `slot` finds waiting submissions, which have no node yet.

mod changes;
mod event;
mod facts;
mod mirror;
mod node;
mod order;
mod read;
mod slot;
mod times;
mod why;

pub(crate) use changes::{Changes, Position, Status, full, is_over, rights};
pub(crate) use event::{action, event, path};
pub(crate) use mirror::{Delta, Mirror, Source};
pub(crate) use node::{is_behind, recent};
pub(crate) use read::{detail, leases, log, now, slots, timers, tree, why};
pub(crate) use slot::Waits;
pub(crate) use why::shown;
