//! Faults that were found, by their ids: what is right now.

mod groups;
