//! The behaviours, case by case. Each test is named after its id.

mod b_restart;
