//! The tables of options, one row an option.

use syn::{Expr, Lit, Path};

use super::{Backoff, Jitter, Options, Place, Restart};
use crate::argument::peel;
use crate::reader::{Given, Reader};
use crate::table::{Key, Read, Table};

const CRATE: Key<Options> = Key {
    name: "crate",
    usage: "crate = \"path::to::taskvisor\"",
    read: Read::Value(|options, _, value, reader| options.krate = parse_crate(value, reader)),
};
const CONSTANT_NAME: Key<Options> = Key {
    name: "name",
    usage: "name = \"..\"",
    read: Read::Value(|options, key, value, reader| {
        options.name = Some(Given::new(key, reader.constant_text(key, value)));
    }),
};
const NAME: Key<Options> = Key {
    name: "name",
    usage: "name = \"..\"",
    read: Read::Value(|options, key, value, reader| {
        options.name = Some(Given::new(key, reader.text(key, value)));
    }),
};
const RESTART: Key<Options> = Key {
    name: "restart",
    usage: "restart = \"always\"",
    read: Read::Value(|options, key, value, reader| {
        options.restart = Some(Given::new(key, reader.word(key, value, Restart::WORDS)));
    }),
};
const INTERVAL: Key<Options> = Key {
    name: "interval",
    usage: "interval = \"10s\"",
    read: Read::Value(|options, key, value, reader| {
        options.interval = Some(Given::new(key, reader.duration(key, value)));
    }),
};
const EVERY: Key<Options> = Key {
    name: "every",
    usage: "every = \"10s\"",
    read: Read::Value(|options, key, value, reader| {
        options.every = Some(Given::new(key, reader.duration(key, value)));
    }),
};
const INITIAL_DELAY: Key<Options> = Key {
    name: "initial_delay",
    usage: "initial_delay = \"10s\"",
    read: Read::Value(|options, key, value, reader| {
        options.initial_delay = Some(Given::new(key, reader.duration(key, value)));
    }),
};
const TIMEOUT: Key<Options> = Key {
    name: "timeout",
    usage: "timeout = \"5s\"",
    read: Read::Value(|options, key, value, reader| {
        options.timeout = Some(Given::new(key, reader.duration(key, value)));
    }),
};
const STOP_TIMEOUT: Key<Options> = Key {
    name: "stop_timeout",
    usage: "stop_timeout = \"5s\"",
    read: Read::Value(|options, key, value, reader| {
        options.stop_timeout = Some(Given::new(key, reader.duration(key, value)));
    }),
};
const MAX_RETRIES: Key<Options> = Key {
    name: "max_retries",
    usage: "max_retries = 5",
    read: Read::Value(|options, key, value, reader| {
        options.max_retries = Some(Given::new(key, reader.u32(key, value)));
    }),
};
const BACKOFF: Key<Options> = Key {
    name: "backoff",
    usage: "backoff(first = \"100ms\", max = \"30s\", factor = 2.0, jitter = \"equal\")",
    read: Read::List(|options, key, list, reader| {
        let mut backoff =
            Backoff { key: key.clone(), first: None, max: None, factor: None, jitter: None, reset_after: None };
        BACKOFF_FIELDS.read(list, &mut backoff, reader);
        options.backoff = Some(backoff);
    }),
};

const OF_ATTRIBUTE: Table<Options> = Table {
    noun: "option",
    keys: &[
        &RESTART,
        &INTERVAL,
        &EVERY,
        &INITIAL_DELAY,
        &TIMEOUT,
        &STOP_TIMEOUT,
        &MAX_RETRIES,
        &BACKOFF,
        &CONSTANT_NAME,
        &CRATE,
    ],
    misplaced: &[IN_BACKOFF, IN_SUPERVISE],
};

const OF_ENTRY: Table<Options> = Table {
    noun: "option",
    keys: &[&RESTART, &INTERVAL, &EVERY, &INITIAL_DELAY, &TIMEOUT, &STOP_TIMEOUT, &MAX_RETRIES, &BACKOFF, &NAME],
    misplaced: &[IN_BACKOFF, IN_SUPERVISE, &[("crate", "it is an option of `#[task]` and a key of `supervise!`")]],
};

const OF_DEFAULTS: Table<Options> = Table {
    noun: "default",
    keys: &[&RESTART, &INTERVAL, &TIMEOUT, &STOP_TIMEOUT, &MAX_RETRIES, &BACKOFF],
    misplaced: &[
        IN_BACKOFF,
        IN_SUPERVISE,
        &[
            ("name", "each task has its own"),
            ("every", "each task has its own, in `#[task(..)]` or `task(..)`"),
            ("initial_delay", "each task has its own, in `#[task(..)]` or `task(..)`"),
        ],
    ],
};

const IN_BACKOFF: &[(&str, &str)] = &[
    ("first", "write `backoff(first = ..)`"),
    ("max", "write `backoff(max = ..)`"),
    ("factor", "write `backoff(factor = ..)`"),
    ("jitter", "write `backoff(jitter = ..)`"),
    ("reset_after", "write `backoff(reset_after = ..)`"),
];

const IN_SUPERVISE: &[(&str, &str)] = &[
    ("config", "it is a key of `supervise!`"),
    ("defaults", "it is a key of `supervise!`"),
    ("drain", "it is a key of `supervise!`"),
    ("grace", "it is a key of `supervise!`"),
    ("max_concurrent", "it is a key of `supervise!`"),
    ("signals", "it is a key of `supervise!`"),
    ("subscribers", "it is a key of `supervise!`"),
    ("tasks", "it is a key of `supervise!`"),
];

const BACKOFF_FIELDS: Table<Backoff> = Table {
    noun: "`backoff` field",
    keys: &[
        &Key {
            name: "first",
            usage: "first = \"100ms\"",
            read: Read::Value(|backoff, key, value, reader| {
                backoff.first = Some(Given::new(key, reader.duration(key, value)));
            }),
        },
        &Key {
            name: "max",
            usage: "max = \"30s\"",
            read: Read::Value(|backoff, key, value, reader| {
                backoff.max = Some(Given::new(key, reader.duration(key, value)));
            }),
        },
        &Key {
            name: "factor",
            usage: "factor = 2.0",
            read: Read::Value(|backoff, key, value, reader| {
                backoff.factor = Some(Given::new(key, reader.factor(key, value)));
            }),
        },
        &Key {
            name: "jitter",
            usage: "jitter = \"equal\"",
            read: Read::Value(|backoff, key, value, reader| {
                backoff.jitter = Some(Given::new(key, reader.word(key, value, Jitter::WORDS)));
            }),
        },
        &Key {
            name: "reset_after",
            usage: "reset_after = \"60s\"",
            read: Read::Value(|backoff, key, value, reader| {
                backoff.reset_after = Some(Given::new(key, reader.duration(key, value)));
            }),
        },
    ],
    misplaced: &[&[("max_retries", "it is an option of its own, beside `backoff(..)`")]],
};

impl Options {
    /// Reads the options of one list, by the table of its place.
    pub(crate) fn parse<'a>(place: Place, list: impl IntoIterator<Item = &'a Expr>, reader: &mut Reader) -> Self {
        let table = match place {
            Place::Attribute => &OF_ATTRIBUTE,
            Place::Entry => &OF_ENTRY,
            Place::Defaults => &OF_DEFAULTS,
        };
        let mut options = Self::default();
        table.read(list, &mut options, reader);
        options
    }
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
