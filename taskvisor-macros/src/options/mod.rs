//! The options of tasks and groups, which `#[task(..)]`, `task(..)`, `group(..)` and `defaults(..)` share.

mod cells;
mod check;
mod expand;
mod held;
mod limit;
mod of_group;
mod parse;
mod schedule;
pub(crate) mod singleton;
mod table;

use std::time::Duration;

use proc_macro2::Ident;

use crate::reader::{Given, Words};

pub(crate) use cells::{given, row, setter};
pub(crate) use check::{check_name, zero};
pub(crate) use expand::{chosen, duration, is_set, lower, plain};
pub(crate) use held::{Flag, Held, LimitName, NameOfLimit, WrongForm, has_fields};
pub(crate) use limit::Limit;
pub(crate) use of_group::{OfGroup, check_max_starting, max_starting};
pub(crate) use parse::{IN_BACKOFF, IN_SUPERVISE, OF_FLEET, OF_FUNCTION, in_defaults, in_its_list, parse_crate};
pub(crate) use table::{Options, options_of_entries, options_of_tasks, places_of_options};

/// The kind of list, which decides the valid options.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// `#[task(..)]`
    Attribute,
    /// `task(entry, ..)`
    Entry,
    /// `group(..)`
    Group,
    /// `defaults(..)`
    Defaults,
}

/// `backoff(..)` as one unit: a field that is not given has its documented default.
pub(crate) struct Backoff {
    pub(crate) key: Ident,
    pub(crate) first: Option<Given<Duration>>,
    pub(crate) max: Option<Given<Duration>>,
    pub(crate) factor: Option<Given<f64>>,
    pub(crate) jitter: Option<Given<Jitter>>,
    pub(crate) reset_after: Option<Given<Duration>>,
    /// The local of `backoff = policy`.
    pub(crate) policy: Option<Ident>,
}

impl Backoff {
    fn new(key: &Ident) -> Self {
        Self { key: key.clone(), first: None, max: None, factor: None, jitter: None, reset_after: None, policy: None }
    }

    pub(crate) const DEFAULT_FIRST: Duration = Duration::from_millis(100);
    pub(crate) const DEFAULT_MAX: Duration = Duration::from_secs(30);
}

/// The readiness condition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ready {
    Start,
    Signal,
    Completed,
    FirstSuccess,
}

impl Ready {
    pub(crate) const WORDS: Words<Self> = Words {
        module: "words_of_ready",
        list: &["`ready`"],
        known: &[
            ("start", Self::Start),
            ("signal", Self::Signal),
            ("completed", Self::Completed),
            ("first_success", Self::FirstSuccess),
        ],
        is_flag: false,
    };
}

/// The scope of a span.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpanScope {
    Attempt,
    None,
}

impl SpanScope {
    pub(crate) const WORDS: Words<Self> = Words {
        module: "words_of_span",
        list: &["`span`"],
        is_flag: false,
        known: &[("attempt", Self::Attempt), ("none", Self::None)],
    };
}

/// The restart policy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restart {
    Never,
    OnFailure,
    Always,
}

impl Restart {
    pub(crate) const WORDS: Words<Self> = Words {
        module: "words_of_restart",
        list: &["`restart`"],
        known: &[("never", Self::Never), ("on_failure", Self::OnFailure), ("always", Self::Always)],
        is_flag: false,
    };
}

/// The value of a flag that can also be a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    Off,
    On,
    Word,
}

impl Choice {
    /// `critical`: each end fails the group.
    const CRITICAL: Words<Self> =
        Words { module: "words_of_critical", list: &["`critical`"], known: &[("any_end", Self::Word)], is_flag: true };
    /// `blocking`: on the pool of Tokio.
    const BLOCKING: Words<Self> =
        Words { module: "words_of_blocking", list: &["`blocking`"], known: &[("pool", Self::Word)], is_flag: true };

    /// Returns the words of a key.
    fn words(key: &str) -> &'static Words<Self> {
        if key == "critical" { &Self::CRITICAL } else { &Self::BLOCKING }
    }
}

/// The jitter of the backoff.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jitter {
    None,
    Full,
    Equal,
    Decorrelated,
}

impl Jitter {
    pub(crate) const WORDS: Words<Self> = Words {
        module: "words_of_jitter",
        list: &["`jitter`"],
        known: &[
            ("none", Self::None),
            ("full", Self::Full),
            ("equal", Self::Equal),
            ("decorrelated", Self::Decorrelated),
        ],
        is_flag: false,
    };
}
