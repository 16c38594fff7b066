//! Cron patterns, and their occurrences in a time zone.
//!
//! A [`Pattern`] is five fields, in the grammar of the Open Cron Pattern Specification (OCPS) 1.0 and the nicknames and
//! day modifiers of its successors:
//!
//! | field | values | more |
//! |---|---|---|
//! | minute | `0` to `59` | |
//! | hour | `0` to `23` | |
//! | day of month | `1` to `31` | `L` is the last day |
//! | month | `1` to `12`, `jan` to `dec` | |
//! | day of week | `0` to `7`, `sun` to `sat` | `mon#2` is the second Monday, `fri#L` or `friL` the last Friday |
//!
//! A field is a list of items, separated by commas: `*`, a value, a range `9-17`, or a step through a range, `*/15` or
//! `5-59/15`. `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight` and `@hourly` stand for a whole
//! pattern. Names of months and days are read in any case, nicknames in lower case. Both `0` and `7` are Sunday.
//!
//! If neither the day of month nor the day of week begins with `*`, a day matches that matches one of them. Otherwise a
//! day matches that matches both. That is the rule of Vixie cron.
//!
//! # Changes of the clock
//!
//! A pattern is a *fixed time* if neither its minute nor its hour begins with `*`, and a *wildcard* otherwise.
//!
//! | | the clock is set forward and skips times | the clock is set back, and times come twice |
//! |---|---|---|
//! | fixed time, as `30 2 * * *` | one occurrence at the first instant after the skipped times | the first pass only |
//! | wildcard, as `*/15 * * * *` | skipped times do not occur | both passes |
//!
//! More exactly, a fixed time occurs when the local clock reaches or skips it for the first time. A wildcard occurs
//! whenever the local clock shows it. So `*/15 2 * * *` does not occur on a day without the hour 2.
//!
//! # Examples
//!
//! ```
//! use taskvisor_parse::cron::{Pattern, Utc};
//!
//! let pattern = Pattern::parse("30 2 * * mon-fri")?;
//! let friday = 1_774_576_800; // 2026-03-27T02:00:00Z
//! let times: Vec<String> = pattern.upcoming(friday, &Utc).take(2).map(|next| next.local.to_string()).collect();
//! assert_eq!(times, ["2026-03-27T02:30:00", "2026-03-30T02:30:00"]);
//! # Ok::<(), taskvisor_parse::cron::Errors>(())
//! ```

mod advice;
mod calendar;
mod error;
mod field;
mod normal;
mod occurrence;
mod parse;
mod pattern;
mod token;
mod zone;

pub use calendar::Civil;
pub use error::{Errors, PatternError};
pub use occurrence::{Occurrence, Upcoming};
pub use pattern::Pattern;
pub use zone::{Offset, Utc, Zone};
