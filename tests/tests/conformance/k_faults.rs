//! K. Faults that were found, each with the right value.

mod stop;
