//! K: faults that were found by pressing on what stood, by kind.

mod tasks;
