//! A page that shows a taskvisor supervision tree live, and why a task does not run.

mod access;
mod action;
mod console;
mod live;
mod page;
mod query;
mod reply;
#[cfg(feature = "serve")]
mod serve;
mod service;
mod settings;
mod sync;
mod view;

pub use access::Access;
pub use console::Console;
pub use reply::Body;
pub use service::Answer;
