//! The cells of an option in the docs: macros, because the docs of the macros are made of literals.

/// The row of an option in the docs of `#[task]`, or of the options that only `task(..)` has.
macro_rules! row {
    (attribute $name:ident OfEntry($setter:literal) $takes:literal $unset:literal $does:literal) => {
        ""
    };
    (entry $name:ident OfEntry($setter:literal) $takes:literal $unset:literal $does:literal) => {
        concat!("| `", stringify!($name), "` | ", $takes, " | ", $unset, " | ", $does, " | `", $setter, "` |\n")
    };
    (attribute $name:ident $use:ident $(($($call:literal),+))? $takes:literal $unset:literal $does:literal) => {
        concat!(
            "| `", stringify!($name), "` | ", $takes, " | ", $unset, " | ", $does, " | ",
            crate::options::setter!($name $use $(($($call),+))?), " |\n"
        )
    };
    (entry $name:ident $use:ident $(($($call:literal),+))? $takes:literal $unset:literal $does:literal) => {
        ""
    };
}
pub(crate) use row;

/// The cell of an option in the docs: valid or not.
macro_rules! given {
    (attribute OfEntry) => {
        "-"
    };
    (attribute $of:ident) => {
        "yes"
    };
    (entry OfFunction) => {
        "-"
    };
    (entry $of:ident) => {
        "yes"
    };
    (No) => {
        "-"
    };
    ($of:ident) => {
        "yes"
    };
}
pub(crate) use given;

/// The setter of `TaskSpec` for an option, in the docs.
macro_rules! setter {
    (cron Set($setter:literal)) => {
        "`with_schedule`"
    };
    (zone Set($setter:literal)) => {
        "`Schedule::zone`"
    };
    (missed Set($setter:literal)) => {
        "`Schedule::missed`"
    };
    (late Set($setter:literal)) => {
        "`Schedule::late`"
    };
    ($name:ident Set($setter:literal)) => {
        concat!("`", $setter, "`")
    };
    ($name:ident Either($set:literal, $unset:literal)) => {
        concat!("`", $set, "`, `", $unset, "`")
    };
    ($name:ident Choice($set:literal, $unset:literal, $word:literal)) => {
        concat!("`", $set, "`, `", $unset, "`, `", $word, "`")
    };
    (singleton Own) => {
        "`with_singleton`, `with_singleton_key`, `without_singleton`"
    };
    (backoff Own) => {
        "`with_backoff`, `with_reset_after`"
    };
    (limit Own) => {
        "`with_named_limit`, `with_limit`"
    };
    ($name:ident Own) => {
        "`with_restart`"
    };
    ($name:ident OfFunction) => {
        "-"
    };
}
pub(crate) use setter;
