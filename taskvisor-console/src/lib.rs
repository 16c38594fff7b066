//! console
mod access;
mod page;
mod query;
