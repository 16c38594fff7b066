//! The order of events on several threads.

mod slots;
