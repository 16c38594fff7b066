//! O01 to O07: a process that always ends, and says why.

mod heard;
#[cfg(unix)]
mod one_line;
mod reasons;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod stuck_log;
mod waiting;
