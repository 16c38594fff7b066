//! The specified behaviors, case by case. The name of each test begins with the id of its case.
#![allow(clippy::many_single_char_names, reason = "children are a, b, c")]

mod a_start;
mod b_restart;
mod blocking;
mod c_console;
mod c_limits;
mod d_strategies;
mod e_stop;
mod f_control;
mod g_nesting;
mod h_significant;
mod i_events;
mod j_controller;
mod journal;
mod k_faults;
mod look;
mod o_errors;
mod o_exit;
mod o_fresh;
mod o_held;
mod o_inbox;
mod o_life;
mod o_panics;
mod o_phase;
mod o_retry_after;
mod o_slots;
mod o_tenants;
mod probes;
mod retry_if;
mod t1_schedules;
mod t2_pause;
mod t3_overrides;
mod t4_history;
mod t5_fleet;
