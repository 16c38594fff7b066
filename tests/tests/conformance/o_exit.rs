//! O01 to O07: a process that always ends, and says why.

mod heard;
mod reasons;
#[cfg(unix)]
mod signals;
mod waiting;
