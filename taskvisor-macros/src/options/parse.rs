//! The tables of options, one row an option.

use quote::ToTokens;
use syn::{Expr, ExprPath, Ident, Lit, Path};

use super::{Backoff, Jitter, Options, Place, Ready, Restart};
use crate::argument::{as_ident, peel};
use crate::path;
use crate::reader::{Given, Reader, Value};
use crate::table::{Key, Misplaced, Read, Table};

/// The rows that a list of several kinds can have.
impl<T: AsMut<Options>> Key<T> {
    pub(crate) const AFTER: Self = Self::new(
        "after",
        "after = [store]",
        Read::Value(|target, key, value, reader| target.as_mut().after = parse_after(key, value, reader)),
    );
    pub(crate) const BACKOFF: Self = Self::new(
        "backoff",
        "backoff(first = \"100ms\", max = \"30s\", factor = 2.0, jitter = \"equal\")",
        Read::List(|target, key, list, reader| {
            let mut backoff =
                Backoff { key: key.clone(), first: None, max: None, factor: None, jitter: None, reset_after: None };
            BACKOFF_FIELDS.read(list, &mut backoff, reader);
            target.as_mut().backoff = Some(backoff);
        }),
    );
    pub(crate) const CRITICAL: Self =
        Self::new("critical", "critical", Read::Flag(|target| &mut target.as_mut().critical));
    pub(crate) const MAX_RETRIES: Self =
        Self::new("max_retries", "max_retries = 5", Read::U32(|target| &mut target.as_mut().max_retries));
    pub(crate) const READINESS: Self =
        Self::new("readiness", "readiness = false", Read::Flag(|target| &mut target.as_mut().readiness));
    pub(crate) const RESTART: Self = Self::new(
        "restart",
        "restart = \"always\"",
        Read::Value(|target, key, value, reader| {
            target.as_mut().restart = Some(Given::new(key, reader.word(key, value, Restart::WORDS)));
        }),
    );
    pub(crate) const SIGNIFICANT: Self =
        Self::new("significant", "significant", Read::Flag(|target| &mut target.as_mut().significant));
}

const CRATE: Key<Options> = Key::new(
    "crate",
    "crate = \"path::to::taskvisor\"",
    Read::Value(|options, _, value, reader| options.krate = parse_crate(value, reader)),
);
const CONSTANT_NAME: Key<Options> = Key::new(
    "name",
    "name = \"..\"",
    Read::Value(|options, key, value, reader| {
        options.name = Some(Given::new(key, reader.constant_text(key, value)));
    }),
);
const NAME: Key<Options> = Key::new("name", "name = \"..\"", Read::Text(|options| &mut options.name));
const INTERVAL: Key<Options> =
    Key::new("interval", "interval = \"10s\"", Read::Duration(|options| &mut options.interval));
const EVERY: Key<Options> = Key::new("every", "every = \"10s\"", Read::Duration(|options| &mut options.every));
const INITIAL_DELAY: Key<Options> =
    Key::new("initial_delay", "initial_delay = \"10s\"", Read::Duration(|options| &mut options.initial_delay));
const TIMEOUT: Key<Options> = Key::new("timeout", "timeout = \"5s\"", Read::Duration(|options| &mut options.timeout));
const STOP_TIMEOUT: Key<Options> =
    Key::new("stop_timeout", "stop_timeout = \"5s\"", Read::Duration(|options| &mut options.stop_timeout));
const CLEANUP: Key<Options> = Key::new("cleanup", "cleanup = \"5s\"", Read::Duration(|options| &mut options.cleanup));
const START_TIMEOUT: Key<Options> =
    Key::new("start_timeout", "start_timeout = \"30s\"", Read::Duration(|options| &mut options.start_timeout));
const WATCHDOG: Key<Options> =
    Key::new("watchdog", "watchdog = \"10s\"", Read::Duration(|options| &mut options.watchdog));
const READY: Key<Options> = Key::new(
    "ready",
    "ready = \"signal\"",
    Read::Value(|options, key, value, reader| {
        options.ready = Some(Given::new(key, reader.word(key, value, Ready::WORDS)));
    }),
);
const FINAL_ATTEMPT: Key<Options> =
    Key::new("final_attempt", "final_attempt", Read::Flag(|options| &mut options.final_attempt));
const METRIC_LABEL: Key<Options> =
    Key::new("metric_label", "metric_label = \"..\"", Read::Text(|options| &mut options.metric_label));

const BLOCKING: Key<Options> = Key::new("blocking", "blocking", Read::Flag(|options| &mut options.blocking));
const RETRY_IF: Key<Options> = Key::new(
    "retry_if",
    "retry_if = is_transient",
    Read::Value(|options, key, value, reader| {
        options.retry_if = Some(Given::new(key, parse_function(key, value, reader)));
    }),
);

const OF_ATTRIBUTE: Table<Options> = Table {
    noun: "option",
    keys: &[
        &Key::RESTART,
        &INTERVAL,
        &EVERY,
        &INITIAL_DELAY,
        &TIMEOUT,
        &STOP_TIMEOUT,
        &CLEANUP,
        &START_TIMEOUT,
        &READY,
        &WATCHDOG,
        &Key::MAX_RETRIES,
        &RETRY_IF,
        &Key::BACKOFF,
        &Key::CRITICAL,
        &Key::SIGNIFICANT,
        &FINAL_ATTEMPT,
        &Key::READINESS,
        &METRIC_LABEL,
        &BLOCKING,
        &CONSTANT_NAME,
        &CRATE,
    ],
    misplaced: &[
        IN_BACKOFF,
        IN_SUPERVISE,
        IN_GROUP,
        &[("after", "the tree says what comes after what, in `task(.., after = [..])`")],
    ],
};

const OF_ENTRY: Table<Options> = Table {
    noun: "option",
    keys: &[
        &Key::RESTART,
        &INTERVAL,
        &EVERY,
        &INITIAL_DELAY,
        &TIMEOUT,
        &STOP_TIMEOUT,
        &CLEANUP,
        &START_TIMEOUT,
        &READY,
        &WATCHDOG,
        &Key::MAX_RETRIES,
        &Key::BACKOFF,
        &Key::AFTER,
        &Key::CRITICAL,
        &Key::SIGNIFICANT,
        &FINAL_ATTEMPT,
        &Key::READINESS,
        &METRIC_LABEL,
        &NAME,
    ],
    misplaced: &[
        IN_BACKOFF,
        IN_SUPERVISE,
        IN_GROUP,
        OF_FUNCTION,
        &[("crate", "it is an option of `#[task]` and a key of `supervise!`")],
    ],
};

const OF_DEFAULTS: Table<Options> = Table {
    noun: "default",
    keys: &[
        &Key::RESTART,
        &INTERVAL,
        &TIMEOUT,
        &STOP_TIMEOUT,
        &CLEANUP,
        &START_TIMEOUT,
        &Key::MAX_RETRIES,
        &Key::BACKOFF,
    ],
    misplaced: &[
        IN_BACKOFF,
        IN_SUPERVISE,
        IN_GROUP,
        OF_EACH_TASK,
        OF_FUNCTION,
        &[("name", "each task has its own"), ("after", "each task has its own, in `task(..)`")],
    ],
};

pub(crate) const IN_BACKOFF: &Misplaced = &[
    ("first", "write `backoff(first = ..)`"),
    ("max", "write `backoff(max = ..)`"),
    ("factor", "write `backoff(factor = ..)`"),
    ("jitter", "write `backoff(jitter = ..)`"),
    ("reset_after", "write `backoff(reset_after = ..)`"),
];

pub(crate) const IN_SUPERVISE: &Misplaced = &[
    ("config", "it is a key of `supervise!`"),
    ("controller", "it is a key of `supervise!`"),
    ("defaults", "it is a key of `supervise!`"),
    ("drain", "it is a key of `supervise!`"),
    ("grace", "it is a key of `supervise!`"),
    ("max_concurrent", "it is a key of `supervise!`"),
    ("signals", "it is a key of `supervise!`"),
    ("slots", "it is a key of `supervise!`"),
    ("subscribers", "it is a key of `supervise!`"),
];

const IN_GROUP: &Misplaced = &[
    ("strategy", "it is a key of `supervise!`, and an option of `group(..)`"),
    ("tasks", "it is a key of `supervise!`, and an option of `group(..)`"),
];

pub(crate) const OF_EACH_TASK: &Misplaced = &[
    ("every", "each task has its own, in `#[task(..)]` or `task(..)`"),
    ("initial_delay", "each task has its own, in `#[task(..)]` or `task(..)`"),
    ("ready", "each task has its own, in `#[task(..)]` or `task(..)`"),
    ("watchdog", "each task has its own, in `#[task(..)]` or `task(..)`"),
    ("critical", "each task has its own, in `#[task(..)]` or `task(..)`"),
    ("significant", "each task has its own, in `#[task(..)]` or `task(..)`"),
    ("final_attempt", "each task has its own, in `#[task(..)]` or `task(..)`"),
    ("readiness", "each task has its own, in `#[task(..)]` or `task(..)`"),
    ("metric_label", "each task has its own, in `#[task(..)]` or `task(..)`"),
];

/// Options that say what the function is.
pub(crate) const OF_FUNCTION: &Misplaced = &[
    ("blocking", "it is an option of `#[task]`, for a function that is not async"),
    ("retry_if", "it is an option of `#[task]`, where the type of the error is known"),
];

const BACKOFF_FIELDS: Table<Backoff> = Table {
    noun: "`backoff` field",
    keys: &[
        &Key::new("first", "first = \"100ms\"", Read::Duration(|backoff| &mut backoff.first)),
        &Key::new("max", "max = \"30s\"", Read::Duration(|backoff| &mut backoff.max)),
        &Key::new("factor", "factor = 2.0", Read::Factor(|backoff| &mut backoff.factor)),
        &Key::new(
            "jitter",
            "jitter = \"equal\"",
            Read::Value(|backoff, key, value, reader| {
                backoff.jitter = Some(Given::new(key, reader.word(key, value, Jitter::WORDS)));
            }),
        ),
        &Key::new("reset_after", "reset_after = \"60s\"", Read::Duration(|backoff| &mut backoff.reset_after)),
    ],
    misplaced: &[&[("max_retries", "it is an option of its own, beside `backoff(..)`")]],
};

impl Options {
    /// Reads the options of one list, by the table of its place.
    pub(crate) fn parse<'a>(place: Place, list: impl IntoIterator<Item = &'a Expr>, reader: &mut Reader) -> Self {
        let mut options = Self { is_partial: reader.recovered, ..Self::default() };
        place.table().read(list, &mut options, reader);
        options
    }
}

impl Place {
    fn table(self) -> &'static Table<Options> {
        match self {
            Self::Attribute => &OF_ATTRIBUTE,
            Self::Entry => &OF_ENTRY,
            Self::Defaults => &OF_DEFAULTS,
        }
    }

    #[cfg(test)]
    pub(crate) fn names(self) -> Vec<&'static str> {
        self.table().names()
    }
}

#[cfg(test)]
impl Backoff {
    pub(crate) fn names() -> Vec<&'static str> {
        BACKOFF_FIELDS.names()
    }
}

impl AsMut<Self> for Options {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

/// The names in `after = [..]`.
fn parse_after(key: &Ident, value: &Expr, reader: &mut Reader) -> Vec<Ident> {
    let mut names = Vec::new();
    for element in reader.elements(key, value) {
        match as_ident(element) {
            Some(name) => names.push(name),
            None if reader.is_unreadable(element) => {}
            None => reader.errors.push(element, "`after` names entries by their label, as in `after = [store]`"),
        }
    }
    names
}

/// The path of a function.
fn parse_function(key: &Ident, value: &Expr, reader: &mut Reader) -> Value<ExprPath> {
    if reader.is_unreadable(value) {
        return Value::Refused;
    }
    let message = match peel(value) {
        Expr::Path(path) => return Value::Known(path.clone(), path.to_token_stream()),
        Expr::Closure(_) => format!("`{key}` is the path of a function, and no closure: write `{key} = is_transient`"),
        Expr::Call(call) => {
            let function = path::text(&call.func);
            format!("`{key}` is the path of a function, which is not called here: write `{key} = {function}`")
        }
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => format!("`{key}` is a path, without quotes: write `{key} = {}`", text.value()),
            _ => format!("`{key}` is the path of a function: write for example `{key} = is_transient`"),
        },
        _ => format!("`{key}` is the path of a function: write for example `{key} = is_transient`"),
    };
    reader.errors.push(value, message);
    Value::Refused
}

/// The path to taskvisor, as a string or bare.
pub(crate) fn parse_crate(value: &Expr, reader: &mut Reader) -> Option<Path> {
    let written = match peel(value) {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => text.parse_with(Path::parse_mod_style).ok(),
            _ => None,
        },
        Expr::Path(path) if path.qself.is_none() => Some(path.path.clone()),
        _ => None,
    };
    if written.is_none() && !reader.is_unreadable(value) {
        let message = "`crate` is a path: write for example `crate = \"my_crate::taskvisor\"`";
        reader.errors.push(value, message);
    }
    written
}
