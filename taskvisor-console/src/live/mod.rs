//! The streams: one pump reads the events of the supervisor, and sends the changes to all clients.
//!
//! `hub` has the clients and starts the pump with the first; `mailbox` has the messages of one client; `pump` is the
//! loop, and `log` the last events. Without a client there is no pump, and so no stream of events, timer or copy of the
//! tree.

mod hub;
mod log;
mod mailbox;
mod pump;

pub(crate) use hub::{Client, Hub, NotJoined};
