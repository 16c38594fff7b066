//! How a task or group is supervised: the options that `#[task(..)]`, `task(..)`, `group(..)` and `defaults(..)` share.

mod check;
mod describe;
mod expand;
mod parse;

use std::time::Duration;

use proc_macro2::Ident;
use syn::{ExprPath, LitStr, Path};

use crate::reader::Given;

pub(crate) use check::{check_name, zero};
pub(crate) use expand::{duration, is_set, plain};
pub(crate) use parse::{IN_BACKOFF, IN_SUPERVISE, OF_EACH_TASK, OF_FUNCTION, parse_crate};

/// Where the options stand, which decides which of them there are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// `#[task(..)]`
    Attribute,
    /// `task(entry, ..)` or `group(..)`
    Entry,
    /// `defaults(..)`
    Defaults,
}

/// The options of one list: what is not given stays open, and is inherited.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) krate: Option<Path>,
    pub(crate) name: Option<Given<LitStr>>,
    pub(crate) restart: Option<Given<Restart>>,
    pub(crate) interval: Option<Given<Duration>>,
    pub(crate) every: Option<Given<Duration>>,
    pub(crate) initial_delay: Option<Given<Duration>>,
    pub(crate) timeout: Option<Given<Duration>>,
    pub(crate) stop_timeout: Option<Given<Duration>>,
    pub(crate) cleanup: Option<Given<Duration>>,
    pub(crate) start_timeout: Option<Given<Duration>>,
    pub(crate) ready: Option<Given<Ready>>,
    pub(crate) watchdog: Option<Given<Duration>>,
    pub(crate) max_retries: Option<Given<u32>>,
    pub(crate) critical: Option<Given<bool>>,
    pub(crate) significant: Option<Given<bool>>,
    pub(crate) final_attempt: Option<Given<bool>>,
    pub(crate) readiness: Option<Given<bool>>,
    pub(crate) metric_label: Option<Given<LitStr>>,
    pub(crate) blocking: Option<Given<bool>>,
    /// The function that says whether a failure is retried.
    pub(crate) retry_if: Option<Given<ExprPath>>,
    /// The earlier siblings that must be ready first, as written.
    pub(crate) after: Vec<Ident>,
    pub(crate) backoff: Option<Backoff>,
    /// Something in the invocation could not be read, and may be what is missing here.
    pub(crate) is_partial: bool,
}

/// `backoff(..)`, one unit: a field that is not given takes its documented default.
pub(crate) struct Backoff {
    pub(crate) key: Ident,
    pub(crate) first: Option<Given<Duration>>,
    pub(crate) max: Option<Given<Duration>>,
    pub(crate) factor: Option<Given<f64>>,
    pub(crate) jitter: Option<Given<Jitter>>,
    pub(crate) reset_after: Option<Given<Duration>>,
}

impl Backoff {
    pub(crate) const DEFAULT_FIRST: Duration = Duration::from_millis(100);
    pub(crate) const DEFAULT_MAX: Duration = Duration::from_secs(30);
}

/// When a task counts as ready.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ready {
    Start,
    Signal,
    Completed,
}

impl Ready {
    pub(crate) const WORDS: &'static [(&'static str, Self)] =
        &[("start", Self::Start), ("signal", Self::Signal), ("completed", Self::Completed)];
}

/// When a task or group that ended runs again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restart {
    Never,
    OnFailure,
    Always,
}

impl Restart {
    pub(crate) const WORDS: &'static [(&'static str, Self)] =
        &[("never", Self::Never), ("on_failure", Self::OnFailure), ("always", Self::Always)];
}

/// How the waits between retries are spread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jitter {
    None,
    Full,
    Equal,
    Decorrelated,
}

impl Jitter {
    pub(crate) const WORDS: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("full", Self::Full), ("equal", Self::Equal), ("decorrelated", Self::Decorrelated)];
}
