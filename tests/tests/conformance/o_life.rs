//! No silent death, no false health.

mod o10_hanging;
mod o11_must_not_end;
mod o12_long_starts;
mod o13_paused_host;
mod o14_blocking;
mod o15_throttle;
mod o16_first_success;
mod o17_quiet;
