//! Cron patterns: what they accept, what they mean, and when they occur.

mod calendar;
mod every_zone;
mod fuzz;
mod kit;
mod latest;
mod messages;
mod normal_form;
mod occurrences;
mod reference;
