//! What is sent to a browser, and what is taken from one.

mod common;
#[cfg(feature = "serve")]
mod mounted;
mod nobody;
mod security;
mod stream;
mod wire;
