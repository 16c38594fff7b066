//! The table of the options of tasks and groups, one row for each.
//!
//! A row gives a field of [`Options`], a key of the lists, the calls of setters, the line in the docs of the items of
//! `#[task]`, and the rows of the tables in the docs of `#[task]` and `supervise!`. `check` rejects values and
//! combinations.
//!
//! `after`, `name`, `struct` and `crate` are not rows: they are about the position and the names of a task.

use proc_macro2::Ident;
use syn::{LitStr, Path};

use super::OfGroup;
use super::held::{
    Failures, Flag, FlagOrWord, Held, Limits, Number, ReadyWhen, RestartWhen, Retries, SpanOf, Text, Time,
};
use super::schedule::{self, Cron, LastRun, MissedRuns, Zone};
use super::singleton::{self, OnOverrun, Singleton, TicksWhen, WhileStandby};
use crate::reader::Given;
use crate::table::{Key, Read};

/// Generates [`Options`], its rows and the tables of the docs.
///
/// | part of a row | meaning |
/// |---|---|
/// | `name: Kind` | the key, and the kind of its value: see `held` |
/// | `usage` | how to write it, for messages |
/// | `task`, `group`, `defaults` | what becomes of it in `#[task(..)]` and `task(..)`, in `group(..)`, and in `defaults(..)`: see [`Use`] |
/// | `takes`, `unset`, `does` | the cells of its row in the docs |
macro_rules! options {
    ($($name:ident: $kind:ty {
        usage: $usage:literal,
        task: $task:ident $(($($task_call:literal),+))?,
        group: $group:ident $(($($group_call:literal),+))?,
        defaults: $defaults:ident,
        takes: $takes:literal,
        unset: $unset:literal,
        does: $does:literal,
    })+) => {
        /// The options of one list. An option that is not given is inherited.
        #[derive(Default)]
        pub(crate) struct Options {
            pub(crate) krate: Option<Path>,
            /// The name of the struct, if it is not that of the function.
            pub(crate) struct_name: Option<Ident>,
            pub(crate) name: Option<Given<LitStr>>,
            /// The siblings that must be ready first, as written.
            pub(crate) after: Vec<Ident>,
            /// `true` if a part of the invocation could not be read, which may contain a missing option.
            pub(crate) is_partial: bool,
            pub(crate) of_group: OfGroup,
            $(pub(crate) $name: $kind,)+
        }

        impl Options {
            /// Returns the rows, each with its value in the list. Those of a feature that is off were reported.
            pub(super) fn rows(&self) -> impl Iterator<Item = (&'static Row, &dyn Held)> {
                let held: [&dyn Held; ROWS.len()] = [$(&self.$name),+];
                ROWS.iter().zip(held).filter(|(row, _)| row.is_enabled())
            }
        }

        pub(super) const ROWS: &[Row] = &[$(Row {
            name: stringify!($name),
            task: Use::$task $(($($task_call),+))?,
            group: Use::$group $(($($group_call),+))?,
            defaults: Use::$defaults,
            write_default: concat!("write `defaults(", stringify!($name), " = ..)`"),
        }),+];

        impl<T: AsMut<Options> + 'static> Key<T> {
            /// The keys, in the order of the rows.
            pub(super) const OF_ROWS: &'static [Self] = &[
                $(Self::new(stringify!($name), $usage, Read::Held(|target| &mut target.as_mut().$name))),+
            ];
        }

        /// The rows of the table in the docs of `#[task]`.
        macro_rules! options_of_tasks {
            () => {
                concat!($(crate::options::row!(attribute $name $task $(($($task_call),+))? $takes $unset $does)),+)
            };
        }

        /// The rows of the table in the docs of `supervise!` with the options that only `task(..)` has.
        macro_rules! options_of_entries {
            () => {
                concat!($(crate::options::row!(entry $name $task $(($($task_call),+))? $takes $unset $does)),+)
            };
        }

        /// The rows of the table in the docs of `supervise!` with the valid places of each option.
        macro_rules! places_of_options {
            () => {
                concat!($(
                    "| `", stringify!($name), "` | ", crate::options::given!(attribute $task), " | ", crate::options::given!(entry $task), " | ",
                    crate::options::given!($group), " | ", crate::options::given!($defaults), " |\n"
                ),+)
            };
        }

        pub(crate) use {options_of_entries, options_of_tasks, places_of_options};
    };
}

/// A row without its value.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) task: Use,
    pub(crate) group: Use,
    pub(crate) defaults: Use,
    /// The advice if the option is only valid in `defaults(..)`.
    pub(crate) write_default: &'static str,
}

impl Row {
    /// Returns `true` if the feature of the option is on.
    fn is_enabled(&self) -> bool {
        (schedule::ENABLED || !schedule::KEYS.contains(&self.name))
            && (singleton::ENABLED || !singleton::KEYS.contains(&self.name))
    }
}

/// The use of an option in one kind of list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// The option is invalid there.
    No,
    /// The option is expanded by its own code.
    Own,
    /// The option is valid in `#[task(..)]` but not in `task(..)`, and is expanded by its own code.
    OfFunction,
    /// The option is valid in `task(..)` but not in `#[task(..)]`, and calls this setter with the value.
    OfEntry(&'static str),
    /// The option calls this setter with the value.
    Set(&'static str),
    /// The option calls the first setter for `true`, and the second for `false`.
    Either(&'static str, &'static str),
    /// The option calls the first setter for `true`, the second for `false`, and the third for its word.
    Choice(&'static str, &'static str, &'static str),
    /// The option sets the field of the config with its name.
    Field,
    /// The option sets the field of the config with its name, to `Some`.
    SomeField,
}

options! {
    restart: RestartWhen {
        usage: "restart = \"always\"",
        task: Own,
        group: Own,
        defaults: Own,
        takes: "`\"never\"`, `\"on_failure\"`, `\"always\"`",
        unset: "`\"on_failure\"`",
        does: "when a task that ended runs again",
    }
    interval: Time {
        usage: "interval = \"10s\"",
        task: Own,
        group: No,
        defaults: Own,
        takes: "duration",
        unset: "only yields",
        does: "the wait from the end of a run to the next start; needs `\"always\"`",
    }
    every: Time {
        usage: "every = \"10s\"",
        task: Set("with_every"),
        group: No,
        defaults: No,
        takes: "duration",
        unset: "-",
        does: "starts at a fixed rate, skipping what was missed; needs `\"always\"`",
    }
    splay: Time {
        usage: "splay = \"10s\"",
        task: Set("with_splay"),
        group: No,
        defaults: No,
        takes: "duration",
        unset: "none",
        does: "the largest shift of a task with `every`, `interval` or `cron`, so that equal periods do not strike together: it follows from the path and the name of the host",
    }
    cron: Cron {
        usage: "cron = \"30 2 * * *\"",
        task: Set("with_cron"),
        group: No,
        defaults: No,
        takes: "string",
        unset: "-",
        does: "runs at the times of this pattern, below; needs `\"always\"` and the feature `cron`",
    }
    zone: Zone {
        usage: "zone = \"Europe/Berlin\"",
        task: Set("with_zone"),
        group: No,
        defaults: SomeField,
        takes: "string",
        unset: "UTC",
        does: "the time zone of `cron`: a name of the IANA database, or `\"local\"` for that of the system",
    }
    missed: MissedRuns {
        usage: "missed = \"once\"",
        task: Set("with_missed"),
        group: No,
        defaults: No,
        takes: "`\"once\"`, `\"skip\"`",
        unset: "`\"once\"`",
        does: "what happens to runs of `cron`, or of `every` in a singleton, that were missed: one run makes up for all of them, or they are skipped",
    }
    late: Time {
        usage: "late = \"1h\"",
        task: Set("with_late"),
        group: No,
        defaults: No,
        takes: "duration, at least 1 s",
        unset: "without a limit",
        does: "how late a missed run of `cron`, or of `every` in a singleton, may begin; one that is later is skipped. With `\"skip\"`, runs are on time within it if it is shorter than 60 s",
    }
    last_run: LastRun {
        usage: "last_run = saved",
        task: OfEntry("with_last_run"),
        group: No,
        defaults: No,
        takes: "`SystemTime`, or an `Option` of one",
        unset: "no run was missed",
        does: "the time of the last run, which the program has stored: what `cron` was due for since then was missed",
    }
    singleton: Singleton {
        usage: "singleton` or `singleton = \"key\"",
        task: Own,
        group: Own,
        defaults: No,
        takes: "alone, or a `bool`, or the key of its lease, a string, or an `Option` of one",
        unset: "`false`",
        does: "it runs in one replica of the `fleet` at a time, under a lease whose key is its path unless it is given; needs the feature `fleet`",
    }
    standby: WhileStandby {
        usage: "standby = \"not_ready\"",
        task: Set("with_standby"),
        group: Set("with_standby"),
        defaults: No,
        takes: "`\"ready\"`, `\"not_ready\"`",
        unset: "`\"ready\"`",
        does: "whether a singleton counts as ready while another replica owns it",
    }
    overrun: OnOverrun {
        usage: "overrun = \"abort\"",
        task: Set("with_overrun"),
        group: Set("with_overrun"),
        defaults: No,
        takes: "`\"report\"`, `\"abort\"`",
        unset: "`\"report\"`",
        does: "what follows if the work of a singleton has not ended when its lease has, because it blocks its thread: an event, or the abort of the process",
    }
    ticks: TicksWhen {
        usage: "ticks = \"at_least_once\"",
        task: Set("with_ticks"),
        group: No,
        defaults: No,
        takes: "`\"at_most_once\"`, `\"at_least_once\"`",
        unset: "`\"at_most_once\"`",
        does: "whether a run of `every` or `cron` of a singleton counts as done before its first attempt, or after an attempt has succeeded: then another replica repeats it if its owner dies",
    }
    initial_delay: Time {
        usage: "initial_delay = \"10s\"",
        task: Set("with_initial_delay"),
        group: No,
        defaults: No,
        takes: "duration",
        unset: "none",
        does: "the wait before the first run",
    }
    timeout: Time {
        usage: "timeout = \"5s\"",
        task: Set("with_timeout"),
        group: No,
        defaults: Field,
        takes: "duration",
        unset: "none",
        does: "how long an attempt may take",
    }
    stop_timeout: Time {
        usage: "stop_timeout = \"5s\"",
        task: Set("with_stop_timeout"),
        group: No,
        defaults: SomeField,
        takes: "duration",
        unset: "its share of what is left of `grace`",
        does: "how long the task may take to end after a stop request",
    }
    cleanup: Time {
        usage: "cleanup = \"5s\"",
        task: Set("with_cleanup"),
        group: No,
        defaults: SomeField,
        takes: "duration",
        unset: "the `stop_timeout`, else the smaller of 5 s and `grace`",
        does: "how long the clean-up after a timeout may take",
    }
    start_timeout: Time {
        usage: "start_timeout = \"30s\"",
        task: Set("with_start_timeout"),
        group: Set("with_start_timeout"),
        defaults: Field,
        takes: "duration",
        unset: "`\"60s\"`; none with `ready = \"completed\"` and `\"first_success\"`",
        does: "how long a start may take, until the task is ready; not for tasks that are ready at the start, unless others are after them",
    }
    ready: ReadyWhen {
        usage: "ready = \"signal\"",
        task: Set("with_ready"),
        group: No,
        defaults: No,
        takes: "`\"start\"`, `\"signal\"`, `\"completed\"`, `\"first_success\"`",
        unset: "`\"start\"`",
        does: "what makes the task ready: an attempt has begun, or has called `ready()` on its `TaskContext`, or the task has ended in success, or its first attempt has succeeded; the last needs `\"always\"`",
    }
    unready_after: Number {
        usage: "unready_after = 3",
        task: Set("with_unready_after"),
        group: No,
        defaults: No,
        takes: "number",
        unset: "never",
        does: "how many failures in a row make a task with `ready = \"first_success\"` unready, until it succeeds again",
    }
    watchdog: Time {
        usage: "watchdog = \"10s\"",
        task: Set("with_watchdog"),
        group: No,
        defaults: No,
        takes: "duration",
        unset: "none",
        does: "how long an attempt may go without `heartbeat()` on its `TaskContext`; past it, the attempt has failed as silent",
    }
    max_retries: Number {
        usage: "max_retries = 5",
        task: Set("with_max_retries"),
        group: Set("with_max_retries"),
        defaults: SomeField,
        takes: "number",
        unset: "unlimited",
        does: "how many failures in a row are retried",
    }
    retry_if: Failures {
        usage: "retry_if = is_transient",
        task: OfFunction,
        group: No,
        defaults: No,
        takes: "path of a function",
        unset: "all are",
        does: "which failures are retried: it gets `&E` and returns `bool`. Where it says false the task ends as fatal, with the error in `TaskError::Permanent`; a `TaskError::Fail` becomes `Fatal` with its reason, and `Canceled` stays",
    }
    backoff: Retries {
        usage: "backoff(first = \"100ms\", max = \"30s\", factor = 2.0, jitter = \"equal\")",
        task: Own,
        group: Own,
        defaults: Own,
        takes: "list, below",
        unset: "see below",
        does: "the wait before a retry",
    }
    limit: Limits {
        usage: "limit = db` or `limit(max_restarts = 5, within = \"60s\")",
        task: Own,
        group: Own,
        defaults: No,
        takes: "the name of a limit, or a list: `max_restarts = 5, within = \"60s\"`, or both, each as a `limit`",
        unset: "none",
        does: "a name is a limit of `limits = [limit(db, 4)]` whose permits its attempts need. A list is how many failures within a sliding time are retried: one more ends the task alone. The list of a group belongs to its strategy",
    }
    critical: FlagOrWord {
        usage: "critical",
        task: Choice("critical", "not_critical", "critical_at_any_end"),
        group: Choice("critical", "not_critical", "critical_at_any_end"),
        defaults: No,
        takes: "alone, or `true`, `false` or `\"any_end\"`",
        unset: "`false`",
        does: "its end in failure, for good, fails its group; with `\"any_end\"`, its end in success does as well",
    }
    significant: Flag {
        usage: "significant",
        task: Either("significant", "not_significant"),
        group: Either("significant", "not_significant"),
        defaults: No,
        takes: "alone, or `true` or `false`",
        unset: "`false`",
        does: "its end in success, for good, ends its group; not with `\"always\"`",
    }
    final_attempt: Flag {
        usage: "final_attempt",
        task: Either("with_final_attempt", "without_final_attempt"),
        group: No,
        defaults: No,
        takes: "alone, or `true` or `false`",
        unset: "`false`",
        does: "a stop that is requested while the task waits begins one more attempt; not with `\"never\"`",
    }
    readiness: Flag {
        usage: "readiness = false",
        task: Either("with_readiness", "without_readiness"),
        group: Either("with_readiness", "without_readiness"),
        defaults: No,
        takes: "`true` or `false`",
        unset: "`true`",
        does: "its state counts for the readiness of the service: with `false`, health names it and stays ready",
    }
    paused: Flag {
        usage: "paused",
        task: Set("with_paused"),
        group: Set("with_paused"),
        defaults: No,
        takes: "alone, or `true` or `false`",
        unset: "`false`",
        does: "it is paused when it is first registered: no attempt begins until its handle resumes it",
    }
    span: SpanOf {
        usage: "span = \"none\"",
        task: Set("with_span"),
        group: No,
        defaults: No,
        takes: "`\"attempt\"`, `\"none\"`",
        unset: "`\"attempt\"`",
        does: "whether each attempt is in a span of `tracing`: none is for attempts that last for ever",
    }
    metric_label: Text {
        usage: "metric_label = \"..\"",
        task: Set("with_metric_label"),
        group: No,
        defaults: No,
        takes: "string",
        unset: "its path; for a task that is added at run time the path of its group, or `dynamic`",
        does: "the label `task` in metrics",
    }
    blocking: FlagOrWord {
        usage: "blocking",
        task: OfFunction,
        group: No,
        defaults: No,
        takes: "alone, or `true`, `false` or `\"pool\"`",
        unset: "`false`",
        does: "the function is not async, and runs on a thread of its own, or with `\"pool\"` on Tokio's blocking pool, below",
    }
}
