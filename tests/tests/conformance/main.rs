//! The behaviours, case by case. Each test is named after its id.

mod a_start;
mod b_restart;
mod c_limits;
mod e_stop;
mod f_control;
mod i_events;
